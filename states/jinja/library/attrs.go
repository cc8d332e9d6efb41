package library

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// A getter takes something out of an item: the item itself, or an attribute.
type getter func(item any) (any, error)

func identity(item any) (any, error) { return item, nil }

// ignoreCase makes text comparable without regard to case.
func ignoreCase(v any) any {
	if s, ok := python.Text(v); ok {
		return python.Lower(s)
	}
	return v
}

// attribute makes a getter of "a.b.0"; nil is the item itself. Fallback stands in for what is undefined, unless nil.
func attribute(h Host, name any, fold bool, fallback any) getter {
	path := attributePath(name)
	return func(item any) (any, error) {
		for _, key := range path {
			var err error
			if item, err = python.GetItem(item, key, h.Lenient()); err != nil {
				return nil, err
			}
			if _, ok := item.(*python.Undefined); ok && fallback != nil {
				item = fallback
			}
		}
		if fold {
			item = ignoreCase(item)
		}
		return item, nil
	}
}

func attributePath(name any) []any {
	s, ok := python.Text(name)
	switch {
	case name == nil:
		return nil
	case !ok:
		return []any{name}
	}
	var path []any
	for _, part := range strings.Split(s, ".") {
		path = append(path, keyOf(part))
	}
	return path
}

func keyOf(part string) any {
	if part != "" && strings.Trim(part, "0123456789") == "" {
		if i, ok := python.ParseInt(part, 10); ok {
			return i
		}
	}
	return part
}

// attributes is attribute for "a,b": a tuple of values.
func attributes(h Host, name any, fold bool) getter {
	s, ok := python.Text(name)
	if !ok {
		one := attribute(h, name, fold, nil)
		return func(item any) (any, error) {
			v, err := one(item)
			return value.Tuple{v}, err
		}
	}
	var getters []getter
	for _, part := range strings.Split(s, ",") {
		getters = append(getters, attribute(h, part, fold, nil))
	}
	return func(item any) (any, error) {
		out := make(value.Tuple, len(getters))
		for i, g := range getters {
			v, err := g(item)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
}

// generate makes a generator that gives what each item becomes; keep is false for items left out.
func generate(name string, v any, each func(item any) (out any, keep bool, err error)) (any, error) {
	if some, err := python.Truth(v); err != nil {
		return nil, err
	} else if !some {
		v = value.Tuple{} // also of what can't be iterated over, as in Jinja
	}
	it, err := python.Iterate(v)
	if err != nil {
		return nil, err
	}
	return python.Generate(name, v, func() (any, bool, error) {
		for {
			item, ok, err := it.Next()
			if !ok || err != nil {
				return nil, false, err
			}
			out, keep, err := each(item)
			if keep || err != nil {
				return out, err == nil, err
			}
		}
	}), nil
}

// A group is one of groupby's: a tuple of the key and the items that have it.
type group struct {
	key  any
	list *value.List
}

func (g *group) TypeName() string { return "_GroupTuple" }

func (g *group) Attr(name string) (any, bool) {
	switch name {
	case "grouper":
		return g.key, true
	case "list":
		return g.list, true
	}
	return nil, false
}

func (g *group) tuple() value.Tuple { return value.Tuple{g.key, g.list} }

func (g *group) Index(key any) (any, bool, error) { return python.Index(g.tuple(), key) }

func (g *group) Iterate() (python.Iterator, error) { return python.Iterate(g.tuple()) }

func (g *group) Len() (int, error) { return 2, nil }

// Wraps says how the group is written.
func (g *group) Wraps() (before string, inner any, after string) { return "", g.tuple(), "" }
