package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"brine/proto"
)

// An Info is what is known of a message.
type Info struct {
	ID       string
	Channel  string
	Subject  string
	State    State
	Record   string // of the event that queued it
	At       time.Time
	Changed  time.Time // when it was sent, or dead
	Attempts int
	Reason   string // of one that is dead, or waits; of one that was sent what the other side said
	Next     time.Time
	Master   string // that delivers it
}

// List gives messages of some states, those queued last first; without states all.
func (e *Engine) List(states ...State) []Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []Info
	for _, x := range e.all {
		if s := x.state(); x.record != "" && (len(states) == 0 || slices.Contains(states, s)) {
			all = append(all, e.info(x, s))
		}
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (e *Engine) info(x *entry, s State) Info {
	i := Info{ID: x.id, Channel: x.channel, Subject: x.subject, State: s, Record: x.record, At: time.UnixMicro(x.queued).UTC(),
		Attempts: x.attempts, Reason: x.outcome}
	switch s {
	case Sent:
		i.Changed = time.UnixMicro(x.sent).UTC()
	case Dead:
		i.Changed = time.UnixMicro(x.dead).UTC()
	case Dropped:
		i.Changed = time.UnixMicro(x.dropped).UTC()
	case Queued:
		i.Attempts, i.Reason, i.Next, i.Master = x.tries, x.problem, x.due.UTC(), e.drivers.first(x)
	}
	return i
}

// ErrUnknown is of a message that is not known, or not in a state for what is asked.
var ErrUnknown = errors.New("no such message")

// Again has dead messages tried again, or, with drop, has them, and those that wait, forgotten. It tells all masters, and gives
// the ids that it did it with. Without ids it means every dead one.
func (e *Engine) Again(ctx context.Context, ids []string, drop bool, actor string) ([]string, error) {
	what := retried
	if drop {
		what = dropped
	}
	chosen, err := e.chosen(ids, drop)
	if err != nil {
		return nil, err
	}
	var done []string
	for _, x := range chosen {
		ev := &proto.Event{Cause: x.Record, Actor: actor}
		if err := e.keep(ctx, ev, what, &body{ID: x.ID, Channel: x.Channel}); err != nil {
			return done, fmt.Errorf("cannot keep that message %s is %s: %w", x.ID, what, err)
		}
		done = append(done, x.ID)
	}
	return done, nil
}

func (e *Engine) chosen(ids []string, drop bool) ([]Info, error) {
	states := []State{Dead}
	if len(ids) == 0 {
		return e.List(states...), nil
	}
	if drop {
		states = append(states, Queued)
	}
	var all []Info
	known := e.List(states...)
	for _, id := range ids {
		i := slices.IndexFunc(known, func(x Info) bool { return x.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s is not %s", ErrUnknown, id, states[len(states)-1])
		}
		all = append(all, known[i])
	}
	return all, nil
}

// Test delivers a message at once, from this master, and keeps nothing of it.
func (e *Engine) Test(ctx context.Context, m Message) (outcome string, err error) {
	if err := errors.Join(m.check(), e.Check(m.Channel)); err != nil {
		return "", err
	}
	return e.sender(m.Channel).Send(ctx, &m)
}

// A Lag is how far a channel is behind, of what this master delivers.
type Lag struct {
	Channel string
	Waiting int
	Oldest  time.Time
	Problem string // of the last attempt; "" when it worked
}

// Lags are those of the channels for which something waits here, in order of name, and how many messages are dead in all.
func (e *Engine) Lags() (lags []Lag, dead int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := map[string]*Lag{}
	for _, x := range e.open {
		if e.drivers.first(x) != e.o.Master {
			continue
		}
		l := by[x.channel]
		if l == nil {
			l = &Lag{Channel: name(x.channel), Problem: e.queue(x.channel).problem, Oldest: x.begun()}
			by[x.channel] = l
		}
		l.Waiting++
		if b := x.begun(); b.Before(l.Oldest) {
			l.Oldest = b
		}
	}
	for _, l := range by {
		lags = append(lags, *l)
	}
	for _, x := range e.all {
		if x.state() == Dead && x.record != "" {
			dead++
		}
	}
	slices.SortFunc(lags, func(a, b Lag) int { return cmp.Compare(a.Channel, b.Channel) })
	return lags, dead
}
