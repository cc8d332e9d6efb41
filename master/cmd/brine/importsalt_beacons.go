package main

import "brine/states/value"

// tableBeacons are beacons of Salt as tables of TOML: each a dict instead of a list of dicts, and an empty one where YAML
// has nothing, which TOML can't say.
func tableBeacons(v any) any {
	all, ok := v.(*value.Dict)
	if !ok {
		return v
	}
	d := &value.Dict{}
	for name, config := range all.All() {
		_ = d.Set(name, filled(laid(config))) // it was a key already
	}
	return d
}

// laid lays the dicts of a list over each other. A list in which a key comes twice stays one.
func laid(config any) any {
	list, ok := config.(*value.List)
	if !ok {
		return config
	}
	d := &value.Dict{}
	for _, item := range list.Items {
		one, ok := item.(*value.Dict)
		if !ok {
			return config
		}
		for k, v := range one.All() {
			if _, twice := d.Get(k); twice {
				return config
			}
			_ = d.Set(k, v) // it was a key already
		}
	}
	return d
}

// filled has an empty dict wherever a dict has nothing.
func filled(v any) any {
	switch v := v.(type) {
	case nil:
		return &value.Dict{}
	case *value.Dict:
		d := &value.Dict{}
		for k, item := range v.All() {
			_ = d.Set(k, filled(item)) // it was a key already
		}
		return d
	}
	return v
}
