package job

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// seenGroup is how many jobs that this minion forgot are written at once.
const seenGroup = 256

// Recover settles what the last end of the process left: a job that was only
// accepted runs when its window is open, else it is expired; one that had been
// started is reported as interrupted, and as ok when it restarted the minion
// itself. The returns go out with the next Reoffer at the latest.
func (r *Runner) Recover() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.journal.unfinished() {
		if r.tasks[e.key] != nil || r.closing {
			continue
		}
		if r.journal.isWaiting(e) {
			r.requeue(e)
		} else {
			r.cutShort(e)
		}
	}
}

// cutShort reports a job that had begun. With mu held.
func (r *Runner) cutShort(e *entry) {
	ret := r.blank(e.key, e.function)
	end := r.journal.ended(e)
	ret.Outcome, ret.Reason = end.outcome, end.reason
	if ret.Outcome == pb.Outcome_OK {
		ret.Value = restarted
	}
	r.log.Warn("job of the last run", "job", e.jid, "function", e.function, "outcome", ret.Outcome)
	r.spawn(func() { r.conclude(e, ret) })
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
	return &ended{outcome: pb.Outcome_INTERRUPTED, reason: "the minion ended while the job ran"}
}

// requeue takes up a job that had only been accepted. With mu held.
func (r *Runner) requeue(e *entry) {
	close := func(outcome pb.Outcome, reason string) {
		ret := r.blank(e.key, e.function)
		ret.Outcome, ret.Reason = outcome, reason
		r.log.Warn("job of the last run", "job", e.jid, "function", e.function, "outcome", outcome, "reason", reason)
		r.spawn(func() { r.conclude(e, ret) })
	}
	if r.journal.over(e.notAfter) || e.notAfter < r.now().UnixMicro() {
		close(pb.Outcome_EXPIRED, "the minion was not running until its window was over")
		return
	}
	if r.journal.cancelled(e.key) {
		close(pb.Outcome_CANCELLED, "cancelled before it began")
		return
	}
	o, err := r.reread(e)
	if err != nil {
		close(pb.Outcome_REFUSED, err.Error())
		return
	}
	t := &task{order: o, e: e, state: r.o.IsState(e.function), wait: mayWait(o.request.Args), ready: true}
	r.tasks[t.key] = t
	r.waiting = append(r.waiting, t)
	r.held += len(t.data)
	if !t.wait || !t.state {
		t.expiry = time.AfterFunc(r.untilOver(t), func() { r.expire(t) })
	}
	r.dispatch()
}

// reread verifies a job of the journal again: its master may have been revoked since.
func (r *Runner) reread(e *entry) (*order, error) {
	data, err := r.journal.envelope(e)
	if err != nil {
		return nil, err
	}
	env := &pb.Envelope{}
	if err := proto.Unmarshal(data, env); err != nil {
		return nil, fmt.Errorf("cannot read job %s in the journal: %v", e.jid, err)
	}
	o, err := r.read(env)
	if err != nil {
		return nil, err
	}
	if o.key != e.key {
		return nil, fmt.Errorf("cannot take job %s: the journal holds job %s in its place", e.jid, o.jid)
	}
	o.data = data
	return o, nil
}

// Seen takes what a master knows of this minion's jobs, before a job is taken
// on a new connection. A job that the journal does not hold is one that this
// minion forgot, as after a restored snapshot: it is never run again and reported as interrupted.
// Seen returns when that is on disk.
func (r *Runner) Seen(reply *pb.SeenReply) {
	now := r.now()
	r.mu.Lock()
	r.offset, r.skewed = time.UnixMicro(reply.GetNow()).Sub(now), true
	if r.offset.Abs() > clockSlack {
		r.log.Warn("clock differs from the masters': check NTP", "seconds", r.offset.Seconds())
	}
	need := r.needed(reply.GetLive())
	lost := r.forgotten(reply.GetJobs())
	r.mu.Unlock()
	if after, unconfirmed := r.journal.file.taking(); unconfirmed && r.offset <= clockSlack {
		if err := r.journal.file.confirm(max(after, reply.GetNow())); err != nil {
			r.log.Error("journal's beginning not kept", "err", err)
		}
	}
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

// lostJob is a job that the masters know and the journal does not.
type lostJob struct {
	e   *entry
	res *result
}

// forgotten claims the jobs that are not known here. With mu held.
func (r *Runner) forgotten(jobs []*pb.SeenJob) (lost []lostJob) {
	for _, s := range jobs {
		k, err := readKey(s.GetJid(), s.GetRequestId())
		if err != nil {
			r.log.Warn("seen job refused", "err", err)
			continue
		}
		if r.journal.lookup(k) != nil || r.journal.over(s.NotAfter) {
			continue
		}
		e, conflict := r.journal.claim(k, "", s.IssuedAt, s.NotAfter)
		if conflict != "" {
			r.log.Error("masters know a job that contradicts the journal", "conflict", conflict)
		}
		r.log.Warn("job was forgotten, reported as interrupted", "job", k.jid)
		ret := r.blank(k, "")
		ret.Outcome = pb.Outcome_INTERRUPTED
		ret.Reason = "the minion accepted it and lost its journal: whether it ran is not known"
		lost = append(lost, lostJob{e, r.pack(ret)})
	}
	return lost
}
