package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/master/reactor/rule"
)

// together is how many suppressed events of one rule and reason in one go have a step each; more share one.
const together = 20

// maxTogether bounds the events that one step names.
const maxTogether = 500

// Decide decides about what is due. The steps have happened as far as the machine is concerned.
func (m *Machine) Decide(now time.Time) (steps []Step, orders []Order) {
	for _, name := range slices.Sorted(maps.Keys(m.states)) {
		r, s := m.o.Rules.Rule(name), m.states[name]
		if r == nil || len(s.open) == 0 {
			continue
		}
		quiet := &bundle{}
		keys := slices.SortedFunc(maps.Keys(s.open), func(a, b *key) int { return cmp.Compare(a.matches[0].seq, b.matches[0].seq) })
		for _, k := range keys {
			if m.o.Drives(name, k.name, now) {
				steps = append(steps, m.decideKey(r, s, k, now, quiet)...)
			} else if r.Count > 1 {
				k.due(r, s, now) // forgets what no longer counts
			}
		}
		for _, step := range quiet.steps() {
			m.Fold(step)
			steps = append(steps, step)
		}
	}
	more, orders := m.advance(now)
	return append(steps, more...), orders
}

// decideKey decides about the matches of one key.
func (m *Machine) decideKey(r *rule.Rule, s *state, k *key, now time.Time, quiet *bundle) (steps []Step) {
	for {
		about := k.due(r, s, now)
		if len(about) == 0 {
			return steps
		}
		step := m.judge(r, s, k, about, now)
		if step.Step == Suppressed {
			for _, n := range about {
				m.settle(r.Name, n.id)
			}
			quiet.add(step)
			continue
		}
		m.Fold(step)
		steps = append(steps, step)
	}
}

// due are the matches of a key that are to be decided about together.
func (k *key) due(r *rule.Rule, s *state, now time.Time) []*match {
	if len(k.matches) == 0 {
		return nil
	}
	switch {
	case k.trouble != "":
	case r.For > 0:
		if now.Before(k.matches[0].at.Add(r.For)) {
			return nil
		}
	case r.Count > 1:
		for i := range len(k.matches) - r.Count + 1 {
			last := i + r.Count - 1
			if k.matches[last].at.Sub(k.matches[i].at) <= r.Within {
				return slices.Clone(k.matches[i : last+1])
			}
		}
		s.age(k, k.matches[len(k.matches)-1].at.Add(-r.Within)) // they count with nothing that comes
		return nil
	}
	return k.matches[:1:1]
}

// judge makes the step that follows from some matches.
func (m *Machine) judge(r *rule.Rule, s *state, k *key, about []*match, now time.Time) Step {
	n := about[len(about)-1]
	step := Step{Rule: r.Name, Step: Fired, Key: k.name, Origin: n.origin, Began: n.at.UnixMicro(), Event: n.id, Attempt: 1,
		Cause: n.id, Depth: n.depth + 1, Actor: rule.Own(r.Name), At: now}
	if len(about) > 1 {
		step.Times = len(about)
		for _, x := range about {
			step.Events = append(step.Events, x.id)
		}
	}
	if reason := m.against(r, s, k, n, now); reason != "" {
		step.Step, step.Reason, step.Attempt = Suppressed, reason, 0
		return step
	}
	step.Run, step.Do = RunID(r.Name, n.id), r.Action.String()
	switch r.Mode {
	case rule.Observe:
		step.Step, step.Reason = WouldFire, "mode: observe"
	case rule.Approve:
		step.Step, step.Reason = Waiting, "mode: approve"
	}
	return step
}

// against says what keeps a rule from acting; "" when nothing does. Reasons begin with a word that queries look for.
func (m *Machine) against(r *rule.Rule, s *state, k *key, n *match, now time.Time) string {
	if age := now.Sub(n.at); r.MaxAge > 0 && age > r.MaxAge {
		return fmt.Sprintf("stale: the event is older than %v", r.MaxAge)
	}
	if k.trouble != "" {
		return "error: " + k.trouble
	}
	if reason := m.loops(r, n); reason != "" {
		return reason
	}
	if who := m.isPaused(r.Name, now); who != "" {
		return "paused: " + who
	}
	if name := m.maintained(r.Name, n.origin, now); name != "" {
		return "maintenance: " + name
	}
	which := 0
	if r.Mode == rule.Observe {
		which = 1
	}
	if k.run != nil && !r.Salt {
		return "cool-down: run " + k.run.id + " is under way"
	}
	if last := k.done[which].last; r.CoolDown > 0 && !last.IsZero() && now.Sub(last) < r.CoolDown {
		return fmt.Sprintf("cool-down: it acted on this key less than %v ago", r.CoolDown)
	}
	if k.done[which].reached(r.KeyRate, now) {
		return fmt.Sprintf("rate: %d within %v for this key", r.KeyRate.Times, r.KeyRate.Per)
	}
	if s.done[which].reached(r.RuleRate, now) {
		return fmt.Sprintf("rate: %d within %v for the rule", r.RuleRate.Times, r.RuleRate.Per)
	}
	return m.broken(r, s, n, which, now)
}

// maintained names the maintenance window that keeps a rule from acting on a minion; "" for none.
func (m *Machine) maintained(name, minion string, now time.Time) string {
	for i := range m.o.Rules.Windows {
		if w := &m.o.Rules.Windows[i]; w.Covers(name, minion, now) {
			return w.Name
		}
	}
	return ""
}

// loops says why an event follows from reactions too closely.
func (m *Machine) loops(r *rule.Rule, n *match) string {
	if n.depth >= rule.MaxDepth {
		return fmt.Sprintf("loop: %d reactions led to the event", n.depth)
	}
	if n.cause != "" && m.o.Ancestors != nil && slices.Contains(m.o.Ancestors(n.cause), rule.Own(r.Name)) {
		return "loop: the rule led to the event itself"
	}
	return ""
}

// broken says which breaker is open.
func (m *Machine) broken(r *rule.Rule, s *state, n *match, which int, now time.Time) string {
	from := now.Add(-r.Breaker.Within)
	if b := r.Breaker; b.Share > 0 && b.Within > 0 && m.o.Fleet != nil {
		allowed := max(b.AtLeast, int(b.Share/100*float64(m.o.Fleet())))
		acted := map[string]bool{n.origin: true}
		for _, a := range s.done[which].acts {
			if a.at.After(from) {
				acted[a.origin] = true
			}
		}
		if len(acted) > allowed {
			return fmt.Sprintf("breaker: it would act on more than %d minions within %v", allowed, b.Within)
		}
	}
	if b := r.Breaker; b.Failed > 0 && which == 0 {
		if s.failed = since(s.failed, from); len(s.failed) >= b.Failed {
			return fmt.Sprintf("breaker: %d actions failed within %v (brine rules resume %s closes it)", len(s.failed), b.Within, r.Name)
		}
	}
	if m.o.PerMinute > 0 && which == 0 {
		if m.minute = since(m.minute, now.Add(-time.Minute)); len(m.minute) >= m.o.PerMinute {
			return fmt.Sprintf("breaker: all rules together act at most %d times a minute", m.o.PerMinute)
		}
	}
	return ""
}

// A bundle gathers what is suppressed for one reason.
type bundle struct {
	reasons []string
	all     map[string][]Step
}

func (b *bundle) add(s Step) {
	if b.all == nil {
		b.all = map[string][]Step{}
	}
	kind, _, _ := strings.Cut(s.Reason, ":")
	if _, known := b.all[kind]; !known {
		b.reasons = append(b.reasons, kind)
	}
	b.all[kind] = append(b.all[kind], s)
}

// steps are those of few events each by itself, and one of each lot of many.
func (b *bundle) steps() (steps []Step) {
	for _, kind := range b.reasons {
		all := b.all[kind]
		if len(all) <= together {
			steps = append(steps, all...)
			continue
		}
		for lot := range slices.Chunk(all, maxTogether) {
			one := lot[0]
			for _, s := range lot[1:] {
				if s.Key != one.Key {
					one.Key = ""
				}
				if s.Origin != one.Origin {
					one.Origin = ""
				}
			}
			one.Events = nil
			for _, s := range lot {
				one.Events = append(one.Events, s.about()...)
			}
			one.Times = len(one.Events)
			steps = append(steps, one)
		}
	}
	return steps
}

// about are the ids of the events that a step is about.
func (s Step) about() []string {
	if len(s.Events) > 0 {
		return s.Events
	}
	return []string{s.Event}
}
