package job

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// ended is why a job was ended before its time.
type ended struct {
	outcome pb.Outcome
	reason  string
	cause   error // host.ErrKill, or nil
}

func (e *ended) Error() string { return e.reason }
func (e *ended) Unwrap() error { return e.cause }

// handleCancel takes a cancel. It names one job and can only end that, so that its age does not
// matter for a job that is here.
func (r *Runner) handleCancel(env *pb.Envelope) error {
	body, master, err := r.signed(env, pb.Kind_KIND_CANCEL, r.o.Trust.Master)
	if err != nil {
		return err
	}
	c := &pb.Cancel{}
	if err := proto.Unmarshal(body, c); err != nil {
		return fmt.Errorf("cannot read cancel of master %q: %w", master, err)
	}
	if c.Master != master {
		return fmt.Errorf("cannot take cancel of master %q: master %q signed it", c.Master, master)
	}
	k, err := readKey(c.Jid, c.RequestId)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	why := &ended{outcome: pb.Outcome_CANCELLED, reason: "cancelled"}
	if c.Operator != "" {
		why.reason = fmt.Sprintf("cancelled by %s", clip(c.Operator))
	}
	if t := r.tasks[k]; t != nil {
		r.log.Info("job cancelled", "job", k.jid, "operator", clip(c.Operator))
		r.endTask(t, why)
		if r.closing {
			r.journal.cancel(k, c.IssuedAt, c.NotAfter)
		}
		return nil
	}
	if e := r.journal.lookup(k); e != nil && !r.journal.isWaiting(e) {
		return nil // it has ended
	}
	now, window := r.now().UnixMicro(), c.NotAfter-c.IssuedAt
	if c.IssuedAt > now+clockSlack.Microseconds() || window <= 0 || window > maxWindow.Microseconds() {
		return fmt.Errorf("cannot keep cancel of job %s: clock differs from %s, or its window is not in bounds",
			k.jid, master)
	}
	r.journal.advance(c.IssuedAt)
	if !r.journal.over(c.NotAfter) {
		r.journal.cancel(k, c.IssuedAt, c.NotAfter)
	}
	return nil
}

// endTask ends a job: one that waits is taken out of the queue, one that runs
// gets its context ended. The first reason counts. With mu held.
func (r *Runner) endTask(t *task, why *ended) {
	if t.end != nil {
		return
	}
	t.end = why
	switch {
	case t.cancel != nil:
		t.cancel(why)
	case !t.running && t.ready:
		r.withdraw(t)
	}
	// Otherwise it is just being written to disk, and looks at end before it goes on.
}

// withdraw ends a job that waits. With mu held.
func (r *Runner) withdraw(t *task) {
	if r.closing {
		return // it stays in the journal; so does the cancel
	}
	r.leaveQueue(t)
	end := t.end
	r.spawn(func() { r.conclude(t.e, r.closed(t.order, end.outcome, end.reason)) })
}

// expireLater ends a job at the end of its window, when it has not had its turn by then. A state
// run that asked to wait for others came in time and waits on. With mu held.
func (r *Runner) expireLater(t *task) {
	if t.wait && t.state {
		return
	}
	t.expiry = time.AfterFunc(time.UnixMicro(t.notAfter).Sub(r.now()), func() { r.expire(t) })
}

func (r *Runner) expire(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.running && t.end == nil {
		r.endTask(t, &ended{outcome: pb.Outcome_EXPIRED, reason: "its window was over before it had its turn"})
	}
}
