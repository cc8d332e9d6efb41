// Package value holds the values that states, modules and templates work on:
// those of YAML and Python. A value is one of
//
//	nil, bool, int64, *big.Int (beyond int64), float64, string, []byte,
//	*List, Tuple, *Dict, *Set
//
// Lists, dicts and sets are shared by reference, as in Python. Nothing here
// may be changed by one goroutine while another uses it.
package value

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"sort"
)

// A List is a sequence that is shared by reference.
type List struct{ Items []any }

// NewList makes a list of the items given, which must be values.
func NewList(items ...any) *List { return &List{Items: items} }

// Elements returns the items themselves, no copy.
func (l *List) Elements() []any { return l.Items }

// A Tuple is a sequence that never changes and may be a key of a Dict.
type Tuple []any

// Int makes the smallest value of an integer: int64 where it fits.
func Int(i *big.Int) any {
	if i.IsInt64() {
		return i.Int64()
	}
	return i
}

// Of makes a value of what Go code holds: integers of any size, slices, arrays, maps with
// string keys (in order of key) and pointers to them, and values themselves, which are
// returned as they are. Anything else is an error.
func Of(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []byte, *List, Tuple, *Dict, *Set:
		return v, nil
	case *big.Int:
		if v == nil {
			return nil, nil
		}
		return Int(v), nil
	case int:
		return int64(v), nil
	}
	return reflected(reflect.ValueOf(v))
}

func reflected(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Int(new(big.Int).SetUint64(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.Slice, reflect.Array:
		return sequence(v)
	case reflect.Map:
		return mapping(v)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return Of(v.Elem().Interface())
	}
	return nil, fmt.Errorf("cannot use a Go %s as a value", v.Type())
}

func sequence(v reflect.Value) (any, error) {
	l := &List{Items: make([]any, v.Len())}
	for i := range v.Len() {
		item, err := Of(v.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		l.Items[i] = item
	}
	return l, nil
}

func mapping(v reflect.Value) (any, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("cannot use a Go %s as a value", v.Type())
	}
	keys := v.MapKeys()
	sort.Slice(keys, func(i, k int) bool { return keys[i].String() < keys[k].String() })
	d := &Dict{}
	for _, k := range keys {
		item, err := Of(v.MapIndex(k).Interface())
		if err != nil {
			return nil, err
		}
		d.Put(k.String(), item)
	}
	return d, nil
}

// Kind names the kind of a value in the words of error messages: "nothing",
// "boolean", "integer", "number", "text", "bytes", "list", "tuple", "map" or "set".
func Kind(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "boolean"
	case int64, *big.Int:
		return "integer"
	case float64:
		return "number"
	case string:
		return "text"
	case []byte:
		return "bytes"
	case *List:
		return "list"
	case Tuple:
		return "tuple"
	case *Dict:
		return "map"
	case *Set:
		return "set"
	}
	return fmt.Sprintf("%T", v)
}

// Equal compares as Python's == does: 1, 1.0 and True are equal, the order
// of a dict's keys does not count, the order of a list does.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case *List:
		b, ok := b.(*List)
		return ok && (a == b || slices.EqualFunc(a.Items, b.Items, Equal))
	case Tuple:
		b, ok := b.(Tuple)
		return ok && slices.EqualFunc(a, b, Equal)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && (a == b || a.equal(b))
	case *Set:
		b, ok := b.(*Set)
		return ok && (a == b || a.equal(b))
	}
	ka, err := keyOf(a)
	if err != nil {
		return false
	}
	kb, err := keyOf(b)
	return err == nil && ka == kb && ka != nanKey{}
}

// Truth says whether Python takes a value for true: nothing, zero and what is empty are false.
func Truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []byte:
		return len(v) > 0
	case *List:
		return len(v.Items) > 0
	case Tuple:
		return len(v) > 0
	case *Dict:
		return v.Len() > 0
	case *Set:
		return v.Len() > 0
	}
	return true
}

// Clone copies a value with everything in it. What it holds more than once its copy holds once, too. It fails on one
// that contains itself.
func Clone(v any) (any, error) { return new(cloner).clone(v, 0) }

// Ordered is Clone, also of what contains itself, and the order of the dicts counts in the copy where dicts are written in order of key.
func Ordered(v any) (any, error) { return (&cloner{set: true, ordered: true}).clone(v, 0) }

// Unordered is Clone, also of what contains itself, and the order of the dicts doesn't count in the copy.
func Unordered(v any) (any, error) { return (&cloner{set: true}).clone(v, 0) }

// maxDepth bounds recursion: a value nested deeper most likely contains itself.
const maxDepth = 1000

var errDeep = fmt.Errorf("cannot read a value nested more than %d deep", maxDepth)

// A cloner copies one value. It knows the copies of what it met.
type cloner struct {
	set     bool // whether the order counts is as ordered says, not as it was
	ordered bool
	copies  map[any]any // by pointer
}

func (c *cloner) clone(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case Tuple:
		items, err := c.all(v, depth)
		return Tuple(items), err
	case []byte:
		return slices.Clone(v), nil
	case *Set:
		return v.Clone(), nil
	case *List, *Dict:
		if known, ok := c.copies[v]; ok {
			return known, nil
		}
		return c.container(v, depth)
	}
	return v, nil
}

// container copies a list or a dict. Where what contains itself may be copied its copy is known before it is filled.
func (c *cloner) container(v any, depth int) (out any, err error) {
	if c.copies == nil {
		c.copies = map[any]any{}
	}
	switch v := v.(type) {
	case *List:
		list := &List{}
		if out = list; c.set {
			c.copies[v] = out
		}
		list.Items, err = c.all(v.Items, depth)
	case *Dict:
		d := &Dict{Ordered: v != nil && v.Ordered} // of none at all a copy is empty
		if out = d; c.set {
			d.Ordered = c.ordered
			c.copies[v] = out
		}
		err = c.entries(d, v, depth)
	}
	if err != nil {
		return nil, err
	}
	c.copies[v] = out
	return out, nil
}

func (c *cloner) entries(out, d *Dict, depth int) error {
	for k, item := range d.All() {
		own, err := c.clone(item, depth+1)
		if err != nil {
			return err
		}
		if err := out.Set(k, own); err != nil {
			return err
		}
	}
	return nil
}

func (c *cloner) all(items []any, depth int) ([]any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		own, err := c.clone(item, depth+1)
		if err != nil {
			return nil, err
		}
		out[i] = own
	}
	return out, nil
}
