package jinja

import (
	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

func tupleOf(items []any) value.Tuple {
	return append(make(value.Tuple, 0, len(items)), items...)
}

// A macro is a macro, or the caller of a call block, with the frame that it was defined in.
type macro struct {
	*frame
	node   *syntax.Routine
	name   string // "" for a caller
	escape bool
}

func (m *macro) TypeName() string { return "jinja2.runtime.Macro" }

func (m *macro) Text() (string, error) {
	if m.name == "" {
		return "<Macro anonymous>", nil
	}
	return "<Macro " + python.Quote(m.name) + ">", nil
}

// Attr returns what is known about the macro.
func (m *macro) Attr(name string) (any, bool) {
	switch name {
	case "name":
		if m.name == "" {
			return nil, true
		}
		return m.name, true
	case "arguments":
		t := value.Tuple{}
		for _, a := range m.node.Args {
			t = append(t, a.Name)
		}
		return t, true
	case "catch_kwargs":
		return m.node.Kwargs != nil, true
	case "catch_varargs":
		return m.node.Vararg != nil, true
	case "caller":
		return m.node.Caller != nil || m.node.ExplicitCaller, true
	case "explicit_caller":
		return m.node.ExplicitCaller, true
	}
	return nil, false
}

// Call runs the macro and returns what it writes.
func (m *macro) Call(a python.Args) (any, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	if err := m.deeper(); err != nil {
		return nil, err
	}
	defer m.leave()
	f := &frame{run: m.run, tpl: m.tpl, vars: make([]any, m.node.Func.Slots), up: m.frame, scope: m.scope, escape: m.escape}
	if err := m.bind(f, a); err != nil {
		return nil, err
	}
	f.enter(m.node.Scope)
	if err := m.defaults(f); err != nil {
		return nil, err
	}
	text, _, err := f.captured(false, func() (signal, error) { return f.body(m.node.Body) })
	if err != nil {
		return nil, err
	}
	return text, nil
}

// bind puts the arguments into the frame.
func (m *macro) bind(f *frame, a python.Args) error {
	n := m.node
	named := a.Named
	for i, arg := range n.Args {
		if i < len(a.Pos) {
			f.setSlot(arg.Slot, a.Pos[i])
			continue
		}
		var v any
		v, named = take(named, arg.Name)
		f.setSlot(arg.Slot, v)
	}
	if n.Caller != nil {
		var v any
		if v, named = take(named, "caller"); v == missing || v == nil {
			v = f.undefinedBecause("No caller defined", "caller")
		}
		f.setSlot(*n.Caller, v)
	}
	switch {
	case n.Kwargs != nil:
		d := &value.Dict{}
		for _, arg := range named {
			d.Put(arg.Name, arg.Value)
		}
		f.setSlot(*n.Kwargs, d)
	case len(named) > 0:
		return m.unwanted(named)
	}
	switch {
	case n.Vararg != nil:
		f.setSlot(*n.Vararg, tupleOf(a.Pos[min(len(n.Args), len(a.Pos)):]))
	case len(a.Pos) > len(n.Args):
		return python.Errorf("TypeError", "macro %s takes not more than %d argument(s)", m.quoted(), len(n.Args))
	}
	return nil
}

func (m *macro) quoted() string {
	if m.name == "" {
		return "None"
	}
	return python.Quote(m.name)
}

func (m *macro) unwanted(named []python.Named) error {
	for _, n := range named {
		if n.Name == "caller" {
			return python.Errorf("TypeError", "macro %s was invoked with two values for the special caller argument. "+
				"This is most likely a bug.", m.quoted())
		}
	}
	return python.Errorf("TypeError", "macro %s takes no keyword argument %s", m.quoted(), python.Quote(named[0].Name))
}

// take removes an argument from a list that it does not change.
func take(named []python.Named, name string) (any, []python.Named) {
	for i, n := range named {
		if n.Name == name {
			rest := append(make([]python.Named, 0, len(named)-1), named[:i]...)
			return n.Value, append(rest, named[i+1:]...)
		}
	}
	return missing, named
}

// defaults gives values to the arguments that have none, in order, so that each can use those before it.
func (m *macro) defaults(f *frame) error {
	n := m.node
	for i, arg := range n.Args {
		if f.slot(arg.Slot) != missing {
			continue
		}
		d := i - (len(n.Args) - len(n.Defaults))
		if d < 0 {
			f.setSlot(arg.Slot, f.undefinedBecause("parameter "+python.Quote(arg.Name)+" was not provided", arg.Name))
			continue
		}
		v, err := f.eval(n.Defaults[d])
		if err != nil {
			return err
		}
		f.setSlot(arg.Slot, v)
	}
	return nil
}

func (f *frame) callBlock(s *syntax.CallBlock) error {
	caller := &macro{frame: f, node: &s.Routine, escape: f.escape}
	fn, err := f.eval(s.Call.Func)
	if err != nil {
		return err
	}
	a, err := f.args(&s.Call.Args)
	if err != nil {
		return f.locate(err, s.Pos)
	}
	a.Named = append(a.Named, python.Named{Name: "caller", Value: caller})
	v, err := f.apply(fn, a)
	if err == nil {
		err = f.print(v)
	}
	if err != nil {
		return f.locate(err, s.Call.Pos)
	}
	return nil
}
