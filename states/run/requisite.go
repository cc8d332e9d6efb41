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
	onChangesUnsure        // in test mode: nothing is sure to change, something may
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
		kind := effective(n, need.Kind)
		if tallies[kind] == nil {
			tallies[kind] = &tally{}
		}
		t, on := tallies[kind], r.outcomes[need.On]
		switch {
		case on.failed():
			t.failed++
			if !forFailure(kind) && !slices.Contains(failed, need.On) {
				failed = append(failed, need.On)
			}
		case on.changes.Len() > 0:
			t.changed++
		case on.depends:
			t.unsure++
		default:
			t.unchanged++
		}
	}
	return combine(tallies), failed
}

func combine(tallies map[plan.Kind]*tally) status {
	var fails, noFailure, noChange, change, unsure, watched bool
	for kind, t := range tallies {
		fails = fails || t.fails(kind)
		switch kind {
		case plan.OnFail, plan.OnFailAny:
			noFailure = noFailure || t.failed == 0
		case plan.OnFailAll:
			noFailure = noFailure || t.succeeded() > 0
		case plan.OnChanges, plan.OnChangesAny:
			change = change || t.changed > 0
			unsure = unsure || t.unsure > 0
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
	case noChange && !change && unsure:
		return onChangesUnsure
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
