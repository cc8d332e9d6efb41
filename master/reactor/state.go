package reactor

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
)

// A State is how a reactor is.
type State struct {
	Rules   int
	Source  string
	Problem string        // why what is served is not used
	Lag     int64         // records of the log that were not looked at
	Late    time.Duration // since when there are such
	Waits   int           // events that are not decided about
	Open    int           // runs under way
	Approve int           // runs that wait for somebody
	Paused  string        // "" when the rules are not paused as a whole
	Hashes  []uint32      // of the names of the rules, sorted: see Hash
	Changed time.Time     // when they did last; zero: the rules were not read yet
	Status  []decide.Status
}

// Hash is a rule's name in State.Hashes.
func Hash(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// State is how it was a short while ago.
func (r *Reactor) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Set is the rules in force.
func (r *Reactor) Set() *rule.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set
}

// publish brings the state up to date.
func (r *Reactor) publish(now time.Time) {
	s := State{Rules: len(r.set.Rules), Source: r.set.Source, Problem: r.rules.problem, Lag: max(0, r.o.Log.Last()-r.place), Waits: r.machine.Waits(),
		Status: r.machine.Status(now), Paused: r.machine.Paused(now)}
	if !r.behind.IsZero() {
		s.Late = now.Sub(r.behind)
	}
	for _, x := range s.Status {
		s.Open += x.Open
		s.Approve += len(x.Waiting)
		s.Hashes = append(s.Hashes, Hash(x.Rule))
	}
	slices.Sort(s.Hashes)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Changed = r.state.Changed; s.Changed.IsZero() || !slices.Equal(s.Hashes, r.state.Hashes) {
		s.Changed = now
	}
	r.state = s
}

// Fresh is State as it is now.
func (r *Reactor) Fresh(ctx context.Context) (State, error) {
	err := r.do(ctx, func() { r.publish(r.o.Now()) })
	return r.State(), err
}

// Runs are the open runs that a text means: one by its id, or those of a rule that wait for somebody to approve. The steps of those that
// wait are decide.Waiting, others have none.
func (r *Reactor) Runs(ctx context.Context, text string) (all []decide.Step, err error) {
	err = r.do(ctx, func() { all = r.machine.Run(text) })
	return all, err
}
