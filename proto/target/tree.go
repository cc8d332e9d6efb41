package target

import "errors"

// A node is a part of an expression that was read.
type node interface {
	match(*evaluation) (bool, error)
}

// maxSteps bounds the work for one minion. Only a search with many * comes near.
const maxSteps = 1_000_000

var errTooLong = errors.New("cannot decide the target: it takes too many steps; write fewer * between the parts of a key")

// An evaluation is the work for one minion.
type evaluation struct {
	facts  *Facts
	steps  int
	groups []verdict // of nodegroups that were decided, by their number
}

type verdict int8

const (
	open verdict = iota
	yes
	no
)

func (e *evaluation) spend() error {
	if e.steps++; e.steps > maxSteps {
		return errTooLong
	}
	return nil
}

type andNode []node

func (n andNode) match(e *evaluation) (bool, error) {
	for _, part := range n {
		if ok, err := part.match(e); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

type orNode []node

func (n orNode) match(e *evaluation) (bool, error) {
	for _, part := range n {
		if ok, err := part.match(e); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type notNode struct{ node }

func (n notNode) match(e *evaluation) (bool, error) {
	ok, err := n.node.match(e)
	return !ok && err == nil, err
}

// nobody is an empty nodegroup.
type nobody struct{}

func (nobody) match(*evaluation) (bool, error) { return false, nil }

// groupNode is a nodegroup, which is decided once however often it occurs.
type groupNode struct {
	node
	number int
}

func (n *groupNode) match(e *evaluation) (bool, error) {
	if v := e.groups[n.number]; v != open {
		return v == yes, nil
	}
	ok, err := n.node.match(e)
	if err != nil {
		return false, err
	}
	e.groups[n.number] = no
	if ok {
		e.groups[n.number] = yes
	}
	return ok, nil
}
