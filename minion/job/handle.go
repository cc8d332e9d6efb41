package job

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
	"brine/proto/target"
	"brine/states/regex"
	states "brine/states/value"
)

// Handle takes a message of job.all or job.id, which on tells. It returns false
// for an envelope that concerns neither a job nor its cancelling: it is
// left to somebody else. Data must not change afterwards.
func (r *Runner) Handle(on string, data []byte) bool {
	env := &pb.Envelope{}
	if err := proto.Unmarshal(data, env); err != nil {
		r.drop("message", on, err)
		return true
	}
	var err error
	switch env.Kind {
	case pb.Kind_KIND_JOB:
		var o *order
		if o, err = r.read(env, r.o.Trust.Master); err == nil {
			o.data, o.byName = data, on != subject.JobAll
			r.weigh(o)
			r.take(o)
		}
	case pb.Kind_KIND_CANCEL:
		err = r.handleCancel(env)
	default:
		return false
	}
	if err != nil { // nobody needs an answer to what no master signed
		r.drop("message", on, err)
		if r.o.Stranger != nil && errors.Is(err, pki.ErrUnknownMaster) {
			r.o.Stranger()
		}
	}
	return true
}

// A signer tells which master signs with a key, or why none does.
type signer func(ed25519.PublicKey) (master string, err error)

// signed returns the body of an envelope and the master that signed it.
func (r *Runner) signed(env *pb.Envelope, kind pb.Kind, by signer) (body []byte, master string, err error) {
	body, err = pki.Verify(env, r.o.Trust.Pin(), kind, func(key ed25519.PublicKey) (err error) {
		master, err = by(key)
		return err
	})
	return body, master, err
}

// former is a signer for what was taken before: its master may have taken another key since.
func (r *Runner) former(key ed25519.PublicKey) (master string, err error) {
	if name, ok := r.o.Trust.Rotated(key); ok {
		return name, nil
	}
	return r.o.Trust.Master(key)
}

// read verifies a job. The operator's signature inside was checked by the master and is kept
// as a proof; a minion does not know operators.
func (r *Runner) read(env *pb.Envelope, by signer) (*order, error) {
	body, master, err := r.signed(env, pb.Kind_KIND_JOB, by)
	if err != nil {
		return nil, err
	}
	o := &order{job: &pb.Job{}, request: &pb.JobRequest{}}
	if err := proto.Unmarshal(body, o.job); err != nil {
		return nil, fmt.Errorf("cannot read job of master %q: %w", master, err)
	}
	if o.job.Master != master {
		return nil, fmt.Errorf("cannot take job of master %q: master %q signed it", o.job.Master, master)
	}
	if o.job.Request.GetKind() != pb.Kind_KIND_JOB_REQUEST {
		return nil, fmt.Errorf("cannot read job of master %q: no request in it", master)
	}
	if err := proto.Unmarshal(o.job.Request.Body, o.request); err != nil {
		return nil, fmt.Errorf("cannot read job of master %q: %w", master, err)
	}
	o.issued, o.notAfter = o.job.IssuedAt, o.job.NotAfter
	if o.request.Batch != nil && !slices.Contains(o.job.Only, r.o.ID) {
		return nil, fmt.Errorf("cannot take job %s of master %q: it is not this minion's turn", o.request.Jid, master)
	}
	if err := r.unseal(o, env.Secret); err != nil {
		return nil, fmt.Errorf("cannot take job %s of master %q: %w", o.request.Jid, master, err)
	}
	o.key, err = readKey(o.request.Jid, o.request.RequestId)
	return o, err
}

// unseal opens the sealed arguments of a job. Without the right secret the message is one that somebody on the bus
// has cut or changed: it gets no answer, and the masters send it again.
func (r *Runner) unseal(o *order, sealed []byte) error {
	if len(o.request.Sealed) == 0 {
		return nil
	}
	if r.o.Open == nil || len(sealed) == 0 {
		return errors.New("the secret of its sealed arguments is missing")
	}
	secret, err := r.o.Open(sealed)
	if err != nil {
		return err
	}
	data, err := pki.OpenSecret(secret, o.request.Sealed)
	if err != nil {
		return err
	}
	args := &pb.SealedArguments{}
	if err := proto.Unmarshal(data, args); err != nil {
		return fmt.Errorf("cannot read its sealed arguments: %w", err)
	}
	o.secret = args.Args
	return nil
}

func readKey(id string, request []byte) (k key, err error) {
	if _, err := jid.Time(id); err != nil {
		return k, err
	}
	if len(request) != len(k.req) {
		return k, fmt.Errorf("cannot read request id of job %s: it has %d bytes", id, len(request))
	}
	return key{id, requestID(request)}, nil
}

// weigh finds out what others say of a job.
func (r *Runner) weigh(o *order) {
	if o.matched, o.denied = r.meant(o); !o.matched {
		var unknown *target.Unknown
		if o.unsure = errors.As(o.denied, &unknown); o.unsure {
			o.denied = fmt.Errorf("cannot tell whether the target means this minion: %w", unknown)
		}
		return
	}
	if slices.ContainsFunc(o.secret, namesEnvironment) {
		o.denied = errors.New("an environment is named by a sealed argument, so that no master could tell whether its operator may use it")
	}
	o.urgent = true
	for _, c := range o.request.Asked() {
		switch function := c.GetFunction(); {
		case function == "" || len(function) > maxFunction:
			o.denied = fmt.Errorf("a function's name has 1 to %d bytes, this one %d", maxFunction, len(function))
		case r.o.Allow != nil && o.denied == nil:
			o.denied = r.o.Allow(function)
		}
		o.state = o.state || r.o.IsState(c.GetFunction()) && !says(c.GetArgs(), "concurrent")
		o.urgent = o.urgent && r.o.Urgent(c.GetFunction())
		o.wait = o.wait || says(c.GetArgs(), "queue")
	}
}

func namesEnvironment(a *pb.Argument) bool {
	return a.GetName() == "saltenv" || a.GetName() == "pillarenv"
}

// meant tells whether the target of a job matches, or why that can't be told.
func (r *Runner) meant(o *order) (bool, error) {
	language := target.Language{Regexp: regex.Beginning}
	if len(o.job.Nodegroups) > 0 {
		groups, err := states.FromJSON(o.job.Nodegroups)
		if err != nil {
			return false, fmt.Errorf("cannot read the nodegroups of the job: %w", err)
		}
		language.Groups, _ = groups.(*states.Dict)
	}
	m, err := language.Read(o.request.Target)
	if err != nil {
		return false, err
	}
	facts := target.Facts{}
	if asks := m.Asks(); !asks.ID() && r.o.Facts != nil {
		facts, o.pillar = r.o.Facts(asks), asks.Pillar && !o.renewed
	}
	facts.ID, facts.Why = r.o.ID, o.lacking
	return m.Decide(facts)
}

// take decides about a job that a master signed.
func (r *Runner) take(o *order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return // another try may find the minion up again
	}
	if e := r.journal.lookup(o.key); e != nil {
		r.spawn(func() { r.answer(e) })
		return
	}
	if !o.matched && !o.byName && o.denied == nil {
		r.advance(o)
		return
	}
	if !o.matched && o.pillar && r.o.Renew != nil && !r.journal.over(o.notAfter) {
		r.spawn(func() { r.again(o) })
		return
	}
	if r.journal.over(o.notAfter) {
		// It can never run, so nothing need be remembered; an old job that somebody
		// sends again leaves no trace.
		ret := r.closed(o, pb.Outcome_REFUSED, r.late(o))
		r.spawn(func() { r.deliver(ret) })
		return
	}
	e, conflict := r.journal.claim(o.key, name(o.request.Function), o.issued, o.notAfter)
	outcome, reason := pb.Outcome_REFUSED, conflict
	if reason == "" {
		outcome, reason = r.judge(o)
	}
	if reason == "" {
		r.advance(o)
		outcome = pb.Outcome_REFUSED
		reason = r.admit(&task{order: o, e: e})
	}
	if reason != "" {
		r.spawn(func() { r.refuse(o, e, outcome, reason) })
	}
}

// again decides about a job of which masters think otherwise than what this minion knows of its pillar, or of which it knows
// too little to decide.
func (r *Runner) again(o *order) {
	ctx, cancel := context.WithTimeout(r.ctx, renewLimit)
	defer cancel()
	o.lacking = r.o.Renew(ctx)
	o.renewed, o.pillar = true, false
	r.weigh(o)
	r.take(o)
}

// advance notes the master's time, unless it is one that this minion does not believe.
func (r *Runner) advance(o *order) {
	if o.issued <= r.now().Add(clockSlack).UnixMicro() {
		r.journal.advance(o.issued)
	}
}

// judge tells why a new job must not run, "" when it may.
func (r *Runner) judge(o *order) (pb.Outcome, string) {
	if !o.matched && o.denied == nil {
		return pb.Outcome_NOT_MATCHED, fmt.Sprintf("target %q does not match", clip(o.request.Target.GetExpression()))
	}
	if reason := r.untimely(o); reason != "" {
		return pb.Outcome_REFUSED, reason
	}
	if r.journal.cancelled(o.key) {
		return pb.Outcome_CANCELLED, "cancelled before it began"
	}
	if o.denied != nil {
		return pb.Outcome_REFUSED, o.denied.Error()
	}
	return 0, ""
}

// untimely tells why a job is not taken now, "" when it is in time.
func (r *Runner) untimely(o *order) string {
	now := r.now().UnixMicro()
	window := o.notAfter - o.issued
	after, _ := r.journal.file.taking()
	switch {
	case o.issued > now+clockSlack.Microseconds():
		return r.skew(o, time.Duration(o.issued-now)*time.Microsecond)
	case window <= 0 || window > maxWindow.Microseconds():
		return fmt.Sprintf("its window of %v is not between 0 and %v",
			time.Duration(window)*time.Microsecond, maxWindow)
	case o.notAfter < now:
		return r.late(o)
	case o.issued <= after:
		return fmt.Sprintf("the minion's journal was damaged: it takes only jobs issued after %s",
			time.UnixMicro(after).UTC().Format(time.RFC3339))
	}
	return ""
}

func (r *Runner) skew(o *order, by time.Duration) string {
	return fmt.Sprintf("clock differs by %.0f s from %s: check NTP", by.Abs().Seconds(), o.job.Master)
}

// late tells why a job whose window has ended is refused. It is the clock's
// fault when a master has told its time and that differs.
func (r *Runner) late(o *order) string {
	if r.skewed && r.offset.Abs() > clockSlack {
		return r.skew(o, r.offset)
	}
	now := r.now().UnixMicro()
	since := func(at int64) float64 { return (time.Duration(now-at) * time.Microsecond).Seconds() }
	return fmt.Sprintf("it came %.0f s after %s issued it, %.0f s after its window ended: "+
		"it is late, or the clock differs from %s: check NTP",
		since(o.issued), o.job.Master, since(o.notAfter), o.job.Master)
}

// refuse keeps and sends a return of a job that does not run.
func (r *Runner) refuse(o *order, e *entry, outcome pb.Outcome, reason string) {
	r.log.Warn("job refused", "job", o.jid, "function", name(o.request.Function), "master", o.job.Master,
		"outcome", outcome, "reason", reason)
	r.conclude(e, r.closed(o, outcome, reason))
}

// closed is the Return of a job that had no result.
func (r *Runner) closed(o *order, outcome pb.Outcome, reason string) *pb.Return {
	ret := r.blank(o.key, name(o.request.Function))
	ret.Outcome, ret.Reason = outcome, reason
	o.tellCause(ret)
	return ret
}

// tellCause has the return of a job of the minion's own name what had it made, which the journal does not know.
func (o *order) tellCause(ret *pb.Return) {
	if ret.Cause != "" {
		ret.Cause = o.request.Operator
	}
}

func (r *Runner) blank(k key, function string) *pb.Return {
	return &pb.Return{Jid: k.jid, RequestId: k.req[:], Minion: r.o.ID, Function: function,
		FinishedAt: r.now().UnixMicro(), Cause: causeOf(k.req)}
}

// admit gives a job its turn or makes it wait, or tells why neither.
func (r *Runner) admit(t *task) (refusal string) {
	if first := r.otherState(); t.state && !t.wait && first != nil {
		return fmt.Sprintf("state run %s (%s) is not done: wait for it, or use queue=True",
			first.jid, first.request.Function)
	}
	t.running = r.hasTurn(t)
	if !t.running && (len(r.waiting) >= maxWaiting || r.held+len(t.data) > maxHeld) {
		return fmt.Sprintf("%d jobs wait here already", len(r.waiting))
	}
	r.tasks[t.key] = t
	if t.running {
		r.occupy(t)
	} else {
		r.waiting = append(r.waiting, t)
		r.held += len(t.data)
	}
	r.spawn(func() { r.begin(t) })
	return ""
}

// otherState is the state run that runs, or else the first that waits.
func (r *Runner) otherState() *task {
	if r.states != nil {
		return r.states
	}
	for _, t := range r.waiting {
		if t.state {
			return t
		}
	}
	return nil
}

// hasTurn tells whether t, not waiting yet, may begin at once.
func (r *Runner) hasTurn(t *task) bool {
	return t.urgent || r.busy < maxRunning && !(t.state && r.otherState() != nil)
}

// says tells whether the arguments say NAME=True.
func says(args []*pb.Argument, name string) bool {
	for _, a := range args {
		if a.GetName() != name {
			continue
		}
		switch strings.ToLower(a.GetText() + string(a.GetJson())) {
		case "true", "yes", "on", "1":
			return true
		}
	}
	return false
}

// name is a function's name, bounded.
func name(function string) string {
	return strings.ToValidUTF8(function[:min(len(function), maxFunction)], "")
}

func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return strings.ToValidUTF8(s, "")
}
