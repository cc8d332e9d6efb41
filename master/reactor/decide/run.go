package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"brine/master/reactor/rule"
)

// A stage is how far a run is. Within one attempt they follow each other.
type stage int

const (
	waiting stage = iota
	acting
	verifying
	failed
	escalating
	ended
)

// A run is what a rule does about one event.
type run struct {
	rule, key, id string
	event, origin string
	depth         uint32
	began         time.Time // the event

	stage    stage
	attempt  int
	since    time.Time // of the stage
	due      time.Time // of what is next
	looks    int       // of verify
	outcome  string
	reason   string
	resolved bool  // what it is about has ended by itself
	ordered  bool  // here: what is next is being done
	job      bool  // it has acted, says a job
	told     bool  // that it fired
	seq      int64 // the event's place in the log, where only a job tells of the run
}

// What an Order is for.
const (
	ToAct      = "act"
	ToVerify   = "verify"
	ToEscalate = "escalate"
)

// An Order is something to do; Result takes what came of it. To carry one out twice, at whichever master, is the same as once:
// cause and key say what it is.
type Order struct {
	Rule    string
	Run     string
	For     string
	Attempt int
	Look    int // of verify
	Event   string
	Began   time.Time
	Depth   uint32 // of what it leads to
}

// Key tells the order from others of the same event.
func (o Order) Key() string {
	switch o.For {
	case ToVerify:
		return fmt.Sprintf("%s/%d/verify/%d", rule.Own(o.Rule), o.Attempt, o.Look)
	case ToEscalate:
		return rule.Own(o.Rule) + "/escalate"
	}
	return fmt.Sprintf("%s/%d", rule.Own(o.Rule), o.Attempt)
}

// A Result is what came of an order.
type Result struct {
	OK     bool   // of verify: the condition holds
	Reason string // why not
	Cause  string // what it was done by: a job; "" for none
	Do     string // what was done
}

// advance goes on with the runs that this master drives.
func (m *Machine) advance(now time.Time) (steps []Step, orders []Order) {
	open := slices.SortedFunc(maps.Values(m.runs), func(a, b *run) int {
		return cmp.Or(a.began.Compare(b.began), cmp.Compare(a.id, b.id))
	})
	for _, x := range open {
		if !m.o.Drives(x.rule, x.key, now) {
			x.ordered = false // whoever drives it does it
			continue
		}
		for !x.ordered {
			step, order := m.next(x, now)
			if order != nil {
				x.ordered = true
				orders = append(orders, *order)
			}
			if step == nil {
				break
			}
			step.At = now
			m.Fold(*step)
			if steps = append(steps, *step); step.Step == Closed {
				break
			}
		}
	}
	return steps, orders
}

// next is what a run does now: a step, an order, or nothing yet.
func (m *Machine) next(x *run, now time.Time) (*Step, *Order) {
	r := m.o.Rules.Rule(x.rule)
	switch {
	case r == nil:
		return x.step(Closed, Forgotten, "the rule is gone"), nil
	case x.stage == ended:
		return x.step(Closed, x.outcome, x.reason), nil
	case x.resolved && (x.stage == waiting || x.stage == failed || x.stage == acting && x.attempt > 1):
		return x.step(Closed, Resolved, "what it was about has ended"), nil
	case x.stage == waiting:
		if now.Sub(x.since) > r.ApproveWithin {
			return x.step(Closed, Forgotten, "nobody approved it in time"), nil
		}
		return nil, nil
	case x.stage == acting && m.overtaken(x, r):
		return x.step(Closed, Forgotten, "another master acted on this key"), nil
	case !x.told:
		return x.step(Fired, "", "it had, says its job"), nil
	case x.stage == failed:
		return x.afterFailure(r, now), nil
	case now.Before(x.due) || x.stage == acting && x.attempt > 1 && m.kept(x, now):
		return nil, nil
	}
	o := &Order{Rule: x.rule, Run: x.id, For: ToAct, Attempt: x.attempt, Event: x.event, Began: x.began, Depth: x.depth}
	switch x.stage {
	case verifying:
		x.looks++
		o.For, o.Look = ToVerify, x.looks
	case escalating:
		o.For = ToEscalate
	}
	return nil, o
}

// kept tells whether a further attempt has to wait: for the end of a pause, or of a maintenance window.
func (m *Machine) kept(x *run, now time.Time) bool {
	return m.isPaused(x.rule, now) != "" || m.maintained(x.rule, x.origin, now) != ""
}

// afterFailure tries again, or tells somebody, or gives up.
func (x *run) afterFailure(r *rule.Rule, now time.Time) *Step {
	if x.attempt <= r.Retry.Times {
		s := x.step(Retried, "", x.reason)
		s.Attempt++
		s.Until = now.Add(r.Retry.Wait(s.Attempt)).UnixMicro()
		return s
	}
	if r.Escalate != nil {
		s := x.step(Escalated, "", x.reason)
		s.Do = r.Escalate.String()
		return s
	}
	return x.step(Closed, Failed, x.reason)
}

func (x *run) step(name, outcome, reason string) *Step {
	return &Step{Rule: x.rule, Step: name, Key: x.key, Run: x.id, Attempt: x.attempt, Outcome: outcome, Reason: reason, Origin: x.origin,
		Began: x.began.UnixMicro(), Event: x.event, Cause: x.event, Depth: x.depth, Actor: rule.Own(x.rule)}
}

// Result takes what came of an order.
func (m *Machine) Result(o Order, res Result, now time.Time) (steps []Step) {
	x := m.runs[o.Run]
	stages := map[string]stage{ToAct: acting, ToVerify: verifying, ToEscalate: escalating}
	if x == nil || x.stage != stages[o.For] || x.attempt != o.Attempt {
		return nil // another master was faster
	}
	x.ordered = false
	r := m.o.Rules.Rule(x.rule)
	if r == nil {
		return nil // advance closes it
	}
	if o.For == ToVerify && !res.OK && now.Sub(x.since)+r.Verify.Each < r.Verify.Within {
		x.due = now.Add(r.Verify.Each)
		return nil
	}
	name := Action
	switch {
	case o.For == ToVerify && res.OK:
		name = Verified
	case o.For == ToVerify:
		name = Unverified
	}
	outcome := OK
	if !res.OK {
		outcome = Failed
	}
	s := x.step(name, outcome, res.Reason)
	s.At, s.Do = now, res.Do
	if o.For == ToEscalate {
		s.For = ToEscalate
	}
	if res.Cause != "" {
		s.Cause = res.Cause
	}
	m.Fold(*s)
	return []Step{*s}
}
