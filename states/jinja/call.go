package jinja

import (
	"brine/states/jinja/library"
	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

func (f *frame) args(a *syntax.Args) (python.Args, error) {
	var out python.Args
	var err error
	if len(a.List) > 0 {
		if out.Pos, err = f.each(a.List); err != nil {
			return out, err
		}
	}
	if len(a.Named) > 0 {
		out.Named = make([]python.Named, len(a.Named))
		for i, n := range a.Named {
			v, err := f.eval(n.Value)
			if err != nil {
				return out, err
			}
			out.Named[i] = python.Named{Name: n.Name, Value: v}
		}
	}
	if a.Star != nil {
		if err := f.star(a.Star, &out); err != nil {
			return out, err
		}
	}
	if a.Double != nil {
		if err := f.doubleStar(a.Double, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (f *frame) star(e syntax.Expr, out *python.Args) error {
	v, err := f.eval(e)
	if err != nil {
		return err
	}
	items, err := python.Items(v)
	if err != nil {
		return f.locate(err, e.At())
	}
	out.Pos = append(out.Pos, items...)
	return nil
}

func (f *frame) doubleStar(e syntax.Expr, out *python.Args) error {
	v, err := f.eval(e)
	if err != nil {
		return err
	}
	if _, err := python.Defined(v); err != nil {
		return f.locate(err, e.At())
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return python.Errorf("TypeError", "argument after ** must be a mapping, not %s", python.TypeName(v))
	}
	for k, v := range d.All() {
		name, ok := python.Text(k)
		if !ok {
			return python.Errorf("TypeError", "keywords must be strings")
		}
		for _, n := range out.Named {
			if n.Name == name {
				return python.Errorf("TypeError", "got multiple values for keyword argument '%s'", name)
			}
		}
		out.Named = append(out.Named, python.Named{Name: name, Value: v})
	}
	return nil
}

func (f *frame) call(e *syntax.Call) (any, error) {
	// A method is called without making an object of it first.
	if attr, ok := e.Func.(*syntax.Attr); ok {
		self, err := f.eval(attr.Value)
		if err != nil {
			return nil, err
		}
		if m := python.FindMethod(self, attr.Name); m != nil {
			a, err := f.args(&e.Args)
			if err != nil {
				return nil, err
			}
			return m.Invoke(self, a)
		}
		fn, err := python.GetAttr(self, attr.Name, f.settings.AllowUndefined)
		if err != nil {
			return nil, f.locate(err, attr.Pos)
		}
		return f.invoke(fn, e)
	}
	fn, err := f.eval(e.Func)
	if err != nil {
		return nil, err
	}
	return f.invoke(fn, e)
}

func (f *frame) invoke(fn any, e *syntax.Call) (any, error) {
	a, err := f.args(&e.Args)
	if err != nil {
		return nil, err
	}
	if fn, ok := fn.(*function); ok && f.env.Called != nil {
		f.env.Called(placeOf(f.tpl.name, f.tpl.tree.Source, e.Func.At()), fn.name)
	}
	return f.apply(fn, a)
}

// apply calls a value. What a macro wrote is not escaped again here, whatever the macro did itself.
func (f *frame) apply(fn any, a python.Args) (any, error) {
	v, err := python.Invoke(fn, a)
	if _, ok := fn.(*macro); !ok || err != nil {
		return v, err
	}
	s, err := python.Str(v)
	if f.escape {
		return python.Markup(s), err
	}
	return s, err
}

// filter applies a filter. The text is what the innermost one of a filter block filters.
func (f *frame) filter(e *syntax.Filter, text any) (any, error) {
	v := text
	var err error
	if inner, ok := e.Value.(*syntax.Filter); ok && text != nil {
		v, err = f.filter(inner, text)
	} else if e.Value != nil {
		v, err = f.eval(e.Value)
	}
	if err != nil {
		return nil, err
	}
	a, err := f.args(&e.Args)
	if err != nil {
		return nil, err
	}
	return f.Filter(e.Name, v, a)
}

func (f *frame) test(e *syntax.Test) (any, error) {
	v, err := f.eval(e.Value)
	if err != nil {
		return nil, err
	}
	a, err := f.args(&e.Args)
	if err != nil {
		return nil, err
	}
	return f.Test(e.Name, v, a)
}

// Filter applies the filter of that name.
func (f *frame) Filter(name string, v any, a python.Args) (any, error) {
	fn := library.FindFilter(name)
	if fn == nil {
		return nil, python.Errorf("TemplateRuntimeError", "No filter named %s found.", python.Quote(name))
	}
	if _, ok := v.(*python.Unknown); ok { // there is such a filter; what it makes of it is unknown too
		return v, nil
	}
	return fn.Apply(f, v, a)
}

// Test applies the test of that name.
func (f *frame) Test(name string, v any, a python.Args) (bool, error) {
	fn := library.FindTest(name)
	if fn == nil {
		return false, python.Errorf("TemplateRuntimeError", "No test named %s found.", python.Quote(name))
	}
	r, err := fn.Apply(f, v, a)
	if err != nil {
		return false, err
	}
	return python.Truth(r)
}

// Names are all variables that the template sees, for show_full_context.
func (f *frame) Names() map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{f.env.Globals, f.run.vars} {
		for k, v := range m {
			out[k] = v
		}
	}
	var layers []*layer
	for l := f.scope.base; l != nil; l = l.next {
		layers = append(layers, l)
	}
	for i := len(layers) - 1; i >= 0; i-- {
		for k, v := range layers[i].names {
			out[k] = v
		}
	}
	for k, v := range f.scope.vars {
		out[k] = v
	}
	return out
}
