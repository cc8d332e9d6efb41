package grains

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/plan"
	"brine/states/value"
)

type filterArgs struct {
	Lookup  *value.Dict `arg:"lookup_dict,required" doc:"what is returned, by values of the grain; keys may be globs"`
	Grain   string      `arg:"grain" default:"os_family" doc:"the grain"`
	Merge   any         `arg:"merge" doc:"a map that is laid over what was found"`
	Default any         `arg:"default" default:"default" doc:"the key that counts when none fits"`
	Base    any         `arg:"base" doc:"the key of a map over which what was found is laid"`
}

func filterBy(ctx context.Context, h *host.Host, a filterArgs) (any, error) {
	found, err := value.Clone(choose(now(ctx, h), a))
	if err != nil {
		return nil, err
	}
	if found, err = overBase(found, a); err != nil {
		return nil, err
	}
	if !value.Truth(a.Merge) {
		return found, nil
	}
	merge, ok := a.Merge.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("filter_by merge argument must be a dictionary, got a %s", value.Kind(a.Merge))
	}
	c, err := value.Clone(merge)
	if err != nil || found == nil {
		return c, err
	}
	into, ok := found.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot lay the merge argument over a %s: the looked-up value must be a dictionary", value.Kind(found))
	}
	update(into, c.(*value.Dict))
	return into, nil
}

// choose returns the value whose key the grain has, or that of the default; nil without either.
func choose(grains *value.Dict, a filterArgs) any {
	v, _ := lookup(grains, a.Grain, colon)
	items := []any{v}
	switch list := v.(type) {
	case *value.List:
		items = list.Items
	case nil:
		items = nil
		if _, there := lookup(grains, a.Grain, colon); there {
			items = []any{nil}
		}
	}
	for _, item := range items {
		for key, val := range a.Lookup.All() {
			if fits(text(key), text(item)) {
				if val != nil {
					return val
				}
				break
			}
		}
	}
	found, _ := a.Lookup.Get(a.Default)
	return found
}

// fits matches a key of the lookup map, which seldom is a glob.
func fits(key, item string) bool {
	if !strings.ContainsAny(key, "*?[") {
		return key == item
	}
	return plan.Glob(key)(item)
}

func overBase(found any, a filterArgs) (any, error) {
	if !value.Truth(a.Base) {
		return found, nil
	}
	base, ok := a.Lookup.Get(a.Base)
	if !ok {
		return found, nil
	}
	c, err := value.Clone(base)
	if err != nil || found == nil {
		return c, err
	}
	under, ok := c.(*value.Dict)
	if !ok {
		return found, nil
	}
	over, ok := found.(*value.Dict)
	if !ok {
		return nil, errors.New("filter_by default and look-up values must both be dictionaries")
	}
	update(under, over)
	return under, nil
}

// update lays a map over another: maps in it are merged, everything else is replaced.
func update(into, from *value.Dict) {
	for k, v := range from.All() {
		old, _ := into.Get(k)
		a, isMap := old.(*value.Dict)
		b, ok := v.(*value.Dict)
		if isMap && ok {
			update(a, b)
			continue
		}
		_ = into.Set(k, v) // it was a key already
	}
}
