package pillar

import "brine/states/value"

// Merge lays a pillar over another, and returns a new one: dicts are merged key by key, anything else of over takes
// the place of what is there. Nil counts as empty.
func Merge(under, over *value.Dict) *value.Dict { return merge(under, over, false) }

// MergeLists is Merge, and joins lists that are in both.
func MergeLists(under, over *value.Dict) *value.Dict { return merge(under, over, true) }

func merge(under, over *value.Dict, lists bool) *value.Dict {
	all := &value.Dict{}
	for _, d := range []*value.Dict{under, over} {
		for k, v := range d.All() {
			old, _ := all.Get(k)
			_ = all.Set(k, merged(old, v, lists)) // it was a key already
		}
	}
	return all
}

func merged(old, v any, lists bool) any {
	switch v := v.(type) {
	case *value.Dict:
		if old, ok := old.(*value.Dict); ok {
			return merge(old, v, lists)
		}
		return merge(nil, v, lists) // its own copy: a later merge must not change what was read
	case *value.List:
		if old, ok := old.(*value.List); ok && lists {
			return &value.List{Items: append(append([]any(nil), old.Items...), v.Items...)}
		}
	}
	return v
}
