package jinja

import (
	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

func (f *frame) forLoop(s *syntax.For) (signal, error) {
	v, err := f.eval(s.Iter)
	if err != nil {
		return done, err
	}
	if s.Recursive {
		text, err := f.recursive(s, v, 0)
		if err == nil {
			err = f.print(text)
		}
		if err != nil {
			err = f.locate(err, s.Pos)
		}
		return done, err
	}
	return f.loopOver(s, v, 0, nil)
}

// recursive runs a recursive loop over v and returns what it writes.
func (f *frame) recursive(s *syntax.For, v any, depth int) (any, error) {
	if err := f.deeper(); err != nil {
		return nil, err
	}
	defer f.leave()
	in := &frame{run: f.run, tpl: f.tpl, vars: make([]any, s.Func.Slots), up: f, scope: f.scope, escape: f.escape}
	again := func(v any) (any, error) { return f.recursive(s, v, depth+1) }
	text, _, err := in.captured(f.extends, func() (signal, error) { return in.loopOver(s, v, depth, again) })
	return text, err
}

func (f *frame) loopOver(s *syntax.For, v any, depth int, again func(any) (any, error)) (signal, error) {
	it, err := python.Iterate(v)
	if err != nil {
		return done, f.locate(err, s.Iter.At())
	}
	if s.Test != nil {
		it = &filtered{f, s, it}
		v = it
	}
	var l *loop
	if s.Extended {
		l = &loop{frame: f, of: v, it: it, depth: depth, again: again, length: -1}
		it = l
	}
	empty := true
	for {
		item, ok, err := it.Next()
		if err != nil {
			return done, f.locate(err, s.Iter.At())
		}
		if !ok {
			break
		}
		sig, err := f.turn(s, item, l)
		if err != nil {
			return done, err
		}
		if sig == broke {
			break
		}
		// A turn that break or continue ends does not count: so it is in Jinja.
		empty = empty && sig != done
	}
	if empty && s.Else != nil {
		f.enter(s.ElseScope)
		return f.body(s.Else)
	}
	return done, nil
}

// turn runs the body for one item.
func (f *frame) turn(s *syntax.For, item any, l *loop) (signal, error) {
	if err := f.step(); err != nil {
		return done, f.locate(err, s.Pos)
	}
	if l != nil {
		f.setSlot(s.Loop, l)
	}
	if err := f.assign(s.Target, item, syntax.Store{}); err != nil {
		return done, err
	}
	f.enter(s.Scope)
	return f.body(s.Body)
}

// filtered gives the items for which the test of a loop holds.
type filtered struct {
	*frame
	s  *syntax.For
	it python.Iterator
}

func (t *filtered) Next() (any, bool, error) {
	for {
		item, ok, err := t.it.Next()
		if !ok || err != nil {
			return nil, false, err
		}
		if err := t.step(); err != nil {
			return nil, false, err
		}
		t.enter(t.s.TestScope)
		if err := t.assign(t.s.TestTarget, item, syntax.Store{}); err != nil {
			return nil, false, err
		}
		if ok, err := t.truth(t.s.Test); ok || err != nil {
			return item, err == nil, err
		}
	}
}

// A loop is the variable loop. It looks one item ahead only when it is asked what comes.
type loop struct {
	*frame
	of     any
	it     python.Iterator
	again  func(any) (any, error)
	depth  int
	length int // -1 when not known yet
	index  int // from 1
	ahead  []any

	current, previous any
	changed           any
	wasChanged        bool
}

// Next goes on to the next item.
func (l *loop) Next() (any, bool, error) {
	var item any
	if len(l.ahead) > 0 {
		item, l.ahead = l.ahead[0], l.ahead[1:]
	} else {
		var ok bool
		var err error
		if item, ok, err = l.it.Next(); !ok || err != nil {
			return nil, false, err
		}
	}
	l.index++
	l.previous, l.current = l.current, item
	return item, true, nil
}

func (l *loop) peek() (any, bool, error) {
	if len(l.ahead) == 0 {
		item, ok, err := l.it.Next()
		if !ok || err != nil {
			return nil, false, err
		}
		l.ahead = append(l.ahead, item)
	}
	return l.ahead[0], true, nil
}

// Len is the number of items, for which they may all have to be read.
func (l *loop) Len() (int, error) {
	if l.length >= 0 {
		return l.length, nil
	}
	if n, err := python.Len(l.of); err == nil {
		l.length = n
		return n, nil
	}
	for {
		item, ok, err := l.it.Next()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		l.ahead = append(l.ahead, item)
	}
	l.length = l.index + len(l.ahead)
	return l.length, nil
}

// Iterate goes through the items that are left, each with the loop itself, as Jinja does.
func (l *loop) Iterate() (python.Iterator, error) {
	return python.Generate("loop", nil, func() (any, bool, error) {
		item, ok, err := l.Next()
		return value.Tuple{item, l}, ok, err
	}), nil
}

func (l *loop) TypeName() string { return "jinja2.runtime.LoopContext" }

func (l *loop) Text() (string, error) {
	n, err := l.Len()
	return "<LoopContext " + python.Itoa(l.index) + "/" + python.Itoa(n) + ">", err
}

func (l *loop) Attr(name string) (any, bool) {
	switch name {
	case "index":
		return int64(l.index), true
	case "index0":
		return int64(l.index - 1), true
	case "first":
		return l.index == 1, true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if l.index == 1 {
			return l.undefinedBecause("there is no previous item", ""), true
		}
		return l.previous, true
	case "cycle":
		return python.Builtin("cycle", l.cycle), true
	case "changed":
		return python.Builtin("changed", l.change), true
	}
	return l.aheadAttr(name)
}

// aheadAttr are the attributes that depend on what is to come.
func (l *loop) aheadAttr(name string) (any, bool) {
	var n int
	var err error
	switch name {
	case "length", "revindex", "revindex0":
		n, err = l.Len()
	case "last":
		_, more, failed := l.peek()
		if failed == nil {
			return !more, true
		}
		err = failed
	case "nextitem":
		item, more, failed := l.peek()
		if failed == nil && more {
			return item, true
		}
		if err = failed; err == nil {
			return l.undefinedBecause("there is no next item", ""), true
		}
	default:
		return nil, false
	}
	if err != nil {
		return &python.Undefined{Hint: err.Error()}, true
	}
	switch name {
	case "revindex":
		n -= l.index - 1
	case "revindex0":
		n -= l.index
	}
	return int64(n), true
}

func (l *loop) cycle(a python.Args) (any, error) {
	if len(a.Pos) == 0 {
		return nil, python.Errorf("TypeError", "no items for cycling given")
	}
	return a.Pos[(l.index-1)%len(a.Pos)], nil
}

func (l *loop) change(a python.Args) (any, error) {
	if l.wasChanged {
		same, err := python.Equal(l.changed, tupleOf(a.Pos))
		if same || err != nil {
			return false, err
		}
	}
	l.changed, l.wasChanged = tupleOf(a.Pos), true
	return true, nil
}

// Call goes deeper in a recursive loop.
func (l *loop) Call(a python.Args) (any, error) {
	if l.again == nil {
		return nil, python.Errorf("TypeError", "The loop must have the 'recursive' marker to be called recursively.")
	}
	if len(a.Pos) != 1 || len(a.Named) > 0 {
		return nil, python.Errorf("TypeError", "loop() takes exactly one argument")
	}
	return l.again(a.Pos[0])
}
