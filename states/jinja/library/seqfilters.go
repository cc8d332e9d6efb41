package library

import (
	"math/rand/v2"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

func filterLength(_ Host, c *python.Call) (any, error) {
	n, err := python.Len(c.Args[0])
	return int64(n), err
}

func filterDefault(_ Host, c *python.Call) (any, error) {
	if isUndefined(c.Args[0]) {
		return c.Args[1], nil
	}
	falsy, err := boolArg(c.Args[2])
	if err != nil || !falsy {
		return c.Args[0], err
	}
	if ok, err := python.Truth(c.Args[0]); ok || err != nil {
		return c.Args[0], err
	}
	return c.Args[1], nil
}

func filterAttr(h Host, c *python.Call) (any, error) {
	name, err := text(c.Args[1])
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, "__") {
		return python.GetAttr(c.Args[0], name, h.Lenient())
	}
	v, ok, err := python.Attr(c.Args[0], name)
	if ok || err != nil {
		return v, err
	}
	return &python.Undefined{Of: c.Args[0], OfSet: true, Name: name, Lenient: h.Lenient()}, nil
}

func filterBatch(_ Host, c *python.Call) (any, error) {
	n, err := intArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	it, err := python.Iterate(c.Args[0])
	if err != nil {
		return nil, err
	}
	return python.Generate("do_batch", c.Args[0], func() (any, bool, error) {
		var batch []any
		for {
			item, ok, err := it.Next()
			if err != nil {
				return nil, false, err
			}
			if ok {
				batch = append(batch, item)
			}
			if len(batch) == n && ok || !ok {
				break
			}
		}
		if len(batch) == 0 {
			return nil, false, nil
		}
		for c.Args[2] != nil && len(batch) < min(n, 1_000_000) {
			batch = append(batch, c.Args[2])
		}
		return value.NewList(batch...), true, nil
	}), nil
}

func filterSlice(_ Host, c *python.Call) (any, error) {
	n, err := intArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	if n <= 0 {
		return nil, python.Errorf("ZeroDivisionError", "integer division or modulo by zero")
	}
	size, more := len(items)/n, len(items)%n
	at, i := 0, 0
	return python.Generate("sync_do_slice", nil, func() (any, bool, error) {
		if i == n {
			return nil, false, nil
		}
		end := at + size
		if i < more {
			end++
		}
		part := value.NewList(items[at:end:end]...)
		if c.Args[2] != nil && i >= more {
			part.Items = append(part.Items, c.Args[2])
		}
		at, i = end, i+1
		return part, true, nil
	}), nil
}

func filterDictsort(_ Host, c *python.Call) (any, error) {
	by, _ := python.Text(c.Args[2])
	if by != "key" && by != "value" {
		return nil, python.Errorf("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		return nil, python.Errorf("AttributeError", "'%s' object has no attribute 'items'", python.TypeName(c.Args[0]))
	}
	exact, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	reverse, err := boolArg(c.Args[3])
	if err != nil {
		return nil, err
	}
	pairs, err := python.Sorted(python.View{Dict: d, Kind: python.ItemsView}.Items(), reverse, func(p any) (any, error) {
		v := p.(value.Tuple)[0]
		if by == "value" {
			v = p.(value.Tuple)[1]
		}
		if exact {
			return v, nil
		}
		return ignoreCase(v), nil
	})
	return value.NewList(pairs...), err
}

func filterSort(h Host, c *python.Call) (any, error) {
	reverse, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	exact, err := boolArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	items, err = python.Sorted(items, reverse, attributes(h, c.Args[3], !exact))
	return value.NewList(items...), err
}

func filterFirst(h Host, c *python.Call) (any, error) {
	it, err := python.Iterate(c.Args[0])
	if err != nil {
		return nil, err
	}
	v, ok, err := it.Next()
	if err == nil && !ok {
		v = undefined(h, "No first item, sequence was empty.")
	}
	return v, err
}

// reversible collects the items of what can be gone through backwards.
func reversible(v any) ([]any, error) {
	switch v.(type) {
	case *python.Generator, *value.Set:
		return nil, python.Errorf("TypeError", "'%s' object is not reversible", python.TypeName(v))
	}
	return python.Items(v)
}

func filterLast(h Host, c *python.Call) (any, error) {
	items, err := reversible(c.Args[0])
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return undefined(h, "No last item, sequence was empty."), nil
	}
	return items[len(items)-1], nil
}

func filterRandom(h Host, c *python.Call) (any, error) {
	n, err := python.Len(c.Args[0])
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return undefined(h, "No random item, sequence was empty."), nil
	}
	v, ok, err := python.Index(c.Args[0], int64(rand.IntN(n)))
	if err == nil && !ok {
		err = python.Errorf("TypeError", "'%s' object is not a sequence", python.TypeName(c.Args[0]))
	}
	return v, err
}

func filterReverse(_ Host, c *python.Call) (any, error) {
	if s, ok := python.Text(c.Args[0]); ok {
		runes := []rune(s)
		for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
			runes[i], runes[j] = runes[j], runes[i]
		}
		return like(c.Args[0], string(runes)), nil
	}
	items, err := python.Items(c.Args[0])
	if err != nil {
		if isUndefined(c.Args[0]) {
			return nil, err
		}
		return nil, python.Errorf("FilterArgumentError", "argument must be iterable")
	}
	python.Reverse(items)
	it, err := python.Iterate(value.NewList(items...))
	if err != nil {
		return nil, err
	}
	return python.Generate("list_reverseiterator", nil, it.Next), nil
}

func filterGroupby(h Host, c *python.Call) (any, error) {
	exact, err := boolArg(c.Args[3])
	if err != nil {
		return nil, err
	}
	key := attribute(h, c.Args[1], !exact, c.Args[2])
	shown := attribute(h, c.Args[1], false, c.Args[2])
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	if items, err = python.Sorted(items, false, key); err != nil {
		return nil, err
	}
	groups := value.NewList()
	var last any
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		same := false
		if i > 0 {
			if same, err = python.Equal(last, k); err != nil {
				return nil, err
			}
		}
		if !same {
			name, err := shown(item)
			if err != nil {
				return nil, err
			}
			groups.Items = append(groups.Items, &group{name, value.NewList()})
		}
		g := groups.Items[len(groups.Items)-1].(*group)
		g.list.Items = append(g.list.Items, item)
		last = k
	}
	return groups, nil
}

func filterItems(_ Host, c *python.Call) (any, error) {
	if isUndefined(c.Args[0]) {
		return python.Generate("do_items", nil, func() (any, bool, error) { return nil, false, nil }), nil
	}
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		return nil, python.Errorf("TypeError", "Can only get item pairs from a mapping.")
	}
	it, err := python.Iterate(python.View{Dict: d, Kind: python.ItemsView})
	if err != nil {
		return nil, err
	}
	return python.Generate("do_items", nil, it.Next), nil
}

func filterJoin(h Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	if c.Args[2] != nil {
		get := attribute(h, c.Args[2], false, nil)
		for i, item := range items {
			if items[i], err = get(item); err != nil {
				return nil, err
			}
		}
	}
	safe := false
	for _, v := range append([]any{c.Args[1]}, items...) {
		safe = safe || h.Escaping() && isMarkup(v)
	}
	str := text
	if safe {
		str = func(v any) (string, error) { m, err := python.EscapeValue(v); return string(m), err }
	}
	sep, err := str(c.Args[1])
	if err != nil {
		return nil, err
	}
	parts := make([]any, len(items))
	for i, item := range items {
		if parts[i], err = str(item); err != nil {
			return nil, err
		}
	}
	s, err := python.FindMethod(sep, "join").Invoke(sep, python.Args{Pos: []any{value.NewList(parts...)}})
	if joined, ok := s.(string); ok && safe {
		return python.Markup(joined), err
	}
	return s, err
}

func filterList(_ Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	return value.NewList(items...), err
}

func filterMap(h Host, c *python.Call) (any, error) {
	if some, err := python.Truth(c.Args[0]); !some || err != nil {
		return generate("sync_do_map", c.Args[0], nil)
	}
	if len(c.Rest) == 0 {
		return mapAttribute(h, c)
	}
	name, err := text(c.Rest[0])
	if err != nil {
		return nil, err
	}
	if FindFilter(name) == nil {
		return nil, python.Errorf("TemplateRuntimeError", "No filter named %s.", python.Quote(name))
	}
	a := python.Args{Pos: c.Rest[1:], Named: c.Named}
	return generate("sync_do_map", c.Args[0], func(item any) (any, bool, error) {
		v, err := h.Filter(name, item, a)
		return v, true, err
	})
}

func mapAttribute(h Host, c *python.Call) (any, error) {
	var name, fallback any
	found := false
	for _, n := range c.Named {
		if n.Name == "attribute" {
			name, found = n.Value, true
		}
	}
	if !found {
		return nil, python.Errorf("FilterArgumentError", "map requires a filter argument")
	}
	for _, n := range c.Named {
		switch n.Name {
		case "attribute":
		case "default":
			fallback = n.Value
		default:
			return nil, python.Errorf("FilterArgumentError", "Unexpected keyword argument %s", python.Quote(n.Name))
		}
	}
	get := attribute(h, name, false, fallback)
	return generate("sync_do_map", c.Args[0], func(item any) (any, bool, error) {
		v, err := get(item)
		return v, true, err
	})
}

// chooser makes select, reject, selectattr and rejectattr.
func chooser(filter string, byAttribute, keep bool) func(Host, *python.Call) (any, error) {
	return func(h Host, c *python.Call) (any, error) {
		if some, err := python.Truth(c.Args[0]); !some || err != nil {
			return generate("select_or_reject", c.Args[0], nil)
		}
		rest := c.Rest
		get := getter(identity)
		if byAttribute {
			if len(rest) == 0 {
				return nil, python.Errorf("FilterArgumentError", "Missing parameter for attribute name")
			}
			get = attribute(h, rest[0], false, nil)
			rest = rest[1:]
		}
		test := python.Truth
		if len(rest) > 0 {
			name, err := text(rest[0])
			if err != nil {
				return nil, err
			}
			if FindTest(name) == nil {
				return nil, python.Errorf("TemplateRuntimeError", "No test named %s.", python.Quote(name))
			}
			a := python.Args{Pos: rest[1:], Named: c.Named}
			test = func(v any) (bool, error) { return h.Test(name, v, a) }
		}
		return generate("select_or_reject", c.Args[0], func(item any) (any, bool, error) {
			v, err := get(item)
			if err != nil {
				return nil, false, err
			}
			ok, err := test(v)
			return item, ok == keep, err
		})
	}
}

func filterSum(h Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	get := attribute(h, c.Args[1], false, nil)
	sum := c.Args[2]
	for _, item := range items {
		v, err := get(item)
		if err != nil {
			return nil, err
		}
		if sum, err = python.Binary("+", sum, v); err != nil {
			return nil, err
		}
	}
	return sum, nil
}
