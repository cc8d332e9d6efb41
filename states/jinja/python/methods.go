package python

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"sort"
	"strings"

	"brine/states/value"
)

// listMethodList are the methods of list, in order of name.
func listMethodList() []Method {
	return []Method{
		{Name: "append", Sig: "object", Fn: onList(listAppend)},
		{Name: "clear", Fn: onList(func(l *value.List, _ *Call) (any, error) { l.Items = nil; return nil, nil })},
		{Name: "copy", Fn: onList(func(l *value.List, _ *Call) (any, error) { return value.NewList(slices.Clone(l.Items)...), nil })},
		{Name: "count", Sig: "value", Fn: onList(func(l *value.List, c *Call) (any, error) { return countOf(l.Items, c.Args[0]) })},
		{Name: "extend", Sig: "iterable", Fn: onList(listExtend)},
		{Name: "index", Sig: "value, start=None, stop=None", Fn: onList(func(l *value.List, c *Call) (any, error) { return indexOf(l.Items, c, "list") })},
		{Name: "insert", Sig: "index, object", Fn: onList(listInsert)},
		{Name: "pop", Sig: "index=-1", Fn: onList(listPop)},
		{Name: "remove", Sig: "value", Fn: onList(listRemove)},
		{Name: "reverse", Fn: onList(func(l *value.List, _ *Call) (any, error) { Reverse(l.Items); return nil, nil })},
		{Name: "sort", Sig: "key=None, reverse=False", Fn: onList(listSort)},
	}
}

func onList(fn func(*value.List, *Call) (any, error)) methodFunc {
	return func(self any, c *Call) (any, error) { return fn(self.(*value.List), c) }
}

// Reverse turns items round.
func Reverse(items []any) {
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
}

func listAppend(l *value.List, c *Call) (any, error) {
	if len(l.Items) >= maxItems {
		return nil, tooLarge("list")
	}
	l.Items = append(l.Items, c.Args[0])
	return nil, nil
}

func listExtend(l *value.List, c *Call) (any, error) {
	items, err := Items(c.Args[0])
	if err == nil && len(l.Items)+len(items) > maxItems {
		err = tooLarge("list")
	}
	if err == nil {
		l.Items = append(l.Items, items...)
	}
	return nil, err
}

func listInsert(l *value.List, c *Call) (any, error) {
	i, err := intArg(c.Args[0])
	if err != nil {
		return nil, err
	}
	if i < 0 {
		i = max(i+len(l.Items), 0)
	}
	i = min(i, len(l.Items))
	l.Items = append(l.Items, nil)
	copy(l.Items[i+1:], l.Items[i:])
	l.Items[i] = c.Args[1]
	return nil, nil
}

func listPop(l *value.List, c *Call) (any, error) {
	if len(l.Items) == 0 {
		return nil, Errorf("IndexError", "pop from empty list")
	}
	if _, err := intArg(c.Args[0]); err != nil {
		return nil, err
	}
	i, ok := position(c.Args[0], len(l.Items))
	if !ok {
		return nil, Errorf("IndexError", "pop index out of range")
	}
	v := l.Items[i]
	l.Items = append(l.Items[:i], l.Items[i+1:]...)
	return v, nil
}

func listRemove(l *value.List, c *Call) (any, error) {
	for i, item := range l.Items {
		same, err := Equal(item, c.Args[0])
		if err != nil {
			return nil, err
		}
		if same {
			l.Items = append(l.Items[:i], l.Items[i+1:]...)
			return nil, nil
		}
	}
	return nil, valueError("list.remove(x): x not in list")
}

func listSort(l *value.List, c *Call) (any, error) {
	reverse, err := Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	key := func(v any) (any, error) { return v, nil }
	if c.Args[0] != nil {
		key = func(v any) (any, error) { return Invoke(c.Args[0], Args{Pos: []any{v}}) }
	}
	items, err := Sorted(l.Items, reverse, key)
	if err == nil {
		l.Items = items
	}
	return nil, err
}

// Sorted is Python's sorted: stable, also in reverse. It makes a new slice.
func Sorted(items []any, reverse bool, key func(any) (any, error)) ([]any, error) {
	type keyed struct{ key, item any }
	list := make([]keyed, len(items))
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		list[i] = keyed{k, item}
	}
	var failed error
	sort.SliceStable(list, func(i, j int) bool {
		if failed != nil {
			return false
		}
		if reverse {
			i, j = j, i
		}
		less, err := Less(list[i].key, list[j].key)
		if err != nil {
			failed = err
		}
		return less
	})
	out := make([]any, len(items))
	for i := range list {
		out[i] = list[i].item
	}
	return out, failed
}

func countOf(items []any, v any) (any, error) {
	n := int64(0)
	for _, item := range items {
		same, err := Equal(item, v)
		if err != nil {
			return nil, err
		}
		if same {
			n++
		}
	}
	return n, nil
}

func indexOf(items []any, c *Call, kind string) (any, error) {
	start, stop, _, err := (&Slice{Start: c.Args[1], Stop: c.Args[2]}).bounds(len(items))
	if err != nil {
		return nil, err
	}
	for i := start; i < stop; i++ {
		same, err := Equal(items[i], c.Args[0])
		if err != nil {
			return nil, err
		}
		if same {
			return int64(i), nil
		}
	}
	if kind == "tuple" {
		return nil, valueError("tuple.index(x): x not in tuple")
	}
	return nil, valueError("%s is not in list", reprOr(c.Args[0]))
}

func tupleMethodList() []Method {
	return []Method{
		{Name: "count", Sig: "value", Fn: func(self any, c *Call) (any, error) { return countOf(self.(value.Tuple), c.Args[0]) }},
		{Name: "index", Sig: "value, start=None, stop=None", Fn: func(self any, c *Call) (any, error) {
			return indexOf(self.(value.Tuple), c, "tuple")
		}},
	}
}

func intMethodList() []Method {
	return []Method{
		{Name: "as_integer_ratio", Fn: func(self any, _ *Call) (any, error) { return value.Tuple{value.Int(bigOf(self)), int64(1)}, nil }},
		{Name: "bit_count", Fn: func(self any, _ *Call) (any, error) { return bitCount(bigOf(self)), nil }},
		{Name: "bit_length", Fn: func(self any, _ *Call) (any, error) { return int64(bigOf(self).BitLen()), nil }},
		{Name: "conjugate", Fn: func(self any, _ *Call) (any, error) { return value.Int(bigOf(self)), nil }},
	}
}

func bitCount(n *big.Int) int64 {
	count := 0
	for _, word := range n.Bits() {
		count += bits.OnesCount(uint(word))
	}
	return int64(count)
}

func floatMethodList() []Method {
	return []Method{
		{Name: "as_integer_ratio", Fn: func(self any, _ *Call) (any, error) {
			f := self.(float64)
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, valueError("cannot convert NaN or infinity to integer ratio")
			}
			r := new(big.Rat).SetFloat64(f)
			return value.Tuple{value.Int(r.Num()), value.Int(r.Denom())}, nil
		}},
		{Name: "conjugate", Fn: func(self any, _ *Call) (any, error) { return self, nil }},
		{Name: "is_integer", Fn: func(self any, _ *Call) (any, error) {
			f := self.(float64)
			return f == math.Trunc(f) && !math.IsInf(f, 0), nil
		}},
	}
}

func bytesMethodList() []Method {
	return []Method{
		{Name: "decode", Sig: "encoding='utf-8', errors='strict'", Fn: bytesDecode},
		{Name: "endswith", Sig: "suffix", Fn: onBytes(strings.HasSuffix)},
		{Name: "hex", Fn: func(self any, _ *Call) (any, error) { return new(hexText).write(self.([]byte)), nil }},
		{Name: "startswith", Sig: "prefix", Fn: onBytes(strings.HasPrefix)},
		{Name: "strip", Fn: func(self any, _ *Call) (any, error) { return []byte(strings.TrimSpace(string(self.([]byte)))), nil }},
	}
}

type hexText struct{}

func (*hexText) write(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString(hex(rune(c), 2))
	}
	return s.String()
}

func onBytes(fn func(s, affix string) bool) methodFunc {
	return func(self any, c *Call) (any, error) {
		affix, ok := c.Args[0].([]byte)
		if !ok {
			return nil, typeError("first arg must be bytes, not %s", TypeName(c.Args[0]))
		}
		return fn(string(self.([]byte)), string(affix)), nil
	}
}

func bytesDecode(self any, c *Call) (any, error) {
	b := self.([]byte)
	name, _ := Text(c.Args[0])
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "latin1", "iso88591":
		out := make([]rune, len(b))
		for i, x := range b {
			out[i] = rune(x)
		}
		return string(out), nil
	}
	s := string(b)
	if t := strings.ToValidUTF8(s, "\ufffd"); t != s {
		if mode, _ := Text(c.Args[1]); mode == "replace" {
			return t, nil
		} else if mode == "ignore" {
			return strings.ToValidUTF8(s, ""), nil
		}
		return nil, Errorf("UnicodeDecodeError", "'utf-8' codec can't decode bytes: invalid text")
	}
	return s, nil
}

func setMethodList() []Method {
	return []Method{
		{Name: "add", Sig: "elem", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			key, err := Key(c.Args[0])
			if err != nil {
				return nil, err
			}
			return nil, s.Add(key)
		})},
		{Name: "copy", Fn: onSet(func(s *value.Set, _ *Call) (any, error) { return s.Clone(), nil })},
		{Name: "difference", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			if err != nil {
				return nil, err
			}
			return setDifference(s, o.Has), nil
		})},
		{Name: "discard", Sig: "elem", Fn: onSet(func(s *value.Set, c *Call) (any, error) { s.Delete(c.Args[0]); return nil, nil })},
		{Name: "intersection", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			if err != nil {
				return nil, err
			}
			return setDifference(s, func(v any) bool { return !o.Has(v) }), nil
		})},
		{Name: "issubset", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			return err == nil && compareSets("<=", s, o), err
		})},
		{Name: "issuperset", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			return err == nil && compareSets(">=", s, o), err
		})},
		{Name: "union", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			if err != nil {
				return nil, err
			}
			out := s.Clone()
			for _, m := range o.Items() {
				_ = out.Add(m) // it was a member
			}
			return out, nil
		})},
		{Name: "update", Sig: "other", Fn: onSet(func(s *value.Set, c *Call) (any, error) {
			o, err := SetOf(c.Args[0])
			if err != nil {
				return nil, err
			}
			for _, m := range o.Items() {
				_ = s.Add(m) // it was a member
			}
			return nil, nil
		})},
	}
}

func onSet(fn func(*value.Set, *Call) (any, error)) methodFunc {
	return func(self any, c *Call) (any, error) { return fn(self.(*value.Set), c) }
}

// SetOf is Python's set(v).
func SetOf(v any) (*value.Set, error) {
	items, err := Items(v)
	if err != nil {
		return nil, err
	}
	s := &value.Set{}
	for _, item := range items {
		key, err := Key(item)
		if err != nil {
			return nil, err
		}
		if err := s.Add(key); err != nil {
			return nil, err
		}
	}
	return s, nil
}
