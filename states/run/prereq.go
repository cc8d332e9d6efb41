package run

import (
	"brine/states/plan"
	"brine/states/value"
)

// prereq asks whether one of the states that n's prereq names would change something: then n runs before it.
func (r *runner) prereq(n *plan.Node) (status, []*plan.Node) {
	if len(n.Tests) == 0 {
		return met, nil
	}
	var failed []*plan.Node
	would, may := false, false
	for _, tested := range n.Tests {
		switch out := r.predict(tested); {
		case out.failed():
			failed = blame(failed, []*plan.Node{tested})
		case out.depends:
			may = true
		case out.result == nil || out.changes.Len() > 0:
			would = true
		}
	}
	switch {
	case len(failed) > 0:
		return requisiteFailed, failed
	case would:
		return met, nil
	case may:
		return unsure, nil
	}
	return prereqNotMet, nil
}

// predict is what test mode says of a state before its turn. One that can't run because what it needs failed
// ended by that.
func (r *runner) predict(n *plan.Node) *outcome {
	if out := r.outcomes[n]; out != nil {
		return out
	}
	if out := r.predicted[n]; out != nil {
		return out
	}
	if r.predicted == nil {
		r.predicted = map[*plan.Node]*outcome{}
	}
	out := &outcome{changes: &value.Dict{}}
	r.predicted[n] = out // what a state needs never leads back to it
	status, failed := r.requisites(n)
	if status == met || status == watchedChanged {
		if s, f := r.prereq(n); s != met {
			status, failed = s, f
		}
	}
	switch status {
	case requisiteFailed:
		real := r.open(n)
		real.skip(false, "One or more requisite failed: "+names(failed))
		r.close(n, real)
		return real
	case met, watchedChanged:
		w := r.worker
		w.options.Test = true
		w.attempt(n, Foretold, out, r.watched(n, status), nil)
		if r.options.Test && (out.unknown || out.changes.Len() == 0) {
			r.depends(n, out) // what it needs would change first, such as the group of a user
		}
	case unsure:
		out.depends = true
	default:
		out.result = new(true)
	}
	return out
}
