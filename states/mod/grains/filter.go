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
	v, there := lookup(now(ctx, h), a.Grain, colon)
	return Filter{v, there, a.Lookup, a.Merge, a.Default, a.Base}.Do()
}

// A Filter chooses a value of Lookup, as filter_by of grains and of pillar does.
type Filter struct {
	By                   any // the value that keys of Lookup, which may be globs, are compared with; of a list any item
	There                bool
	Lookup               *value.Dict
	Merge, Default, Base any // what is laid over what was found, the key that counts when none fits, and that of what lies beneath
}

// Do returns what was chosen, which the caller may change.
func (a Filter) Do() (any, error) {
	found, err := value.Clone(a.choose())
	if err != nil {
		return nil, err
	}
	if found, err = a.overBase(found); err != nil {
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

// choose returns the value whose key fits, or that of the default; nil without either.
func (a Filter) choose() any {
	items := []any{a.By}
	if list, ok := a.By.(*value.List); ok {
		items = list.Items
	} else if !a.There {
		items = nil
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

func (a Filter) overBase(found any) (any, error) {
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
