package jinja_test

import (
	"context"
	"fmt"
	"path"
	"strings"

	"brine/states/value"
)

// saltFunctions are the functions that the cases call, on data of their own.
type saltFunctions struct{ grains, pillar, opts *value.Dict }

type saltCall struct {
	args   []any
	kwargs *value.Dict
}

// arg is an argument by place or name.
func (c saltCall) arg(i int, name string, fallback any) any {
	if i < len(c.args) {
		return c.args[i]
	}
	if v, ok := c.kwargs.Get(name); ok {
		return v
	}
	return fallback
}

func (c saltCall) text(i int, name, fallback string) string {
	s, _ := c.arg(i, name, fallback).(string)
	return s
}

func (s *saltFunctions) table() map[string]func(saltCall) (any, error) {
	return map[string]func(saltCall) (any, error){
		"config.get":       s.configGet,
		"defaults.merge":   mergeFunc,
		"grains.filter_by": s.filterBy,
		"grains.get":       func(c saltCall) (any, error) { return get(s.grains, c), nil },
		"grains.has_value": func(c saltCall) (any, error) { return get(s.grains, c) != "", nil },
		"pillar.get":       s.pillarGet,
		"pillar.keys":      s.pillarKeys,
		"slsutil.merge":    mergeFunc,
		"test.ping":        func(saltCall) (any, error) { return true, nil },
	}
}

func (s *saltFunctions) has(name string) bool { return s.table()[name] != nil }

func (s *saltFunctions) call(_ context.Context, name string, args []any, kwargs *value.Dict) (any, error) {
	fn := s.table()[name]
	if fn == nil {
		return nil, fmt.Errorf("no function %s", name)
	}
	return fn(saltCall{args, kwargs})
}

func traverse(v any, key, delimiter string) (any, bool) {
	for _, part := range strings.Split(key, delimiter) {
		switch at := v.(type) {
		case *value.Dict:
			next, ok := at.Get(part)
			if !ok {
				return nil, false
			}
			v = next
		case *value.List:
			next, ok := inList(at, part)
			if !ok {
				return nil, false
			}
			v = next
		default:
			return nil, false
		}
	}
	return v, true
}

func inList(l *value.List, part string) (any, bool) {
	var i int
	if _, err := fmt.Sscanf(part, "%d", &i); err == nil {
		if i < 0 || i >= len(l.Items) {
			return nil, false
		}
		return l.Items[i], true
	}
	for _, item := range l.Items {
		if d, ok := item.(*value.Dict); ok {
			if v, ok := d.Get(part); ok {
				return v, true
			}
		}
	}
	return nil, false
}

func get(d *value.Dict, c saltCall) any {
	v, ok := traverse(d, c.text(0, "key", ""), c.text(2, "delimiter", ":"))
	if !ok {
		return c.arg(1, "default", "")
	}
	return v
}

func (s *saltFunctions) pillarGet(c saltCall) (any, error) {
	fallback := c.arg(1, "default", "")
	v, ok := traverse(s.pillar, c.text(0, "key", ""), ":")
	if delimiter, given := c.kwargs.Get("delimiter"); given {
		v, ok = traverse(s.pillar, c.text(0, "key", ""), delimiter.(string))
	}
	if merge, _ := c.kwargs.Get("merge"); merge == true {
		base, err := value.Clone(fallback)
		if err != nil {
			return nil, err
		}
		return mergeInto(base, v, false), nil
	}
	if !ok {
		return fallback, nil
	}
	return v, nil
}

func (s *saltFunctions) pillarKeys(c saltCall) (any, error) {
	v, _ := traverse(s.pillar, c.text(0, "key", ""), ":")
	d, _ := v.(*value.Dict)
	return value.NewList(d.Keys()...), nil
}

func (s *saltFunctions) configGet(c saltCall) (any, error) {
	for _, d := range []*value.Dict{s.opts, s.grains, s.pillar} {
		if v, ok := traverse(d, c.text(0, "key", ""), ":"); ok {
			return v, nil
		}
	}
	return c.arg(1, "default", ""), nil
}

// mergeInto merges b into a, which changes.
func mergeInto(a, b any, lists bool) any {
	x, okX := a.(*value.Dict)
	y, okY := b.(*value.Dict)
	if !okX || !okY {
		l, okA := a.(*value.List)
		m, okB := b.(*value.List)
		if lists && okA && okB {
			return value.NewList(append(append([]any{}, l.Items...), m.Items...)...)
		}
		return b
	}
	for k, v := range y.All() {
		if was, ok := x.Get(k); ok {
			v = mergeInto(was, v, lists)
		}
		_ = x.Set(k, v)
	}
	return x
}

func mergeFunc(c saltCall) (any, error) {
	lists, _ := c.kwargs.Get("merge_lists")
	if strategy, _ := c.kwargs.Get("strategy"); strategy == "overwrite" {
		a, b := c.args[0].(*value.Dict), c.args[1].(*value.Dict)
		for k, v := range b.All() {
			_ = a.Set(k, v)
		}
		return a, nil
	}
	return mergeInto(c.args[0], c.args[1], lists == true), nil
}

func (s *saltFunctions) filterBy(c saltCall) (any, error) {
	table := c.args[0].(*value.Dict)
	grain := c.text(1, "grain", "os_family")
	found := lookup(table, s.grains, grain)
	if found == nil {
		fallback, _ := c.kwargs.Get("default")
		if fallback == nil {
			fallback = "default"
		}
		found, _ = table.Get(fallback)
	}
	if name, ok := c.kwargs.Get("base"); ok {
		if base, ok := table.Get(name); ok {
			copied, err := value.Clone(base)
			if err != nil {
				return nil, err
			}
			found = mergeInto(copied, found, false)
		}
	}
	if merge := c.arg(2, "merge", nil); merge != nil {
		found = mergeInto(found, merge, false)
	}
	return found, nil
}

func lookup(table, grains *value.Dict, grain string) any {
	v, _ := traverse(grains, grain, ":")
	values := []any{v}
	if l, ok := v.(*value.List); ok {
		values = l.Items
	}
	for _, v := range values {
		for k, found := range table.All() {
			if ok, _ := path.Match(fmt.Sprint(k), fmt.Sprint(v)); ok {
				return found
			}
		}
	}
	return nil
}
