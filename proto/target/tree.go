package target

import "errors"

// A node is a part of an expression that was read.
type node interface {
	match(*evaluation) (verdict, error)
}

// maxSteps bounds the work for one minion. Only a search with many * comes near.
const maxSteps = 1_000_000

var errTooLong = errors.New("cannot decide the target: it takes too many steps; write fewer * between the parts of a key")

// An evaluation is the work for one minion.
type evaluation struct {
	facts   *Facts
	steps   int
	groups  []verdict // of nodegroups that were decided, by their number
	missing Asks      // what was asked for and is not known
}

// A verdict is what a part of an expression says of a minion.
type verdict int8

const (
	open verdict = iota
	yes
	no
	unknown // it asks what is not known of the minion
)

func verdictOf(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

func (e *evaluation) spend() error {
	if e.steps++; e.steps > maxSteps {
		return errTooLong
	}
	return nil
}

// lacks notes that grains or pillar were asked for and are not known.
func (e *evaluation) lacks(pillar bool) (verdict, error) {
	e.missing.Grains, e.missing.Pillar = e.missing.Grains || !pillar, e.missing.Pillar || pillar
	return unknown, nil
}

// first asks one part after the other until one says what decides. Where none does, one that is unknown makes the whole so.
func first(parts []node, e *evaluation, decides, otherwise verdict) (verdict, error) {
	for _, part := range parts {
		switch v, err := part.match(e); {
		case err != nil || v == decides:
			return v, err
		case v == unknown:
			otherwise = unknown
		}
	}
	return otherwise, nil
}

type andNode []node

func (n andNode) match(e *evaluation) (verdict, error) { return first(n, e, no, yes) }

type orNode []node

func (n orNode) match(e *evaluation) (verdict, error) { return first(n, e, yes, no) }

type notNode struct{ node }

func (n notNode) match(e *evaluation) (verdict, error) {
	v, err := n.node.match(e)
	switch v {
	case yes:
		v = no
	case no:
		v = yes
	}
	return v, err
}

// nobody is an empty nodegroup.
type nobody struct{}

func (nobody) match(*evaluation) (verdict, error) { return no, nil }

// groupNode is a nodegroup, which is decided once however often it occurs.
type groupNode struct {
	node
	number int
}

func (n *groupNode) match(e *evaluation) (verdict, error) {
	if v := e.groups[n.number]; v != open {
		return v, nil
	}
	v, err := n.node.match(e)
	if err == nil {
		e.groups[n.number] = v
	}
	return v, err
}
