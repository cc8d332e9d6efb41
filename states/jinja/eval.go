package jinja

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

// eval evaluates an expression. Its errors know their place.
func (f *frame) eval(e syntax.Expr) (any, error) {
	v, err := f.expr(e)
	if err == nil {
		err = f.memory.account(e, v)
	}
	if err != nil {
		return nil, f.locate(err, e.At())
	}
	return v, nil
}

func (f *frame) expr(e syntax.Expr) (any, error) {
	switch e := e.(type) {
	case *syntax.Const:
		return e.Value, nil
	case *syntax.Name:
		return f.name(e), nil
	case *syntax.Attr:
		v, err := f.eval(e.Value)
		if err != nil {
			return nil, err
		}
		return python.GetAttr(v, e.Name, f.settings.AllowUndefined)
	case *syntax.Item:
		return f.item(e)
	case *syntax.Call:
		return f.call(e)
	case *syntax.Filter:
		return f.filter(e, nil)
	case *syntax.Test:
		return f.test(e)
	case *syntax.Concat:
		return f.concat(e)
	case *syntax.Binary:
		left, err := f.eval(e.Left)
		if err != nil {
			return nil, err
		}
		right, err := f.eval(e.Right)
		if err != nil {
			return nil, err
		}
		return python.Binary(e.Op, left, right)
	case *syntax.Compare:
		return f.compare(e)
	case *syntax.Cond:
		return f.cond(e)
	}
	return f.rarer(e)
}

func (f *frame) rarer(e syntax.Expr) (any, error) {
	switch e := e.(type) {
	case *syntax.And:
		left, err := f.eval(e.Left)
		if err != nil {
			return nil, err
		}
		if ok, err := python.Truth(left); !ok || err != nil {
			return left, err
		}
		return f.eval(e.Right)
	case *syntax.Or:
		left, err := f.eval(e.Left)
		if err != nil {
			return nil, err
		}
		if ok, err := python.Truth(left); ok || err != nil {
			return left, err
		}
		return f.eval(e.Right)
	case *syntax.Not:
		ok, err := f.truth(e.Value)
		return !ok, err
	case *syntax.Unary:
		v, err := f.eval(e.Value)
		if err != nil {
			return nil, err
		}
		if e.Op == "-" {
			return python.Negate(v)
		}
		return python.Plus(v)
	case *syntax.Tuple:
		items, err := f.each(e.Items)
		return value.Tuple(items), err
	case *syntax.List:
		items, err := f.each(e.Items)
		return &value.List{Items: items}, err
	case *syntax.Dict:
		return f.dict(e)
	case *syntax.Slice:
		return f.slice(e)
	case *syntax.NSRef:
		return f.name(e.Object), nil
	}
	panic("jinja: unknown expression")
}

func (f *frame) name(n *syntax.Name) any {
	if v := f.slot(n.Slot); v != missing {
		return v
	}
	return f.undefined(n.Name)
}

func (f *frame) truth(e syntax.Expr) (bool, error) {
	v, err := f.eval(e)
	if err != nil {
		return false, err
	}
	ok, err := python.Truth(v)
	if err != nil {
		return false, f.locate(err, e.At())
	}
	return ok, nil
}

func (f *frame) each(list []syntax.Expr) ([]any, error) {
	items := make([]any, len(list))
	for i, e := range list {
		v, err := f.eval(e)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

func (f *frame) item(e *syntax.Item) (any, error) {
	v, err := f.eval(e.Value)
	if err != nil {
		return nil, err
	}
	key, err := f.eval(e.Key)
	if err != nil {
		return nil, err
	}
	if _, isSlice := key.(*python.Slice); isSlice {
		part, ok, err := python.Index(v, key)
		if !ok && err == nil {
			err = python.Errorf("TypeError", "'%s' object is not subscriptable", python.TypeName(v))
		}
		return part, err
	}
	return python.GetItem(v, key, f.settings.AllowUndefined)
}

func (f *frame) dict(e *syntax.Dict) (any, error) {
	d := &value.Dict{}
	for i := range e.Keys {
		k, err := f.eval(e.Keys[i])
		if err != nil {
			return nil, err
		}
		v, err := f.eval(e.Values[i])
		if err != nil {
			return nil, err
		}
		if k, err = python.Key(k); err != nil {
			return nil, f.locate(err, e.Keys[i].At())
		}
		if err := d.Set(k, v); err != nil {
			return nil, f.locate(err, e.Keys[i].At())
		}
	}
	return d, nil
}

func (f *frame) slice(e *syntax.Slice) (any, error) {
	bounds := [3]any{}
	for i, b := range [3]syntax.Expr{e.Start, e.Stop, e.Step} {
		if b == nil {
			continue
		}
		v, err := f.eval(b)
		if err != nil {
			return nil, err
		}
		bounds[i] = v
	}
	return &python.Slice{Start: bounds[0], Stop: bounds[1], Step: bounds[2]}, nil
}

func (f *frame) cond(e *syntax.Cond) (any, error) {
	ok, err := f.truth(e.Test)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return f.eval(e.Then)
	case e.Else != nil:
		return f.eval(e.Else)
	}
	// Even where undefined values fail, this one prints as nothing.
	u := f.undefinedBecause("the inline if-expression on line "+python.Itoa(e.Line)+
		" evaluated to false and no else section was defined.", "")
	u.Lenient = true
	return u, nil
}

func (f *frame) concat(e *syntax.Concat) (any, error) {
	var b strings.Builder
	safe := false
	parts, err := f.each(e.Parts)
	if err != nil {
		return nil, err
	}
	for _, v := range parts {
		if _, ok := v.(python.Markup); ok && f.escape {
			safe = true
		}
	}
	for i, v := range parts {
		var s string
		if safe {
			var m python.Markup
			m, err = python.EscapeValue(v)
			s = string(m)
		} else {
			s, err = python.Str(v)
		}
		if err != nil {
			return nil, f.locate(err, e.Parts[i].At())
		}
		if b.Len()+len(s) > f.limits.Output {
			return nil, &limitError{"a text of more bytes than may be written"}
		}
		b.WriteString(s)
	}
	if safe {
		return python.Markup(b.String()), nil
	}
	return b.String(), nil
}

func (f *frame) compare(e *syntax.Compare) (any, error) {
	left, err := f.eval(e.First)
	if err != nil {
		return nil, err
	}
	for i, op := range e.Ops {
		right, err := f.eval(e.Rest[i])
		if err != nil {
			return nil, err
		}
		ok, err := comparison(op, left, right)
		if !ok || err != nil {
			return false, err
		}
		left = right
	}
	return true, nil
}

func comparison(op string, left, right any) (bool, error) {
	switch op {
	case "==":
		return python.Equal(left, right)
	case "!=":
		ok, err := python.Equal(left, right)
		return !ok && err == nil, err
	case "in":
		return in(left, right)
	case "not in":
		ok, err := in(left, right)
		return !ok && err == nil, err
	}
	return python.Compare(op, left, right)
}

func in(item, container any) (bool, error) {
	if u, ok := container.(*python.Undefined); ok && !u.Lenient {
		return false, u.Err()
	}
	return python.Contains(container, item)
}

// print writes a value.
func (f *frame) print(v any) error {
	var s string
	var err error
	if f.escape {
		if m, ok := v.(python.Markup); ok {
			s = string(m)
		} else {
			s, err = python.Print(v)
			s = string(python.Escape(s))
		}
	} else {
		s, err = python.Print(v)
	}
	if err != nil {
		return err
	}
	return f.write(f.out, s)
}
