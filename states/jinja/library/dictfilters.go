package library

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

func filterTraverse(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	var path []any
	switch key := c.Args[1].(type) {
	case int64:
		path = []any{key}
	case *value.List, value.Tuple:
		path, _ = python.Items(key)
	default:
		s, err := text(key)
		if err != nil {
			return nil, err
		}
		delimiter, err := text(c.Args[3])
		if err != nil {
			return nil, err
		}
		if delimiter == "" {
			return nil, python.Errorf("ValueError", "empty separator")
		}
		for _, part := range strings.Split(s, delimiter) {
			path = append(path, part)
		}
	}
	v := c.Args[0]
	for _, key := range path {
		var ok bool
		if v, ok = stepInto(v, key); !ok {
			return c.Args[2], nil
		}
	}
	return v, nil
}

// stepInto goes one step of traverse: into a dict, to an item of a list, or into the dicts of a list.
func stepInto(v, key any) (any, bool) {
	number, isNumber := key, false
	if s, ok := python.Text(key); ok {
		if i, ok := python.ParseInt(s, 10); ok {
			number, isNumber = i, true
		}
	} else {
		_, isNumber = python.Int(key)
	}
	if l, ok := v.(*value.List); ok {
		if isNumber {
			key = number
		}
		for _, item := range l.Items {
			if d, ok := item.(*value.Dict); ok {
				if found, ok := d.Get(key); ok {
					return found, true
				}
			}
		}
		if !isNumber {
			return nil, false
		}
	}
	for _, k := range []any{key, number} {
		if item, ok, err := python.Index(v, k); ok && err == nil {
			return item, true
		}
	}
	return nil, false
}

// place finds the dict that the last of the keys is in; dicts that are missing on the way are made.
func place(c *python.Call) (*value.Dict, any, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, nil, err
		}
		return nil, nil, python.Errorf("TypeError", "'%s' object does not support item assignment", python.TypeName(c.Args[0]))
	}
	keys, isText := python.Text(c.Args[1])
	if !isText {
		key, err := python.Key(c.Args[1])
		return d, key, err
	}
	delimiter, err := text(c.Args[3])
	if err != nil {
		return nil, nil, err
	}
	ordered, err := boolArg(c.Args[4])
	if err != nil {
		return nil, nil, err
	}
	path := []string{keys}
	if delimiter != "" {
		path = strings.Split(keys, delimiter)
	}
	for _, key := range path[:len(path)-1] {
		next, _ := d.Get(key)
		in, ok := next.(*value.Dict)
		if !ok {
			in = &value.Dict{Ordered: ordered}
			d.Put(key, in)
		}
		d = in
	}
	return d, path[len(path)-1], nil
}

func filterSetKey(_ Host, c *python.Call) (any, error) {
	d, key, err := place(c)
	if err != nil {
		return nil, err
	}
	return c.Args[0], d.Set(key, c.Args[2])
}

func filterUpdateKey(_ Host, c *python.Call) (any, error) {
	d, key, err := place(c)
	if err != nil {
		return nil, err
	}
	v, _ := d.Get(key)
	if v == nil {
		v = &value.Dict{}
		if err := d.Set(key, v); err != nil {
			return nil, err
		}
	}
	in, ok := v.(*value.Dict)
	if !ok {
		return nil, python.Errorf("SaltInvocationError", "The last key contains a <class '%s'>, which cannot update.", python.TypeName(v))
	}
	if err := python.UpdateDict(in, c.Args[2]); err != nil {
		return nil, python.Errorf("SaltInvocationError", "Cannot update <class 'dict'> with a <class '%s'>.", python.TypeName(c.Args[2]))
	}
	return c.Args[0], nil
}

// listAt is the list under the keys, made when there is none.
func listAt(c *python.Call, verb string) (*value.List, error) {
	d, key, err := place(c)
	if err != nil {
		return nil, err
	}
	v, _ := d.Get(key)
	if v == nil {
		v = value.NewList()
		if err := d.Set(key, v); err != nil {
			return nil, err
		}
	}
	l, ok := v.(*value.List)
	if !ok {
		return nil, python.Errorf("SaltInvocationError", "The last key contains a <class '%s'>, which cannot %s.", python.TypeName(v), verb)
	}
	return l, nil
}

func filterAppendKey(_ Host, c *python.Call) (any, error) {
	l, err := listAt(c, "append")
	if err != nil {
		return nil, err
	}
	l.Items = append(l.Items, c.Args[2])
	return c.Args[0], nil
}

func filterExtendKey(_ Host, c *python.Call) (any, error) {
	l, err := listAt(c, "extend")
	if err != nil {
		return nil, err
	}
	items, err := python.Items(c.Args[2])
	if err != nil {
		return nil, python.Errorf("SaltInvocationError", "Cannot extend <class 'list'> with a <class '%s'>.", python.TypeName(c.Args[2]))
	}
	l.Items = append(l.Items, items...)
	return c.Args[0], nil
}

func filterCompareDicts(_ Host, c *python.Call) (any, error) {
	var both [2]*value.Dict
	for i := range both {
		if _, err := python.Defined(c.Args[i]); err != nil {
			return nil, err
		}
		d, ok := c.Args[i].(*value.Dict)
		if !ok && c.Args[i] != nil {
			return nil, python.Errorf("TypeError", "compare_dicts needs dicts, not %s", python.TypeName(c.Args[i]))
		}
		both[i] = d
	}
	old, now := both[0], both[1]
	out := &value.Dict{}
	for k, v := range now.All() {
		was, ok := old.Get(k)
		if !ok {
			_ = out.Set(k, value.NewDict("old", "", "new", v)) // it was a key
			continue
		}
		same, err := python.Equal(was, v)
		if err != nil {
			return nil, err
		}
		if !same {
			_ = out.Set(k, value.NewDict("old", was, "new", v))
		}
	}
	for k, v := range old.All() {
		if _, ok := now.Get(k); !ok {
			_ = out.Set(k, value.NewDict("new", "", "old", v))
		}
	}
	return out, nil
}

func filterCompareLists(_ Host, c *python.Call) (any, error) {
	old, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	now, err := python.Items(c.Args[1])
	if err != nil {
		return nil, err
	}
	out := &value.Dict{}
	for _, side := range []struct {
		name string
		a, b []any
	}{{"new", now, old}, {"old", old, now}} {
		items, err := among(side.a, side.b, false)
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			out.Put(side.name, value.NewList(items...))
		}
	}
	return out, nil
}
