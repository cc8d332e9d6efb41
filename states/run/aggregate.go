package run

import (
	"brine/states/module"
	"brine/states/plan"
)

// furthest is how far behind a state its like is looked for.
const furthest = 1000

// gather does in one what follows the state at i and may be done with it: states of the same function that stand
// next to it, and with aggregate on both also those further on. All must be free to run now, and
// have nothing to ask or to do around it, so that one of a group ends as it would by itself.
func (r *runner) gather(i int, n *plan.Node) {
	if _, tried := r.together[n]; i < 0 || tried || r.options.Test || !aggregates(n) {
		return
	}
	group := []*plan.Node{n}
	next := true
	for _, m := range r.nodes[i+1 : min(i+1+furthest, len(r.nodes))] {
		like := m.State.State() == n.State.State() && aggregates(m)
		next = next && like
		if like && (next || said(n) && said(m)) && r.free(m) {
			group = append(group, m)
		} else {
			next = false
		}
		if !next && !said(n) {
			break
		}
	}
	if len(group) < 2 {
		return
	}
	states := make([]*module.Bound, len(group))
	for i, m := range group {
		states[i] = m.State
	}
	if r.together == nil {
		r.together = map[*plan.Node]*module.Result{}
	}
	for i, result := range module.Together(r.ctx, r.host, states) {
		r.together[group[i]] = result
	}
}

// tellOfJoint closes the states that the run did not come to and that had been done in one with an earlier one: what
// they changed is never lost. It returns the others.
func (r *runner) tellOfJoint(nodes []*plan.Node) (others []*plan.Node) {
	for _, n := range nodes {
		done := r.together[n]
		if done == nil || r.outcomes[n] != nil {
			others = append(others, n)
			continue
		}
		out := r.open(n)
		out.take(*done)
		r.close(n, out)
	}
	return others
}

// aggregates says whether a state may be done in one with others at all.
func aggregates(n *plan.Node) bool {
	return n.State.State().Aggregate && (n.Aggregate == nil || *n.Aggregate) && !n.Parallel && n.Retry == nil &&
		len(n.OnlyIf)+len(n.Unless)+len(n.Creates)+len(n.CheckCmd)+len(n.Tests) == 0
}

func said(n *plan.Node) bool { return n.Aggregate != nil && *n.Aggregate }

// free says whether all that a state needs ended, and it is to run.
func (r *runner) free(n *plan.Node) bool {
	if _, tried := r.together[n]; tried || r.outcomes[n] != nil {
		return false
	}
	if !r.ready(n) {
		return false
	}
	status, _ := r.requisites(n)
	return status == met || status == watchedChanged
}
