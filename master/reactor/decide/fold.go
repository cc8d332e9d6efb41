package decide

import (
	"time"

	"brine/master/reactor/rule"
)

// Fold takes in a step, of this master or of another. One that is known changes nothing, in whatever order they come.
func (m *Machine) Fold(s Step) {
	switch s.Step {
	case Paused, Resumed:
		m.foldPause(s)
		return
	}
	if m.o.Rules.Rule(s.Rule) == nil {
		return
	}
	m.settle(s.Rule, s.about()...)
	st := m.state(s.Rule)
	switch s.Step {
	case Suppressed:
		st.count[s.Step]++
	case WouldFire:
		if !m.known.has(s.Run, s.Step) {
			m.known.add(s.Run, s.Step)
			st.count[s.Step]++
			st.done[1].add(s.At, s.Origin, s.Run)
			st.key(s.Key).done[1].add(s.At, s.Origin, s.Run)
		}
	case Waiting:
		m.open(s, waiting)
	case Fired:
		m.open(s, acting)
		if x := m.runs[s.Run]; x != nil {
			x.told = true
		}
	default:
		m.begun(s)
		m.foldRun(s, st)
	}
}

// begun opens the run of a step that says that the rule has acted, where the step by which it fired was not read yet: logs come in
// any order, and that one may stay on the disk of a master that died.
func (m *Machine) begun(s Step) {
	switch s.Step {
	case Approved, Denied:
		return
	case Closed:
		if s.Outcome == Forgotten || s.Outcome == Resolved && s.Attempt < 2 {
			return
		}
	}
	if m.runs[s.Run] != nil {
		return
	}
	s.Step = Fired
	if m.open(s, acting); m.runs[s.Run] != nil {
		m.runs[s.Run].told = true
	}
}

func (m *Machine) foldPause(s Step) {
	if p := m.paused[s.Rule]; s.At.Before(p.at) {
		return
	}
	p := pause{at: s.At, on: s.Step == Paused, step: s}
	if s.Until > 0 {
		p.until = time.UnixMicro(s.Until)
	}
	m.paused[s.Rule] = p
	if st := m.states[s.Rule]; st != nil && s.Step == Resumed {
		st.failed = since(st.failed, s.At.Add(1))
		st.done[0].prune(s.At.Add(1))
	}
}

// open begins a run, or goes on with one that was waiting.
func (m *Machine) open(s Step, to stage) {
	x := m.runs[s.Run]
	if x == nil {
		if m.known.has(s.Run, "") {
			return
		}
		m.known.add(s.Run, "")
		x = &run{rule: s.Rule, key: s.Key, id: s.Run, event: s.Event, origin: s.Origin, depth: s.Depth, began: time.UnixMicro(s.Began),
			stage: to, attempt: 1, since: s.At}
		m.runs[s.Run] = x
		m.state(s.Rule).key(s.Key).run = x
	} else if x.stage != waiting || to == waiting {
		return
	}
	m.state(s.Rule).count[s.Step]++
	x.stage, x.since = to, s.At
	if to == acting {
		m.acts(x, s.At)
	}
}

// acts notes that a rule acts.
func (m *Machine) acts(x *run, at time.Time) {
	st := m.state(x.rule)
	st.done[0].add(at, x.origin, x.id)
	st.key(x.key).done[0].add(at, x.origin, x.id)
	m.minute = append(m.minute, at)
}

// foldRun takes in a step of a run that is open.
func (m *Machine) foldRun(s Step, st *state) {
	x := m.runs[s.Run]
	if x == nil {
		if s.Step == Closed {
			m.known.add(s.Run, "") // nothing is to be done of what comes later
		}
		return
	}
	r := m.o.Rules.Rule(s.Rule)
	to := x.stage
	attempt := max(s.Attempt, x.attempt)
	switch s.Step {
	case Approved:
		to = acting
	case Denied:
		if x.stage != waiting {
			return // somebody approved it before
		}
		to, x.outcome, x.reason = ended, Forgotten, "denied by "+s.Actor
	case Action:
		to = x.afterAction(r, s)
	case Verified:
		to = ended
	case Unverified:
		to = failed
	case Retried:
		to = acting
	case Escalated:
		to = escalating
	case Closed:
		to = ended
	}
	if s.Attempt > 0 && s.Attempt < x.attempt || attempt == x.attempt && to <= x.stage && s.Step != Closed {
		return
	}
	x.move(s, to, attempt)
	st.count[s.Step]++
	switch s.Step {
	case Approved, Retried:
		m.acts(x, s.At)
	case Closed:
		delete(m.runs, x.id)
		if k := st.key(x.key); k.run == x {
			k.run = nil
		}
	}
	if to == failed {
		st.failed = append(st.failed, s.At)
	}
}

// afterAction is the stage that follows an action which has ended.
func (x *run) afterAction(r *rule.Rule, s Step) stage {
	switch {
	case (x.stage == escalating) != (s.For == ToEscalate) || x.stage != acting && x.stage != escalating:
		return x.stage // it is known
	case x.stage == escalating:
		return ended
	case s.Outcome != OK:
		return failed
	case r.Verify != nil:
		return verifying
	}
	return ended
}

func (x *run) move(s Step, to stage, attempt int) {
	if to == ended && s.Step != Closed && s.Step != Denied {
		switch {
		case x.stage == escalating && s.Outcome == OK:
			x.outcome, x.reason = Escalated, ""
		case x.stage == escalating:
			x.outcome, x.reason = Failed, "the escalation failed: "+s.Reason
		case s.Step == Verified:
			x.outcome, x.reason = Verified, ""
		default:
			x.outcome, x.reason = Done, ""
		}
	}
	if to == failed {
		x.reason = s.Reason
	}
	x.stage, x.attempt, x.since, x.due, x.looks, x.ordered = to, attempt, s.At, s.At, 0, false
	if s.Step == Retried {
		x.due = time.UnixMicro(s.Until)
	}
	if s.Step == Approved {
		x.told = true
	}
}

// FoldJob takes in that a rule has made a job of an event: it has fired, also where the step is lost with the master that wrote it,
// and where the event comes later.
func (m *Machine) FoldJob(name, event string, at time.Time) {
	id := RunID(name, event)
	if x := m.runs[id]; x != nil {
		x.job = true
		return
	}
	st, n := m.states[name], (*match)(nil)
	if st != nil {
		n = st.matches[event]
	}
	if m.known.has(id, "") {
		return
	}
	if n == nil {
		if !m.settled.has(name, event) {
			m.ahead.add(name, event, at)
		}
		return
	}
	k := n.key
	s := Step{Rule: name, Step: Fired, Key: k.name, Run: id, Origin: n.origin, Began: n.at.UnixMicro(), Event: event, Depth: n.depth + 1, At: at}
	if r := m.o.Rules.Rule(name); r != nil && r.Count > 1 {
		for _, other := range k.matches {
			if !other.at.After(n.at) {
				s.Events = append(s.Events, other.id)
			}
		}
	}
	m.settle(name, s.about()...)
	m.open(s, acting)
	x := m.runs[id]
	x.job, x.seq = true, n.seq
}

// ahead are jobs of rules that were read before the events that they were made of: each log has its own order.
type ahead struct {
	at   map[[2]string]time.Time // when they were made, by rule and event
	ring [][2]string
	next int
}

// aheadKept is how many of them are remembered.
const aheadKept = 1 << 12

func (a *ahead) add(name, event string, at time.Time) {
	k := [2]string{name, event}
	if _, has := a.at[k]; has {
		return
	}
	if a.at == nil {
		a.at = map[[2]string]time.Time{}
	}
	a.at[k] = at
	if len(a.ring) < aheadKept {
		a.ring = append(a.ring, k)
		return
	}
	delete(a.at, a.ring[a.next])
	a.ring[a.next], a.next = k, (a.next+1)%aheadKept
}

// take tells when a job was made of an event that comes now.
func (a *ahead) take(name, event string) (at time.Time, ok bool) {
	at, ok = a.at[[2]string{name, event}]
	delete(a.at, [2]string{name, event})
	return at, ok
}

// overtaken tells whether another run has acted on a key while this one, of a master that died before it acted, was not known.
func (m *Machine) overtaken(x *run, r *rule.Rule) bool {
	if x.job || x.attempt > 1 || r.CoolDown == 0 || !onMinions(r.Action.Kind) {
		return false
	}
	for _, a := range m.state(x.rule).key(x.key).done[0].acts {
		if a.run == x.id || a.at.Sub(x.since).Abs() >= r.CoolDown {
			continue
		}
		other := m.runs[a.run]
		if other == nil || other.job || other.stage > acting || a.at.Before(x.since) || a.at.Equal(x.since) && a.run < x.id {
			return true
		}
	}
	return false
}

// onMinions tells whether an action makes a job.
func onMinions(k rule.Kind) bool { return k == rule.Apply || k == rule.Run }
