package python

import (
	"math/big"

	"brine/states/value"
)

// A Slice is what stands in brackets with colons; a bound that is not given is nil.
type Slice struct{ Start, Stop, Step any }

// Index is v[key]. It is not found when Python would raise a LookupError, TypeError or
// AttributeError; other errors are errors.
func Index(v, key any) (item any, found bool, err error) {
	if u, ok := v.(*Undefined); ok {
		return nil, false, u.Err()
	}
	if u := eitherUnknown(v, key); u != nil {
		return u, true, nil
	}
	if s, ok := key.(*Slice); ok {
		return slice(v, s)
	}
	switch v := v.(type) {
	case *value.Dict:
		return dictIndex(v, key)
	case *value.List:
		return itemAt(v.Items, key)
	case value.Tuple:
		return itemAt(v, key)
	case string:
		return charAt(v, key, func(s string) any { return s })
	case Markup:
		return charAt(string(v), key, markup)
	case []byte:
		if i, ok := position(key, len(v)); ok {
			return int64(v[i]), true, nil
		}
	case Range:
		if i, ok := position(key, v.Len()); ok {
			return v.Start + int64(i)*v.Step, true, nil
		}
	case Indexer:
		return v.Index(key)
	}
	return nil, false, nil
}

func dictIndex(d *value.Dict, key any) (any, bool, error) {
	if s, ok := key.(string); ok {
		v, ok := d.Get(s)
		return v, ok, nil
	}
	k, err := Key(key)
	if err != nil {
		if u, ok := key.(*Undefined); ok {
			return nil, false, u.Err()
		}
		return nil, false, nil
	}
	v, ok := d.Get(k)
	return v, ok, nil
}

// position is an index into n items, counted from the end when negative.
func position(key any, n int) (int, bool) {
	i, ok := Int(key)
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && i >= 0 && i < int64(n)
}

func itemAt(items []any, key any) (any, bool, error) {
	if i, ok := position(key, len(items)); ok {
		return items[i], true, nil
	}
	return nil, false, nil
}

func charAt(s string, key any, wrap func(string) any) (any, bool, error) {
	if ascii(s) {
		if i, ok := position(key, len(s)); ok {
			return wrap(s[i : i+1]), true, nil
		}
		return nil, false, nil
	}
	runes := []rune(s)
	if i, ok := position(key, len(runes)); ok {
		return wrap(string(runes[i])), true, nil
	}
	return nil, false, nil
}

func slice(v any, s *Slice) (any, bool, error) {
	switch v := v.(type) {
	case *value.List:
		items, err := sliced(v.Items, s)
		return &value.List{Items: items}, true, err
	case value.Tuple:
		items, err := sliced(v, s)
		return value.Tuple(items), true, err
	case string:
		t, err := slicedText(v, s)
		return t, true, err
	case Markup:
		t, err := slicedText(string(v), s)
		return Markup(t), true, err
	case []byte:
		b, err := sliced(v, s)
		return b, true, err
	case Range:
		start, stop, step, err := s.bounds(v.Len())
		at := func(i int) int64 { return v.Start + int64(i)*v.Step }
		return Range{at(start), at(stop), v.Step * int64(step)}, true, err
	}
	return nil, false, nil
}

func slicedText(t string, s *Slice) (string, error) {
	if ascii(t) {
		b, err := sliced([]byte(t), s)
		return string(b), err
	}
	r, err := sliced([]rune(t), s)
	return string(r), err
}

func sliced[T any](items []T, s *Slice) ([]T, error) {
	start, stop, step, err := s.bounds(len(items))
	if err != nil {
		return nil, err
	}
	if step == 1 {
		if start >= stop {
			return []T{}, nil
		}
		return append(make([]T, 0, stop-start), items[start:stop]...), nil
	}
	out := []T{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		out = append(out, items[i])
	}
	return out, nil
}

// bounds resolves a slice against a length, as Python's slice.indices does.
func (s *Slice) bounds(n int) (start, stop, step int, err error) {
	if step, err = bound(s.Step, 1, -n-1, n+1, 0); err != nil {
		return
	}
	if step == 0 {
		return 0, 0, 0, valueError("slice step cannot be zero")
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	first, last := low, high
	if step < 0 {
		first, last = high, low
	}
	if start, err = bound(s.Start, first, low, high, n); err != nil {
		return
	}
	stop, err = bound(s.Stop, last, low, high, n)
	return
}

func bound(v any, absent, low, high, n int) (int, error) {
	if v == nil {
		return absent, nil
	}
	if b, ok := v.(*big.Int); ok {
		if b.Sign() < 0 {
			return low, nil
		}
		return high, nil
	}
	i, ok := Int(v)
	if !ok {
		return 0, WrongType(v, "slice indices must be integers or None or have an __index__ method, not %s")
	}
	if i < 0 {
		i += int64(n)
	}
	return int(min(max(i, int64(low)), int64(high))), nil
}

// SetIndex is v[key] = item.
func SetIndex(v, key, item any) error {
	switch v := v.(type) {
	case *value.Dict:
		k, err := Key(key)
		if err != nil {
			return err
		}
		return v.Set(k, item)
	case *value.List:
		i, ok := position(key, len(v.Items))
		if !ok {
			return Errorf("IndexError", "list assignment index out of range")
		}
		v.Items[i] = item
		return nil
	}
	return typeError("'%s' object does not support item assignment", TypeName(v))
}
