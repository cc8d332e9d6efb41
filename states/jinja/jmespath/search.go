package jmespath

import (
	"brine/states/jinja/python"
	"brine/states/value"
)

// maxLength bounds an expression, and with it how deep it can be nested.
const maxLength = 10_000

// Search returns what the expression finds in the data, which is nil when there is nothing.
func Search(expression string, data any) (any, error) {
	if len(expression) > maxLength {
		return nil, fail("bad JMESPath: longer than %d characters", maxLength)
	}
	n, err := parse(expression)
	if err != nil {
		return nil, err
	}
	return n.eval(data)
}

// truthy is JMESPath's truth: zero is true.
func truthy(v any) bool {
	if python.IsNumber(v) {
		b, ok := v.(bool)
		return !ok || b
	}
	ok, _ := python.Truth(v)
	return ok
}

func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case *value.List:
		return v.Items, true
	case value.Tuple:
		return v, true
	}
	return nil, false
}

func (n *node) eval(v any) (any, error) {
	switch n.kind {
	case "@":
		return v, nil
	case "literal":
		return n.value, nil
	case "field":
		if d, ok := v.(*value.Dict); ok {
			item, _ := d.Get(n.text)
			return item, nil
		}
		return nil, nil
	case "&":
		return n, nil
	case "list", "hash":
		return n.selected(v)
	case "call":
		return n.call(v)
	}
	left, err := n.kids[0].eval(v)
	if err != nil {
		return nil, err
	}
	switch n.kind {
	case "|":
		return n.kids[1].eval(left)
	case "||":
		if truthy(left) {
			return left, nil
		}
		return n.kids[1].eval(v)
	case "&&":
		if !truthy(left) {
			return left, nil
		}
		return n.kids[1].eval(v)
	case "!":
		return !truthy(left), nil
	case "index", "slice", "flatten":
		return n.part(left)
	case "items", "values", "filter":
		return n.projection(left)
	}
	right, err := n.kids[1].eval(v)
	if err != nil {
		return nil, err
	}
	return compare(n.kind, left, right)
}

func compare(op string, a, b any) (any, error) {
	same, err := python.Equal(a, b)
	if err != nil {
		return nil, err
	}
	_, boolA := a.(bool)
	_, boolB := b.(bool)
	same = same && boolA == boolB
	switch {
	case op == "==":
		return same, nil
	case op == "!=":
		return !same, nil
	case !python.IsNumber(a) || !python.IsNumber(b) || boolA || boolB:
		return nil, nil
	}
	return python.Compare(op, a, b)
}

func (n *node) selected(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	list, dict := value.NewList(), &value.Dict{}
	for i, kid := range n.kids {
		item, err := kid.eval(v)
		if err != nil {
			return nil, err
		}
		if n.kind == "hash" {
			dict.Put(n.names[i], item)
		} else {
			list.Items = append(list.Items, item)
		}
	}
	if n.kind == "hash" {
		return dict, nil
	}
	return list, nil
}

func (n *node) part(left any) (any, error) {
	list, ok := items(left)
	if !ok {
		return nil, nil
	}
	switch n.kind {
	case "index":
		item, _, err := python.Index(value.NewList(list...), n.value)
		return item, err
	case "slice":
		out, _, err := python.Index(value.NewList(list...), &python.Slice{Start: n.slice[0], Stop: n.slice[1], Step: n.slice[2]})
		return out, err
	}
	out := value.NewList()
	for _, item := range list {
		if inner, ok := items(item); ok {
			out.Items = append(out.Items, inner...)
		} else {
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

// projection applies the last expression to each item and leaves out what is null.
func (n *node) projection(left any) (any, error) {
	list, ok := items(left)
	if n.kind == "values" {
		d, isDict := left.(*value.Dict)
		ok = isDict
		if ok {
			list = python.View{Dict: d, Kind: python.ValuesView}.Items()
		}
	}
	if !ok {
		return nil, nil
	}
	each := n.kids[len(n.kids)-1]
	out := value.NewList()
	for _, item := range list {
		if n.kind == "filter" {
			keep, err := n.kids[1].eval(item)
			if err != nil {
				return nil, err
			}
			if !truthy(keep) {
				continue
			}
		}
		v, err := each.eval(item)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out.Items = append(out.Items, v)
		}
	}
	return out, nil
}
