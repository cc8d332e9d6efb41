package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
	"brine/proto/subject"
	"brine/states/host"
)

// Runner takes the jobs of one minion and runs them. Its methods may be called
// from many goroutines; those that take messages don't wait for jobs or disk,
// but for Seen.
type Runner struct {
	o       Options
	ctx     context.Context
	token   string
	journal *Journal
	log     hclog.Logger
	now     func() time.Time
	work    sync.WaitGroup
	stop    chan struct{} // closed when Close begins

	mu      sync.Mutex // guards the fields below; before Journal.mu
	closing bool
	tasks   map[key]*task
	waiting []*task  // accepted for later, in order
	held    int      // bytes of their messages
	left    []*entry // of the last run, until a master has told what it knows
	busy    int      // slots taken
	states  *task    // that runs
	offset  time.Duration
	skewed  bool                 // offset is known: a master's clock minus this one's
	heard   map[string]time.Time // masters, by their last ack
	refused seldom               // messages told about
	offers  offers
}

// task is a job that has no return yet. Runner.mu guards the fields below the gap.
type task struct {
	*order
	e *entry

	ready   bool   // it is on disk: may be started once it has its turn
	running bool   // has its turn
	told    bool   // .acc said that it runs
	end     *ended // asked to end
	cancel  context.CancelCauseFunc
	begun   time.Time
	procs   host.Processes
	stops   map[string]bool // IDs before which the state run ends; "" is any
	expiry  *time.Timer
	accept  *time.Timer
}

// New makes a Runner. ctx gives the jobs its values; what ends them is Close.
// Call Recover before the first message, and Close before the journal's file is closed.
func New(ctx context.Context, o Options) (*Runner, error) {
	if err := subject.CheckID(o.ID); err != nil {
		return nil, err
	}
	if o.Journal == nil || o.Trust == nil || o.Exec == nil || o.Publish == nil {
		return nil, fmt.Errorf("cannot run jobs of minion %q: journal, trust, exec or publish is missing", o.ID)
	}
	if o.Journal.id != o.ID {
		return nil, fmt.Errorf("cannot run jobs of minion %q: the journal is that of %q", o.ID, o.Journal.id)
	}
	if o.IsState == nil {
		o.IsState = func(string) bool { return false }
	}
	if o.Urgent == nil {
		o.Urgent = func(string) bool { return false }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Runner{o: o, ctx: context.WithoutCancel(ctx), token: subject.Token(o.ID), journal: o.Journal,
		log: o.Log, now: o.Now, stop: make(chan struct{}),
		tasks: map[key]*task{}, heard: map[string]time.Time{}}, nil
}

// Running returns the jobs that run or wait, in order of jid.
func (r *Runner) Running() []Active {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Active, 0, len(r.tasks))
	for _, t := range r.tasks {
		all = append(all, t.active())
	}
	sort.Slice(all, func(i, k int) bool { return all[i].JID < all[k].JID })
	return all
}

func (t *task) active() Active {
	return Active{JID: t.jid, RequestID: t.req[:], Function: t.request.Function, Args: t.request.Args,
		Operator: t.request.Operator, Master: t.job.Master, Started: t.begun}
}

// ErrNotRunning is in the error of Kill when no such job runs.
var ErrNotRunning = errors.New("no such job runs here")

// Kill sends a signal to the commands of a job. SIGINT, SIGQUIT, SIGTERM and
// SIGKILL also end the job itself, one that waits too.
func (r *Runner) Kill(jid string, sig syscall.Signal) error {
	why := &ended{outcome: proto.Outcome_CANCELLED, reason: fmt.Sprintf("ended with signal %d (%v)", int(sig), sig)}
	deadly := true
	switch sig {
	case syscall.SIGKILL:
		why.cause = host.ErrKill
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
	default:
		deadly = false
	}
	t := r.find(jid)
	if t == nil {
		return fmt.Errorf("cannot signal job %q: %w", jid, ErrNotRunning)
	}
	if deadly { // first, so that the job does not go on with its next command
		r.mu.Lock()
		r.endTask(t, why)
		r.mu.Unlock()
	}
	if t.procs.Signal(sig) == 0 && !deadly {
		return fmt.Errorf("cannot signal job %q: none of its commands runs", jid)
	}
	return nil
}

// SoftStop lets a state run, also one that waits, end before the states of an ID, or before its next state where id is
// "": what runs is not cut off.
func (r *Runner) SoftStop(jid, id string) error {
	t := r.find(jid)
	if t == nil || !slices.ContainsFunc(t.request.Asked(), func(c *proto.Call) bool { return r.o.IsState(c.GetFunction()) }) {
		return fmt.Errorf("cannot end the state run of job %q: %w", jid, ErrNotRunning)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.stops == nil {
		t.stops = map[string]bool{}
	}
	t.stops[id] = true
	return nil
}

// stopsBefore tells whether SoftStop ends a job before the states of an ID.
func (r *Runner) stopsBefore(t *task, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.stops[id] || t.stops[""]
}

func (r *Runner) find(jid string) *task {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, t := range r.tasks {
		if k.jid == jid {
			return t
		}
	}
	return nil
}

// Close ends the Runner: no job is begun any more, those that run may go on
// until ctx ends and are then cut short, which their returns say. Jobs that wait stay in the
// journal for the next start. It is idempotent.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	if !r.closing {
		r.closing = true
		close(r.stop)
		for _, t := range r.tasks {
			if t.expiry != nil {
				t.expiry.Stop()
			}
		}
		if r.offers.timer != nil {
			r.offers.timer.Stop()
		}
	}
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		r.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	r.mu.Lock()
	for _, t := range r.tasks {
		if t.running {
			r.endTask(t, r.journal.ended(t.e))
		}
	}
	r.mu.Unlock()
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		r.log.Warn("jobs did not end, reported as interrupted at the next start", "jobs", len(r.Running()))
	}
}

// spawn runs f in a goroutine that Close waits for; with mu held and not closing.
func (r *Runner) spawn(f func()) { r.work.Go(f) }

// seldom keeps one who sends rubbish from filling the log.
type seldom struct {
	mu    sync.Mutex // guards the fields below
	last  time.Time
	since int
}

const seldomEvery = 10 * time.Second

// now tells whether to say it now, and how often it was not said since.
func (s *seldom) now(at time.Time) (unsaid int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.last) < seldomEvery {
		s.since++
		return 0, false
	}
	unsaid, s.since, s.last = s.since, 0, at
	return unsaid, true
}

// drop tells of a message that is not obeyed, once in a while.
func (r *Runner) drop(what, on string, err error) {
	if unsaid, ok := r.refused.now(time.Now()); ok {
		r.log.Warn(what+" refused", "subject", on, "err", err, "more_before", unsaid)
	}
}
