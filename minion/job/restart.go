package job

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// seenGroup is how many jobs that this minion forgot are written at once.
const seenGroup = 256

// Recover looks at what the last end of the process left. It is dealt with
// once a master has told, by Seen, which of it has returned: the journal may come from an old
// snapshot. Then a job that was only accepted runs when its window is open, else it is expired;
// one that had been started is reported as interrupted, and as ok when it
// restarted the minion itself.
func (r *Runner) Recover() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = r.journal.unfinished()
}

// takeUp deals with what Recover found.
func (r *Runner) takeUp(has map[key]bool) {
	r.mu.Lock()
	left := r.left
	r.left = nil
	r.mu.Unlock()
	for _, e := range left {
		switch {
		case has[e.key]:
			r.log.Warn("job has a return that this minion forgot", "job", e.jid, "function", e.function)
			r.journal.setKnown(e)
		case r.journal.isWaiting(e):
			r.requeue(e)
		default:
			r.cutShort(e)
		}
	}
}

// cutShort reports a job that had begun.
func (r *Runner) cutShort(e *entry) {
	ret := r.blank(e.key, e.function)
	end := r.journal.ended(e)
	ret.Outcome, ret.Reason = end.outcome, end.reason
	switch ret.Outcome {
	case pb.Outcome_OK:
		ret.Value = restarted
	case pb.Outcome_INTERRUPTED:
		ret.Retcode = 1
	}
	r.leave(e, ret)
}

// leave concludes a job of the last run.
func (r *Runner) leave(e *entry, ret *pb.Return) {
	r.log.Warn("job of the last run", "job", e.jid, "function", e.function,
		"outcome", ret.Outcome, "reason", ret.Reason)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closing {
		r.spawn(func() { r.conclude(e, ret) })
	}
}

// restarted is the value of a job that ended the minion's process on purpose.
var restarted = []byte(`"the minion was restarted"`)

// ended tells how a job ended that the end of the process cut short.
func (j *Journal) ended(e *entry) *ended {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case e.restarting:
		return &ended{outcome: pb.Outcome_OK}
	case e.distrusted:
		return &ended{outcome: pb.Outcome_INTERRUPTED,
			reason: "it waited in a journal that was damaged: whether it ran is not known"}
	}
	return &ended{outcome: pb.Outcome_INTERRUPTED,
		reason: "the minion ended while the job ran: its commands may still run",
	}
}

// requeue takes up a job that had only been accepted.
func (r *Runner) requeue(e *entry) {
	ret := r.blank(e.key, e.function)
	o, err := r.reread(e)
	switch {
	case r.journal.over(e.notAfter) || e.notAfter < r.now().UnixMicro():
		ret.Outcome, ret.Reason = pb.Outcome_EXPIRED, "the minion was not running until its window was over"
	case errors.Is(err, errOwn):
		ret.Outcome, ret.Reason = pb.Outcome_EXPIRED, err.Error()
	case err != nil:
		ret.Outcome, ret.Reason = pb.Outcome_REFUSED, err.Error()
	}
	if ret.Reason != "" {
		r.leave(e, ret)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return
	}
	t := &task{order: o, e: e, ready: true}
	r.tasks[t.key] = t
	r.waiting = append(r.waiting, t)
	r.held += len(t.data)
	if r.journal.cancelled(e.key) {
		r.endTask(t, &ended{outcome: pb.Outcome_CANCELLED, reason: "cancelled before it began"})
		return
	}
	r.expireLater(t)
	r.dispatch()
}

// reread verifies a job of the journal again: its master may have been revoked since.
func (r *Runner) reread(e *entry) (*order, error) {
	data, err := r.journal.envelope(e)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errOwn
	}
	env := &pb.Envelope{}
	if err := proto.Unmarshal(data, env); err != nil {
		return nil, fmt.Errorf("cannot read job %s in the journal: %v", e.jid, err)
	}
	o, err := r.read(env, r.former)
	if err != nil {
		return nil, err
	}
	if o.key != e.key {
		return nil, fmt.Errorf("cannot take job %s: the journal holds job %s in its place", e.jid, o.jid)
	}
	o.data = data
	if r.weigh(o); o.denied != nil || !o.matched {
		return nil, fmt.Errorf("cannot take job %s any more: %v", e.jid, cmp.Or(o.denied, errNoMatch))
	}
	return o, nil
}

var errNoMatch = errors.New("its target does not match")

// Seen takes what a master knows of this minion's jobs, before a job is taken
// on a new connection. A job that the journal does not hold is one that this
// minion forgot, as after a restored snapshot: it is never run again, and reported as interrupted
// unless the master has its return. Seen returns when that is on disk.
func (r *Runner) Seen(reply *pb.SeenReply) {
	has := map[key]bool{} // whether the master has the return
	jobs := map[key]*pb.SeenJob{}
	for _, s := range reply.GetJobs() {
		k, err := readKey(s.GetJid(), s.GetRequestId())
		if err != nil {
			r.log.Warn("seen job refused", "err", err)
			continue
		}
		jobs[k], has[k] = s, has[k] || s.Returned
	}
	r.takeUp(has)
	r.mu.Lock()
	r.compareClock(reply.GetNow())
	need := r.needed(reply.GetLive())
	lost := r.forgotten(jobs, has)
	r.mu.Unlock()
	r.confirm(reply.GetNow())
	for len(lost) > 0 {
		n := min(len(lost), seenGroup)
		if err := r.journal.finishAll(lost[:n]); err != nil {
			r.log.Error("forgotten jobs are kept in memory only", "err", err)
		}
		lost = lost[n:]
	}
	if len(reply.GetLive()) > 0 {
		r.journal.reconsider(need)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arm()
}

// compareClock notes by how much a master's clock differs. With mu held.
func (r *Runner) compareClock(now int64) {
	if now == 0 {
		return
	}
	r.offset, r.skewed = time.UnixMicro(now).Sub(r.now()), true
	if r.offset.Abs() > clockSlack {
		r.log.Warn("clock differs from the masters': check NTP", "seconds", r.offset.Seconds())
	}
}

// confirm moves the beginning of a journal that replaced a damaged one to a
// master's clock, by which jobs are issued. A clock too far ahead is not believed.
func (r *Runner) confirm(now int64) {
	after, unconfirmed := r.journal.file.taking()
	if !unconfirmed || now == 0 || now > r.now().Add(clockSlack).UnixMicro() {
		return
	}
	if err := r.journal.file.confirm(max(after, now)); err != nil {
		r.log.Error("journal's beginning not kept", "err", err)
	}
}

// lostJob is a job that the masters know and the journal does not.
type lostJob struct {
	e   *entry
	res *result
}

// forgotten claims the jobs that are not known here, and returns those that
// the master has no return of. With mu held.
func (r *Runner) forgotten(jobs map[key]*pb.SeenJob, has map[key]bool) (lost []lostJob) {
	for k, s := range jobs {
		if r.journal.lookup(k) != nil || r.journal.over(s.NotAfter) {
			continue
		}
		e, conflict := r.journal.claim(k, "", s.IssuedAt, s.NotAfter)
		if conflict != "" {
			r.log.Error("masters know a job that contradicts the journal", "conflict", conflict)
		}
		if has[k] {
			r.log.Warn("job was forgotten", "job", k.jid)
			r.journal.setKnown(e)
			continue
		}
		r.log.Warn("job was forgotten, reported as interrupted", "job", k.jid)
		ret := r.blank(k, "")
		ret.Outcome, ret.Retcode = pb.Outcome_INTERRUPTED, 1
		ret.Reason = "the minion accepted it and lost its journal: whether it ran is not known"
		lost = append(lost, lostJob{e, r.pack(ret)})
	}
	return lost
}
