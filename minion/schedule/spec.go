package schedule

import "brine/states/value"

// Spec is the configuration of a job as package proto/schedule reads it.
func Spec(d *value.Dict) map[string]any {
	spec := map[string]any{}
	for k, v := range d.All() {
		switch key := value.KeyText(k); key {
		case "args", "kwargs", "metadata":
			spec[key] = v
		case "range", "skip_during_range", "splay":
			spec[key] = plain(laid(v))
		default:
			spec[key] = plain(v)
		}
	}
	return spec
}

// plain makes maps and slices of dicts and lists.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			m[value.KeyText(k)] = plain(item)
		}
		return m
	case *value.List:
		all := make([]any, len(v.Items))
		for i, item := range v.Items {
			all[i] = plain(item)
		}
		return all
	}
	return v
}

// laid makes one dict of a list of dicts, as states have them.
func laid(v any) any {
	list, ok := v.(*value.List)
	if !ok {
		return v
	}
	d := &value.Dict{}
	for _, item := range list.Items {
		one, ok := item.(*value.Dict)
		if !ok {
			return v
		}
		for k, v := range one.All() {
			_ = d.Set(k, v) // it was a key already
		}
	}
	return d
}
