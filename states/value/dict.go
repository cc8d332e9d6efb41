package value

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/big"
)

// A Dict is a map that keeps the order in which its keys were first set.
// A key is any value but a list, dict or set. As in Python 1, 1.0 and True are one key.
// The zero Dict is empty and ready; a nil *Dict reads as empty.
type Dict struct {
	Ordered bool // its own order counts where dicts are written in order of key, as for an OrderedDict

	entries []entry
	index   map[any]int // made once a search through entries would be slow
	dead    int
}

type entry struct {
	hash     any // what keyOf gave; nil for an entry that was deleted
	key, val any
}

// indexAbove is the size from which a Dict holds an index.
const indexAbove = 8

// NewDict makes a dict of keys and values in turn. It panics when a key is missing its value
// or cannot be a key: both are mistakes in the calling code.
func NewDict(pairs ...any) *Dict {
	if len(pairs)%2 != 0 {
		panic("value: NewDict needs pairs")
	}
	d := &Dict{}
	for i := 0; i < len(pairs); i += 2 {
		if err := d.Set(pairs[i], pairs[i+1]); err != nil {
			panic("value: " + err.Error())
		}
	}
	return d
}

// Len returns the number of keys.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.entries) - d.dead
}

// Get returns the value of a key and whether it is there. A value that can't be a key is not.
func (d *Dict) Get(key any) (any, bool) {
	hash, err := keyOf(key)
	if err != nil {
		return nil, false
	}
	if i := d.find(hash); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

// Set gives a key a value; a key that is there keeps its place. A list, dict or set
// cannot be a key: then Set returns an error.
func (d *Dict) Set(key, val any) error {
	hash, err := keyOf(key)
	if err != nil {
		return err
	}
	d.set(hash, key, val)
	return nil
}

// Put is Set with a key that can't be refused.
func (d *Dict) Put(key string, val any) { d.set(key, key, val) }

func (d *Dict) set(hash, key, val any) {
	if i := d.find(hash); i >= 0 {
		d.entries[i].val = val
		return
	}
	d.entries = append(d.entries, entry{hash, key, val})
	if d.index != nil {
		d.index[hash] = len(d.entries) - 1
	} else if len(d.entries) > indexAbove {
		d.reindex()
	}
}

// Delete removes a key and says whether it was there.
func (d *Dict) Delete(key any) bool {
	hash, err := keyOf(key)
	if err != nil {
		return false
	}
	i := d.find(hash)
	if i < 0 {
		return false
	}
	delete(d.index, hash)
	d.entries[i] = entry{}
	d.dead++
	if d.dead > len(d.entries)/2 {
		d.compact()
	}
	return true
}

// All iterates over keys and values in order. While it runs, values may be replaced,
// but no key may be added or deleted.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		if d == nil {
			return
		}
		for _, e := range d.entries {
			if e.hash != nil && !yield(e.key, e.val) {
				return
			}
		}
	}
}

// Keys returns the keys in order.
func (d *Dict) Keys() []any {
	keys := make([]any, 0, d.Len())
	for k := range d.All() {
		keys = append(keys, k)
	}
	return keys
}

func (d *Dict) find(hash any) int {
	if d == nil {
		return -1
	}
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if d.entries[i].hash == hash {
			return i
		}
	}
	return -1
}

func (d *Dict) reindex() {
	d.index = make(map[any]int, 2*len(d.entries))
	for i, e := range d.entries {
		if e.hash != nil {
			d.index[e.hash] = i
		}
	}
}

func (d *Dict) compact() {
	live := make([]entry, 0, d.Len())
	for _, e := range d.entries {
		if e.hash != nil {
			live = append(live, e)
		}
	}
	d.entries, d.dead = live, 0
	if d.index != nil {
		d.reindex()
	}
}

func (d *Dict) equal(b *Dict) bool {
	if d.Len() != b.Len() {
		return false
	}
	for k, v := range d.All() {
		if other, ok := b.Get(k); !ok || !Equal(v, other) {
			return false
		}
	}
	return true
}

// A Set is a collection of distinct values, kept in the order they were first added.
// The zero Set is empty and ready.
type Set struct{ members Dict }

// NewSet makes a set; it panics when a member can't be a key.
func NewSet(members ...any) *Set {
	s := &Set{}
	for _, m := range members {
		if err := s.Add(m); err != nil {
			panic("value: " + err.Error())
		}
	}
	return s
}

// Add puts a value into the set; a list, dict or set can't be in one.
func (s *Set) Add(v any) error { return s.members.Set(v, nil) }

// Has says whether the value is in the set.
func (s *Set) Has(v any) bool {
	_, ok := s.members.Get(v)
	return ok
}

// Delete removes a value and says whether it was there.
func (s *Set) Delete(v any) bool { return s.members.Delete(v) }

// Len returns the number of members.
func (s *Set) Len() int { return s.members.Len() }

// Items returns the members.
func (s *Set) Items() []any { return s.members.Keys() }

// Clone copies the set.
func (s *Set) Clone() *Set { return NewSet(s.Items()...) }

func (s *Set) equal(b *Set) bool { return s.members.equal(&b.members) }

type (
	nilKey   struct{}
	nanKey   struct{}
	bigKey   string
	bytesKey string
	tupleKey string
)

// keyOf makes of a value what can be compared with == in Go and is equal where Python's are equal.
func keyOf(v any) (any, error) {
	switch v := v.(type) {
	case string, int64:
		return v, nil
	case nil:
		return nilKey{}, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), nil
		}
		return bigKey(v.String()), nil
	case float64:
		return floatKey(v), nil
	case []byte:
		return bytesKey(v), nil
	case Tuple:
		return tupleOf(v)
	}
	return nil, fmt.Errorf("cannot use a %s as a key", Kind(v))
}

func floatKey(f float64) any {
	if math.IsNaN(f) {
		return nanKey{}
	}
	if math.IsInf(f, 0) || f != math.Trunc(f) {
		return f
	}
	i, _ := big.NewFloat(f).Int(nil)
	if i.IsInt64() {
		return i.Int64()
	}
	return bigKey(i.String())
}

// tupleOf writes each item's kind, length and text, so that no two tuples collide.
func tupleOf(t Tuple) (any, error) {
	var b []byte
	for _, item := range t {
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%T %v", k, k)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return tupleKey(b), nil
}
