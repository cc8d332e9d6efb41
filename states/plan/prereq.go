package plan

// before puts what a state that a prereq names needs in front of the state that has the prereq: to
// find out whether the one would change, what it needs must be done.
func (x *index) before() {
	done := map[*Node]bool{}
	for _, n := range x.nodes {
		if len(n.Tests) > 0 {
			n.waitForTested(done)
		}
	}
}

// waitForTested adds the needs of what n tests, and of what that tests in turn.
func (n *Node) waitForTested(done map[*Node]bool) {
	if done[n] {
		return
	}
	done[n] = true
	own := map[*Node]bool{}
	for _, need := range n.Needs {
		for _, on := range need.On {
			own[on] = true
		}
	}
	for _, tested := range n.Tests {
		if len(tested.Tests) > 0 {
			tested.waitForTested(done)
		}
		for _, need := range tested.Needs {
			if need.Kind == Prerequired {
				continue
			}
			var more []*Node
			for _, on := range need.On {
				if !own[on] && !(need.own && on == tested) && !n.testsAll(tested, on) {
					own[on] = true
					more = append(more, on)
				}
			}
			if len(more) > 0 {
				n.Needs = append(n.Needs, Need{Kind: Before, On: more})
			}
		}
	}
}

// testsAll says whether one requisite of n names both nodes, as one of a whole SLS does: then either may
// need the other, since both run after n.
func (n *Node) testsAll(a, b *Node) bool {
	for _, r := range n.Requisites {
		if (r.Kind == Prereq || r.Kind == PrereqAny) && r.Module == slsModule && r.meansSLSOf(a) && r.meansSLSOf(b) {
			return true
		}
	}
	return false
}

func (r Requisite) meansSLSOf(n *Node) bool {
	match := matcher(r.Target)
	if match(n.SLS) {
		return true
	}
	for _, sls := range n.Through {
		if match(sls) {
			return true
		}
	}
	return false
}

// Only returns the plan of the states of one ID and of what these need, in the same order.
func (p *Plan) Only(id string) *Plan {
	keep, taken := map[*Node]bool{}, map[**Node]bool{}
	var take func(n *Node)
	take = func(n *Node) {
		if keep[n] {
			return
		}
		keep[n] = true
		for _, need := range n.Needs {
			if !taken[&need.On[0]] {
				taken[&need.On[0]] = true
				for _, on := range need.On {
					take(on)
				}
			}
		}
		for _, tested := range n.Tests {
			take(tested)
		}
		for _, heard := range n.Listens {
			take(heard)
		}
	}
	for _, n := range p.Nodes {
		if n.ID == id {
			take(n)
		}
	}
	only := &Plan{}
	for _, n := range p.Nodes {
		if keep[n] {
			only.Nodes = append(only.Nodes, n)
		}
	}
	return only
}
