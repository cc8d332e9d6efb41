package value

import (
	"slices"
	"strconv"
	"strings"
)

// Lookup finds what lies in dicts and lists at a path such as "users:0:name", as Salt does: a key of a dict, an index of
// a list, which may count from its end, or a key of the first dict in a list that has it.
func Lookup(v any, path, delimiter string) (any, bool) {
	for _, key := range steps(path, delimiter) {
		var ok bool
		switch c := v.(type) {
		case *Dict:
			v, ok = inDict(c, key)
		case *List:
			v, ok = inItems(c.Items, key)
		case Tuple:
			v, ok = inItems(c, key)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

func steps(path, delimiter string) []string {
	if delimiter == "" {
		return []string{path}
	}
	return strings.Split(path, delimiter)
}

// inDict finds a key that is text, or that YAML reads as a number or a boolean.
func inDict(d *Dict, key string) (any, bool) {
	if v, ok := d.Get(key); ok {
		return v, true
	}
	if i, err := strconv.ParseInt(key, 10, 64); err == nil {
		return d.Get(i)
	}
	if f, err := strconv.ParseFloat(key, 64); err == nil {
		return d.Get(f)
	}
	if b, err := strconv.ParseBool(key); err == nil && len(key) > 1 {
		return d.Get(b)
	}
	return nil, false
}

func inItems(items []any, key string) (any, bool) {
	for _, item := range items {
		if d, ok := item.(*Dict); ok {
			if v, ok := inDict(d, key); ok {
				return v, true
			}
		}
	}
	i, err := strconv.Atoi(key)
	if i < 0 {
		i += len(items)
	}
	if err != nil || i < 0 || i >= len(items) {
		return nil, false
	}
	return items[i], true
}

// Merge puts what is in upd into dest and returns dest: dicts in both are merged in turn, lists in both are joined without
// doubles when lists says so, and all else is replaced. What is put into dest is shared with upd.
func Merge(dest, upd *Dict, lists bool) *Dict {
	for k, v := range upd.All() {
		old, _ := dest.Get(k)
		_ = dest.Set(k, merged(old, v, lists)) // it was a key already
	}
	return dest
}

func merged(old, v any, lists bool) any {
	if into, ok := old.(*Dict); ok {
		if from, ok := v.(*Dict); ok {
			return Merge(into, from, lists)
		}
	}
	into, ok1 := old.(*List)
	from, ok2 := v.(*List)
	if !lists || !ok1 || !ok2 {
		return v
	}
	all := NewList(slices.Clone(into.Items)...)
	for _, item := range from.Items {
		if !has(into.Items, item) {
			all.Items = append(all.Items, item)
		}
	}
	return all
}

func has(items []any, v any) bool {
	for _, item := range items {
		if Equal(item, v) {
			return true
		}
	}
	return false
}
