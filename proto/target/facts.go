package target

import (
	"iter"
	"strconv"
	"strings"
)

// Facts are what a target may ask of a minion. The values of grains and
// pillar are Maps, Lists, and scalars of Go and of encoding/json; a
// map[string]any and a []any are fine too.
type Facts struct {
	ID     string
	Grains Map   // nil: they are not known
	Pillar Map   // likewise
	Why    error // why what is not known is not; nil where nobody can tell
}

// A Map is a mapping whose keys may be other than text.
type Map interface {
	Len() int
	Get(key any) (any, bool)
	All() iter.Seq2[any, any]
}

// A List is a sequence.
type List interface{ Elements() []any }

// JSON is a mapping as encoding/json reads one.
type JSON map[string]any

// Len returns how many keys there are.
func (m JSON) Len() int { return len(m) }

// Get returns the value of a key.
func (m JSON) Get(key any) (any, bool) {
	s, ok := key.(string)
	if !ok {
		return nil, false
	}
	v, ok := m[s]
	return v, ok
}

// All yields keys and values, in no order.
func (m JSON) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for k, v := range m {
			if !yield(k, v) {
				return
			}
		}
	}
}

func asMap(v any) (Map, bool) {
	switch v := v.(type) {
	case Map:
		return v, true
	case map[string]any:
		return JSON(v), true
	}
	return nil, false
}

func asList(v any) ([]any, bool) {
	switch v := v.(type) {
	case List:
		return v.Elements(), true
	case []any:
		return v, true
	}
	return nil, false
}

// child goes one step down from v, into a mapping or a list. Whole is the key
// itself.
func child(v any, key string, whole any) (any, bool) {
	if m, ok := asMap(v); ok {
		if v, ok := m.Get(whole); ok {
			return v, true
		}
		if other, ok := keyOf(key); ok {
			return m.Get(other)
		}
		return nil, false
	}
	items, _ := asList(v)
	at := whole
	i, err := strconv.Atoi(key)
	if err == nil {
		at = int64(i)
	}
	for _, item := range items { // a mapping in the list counts before a place in the list
		if m, ok := asMap(item); ok {
			if v, ok := m.Get(at); ok {
				return v, true
			}
		}
	}
	if i < 0 {
		i += len(items)
	}
	if err != nil || i < 0 || i >= len(items) {
		return nil, false
	}
	return items[i], true
}

// keyOf is the key that is no text, as YAML reads it.
func keyOf(key string) (any, bool) {
	if i, err := strconv.ParseInt(key, 10, 64); err == nil {
		return i, true
	}
	if f, err := strconv.ParseFloat(key, 64); err == nil && strings.Contains(key, ".") {
		return f, true
	}
	switch strings.ToLower(key) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	case "null", "none", "~":
		return nil, true
	}
	return nil, false
}
