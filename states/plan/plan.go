package plan

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// A Plan is the states of a run in the order in which they run.
type Plan struct {
	Nodes []*Node
}

// A Node is a chunk together with the chunks that its requisites mean.
type Node struct {
	*Chunk
	Needs   []Need  // run first
	Tests   []*Node // what its prereq names: it runs only if one of them is going to change something
	Listens []*Node // when one of them changed something it acts, after all states
}

// A Need is the chunks that a requisite of another means. They always run first.
type Need struct {
	Kind Kind
	On   []*Node // shared by all that need the same: not to be changed

	own bool   // the node itself may be among them, and doesn't wait for itself
	sls string // of a requisite of a whole SLS: what it names
}

// New finds what the requisites of all chunks mean and orders the chunks: by their order, and each
// after those it needs. Files are the SLS that were read: a requisite may name one without states.
// The errors are all requisites that mean nothing or run in a circle, in the order of chunks; with
// any there is no plan.
func New(chunks []*Chunk, files []string) (*Plan, []*Error) {
	nodes := make([]*Node, len(chunks))
	for i, c := range chunks {
		nodes[i] = &Node{Chunk: c}
	}
	errs := resolve(nodes, files)
	slices.SortStableFunc(nodes, compare)
	w := order(nodes)
	if w.circles > 0 && loosen(nodes) {
		w = order(nodes)
	}
	if w.errs = append(errs, w.errs...); len(w.errs) > 0 {
		return nil, w.errs
	}
	return &Plan{Nodes: w.done}, nil
}

func order(nodes []*Node) *walk {
	w := &walk{state: make(map[*Node]visit, len(nodes)), passed: map[**Node]int{}}
	for _, n := range nodes {
		w.visit(n)
	}
	return w
}

// compare orders as Salt does: by order, by place among the names, and equal ones by their label.
func compare(a, b *Node) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Nth, b.Nth),
		cmp.Compare(a.Module+a.Name+a.Func, b.Module+b.Name+b.Func))
}

func resolve(nodes []*Node, files []string) []*Error {
	x := newIndex(nodes)
	var errs []*Error
	for _, n := range nodes {
		reqs := slices.Clone(n.Requisites)
		sort.SliceStable(reqs, func(i, k int) bool { return reqs[i].Kind < reqs[k].Kind })
		for _, r := range reqs {
			found := x.find(r)
			if len(found) == 0 && !(r.Module == slsModule && slices.ContainsFunc(files, matcher(r.Target))) {
				errs = append(errs, lacking(r, "state %q: no state is meant by the requisite [%s]%s", n.ID, r, x.suggest(n, r)))
			}
			n.join(r, found)
		}
	}
	x.before()
	return errs
}

// join ties a node to those that one of its requisites means.
func (n *Node) join(r Requisite, found []*Node) {
	own := r.Module == slsModule // a state is among those of its own SLS without waiting for itself
	if len(found) == 0 || own && len(found) == 1 && found[0] == n {
		return
	}
	switch r.Kind {
	case Prereq, PrereqAny:
		self := []*Node{n}
		for _, on := range found {
			if !own || on != n {
				n.Tests = append(n.Tests, on)
				on.Needs = append(on.Needs, Need{Kind: Prerequired, On: self})
			}
		}
	case Listen:
		n.Listens = append(n.Listens, found...)
	default:
		n.Needs = append(n.Needs, Need{r.Kind, found, own, r.sls()})
	}
}

type visit uint8

const (
	unseen visit = iota
	active
	finished
)

// A walk puts nodes after what they need.
type walk struct {
	state map[*Node]visit
	path  []*Node
	done  []*Node
	errs  []*Error

	circles int // that were found

	// passed counts how many of the first nodes of a need are finished: many share one, and none looks twice.
	passed map[**Node]int
}

func (w *walk) visitAll(n *Node, need Need) {
	if len(need.On) == 1 {
		w.visit(need.On[0])
		return
	}
	first := w.passed[&need.On[0]]
	for _, on := range need.On[first:] {
		if on != n || !need.own {
			w.visit(on)
		}
	}
	for first < len(need.On) && w.state[need.On[first]] == finished {
		first++
	}
	w.passed[&need.On[0]] = first
}

func (w *walk) visit(n *Node) {
	switch w.state[n] {
	case finished:
		return
	case active:
		w.circle(n)
		return
	}
	w.state[n] = active
	w.path = append(w.path, n)
	for _, need := range n.Needs {
		w.visitAll(n, need)
	}
	w.path = w.path[:len(w.path)-1]
	w.state[n] = finished
	w.done = append(w.done, n)
}

// mostCircles bounds how many are told: states that all need one another are in more circles than anyone reads.
const mostCircles = 10

// circle reports that the states of the path from n on wait for one another.
func (w *walk) circle(n *Node) {
	const most = 8
	if w.circles++; w.circles > mostCircles {
		return
	}
	ring := w.path[slices.Index(w.path, n):]
	var b strings.Builder
	b.WriteString(describe(n))
	for i := range min(len(ring), most) {
		next := ring[(i+1)%len(ring)]
		if i > 0 {
			b.WriteString(", which")
		}
		b.WriteString(" " + kindOf(ring[i], next) + " " + describe(next))
	}
	if len(ring) > most {
		fmt.Fprintf(&b, ", which leads back through %d more", len(ring)-most)
	}
	w.errs = append(w.errs, Errorf(n.Place, "recursive requisites, none of these states can be the first: %s", b.String()))
}

func describe(n *Node) string {
	return fmt.Sprintf("%s %q (%s)", n.Module, n.ID, n.Place)
}

func kindOf(n, on *Node) string {
	i := slices.IndexFunc(n.Needs, func(need Need) bool { return slices.Contains(need.On, on) })
	switch kind := n.Needs[i].Kind; kind {
	case Prerequired:
		return "is in the prereq of"
	case Before:
		return "has a prereq that needs"
	default:
		return "has " + kind.String() + " on"
	}
}
