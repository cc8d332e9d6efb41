package run

import "brine/states/plan"

// A landing is a state that ran beside others and ended.
type landing struct {
	node *plan.Node
	out  *outcome
}

// waits says whether a state that n needs has not ended.
func (r *runner) waits(n *plan.Node) bool {
	if r.flying == 0 && len(r.waiting) == 0 {
		return false // all that stand before n ended
	}
	return !r.ready(n)
}

// ready says whether all that a state needs ended.
func (r *runner) ready(n *plan.Node) bool {
	for _, need := range n.Needs {
		if len(need.On) > 1 && r.sums[&need.On[0]] != nil {
			continue
		}
		for _, on := range need.On {
			if on != n && r.outcomes[on] == nil {
				return false
			}
		}
	}
	return true
}

// launch runs a state in a goroutine of its own, which ends by land.
func (r *runner) launch(n *plan.Node, out *outcome, watched []string) {
	if r.landed == nil {
		r.landed = make(chan landing)
	}
	r.flying++
	w := r.worker
	go func() {
		w.perform(n, out, watched, nil)
		r.landed <- landing{n, out}
	}()
}

// land waits for one of the states that run beside, and begins those that waited for it.
func (r *runner) land() {
	l := <-r.landed
	r.flying--
	r.close(l.node, l.out)
	// One that begins may land others itself, so that each is in one list alone.
	queue := r.waiting
	r.waiting = nil
	for _, n := range queue {
		if r.goesOn() && !r.waits(n) {
			r.begin(-1, n)
		} else {
			r.waiting = append(r.waiting, n)
		}
	}
}

// finish waits for all states that run beside. It returns those that could not begin any more.
func (r *runner) finish() []*plan.Node {
	for r.flying > 0 {
		r.land()
	}
	return r.waiting
}
