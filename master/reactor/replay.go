package reactor

import (
	"context"
	"time"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
)

// A Replay tells what rules would have made of what has happened. Actions are taken to succeed, and steps of rules that there were
// are passed over: they came of other rules, or of these.
type Replay struct {
	machine *decide.Machine
	now     time.Time
	Events  int64
}

// NewReplay begins one. Of the options it uses Fleet, PerMinute, and Log, which tells what led to what.
func NewReplay(set *rule.Set, o Options) *Replay {
	p := &Replay{}
	d := decide.Options{Rules: set, Fleet: o.Fleet, PerMinute: o.PerMinute}
	if o.Log != nil {
		d.Ancestors = func(cause string) []string { return o.Log.Ancestors(context.Background(), cause) }
	}
	p.machine = decide.New(d)
	return p
}

// Next goes on with an event, which did not happen before the one before it.
func (p *Replay) Next(e *rule.Event) []decide.Step {
	if _, own := decide.ReadStep(e.Event); own {
		return nil
	}
	p.Events++
	steps := p.Until(time.UnixMicro(e.At))
	p.machine.See(e, p.Events)
	return append(steps, p.decide()...)
}

// tickOfReplay is how finely what waits is looked at while nothing happens.
const tickOfReplay = time.Second

// Until lets time go by.
func (p *Replay) Until(now time.Time) (steps []decide.Step) {
	if p.now.IsZero() || p.machine.Waits() == 0 && p.machine.Open() == 0 {
		p.now = later(p.now, now)
		return nil
	}
	for end := later(p.now, now); p.now.Before(end) && p.machine.Waits()+p.machine.Open() > 0; {
		next := p.now.Add(tickOfReplay)
		if due := p.machine.Due(); due.After(next) {
			next = due
		}
		if next.After(end) {
			next = end
		}
		p.now = next
		steps = append(steps, p.decide()...)
	}
	p.now = later(p.now, now)
	return steps
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// decide decides, and has every order succeed at once.
func (p *Replay) decide() (all []decide.Step) {
	for {
		steps, orders := p.machine.Decide(p.now)
		all = append(all, steps...)
		if len(orders) == 0 {
			return all
		}
		for _, o := range orders {
			all = append(all, p.machine.Result(o, decide.Result{OK: true, Do: "taken to succeed"}, p.now)...)
		}
	}
}
