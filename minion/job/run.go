package job

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	pb "brine/proto"
	"brine/states/host"
)

// occupy takes what t needs to run. With mu held.
func (r *Runner) occupy(t *task) {
	t.running = true
	if !t.urgent {
		r.busy++
	}
	if t.state {
		r.states = t
	}
}

// leaveQueue takes t out of the queue. With mu held.
func (r *Runner) leaveQueue(t *task) {
	i := slices.Index(r.waiting, t)
	if i < 0 {
		return
	}
	r.waiting = slices.Delete(r.waiting, i, i+1)
	r.held -= len(t.data)
	if t.expiry != nil {
		t.expiry.Stop()
	}
}

// release forgets a job that has its return, and gives its turn to others.
func (r *Runner) release(k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tasks[k]
	if t == nil {
		return // it never came so far
	}
	delete(r.tasks, k)
	r.leaveQueue(t)
	if t.accept != nil {
		t.accept.Stop()
	}
	if t.running && !t.urgent {
		r.busy--
	}
	if r.states == t {
		r.states = nil
	}
	r.dispatch()
}

// dispatch gives a turn to each job that waits and can have one. With mu held.
func (r *Runner) dispatch() {
	if r.closing {
		return
	}
	stateAhead := r.states != nil
	for _, t := range slices.Clone(r.waiting) {
		if r.busy >= maxRunning {
			return
		}
		if t.state && stateAhead {
			continue
		}
		stateAhead = stateAhead || t.state
		if t.ready && t.end == nil {
			r.leaveQueue(t)
			r.occupy(t)
			r.spawn(func() { r.resume(t) })
		}
	}
}

// begin brings a job to disk and, when it has its turn, runs it.
func (r *Runner) begin(t *task) {
	at, data := started, []byte(nil)
	if !t.running {
		at, data = queued, t.data
	}
	if err := r.journal.accept(t.e, at, data); err != nil {
		r.log.Error("job refused", "job", t.jid, "err", err)
		r.conclude(t.e, r.closed(t.order, pb.Outcome_REFUSED,
			"cannot keep the job on disk before it runs: "+err.Error()))
		return
	}
	if at == started {
		r.perform(t)
		return
	}
	r.sendAccepted(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return
	}
	t.ready = true
	if t.end != nil {
		r.withdraw(t)
		return
	}
	r.expireLater(t)
	r.dispatch()
}

// resume runs a job that waited.
func (r *Runner) resume(t *task) {
	if err := r.journal.start(t.e); err != nil {
		r.log.Error("job refused", "job", t.jid, "err", err)
		r.conclude(t.e, r.closed(t.order, pb.Outcome_REFUSED,
			"cannot note on disk that the job begins: "+err.Error()))
		return
	}
	r.perform(t)
}

// perform runs a job that has its turn and is on disk.
func (r *Runner) perform(t *task) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	r.mu.Lock()
	end := t.end
	if end == nil {
		t.cancel, t.begun = cancel, r.now()
		t.accept = time.AfterFunc(acceptDelay, func() { r.sendAccepted(t) })
	}
	r.mu.Unlock()
	if end != nil {
		r.conclude(t.e, r.closed(t.order, end.outcome, end.reason))
		return
	}
	clock := time.Now()
	res := r.execute(host.WithProcesses(ctx, &t.procs), t)
	took := time.Since(clock)
	r.mu.Lock()
	t.cancel = nil
	end = t.end
	if t.accept.Stop() { // only the disk is waited for now
		t.accept.Reset(acceptLate)
	}
	r.mu.Unlock()
	ret := r.blank(t.key, t.request.Function)
	t.tellCause(ret)
	ret.Retcode, ret.Value = int32(res.Retcode), res.Value
	ret.StartedAt, ret.Duration = t.begun.UnixMicro(), took.Microseconds()
	ret.Outcome = pb.Outcome_OK
	if res.Retcode != 0 {
		ret.Outcome = pb.Outcome_FAILED
	}
	if end != nil {
		ret.Outcome, ret.Reason = end.outcome, end.reason
	}
	if end != nil && end.outcome == pb.Outcome_OK {
		ret.Retcode, ret.Value = 0, restarted
	}
	r.conclude(t.e, ret)
	if res.Last != nil {
		res.Last(r.ctx)
	}
}

// execute calls the function, or each of several.
func (r *Runner) execute(ctx context.Context, t *task) Result {
	p := &progress{r: r, t: t}
	defer p.end()
	if len(t.request.Calls) > 0 {
		return r.several(ctx, t, p)
	}
	return r.call(ctx, t, p, t.request.Function, slices.Concat(t.request.Args, t.secret))
}

// call calls a function. One that panics fails its job only.
func (r *Runner) call(ctx context.Context, t *task, p *progress, function string, args []*pb.Argument) (res Result) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("function panicked", "job", t.jid, "function", function,
				"panic", p, "stack", string(debug.Stack()))
			res = Result{Value: quote(fmt.Sprintf("%s panicked: %v: this is a bug in brine", function, p), maxCell),
				Retcode: 1}
		}
	}()
	res = r.o.Exec(ctx, &Job{
		JID: t.jid, RequestID: t.req[:], Function: function, Args: args, Sealed: t.secret,
		Operator: t.request.Operator, Master: t.job.Master, Tree: t.job.Tree, Environment: t.request.Environment,
		Environments: t.job.Environments,
		Progress:     p.tell, Restarting: func() error { return r.restarting(t) },
		Stop: func(id string) bool { return r.stopsBefore(t, id) },
	})
	if len(res.Value) == 0 {
		res.Value = []byte("null")
	}
	return res
}

func (r *Runner) restarting(t *task) error {
	r.mu.Lock()
	over := t.cancel == nil
	r.mu.Unlock()
	if over {
		return fmt.Errorf("cannot note that job %q restarts the minion: %w", t.jid, ErrNotRunning)
	}
	return r.journal.restart(t.e)
}

// conclude brings a return to disk, frees the job's turn, and offers the return to the masters.
func (r *Runner) conclude(e *entry, ret *pb.Return) {
	res := r.pack(ret)
	r.makeSpace(res)
	r.journal.touch(e) // a resend of the job that comes now need not be answered apart
	if err := r.journal.finish(e, res); err != nil {
		r.log.Error("return is kept in memory only", "job", e.jid, "err", err)
	}
	if isQuiet(e.req) {
		r.journal.setKnown(e)
		r.release(e.key)
		return
	}
	r.release(e.key)
	err := r.send(e, res.fin, len(res.parts), func(i int) ([]byte, error) { return res.parts[i], nil })
	if err != nil {
		r.log.Debug("return waits", "job", e.jid, "err", err)
	}
}
