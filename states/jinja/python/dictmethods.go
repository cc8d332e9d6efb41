package python

import "brine/states/value"

// dictMethodList are the methods of dict, in order of name.
func dictMethodList() []Method {
	return []Method{
		{Name: "clear", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { *d = value.Dict{Ordered: d.Ordered}; return nil, nil })},
		{Name: "copy", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return CopyDict(d), nil })},
		{Name: "fromkeys", Sig: "iterable, value=None", Fn: dictFromkeys},
		{Name: "get", Sig: "key, default=None", Fn: onDict(dictGet)},
		{Name: "has_key", Sig: "key", Fn: onDict(func(d *value.Dict, c *Call) (any, error) { return dictHas(d, c.Args[0]) })},
		{Name: "items", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, ItemsView}, nil })},
		{Name: "iteritems", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, ItemsView}, nil })},
		{Name: "iterkeys", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, KeysView}, nil })},
		{Name: "itervalues", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, ValuesView}, nil })},
		{Name: "keys", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, KeysView}, nil })},
		{Name: "pop", Sig: "key, default=?", Fn: onDict(dictPop)},
		{Name: "popitem", Fn: onDict(dictPopitem)},
		{Name: "setdefault", Sig: "key, default=None", Fn: onDict(dictSetdefault)},
		{Name: "update", Sig: "other=?, **kwargs", Fn: onDict(dictUpdate)},
		{Name: "values", Fn: onDict(func(d *value.Dict, _ *Call) (any, error) { return View{d, ValuesView}, nil })},
	}
}

func onDict(fn func(*value.Dict, *Call) (any, error)) methodFunc {
	return func(self any, c *Call) (any, error) { return fn(self.(*value.Dict), c) }
}

// CopyDict copies a dict, not what is in it.
func CopyDict(d *value.Dict) *value.Dict {
	out := &value.Dict{Ordered: d.Ordered}
	for k, v := range d.All() {
		_ = out.Set(k, v) // it was a key
	}
	return out
}

func dictGet(d *value.Dict, c *Call) (any, error) {
	key, err := Key(c.Args[0])
	if err != nil {
		return nil, err
	}
	if v, ok := d.Get(key); ok {
		return v, nil
	}
	return c.Args[1], nil
}

func dictPop(d *value.Dict, c *Call) (any, error) {
	key, err := Key(c.Args[0])
	if err != nil {
		return nil, err
	}
	if v, ok := d.Get(key); ok {
		d.Delete(key)
		return v, nil
	}
	if c.Given(1) {
		return c.Args[1], nil
	}
	return nil, Errorf("KeyError", "%s", reprOr(key))
}

func dictPopitem(d *value.Dict, _ *Call) (any, error) {
	keys := d.Keys()
	if len(keys) == 0 {
		return nil, Errorf("KeyError", "'popitem(): dictionary is empty'")
	}
	key := keys[len(keys)-1]
	v, _ := d.Get(key)
	d.Delete(key)
	return value.Tuple{key, v}, nil
}

func dictSetdefault(d *value.Dict, c *Call) (any, error) {
	key, err := Key(c.Args[0])
	if err != nil {
		return nil, err
	}
	if v, ok := d.Get(key); ok {
		return v, nil
	}
	return c.Args[1], d.Set(key, c.Args[1])
}

func dictUpdate(d *value.Dict, c *Call) (any, error) {
	if c.Given(0) {
		if err := UpdateDict(d, c.Args[0]); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Named {
		d.Put(n.Name, n.Value)
	}
	return nil, nil
}

// UpdateDict puts into d what other holds: a dict, or pairs of keys and values.
func UpdateDict(d *value.Dict, other any) error {
	if _, ok := other.(*Unknown); ok {
		return nil
	}
	if o, ok := other.(*value.Dict); ok {
		if o == d {
			return nil
		}
		for k, v := range o.All() {
			if err := d.Set(k, v); err != nil {
				return err
			}
		}
		return nil
	}
	pairs, err := Items(other)
	if err != nil {
		return err
	}
	for i, p := range pairs {
		pair, err := Items(p)
		if err != nil {
			return typeError("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		if len(pair) != 2 {
			return valueError("dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
		}
		key, err := Key(pair[0])
		if err != nil {
			return err
		}
		if err := d.Set(key, pair[1]); err != nil {
			return err
		}
	}
	return nil
}

func dictFromkeys(_ any, c *Call) (any, error) {
	items, err := Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for _, item := range items {
		key, err := Key(item)
		if err != nil {
			return nil, err
		}
		if err := d.Set(key, c.Args[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}
