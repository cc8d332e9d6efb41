package rule

import (
	"errors"
	"fmt"
	"reflect"
)

// What one expression may cost. A unit stands for a step, or for 16 bytes that are made or looked at: so an expression ends after some
// milliseconds, and takes some megabytes at most. The clock does not count: what an expression says is the same on each machine.
const (
	maxWork   = 250_000
	maxValue  = 1 << 20 // bytes of any text
	maxResult = 1 << 16 // units of what an action is given, all arguments together
	maxKey    = 4 << 10 // bytes of a key
	maxNested = 200
	maxLength = 16 << 10 // bytes of an expression
)

var (
	errWork   = errors.New("it takes too many steps or too much memory")
	errLong   = fmt.Errorf("it makes a text of more than %d bytes", maxValue)
	errNested = fmt.Errorf("a value is nested more than %d deep", maxNested)
)

// A meter is what one evaluation has left.
type meter struct{ left int }

// take spends.
func (m *meter) take(units int) error {
	if units < 0 || units > m.left {
		return errWork
	}
	m.left -= units
	return nil
}

// product spends a times b, which may be large.
func (m *meter) product(a, b int) error {
	if a > 0 && b > m.left/a {
		return errWork
	}
	return m.take(a * b)
}

// text spends what a text of a length costs.
func (m *meter) text(n int) error {
	if n < 0 || n > maxValue {
		return errLong
	}
	return m.take(1 + n/16)
}

// shallow spends what a value itself costs, without what is in a list or a dict.
func (m *meter) shallow(v any) error {
	switch v := v.(type) {
	case string:
		return m.text(len(v))
	case nil, bool, int, float64:
		return m.take(1)
	}
	if x := reflect.ValueOf(v); x.Kind() == reflect.Slice || x.Kind() == reflect.Array || x.Kind() == reflect.Map {
		return m.take(1 + x.Len())
	}
	return m.take(1)
}

// deep spends what a value costs with all that is in it, as often as it is.
func (m *meter) deep(v any, depth int) error {
	if depth > maxNested {
		return errNested
	}
	switch v := v.(type) {
	case nil, bool, int, float64:
		return m.take(1 + depth/8)
	case string:
		return m.text(len(v) + 2*depth)
	case []any:
		for _, item := range v {
			if err := m.deep(item, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, item := range v {
			if err := errors.Join(m.text(len(k)), m.deep(item, depth+1)); err != nil {
				return err
			}
		}
	default:
		return m.reflected(reflect.ValueOf(v), depth)
	}
	return m.take(1 + depth/8)
}

// reflected is deep for what is rare.
func (m *meter) reflected(v reflect.Value, depth int) error {
	each := func(item reflect.Value) error {
		if item.IsValid() && item.CanInterface() {
			return m.deep(item.Interface(), depth+1)
		}
		return m.reflected(item, depth+1)
	}
	if depth > maxNested {
		return errNested
	}
	err := m.take(1 + depth/8)
	switch v.Kind() {
	case reflect.String:
		return m.text(v.Len())
	case reflect.Interface:
		err = each(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = each(v.Index(i))
		}
	case reflect.Map:
		for i := v.MapRange(); err == nil && i.Next(); {
			err = errors.Join(each(i.Key()), each(i.Value()))
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && err == nil; i++ {
			err = each(v.Field(i))
		}
	}
	return err
}

// times spends what a value costs, for each time that it is looked at.
func (m *meter) times(v any, n int) error {
	before := m.left
	if err := m.deep(v, 0); err != nil {
		return err
	}
	return m.product(before-m.left, n)
}

// items is how many there are in a list.
func items(list any) int {
	if x := reflect.ValueOf(list); x.Kind() == reflect.Slice || x.Kind() == reflect.Array {
		return x.Len()
	}
	return 0
}
