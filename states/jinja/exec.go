package jinja

import (
	"slices"
	"strings"
	"time"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
)

// A signal says how statements ended.
type signal uint8

const (
	done signal = iota
	broke
	continued
)

func (f *frame) body(body []syntax.Stmt) (signal, error) {
	for _, s := range body {
		if sig, err := f.stmt(s); sig != done || err != nil {
			return sig, err
		}
	}
	return done, nil
}

func (f *frame) stmt(s syntax.Stmt) (signal, error) {
	switch s := s.(type) {
	case *syntax.Output:
		return done, f.output(s)
	case *syntax.If:
		return f.ifElse(s)
	case *syntax.For:
		return f.forLoop(s)
	case *syntax.Set:
		return done, f.setTo(s)
	case *syntax.Do:
		_, err := f.eval(s.Value)
		return done, err
	case *syntax.Break:
		return broke, nil
	case *syntax.Continue:
		return continued, nil
	case *syntax.With:
		return f.with(s)
	case *syntax.FilterBlock:
		f.trace(s.Pos, false)
		return f.filterBlock(s)
	case *syntax.SetBlock:
		return f.setBlock(s)
	case *syntax.Autoescape:
		return f.autoescape(s)
	case *syntax.Profile:
		return f.profile(s)
	case *syntax.Macro:
		m := &macro{frame: f, node: &s.Routine, name: s.Name.Name, escape: f.escape}
		f.setSlot(s.Name.Slot, m)
		if s.Export {
			f.scope.set(s.Name.Name, m, true)
		}
		return done, nil
	case *syntax.CallBlock:
		f.trace(s.Pos, false)
		return done, f.callBlock(s)
	}
	return done, f.templates(s)
}

func (f *frame) output(s *syntax.Output) error {
	if f.extends {
		return nil
	}
	for i := range s.Parts {
		p := &s.Parts[i]
		if p.Expr == nil {
			f.trace(p.Pos, true)
			if err := f.write(f.out, p.Text); err != nil {
				return f.locate(err, syntax.Pos{})
			}
			continue
		}
		v, err := f.eval(p.Expr)
		if err != nil {
			return err
		}
		f.trace(p.Expr.At(), false)
		if err := f.print(v); err != nil {
			return f.locate(err, p.Expr.At())
		}
	}
	return nil
}

// trace tells where what is written next comes from, when it is the template's own output.
func (f *frame) trace(at syntax.Pos, literal bool) {
	if f.env.Trace != nil && f.out == f.main && f.tpl == f.root {
		f.env.Trace(f.out.Len(), at.Line, literal)
	}
}

func (f *frame) ifElse(s *syntax.If) (signal, error) {
	ok, err := f.truth(s.Test)
	if err != nil {
		return done, err
	}
	if ok {
		return f.body(s.Body)
	}
	for _, e := range s.Elif {
		if ok, err := f.truth(e.Test); err != nil {
			return done, err
		} else if ok {
			return f.body(e.Body)
		}
	}
	return f.body(s.Else)
}

// captured runs a body and returns what it writes: nothing when silent, as nobody would see it.
func (f *frame) captured(silent bool, run func() (signal, error)) (any, signal, error) {
	out, extends := f.out, f.extends
	var b strings.Builder
	f.out, f.extends = &b, silent
	sig, err := run()
	f.out, f.extends = out, extends
	if f.escape {
		return python.Markup(b.String()), sig, err
	}
	return b.String(), sig, err
}

func (f *frame) setTo(s *syntax.Set) error {
	v, err := f.eval(s.Value)
	if err != nil {
		return err
	}
	return f.assign(s.Target, v, s.Store)
}

// assign gives a value to a target. Names at the top level become part of the template's scope.
func (f *frame) assign(target syntax.Expr, v any, store syntax.Store) error {
	switch t := target.(type) {
	case *syntax.Name:
		f.setSlot(t.Slot, v)
		if store.Context {
			f.scope.set(t.Name, v, store.Export)
		}
		return nil
	case *syntax.NSRef:
		ns, ok := f.name(t.Object).(interface{ SetAttr(string, any) })
		if !ok {
			why := "cannot assign attribute on non-namespace object"
			if u, ok := f.name(t.Object).(*python.Undefined); ok {
				why += ": " + u.Err().Error()
			}
			return f.locate(python.Errorf("TemplateRuntimeError", "%s", why), t.Pos)
		}
		ns.SetAttr(t.Attr, v)
		return nil
	case *syntax.Tuple:
		items, err := f.unpack(t, v)
		if err != nil {
			return f.locate(err, t.Pos)
		}
		for i, item := range t.Items {
			if err := f.assign(item, items[i], store); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *frame) unpack(t *syntax.Tuple, v any) ([]any, error) {
	if u, ok := v.(*python.Unknown); ok {
		return slices.Repeat([]any{u}, len(t.Items)), nil
	}
	items, err := python.Items(v)
	if err != nil {
		if u, ok := v.(*python.Undefined); ok {
			return nil, u.Err()
		}
		return nil, python.Errorf("TypeError", "cannot unpack non-iterable %s object", python.TypeName(v))
	}
	want := len(t.Items)
	switch {
	case len(items) < want:
		return nil, python.Errorf("ValueError", "not enough values to unpack (expected %d, got %d)", want, len(items))
	case len(items) > want:
		return nil, python.Errorf("ValueError", "too many values to unpack (expected %d)", want)
	}
	return items, nil
}

func (f *frame) setBlock(s *syntax.SetBlock) (signal, error) {
	f.enter(s.Scope)
	text, sig, err := f.captured(false, func() (signal, error) { return f.body(s.Body) })
	if err != nil || sig != done {
		return sig, err
	}
	if s.Filter != nil {
		if text, err = f.filter(s.Filter, text); err != nil {
			return done, f.locate(err, s.Filter.Pos)
		}
	}
	return done, f.assign(s.Target, text, s.Store)
}

func (f *frame) filterBlock(s *syntax.FilterBlock) (signal, error) {
	f.enter(s.Scope)
	text, sig, err := f.captured(f.extends, func() (signal, error) { return f.body(s.Body) })
	if err != nil || sig != done {
		return sig, err
	}
	v, err := f.filter(s.Filter, text)
	if err == nil && !f.extends {
		err = f.print(v)
	}
	if err != nil {
		err = f.locate(err, s.Filter.Pos)
	}
	return done, err
}

func (f *frame) with(s *syntax.With) (signal, error) {
	values, err := f.each(s.Values)
	if err != nil {
		return done, err
	}
	f.enter(s.Scope)
	for i, t := range s.Targets {
		if err := f.assign(t, values[i], syntax.Store{}); err != nil {
			return done, err
		}
	}
	return f.body(s.Body)
}

func (f *frame) autoescape(s *syntax.Autoescape) (signal, error) {
	f.enter(s.Scope)
	on, err := f.truth(s.Value)
	if err != nil {
		return done, err
	}
	before := f.escape
	f.escape = on
	sig, err := f.body(s.Body)
	f.escape = before
	return sig, err
}

func (f *frame) profile(s *syntax.Profile) (signal, error) {
	label := ""
	if s.Label != nil {
		v, err := f.eval(s.Label)
		if err != nil {
			return done, err
		}
		if label, err = python.Str(v); err != nil {
			return done, f.locate(err, s.Label.At())
		}
	}
	defer f.timed("profile block", label)()
	f.enter(s.Scope)
	return f.body(s.Body)
}

// timed returns what tells how long something took since.
func (f *frame) timed(what, label string) func() {
	if f.env.Profile == nil {
		return func() {}
	}
	began := time.Now()
	return func() { f.env.Profile(what, label, time.Since(began)) }
}
