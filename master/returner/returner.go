// Package returner gives what minions return to a program of the site, which feeds other systems with it.
//
// Every master has all returns in its log, in an order of its own. Of the masters that are live one is active: it runs
// the program, and goes on as long as it lives. The others follow: it tells them in its heartbeat up to where of their
// logs it has given all, so that the one that takes over gives what was not given, and little twice. The queue is the
// log itself: what is kept beside is a place in it.
package returner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/store"
	"brine/proto"
	"brine/states/host"
)

var _ Store = (*store.Store)(nil)

// Store is what a Returner needs of the master's store.
type Store interface {
	Last() int64
	Incarnation() string
	Cursors(ctx context.Context) ([]*proto.PeerCursor, error)
	ReturnsAfter(ctx context.Context, after int64, limit, maxBytes int) ([]store.StoredReturn, int64, error)
	FirstSince(ctx context.Context, stamp int64) (seq int64, err error)
	ReturnAt(ctx context.Context, seq int64) (string, error)
	Job(ctx context.Context, jid string) (*proto.JobRecord, error)
}

// Peer is another live master.
type Peer struct {
	Name  string
	State *proto.ReturnerState // nil: it gives returns to no program
}

// Options are what a Returner needs. All but Timeout, Batch, Hold and Log are required.
type Options struct {
	Master  string
	Command []string // the program and its arguments; no shell is asked
	Timeout time.Duration
	Batch   int    // returns that one run of the program gets, at most
	File    string // that keeps how far it is
	Store   Store
	Exec    func(context.Context, host.Command) (host.Output, error)
	Peers   func() []Peer
	Hold    time.Duration // how long it looks whether another one is active
	Log     hclog.Logger
}

const (
	// DefaultTimeout is how long the program may take for one batch.
	DefaultTimeout = 30 * time.Second
	// DefaultBatch is how many returns one run of the program gets.
	DefaultBatch = 1000

	defaultHold = 3 * time.Second
	batchBytes  = 8 << 20
	lookEach    = 500 * time.Millisecond
	gatherFor   = 100 * time.Millisecond // so that a burst of returns is few runs
	firstPause  = time.Second            // after a failure; doubled up to
	lastPause   = time.Minute
	yieldAfter  = 30 * time.Second // of failures, when another master has the program too
	yieldFor    = 5 * time.Minute
	oldestSlack = time.Minute // two masters stamp one return at different times
)

// Returner gives returns to a program. Its methods may be called from many goroutines.
type Returner struct {
	o    Options
	log  hclog.Logger
	wake chan struct{}

	// Of Run alone:
	place    place
	quiet    time.Time // since when nobody else is active
	batch    int       // how many returns the next run gets
	pause    time.Duration
	retry    time.Time // not before
	failed   time.Time // since when nothing works; zero: it does
	yielded  time.Time
	snapshot *snapshot

	mu    sync.Mutex // guards the field below
	state *proto.ReturnerState
}

// snapshot is a moment of the log: what other masters had in theirs up to cursors is in ours up to last.
type snapshot struct {
	last    int64
	cursors []*proto.PeerCursor
}

// New makes a Returner. It reads how far the last process came.
func New(ctx context.Context, o Options) (*Returner, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Hold <= 0 {
		o.Hold = defaultHold
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	r := &Returner{o: o, log: o.Log, wake: make(chan struct{}, 1), batch: o.Batch, state: &proto.ReturnerState{}}
	var err error
	if r.place, err = loadPlace(ctx, o.File, o.Store, o.Log); err != nil {
		return nil, fmt.Errorf("cannot give returns to %s: %w", o.Command[0], err)
	}
	r.save()
	return r, nil
}

// State is what the heartbeat tells of it.
func (r *Returner) State() *proto.ReturnerState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Committed has it look for new returns soon.
func (r *Returner) Committed(recs []*proto.Record) {
	for _, rec := range recs {
		if rec.GetKind() == proto.RecordKind_RECORD_RETURN {
			select {
			case r.wake <- struct{}{}:
			default:
			}
			return
		}
	}
}

// Run gives returns until ctx ends.
func (r *Returner) Run(ctx context.Context) {
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	r.quiet = time.Now()
	for {
		more := r.step(ctx, time.Now())
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.wake:
			select {
			case <-time.After(gatherFor):
			case <-ctx.Done():
				return
			}
		}
	}
}

// step looks who is active, and gives one batch if it is this master. It tells whether there is more to give at once.
func (r *Returner) step(ctx context.Context, now time.Time) (more bool) {
	peers := r.o.Peers()
	if err := r.follow(ctx, peers); err != nil {
		r.fail(ctx, err)
		return false
	}
	active := r.elect(peers, now)
	if !active {
		r.snapshot = nil
	}
	if active && !now.Before(r.retry) {
		more = r.give(ctx)
	}
	r.tell(ctx, active)
	return more
}

// follow goes on to where an active master says that all before it was given. A place that was only just made may have
// to go back to what that master has not given yet.
func (r *Returner) follow(ctx context.Context, peers []Peer) error {
	before := r.place.Sequence
	for _, p := range peers {
		if !p.State.GetActive() {
			continue
		}
		for _, mark := range p.State.Marks {
			if mark.Master == r.o.Master && mark.Incarnation == r.o.Store.Incarnation() && mark.Sequence <= r.o.Store.Last() &&
				(r.place.Fresh || mark.Sequence > r.place.Sequence) {
				r.place.Sequence, r.place.Fresh = mark.Sequence, false
			}
		}
		if r.place.Fresh && p.State.Oldest > 0 {
			first, err := r.o.Store.FirstSince(ctx, p.State.Oldest-oldestSlack.Microseconds())
			if err != nil {
				return err
			}
			if first > 0 {
				r.place.Sequence = min(r.place.Sequence, first-1)
			}
			r.place.Fresh = false
		}
	}
	if r.place.Sequence != before {
		r.save()
	}
	return nil
}

// elect tells whether this master is the active one. Who is active stays so while it lives; of two, which have not seen
// each other, the first by name stays.
func (r *Returner) elect(peers []Peer, now time.Time) bool {
	mine := r.State().Active
	first, others := true, false
	for _, p := range peers {
		switch {
		case p.State == nil:
		case p.State.Active && (!mine || p.Name < r.o.Master):
			r.quiet = now
			return false
		case !p.State.Failing:
			others = true
			first = first && r.o.Master < p.Name
		}
	}
	if r.yields(others, now) {
		return false
	}
	if mine {
		return true
	}
	return now.Sub(r.quiet) >= r.o.Hold && (first || now.Sub(r.quiet) >= 3*r.o.Hold)
}

// yields tells whether another master should try, as the program does not work here.
func (r *Returner) yields(others bool, now time.Time) bool {
	switch {
	case !others:
		r.yielded = time.Time{}
	case !r.yielded.IsZero() && now.Sub(r.yielded) >= yieldFor:
		r.yielded, r.failed = time.Time{}, time.Time{}
	case r.yielded.IsZero() && !r.failed.IsZero() && now.Sub(r.failed) >= yieldAfter:
		r.yielded = now
		r.log.Warn("another master gives returns to its program, as that does not work here")
	}
	return !r.yielded.IsZero()
}

// give runs the program for the next returns. It tells whether there are more.
func (r *Returner) give(ctx context.Context) (more bool) {
	if err := r.look(ctx); err != nil {
		r.fail(ctx, err)
		return false
	}
	all, upTo, err := r.o.Store.ReturnsAfter(ctx, r.place.Sequence, r.batch, batchBytes)
	if err == nil && len(all) > 0 {
		err = r.run(ctx, all)
	}
	if err != nil {
		r.fail(ctx, err)
		return false
	}
	r.succeed(all, upTo)
	return len(all) > 0
}

// look notes a moment of the log that is to be reached.
func (r *Returner) look(ctx context.Context) error {
	if r.snapshot != nil {
		return nil
	}
	cursors, err := r.o.Store.Cursors(ctx) // first: what others had by then is before the end of our log
	if err == nil {
		r.snapshot = &snapshot{last: r.o.Store.Last(), cursors: cursors}
	}
	return err
}

func (r *Returner) succeed(all []store.StoredReturn, upTo int64) {
	if !r.failed.IsZero() {
		r.log.Info("returns are given to the program again")
	}
	r.failed, r.pause, r.retry = time.Time{}, 0, time.Time{}
	r.batch = min(2*r.batch, r.o.Batch)
	moved := upTo > r.place.Sequence || r.place.Fresh
	r.place.Sequence, r.place.Fresh = max(r.place.Sequence, upTo), false
	if n := len(all); n > 0 {
		r.place.ID, r.place.At = all[n-1].ID, all[n-1].Sequence
	}
	if moved {
		r.save()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state := clone(r.state)
	state.Given += int64(len(all))
	state.Problem = ""
	if s := r.snapshot; s != nil && r.place.Sequence >= s.last {
		state.Marks, r.snapshot = s.cursors, nil
	}
	r.state = state
}

// fail waits before the next attempt, which gets fewer returns: one of them may be the trouble.
func (r *Returner) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // this master ends: that is nobody's fault
	}
	now := time.Now()
	if r.failed.IsZero() {
		r.failed = now
		r.log.Warn("returns are not given to the program; trying again", "err", err)
	}
	r.pause = min(max(2*r.pause, firstPause), lastPause)
	r.retry = now.Add(r.pause)
	r.batch = max(r.batch/2, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	state := clone(r.state)
	state.Problem = clip(err.Error())
	r.state = state
}

// tell brings up to date what the heartbeat says.
func (r *Returner) tell(ctx context.Context, active bool) {
	waiting, oldest := int64(0), int64(0)
	next, _, err := r.o.Store.ReturnsAfter(ctx, r.place.Sequence, 1, 1)
	if err == nil && len(next) > 0 {
		waiting, oldest = max(r.o.Store.Last()-r.place.Sequence, 1), next[0].Stamp
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state := clone(r.state)
	if active != state.Active {
		r.log.Info("who gives returns to the program", "here", active)
	}
	state.Active, state.Failing, state.Waiting, state.Oldest = active, !r.yielded.IsZero(), waiting, oldest
	if !active {
		state.Marks = nil
	}
	r.state = state
}

// clone is a copy to change: the heartbeat may be reading the other.
func clone(s *proto.ReturnerState) *proto.ReturnerState {
	return &proto.ReturnerState{Active: s.Active, Failing: s.Failing, Waiting: s.Waiting, Oldest: s.Oldest, Given: s.Given,
		Problem: s.Problem, Marks: s.Marks}
}
