package run

import (
	"slices"

	"brine/states/plan"
)

// A status is what the requisites of a state say about running it.
type status uint8

const (
	met             status = iota
	watchedChanged         // run, and do what is done when a watched state changed
	requisiteFailed        // don't run: one it needs failed
	onFailNotMet           // don't run: nothing failed
	onChangesNotMet        // don't run: nothing changed
	prereqNotMet           // don't run: nothing that the prereq names would change
	unsure                 // in test mode: nothing is sure to change, something may
)

// A tally is what one kind of requisite of a state found. Unsure are, in test mode, the
// states whose changes depend on those of others.
type tally struct {
	failed, changed, unsure, unchanged int
}

func (t *tally) succeeded() int { return t.changed + t.unsure + t.unchanged }

// requisites looks at how the states that n needs ended, kind by kind, and combines the
// answers in Salt's order: a failure first, then onfail, onchanges, watch.
func (r *runner) requisites(n *plan.Node) (status, []*plan.Node) {
	tallies := map[plan.Kind]*tally{}
	var failed []*plan.Node
	for _, need := range n.Needs {
		if need.Kind == plan.Before {
			continue
		}
		kind := effective(n, need.Kind)
		if tallies[kind] == nil {
			tallies[kind] = &tally{}
		}
		s := r.sum(need)
		tallies[kind].add(s.tally)
		if !forFailure(kind) {
			failed = blame(failed, s.failures)
		}
	}
	return combine(tallies), failed
}

// mostNamed bounds the states that a comment names: each of thousands of states may need thousands that failed.
const mostNamed = 10

// blame adds states that failed, each once, as far as a comment names them and tells that there are more.
func blame(failed, more []*plan.Node) []*plan.Node {
	for _, on := range more {
		if len(failed) > mostNamed {
			break
		}
		if !slices.Contains(failed, on) {
			failed = append(failed, on)
		}
	}
	return failed
}

// A sum is how the states of one need ended.
type sum struct {
	tally
	failures, changes []*plan.Node
	first             *plan.Node // that changed something, or may have
}

// sum looks at the states of a need. That of many is kept once they all ended, as many states may need them.
func (r *runner) sum(need plan.Need) sum {
	key := &need.On[0]
	if s := r.sums[key]; s != nil {
		return *s
	}
	var s sum
	whole := len(need.On) > 1
	for _, on := range need.On {
		whole = whole && r.outcomes[on] != nil
		s.count(on, r.ended(on))
	}
	if whole {
		if r.sums == nil {
			r.sums = map[**plan.Node]*sum{}
		}
		r.sums[key] = &s
	}
	return s
}

func (s *sum) count(on *plan.Node, out *outcome) {
	switch {
	case out == nil:
		return // itself, or not known before its turn
	case out.failed():
		s.failed++
		s.failures = append(s.failures, on)
	case out.changes.Len() > 0:
		s.changed++
	case out.depends:
		s.unsure++
	default:
		s.unchanged++
	}
	if out.changes.Len() > 0 {
		s.changes = append(s.changes, on)
	}
	if s.first == nil && (out.changes.Len() > 0 || out.depends) {
		s.first = on
	}
}

func (t *tally) add(o tally) {
	t.failed += o.failed
	t.changed += o.changed
	t.unsure += o.unsure
	t.unchanged += o.unchanged
}

// ended is how a state ended, or will end as far as it was asked before its turn; nil when that is not known.
func (r *runner) ended(n *plan.Node) *outcome {
	if out := r.outcomes[n]; out != nil {
		return out
	}
	return r.predicted[n]
}

func combine(tallies map[plan.Kind]*tally) status {
	var fails, noFailure, noChange, change, perhaps, watched bool
	for kind, t := range tallies {
		fails = fails || t.fails(kind)
		switch kind {
		case plan.OnFail, plan.OnFailAny:
			noFailure = noFailure || t.failed == 0
		case plan.OnFailAll:
			noFailure = noFailure || t.succeeded() > 0
		case plan.OnChanges, plan.OnChangesAny:
			change = change || t.changed > 0
			perhaps = perhaps || t.unsure > 0
			noChange = noChange || t.changed == 0
		case plan.Watch, plan.WatchAny:
			watched = watched || t.changed > 0
		}
	}
	switch {
	case fails:
		return requisiteFailed
	case noFailure:
		return onFailNotMet
	case noChange && !change && perhaps:
		return unsure
	case noChange && !change:
		return onChangesNotMet
	case watched:
		return watchedChanged
	}
	return met
}

// fails says whether what a kind of requisite found keeps the state from running as failed: any failure,
// or for the kinds of "any" failures alone.
func (t *tally) fails(kind plan.Kind) bool {
	switch kind {
	case plan.OnFail, plan.OnFailAny, plan.OnFailAll:
		return false
	case plan.RequireAny, plan.WatchAny:
		return t.failed > 0 && t.succeeded() == 0
	case plan.OnChangesAny:
		return t.failed > 0 && t.changed == 0
	}
	return t.failed > 0
}

// effective turns watch into require for states that do nothing special when one they watch changed.
func effective(n *plan.Node, kind plan.Kind) plan.Kind {
	if n.State.State().Watches() {
		return kind
	}
	switch kind {
	case plan.Watch:
		return plan.Require
	case plan.WatchAny:
		return plan.RequireAny
	}
	return kind
}

func forFailure(kind plan.Kind) bool {
	return kind == plan.OnFail || kind == plan.OnFailAny || kind == plan.OnFailAll
}

// watched names the states that n watches and that changed, such as "pkg: nginx"; nil when none did.
func (r *runner) watched(n *plan.Node, s status) []string {
	if s != watchedChanged {
		return nil
	}
	var changed []string
	for _, need := range n.Needs {
		if need.Kind != plan.Watch && need.Kind != plan.WatchAny {
			continue
		}
		for _, on := range r.sum(need).changes {
			if name := on.Module + ": " + on.ID; !slices.Contains(changed, name) {
				changed = append(changed, name)
			}
		}
	}
	return changed
}

// depends keeps test mode honest: a state that finds nothing to do, or fails, while
// one that it needs would change first, may find something to do then, or no reason to fail.
func (r *runner) depends(n *plan.Node, out *outcome) {
	if out.changes.Len() > 0 && !out.unknown {
		r.pending = append(r.pending, n)
		if thing := thingOf(n); thing != "" && r.things[thing] == nil {
			r.things[thing] = n
		}
		return
	}
	if out.certain {
		return
	}
	first := r.changing(n)
	if first == nil {
		first = r.things[thingOf(n)]
	}
	if first == nil && out.unknown {
		first = r.deciding(n, out.comment)
	}
	if first == nil || out.failed() && r.ctx.Err() != nil {
		return
	}
	out.dependOn(first)
}

// dependOn says of an outcome in test mode that another state may turn it into a different one.
func (o *outcome) dependOn(first *plan.Node) {
	comment := "depends on changes of " + first.ID
	if o.failed() {
		comment += ": " + o.comment
	}
	o.result, o.comment, o.depends = nil, comment, true
}

// changing returns the first state that n needs, or that its prereq names, and that would change, or depends
// on one itself.
func (r *runner) changing(n *plan.Node) *plan.Node {
	for _, need := range n.Needs {
		if first := r.sum(need).first; first != nil {
			return first
		}
	}
	for _, tested := range n.Tests {
		if on := r.predicted[tested]; on != nil && on.depends {
			return tested
		}
	}
	return nil
}
