package jmespath

import (
	"math"
	"strings"
	"sync"

	"brine/states/jinja/dump"
	"brine/states/jinja/python"
	"brine/states/value"
)

// A function takes arguments of the types in its signature: s text, n number, a array, o object, e expression,
// x anything; a bar separates alternatives, and a star after the last repeats it.
type function struct {
	args string
	fn   func(a []any) (any, error)
}

var functions struct {
	sync.Once // of makeFunctions: it can't be made where it is declared, as map and the like evaluate expressions again
	byName    map[string]function
}

func makeFunctions() {
	functions.byName = map[string]function{
		"abs":         {"n", func(a []any) (any, error) { return absolute(a[0]) }},
		"avg":         {"a", average},
		"ceil":        {"n", func(a []any) (any, error) { return python.Truncate(math.Ceil(python.Float(a[0]))) }},
		"contains":    {"a|s x", contains},
		"ends_with":   {"s s", func(a []any) (any, error) { return strings.HasSuffix(str(a[0]), str(a[1])), nil }},
		"floor":       {"n", func(a []any) (any, error) { return python.Truncate(math.Floor(python.Float(a[0]))) }},
		"join":        {"s a", join},
		"keys":        {"o", func(a []any) (any, error) { return value.NewList(a[0].(*value.Dict).Keys()...), nil }},
		"length":      {"s|a|o", func(a []any) (any, error) { n, err := python.Len(a[0]); return int64(n), err }},
		"map":         {"e a", mapped},
		"max":         {"a", func(a []any) (any, error) { return extreme(a[0], self, ">") }},
		"max_by":      {"a e", func(a []any) (any, error) { return extreme(a[0], by(a[1]), ">") }},
		"merge":       {"o*", merge},
		"min":         {"a", func(a []any) (any, error) { return extreme(a[0], self, "<") }},
		"min_by":      {"a e", func(a []any) (any, error) { return extreme(a[0], by(a[1]), "<") }},
		"not_null":    {"x*", notNull},
		"reverse":     {"s|a", reverse},
		"sort":        {"a", func(a []any) (any, error) { return sorted(a[0], self) }},
		"sort_by":     {"a e", func(a []any) (any, error) { return sorted(a[0], by(a[1])) }},
		"starts_with": {"s s", func(a []any) (any, error) { return strings.HasPrefix(str(a[0]), str(a[1])), nil }},
		"sum":         {"a", func(a []any) (any, error) { return sum(a[0]) }},
		"to_array":    {"x", toArray},
		"to_number":   {"x", toNumber},
		"to_string":   {"x", toString},
		"type":        {"x", func(a []any) (any, error) { return typeOf(a[0]), nil }},
		"values": {"o", func(a []any) (any, error) {
			return value.NewList(python.View{Dict: a[0].(*value.Dict), Kind: python.ValuesView}.Items()...), nil
		}},
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case *value.List, value.Tuple:
		return "array"
	case *value.Dict:
		return "object"
	case *node:
		return "expref"
	}
	if python.IsNumber(v) {
		return "number"
	}
	return "string"
}

var letters = map[string]byte{"string": 's', "number": 'n', "array": 'a', "object": 'o', "expref": 'e'}

func (n *node) call(v any) (any, error) {
	functions.Do(makeFunctions)
	f, ok := functions.byName[n.text]
	if !ok {
		return nil, fail("Unknown function: %s()", n.text)
	}
	var args []any
	for _, kid := range n.kids {
		a, err := kid.eval(v)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	want := strings.Fields(strings.TrimSuffix(f.args, "*"))
	if len(args) != len(want) && !(strings.HasSuffix(f.args, "*") && len(args) > len(want)) {
		return nil, fail("Expected %d arguments for function %s(), received %d", len(want), n.text, len(args))
	}
	for i, a := range args {
		kinds := want[min(i, len(want)-1)]
		if kinds != "x" && strings.IndexByte(kinds, letters[typeOf(a)]) < 0 {
			return nil, fail("In function %s(), invalid type for value %v: %s", n.text, typeOf(a), kinds)
		}
	}
	return f.fn(args)
}

func str(v any) string {
	s, _ := python.Text(v)
	return s
}

func self(v any) (any, error) { return v, nil }

func by(v any) func(any) (any, error) { return v.(*node).eval }

func absolute(v any) (any, error) {
	if less, err := python.Less(v, int64(0)); err != nil || less {
		return python.Negate(v)
	}
	return v, nil
}

func sum(v any) (any, error) {
	list, _ := items(v)
	var total any = int64(0)
	for _, item := range list {
		if typeOf(item) != "number" {
			return nil, fail("In function sum(), invalid type: %s", typeOf(item))
		}
		var err error
		if total, err = python.Binary("+", total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func average(a []any) (any, error) {
	list, _ := items(a[0])
	if len(list) == 0 {
		return nil, nil
	}
	total, err := sum(a[0])
	if err != nil {
		return nil, err
	}
	return python.Binary("/", total, int64(len(list)))
}

func contains(a []any) (any, error) {
	if s, ok := python.Text(a[0]); ok {
		sub, ok := python.Text(a[1])
		return ok && strings.Contains(s, sub), nil
	}
	return python.Contains(a[0], a[1])
}

func join(a []any) (any, error) {
	list, _ := items(a[1])
	parts := make([]string, len(list))
	for i, item := range list {
		s, ok := python.Text(item)
		if !ok {
			return nil, fail("In function join(), invalid type: %s", typeOf(item))
		}
		parts[i] = s
	}
	return strings.Join(parts, str(a[0])), nil
}

func mapped(a []any) (any, error) {
	list, _ := items(a[1])
	out := value.NewList()
	for _, item := range list {
		v, err := by(a[0])(item)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

func extreme(v any, key func(any) (any, error), op string) (any, error) {
	list, _ := items(v)
	var best, bestKey any
	for i, item := range list {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		better := i == 0
		if !better {
			if better, err = python.Compare(op, k, bestKey); err != nil {
				return nil, err
			}
		}
		if better {
			best, bestKey = item, k
		}
	}
	return best, nil
}

func sorted(v any, key func(any) (any, error)) (any, error) {
	list, _ := items(v)
	out, err := python.Sorted(list, false, key)
	return value.NewList(out...), err
}

func merge(a []any) (any, error) {
	out := &value.Dict{}
	for _, d := range a {
		if err := python.UpdateDict(out, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func notNull(a []any) (any, error) {
	for _, v := range a {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func reverse(a []any) (any, error) {
	if s, ok := python.Text(a[0]); ok {
		out, _, err := python.Index(s, &python.Slice{Step: int64(-1)})
		return out, err
	}
	list, err := python.Items(a[0])
	python.Reverse(list)
	return value.NewList(list...), err
}

func toArray(a []any) (any, error) {
	if _, ok := items(a[0]); ok {
		return a[0], nil
	}
	return value.NewList(a[0]), nil
}

func toNumber(a []any) (any, error) {
	if s, ok := python.Text(a[0]); ok {
		if i, ok := python.ParseInt(s, 10); ok {
			return i, nil
		}
		if f, ok := python.ParseFloat(s); ok {
			return f, nil
		}
		return nil, nil
	}
	if typeOf(a[0]) == "number" {
		return a[0], nil
	}
	return nil, nil
}

func toString(a []any) (any, error) {
	if s, ok := python.Text(a[0]); ok {
		return s, nil
	}
	s, err := dump.JSON(a[0], dump.JSONOptions{Compact: true})
	return s, err
}
