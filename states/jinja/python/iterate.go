package python

import (
	"strings"

	"brine/states/value"
)

// An Iterator gives values one by one; ok is false after the last.
type Iterator interface {
	Next() (v any, ok bool, err error)
}

// An Iterable is an Object that can be iterated over.
type Iterable interface {
	Iterate() (Iterator, error)
}

// A Generator gives its values once, as Python's does.
type Generator struct {
	Name  string
	next  func() (any, bool, error)
	depth int // how many generators take from one another
}

// maxChain bounds how many generators take from one another.
const maxChain = 1000

// Generate makes a Generator; next is not called again after it returned false or an error. Of is what
// the values are taken from, or nil.
func Generate(name string, of any, next func() (any, bool, error)) *Generator {
	g := &Generator{Name: name, next: next}
	if source, ok := of.(*Generator); ok {
		g.depth = source.depth + 1
	}
	if g.depth > maxChain {
		g.next = func() (any, bool, error) {
			return nil, false, Errorf("RecursionError", "more than %d generators take from one another", maxChain)
		}
	}
	return g
}

// Next returns the next value.
func (g *Generator) Next() (any, bool, error) {
	if g.next == nil {
		return nil, false, nil
	}
	v, ok, err := g.next()
	if !ok || err != nil {
		g.next = nil
	}
	return v, ok && err == nil, err
}

type sliceIterator struct {
	items []any
	at    int
}

func (s *sliceIterator) Next() (any, bool, error) {
	if s.at >= len(s.items) {
		return nil, false, nil
	}
	s.at++
	return s.items[s.at-1], true, nil
}

// listIterator sees what is appended while it runs, as in Python.
type listIterator struct {
	list *value.List
	at   int
}

func (l *listIterator) Next() (any, bool, error) {
	if l.at >= len(l.list.Items) {
		return nil, false, nil
	}
	l.at++
	return l.list.Items[l.at-1], true, nil
}

type rangeIterator struct {
	Range
	at, n int
}

func (r *rangeIterator) Next() (any, bool, error) {
	if r.at >= r.n {
		return nil, false, nil
	}
	r.at++
	return r.Start + int64(r.at-1)*r.Step, true, nil
}

type dictIterator struct {
	sliceIterator
	dict *value.Dict
	size int
}

func (d *dictIterator) Next() (any, bool, error) {
	if d.dict.Len() != d.size {
		return nil, false, Errorf("RuntimeError", "dictionary changed size during iteration")
	}
	return d.sliceIterator.Next()
}

// Iterate is Python's iter.
func Iterate(v any) (Iterator, error) {
	switch v := v.(type) {
	case *value.List:
		return &listIterator{list: v}, nil
	case value.Tuple:
		return &sliceIterator{items: v}, nil
	case *value.Dict:
		return &dictIterator{sliceIterator{items: v.Keys()}, v, v.Len()}, nil
	case View:
		return &dictIterator{sliceIterator{items: v.Items()}, v.Dict, v.Dict.Len()}, nil
	case *value.Set:
		return &sliceIterator{items: v.Items()}, nil
	case Range:
		return &rangeIterator{Range: v, n: v.Len()}, nil
	case *Generator:
		return v, nil
	case string:
		return &sliceIterator{items: characters(v, nil)}, nil
	case Markup:
		return &sliceIterator{items: characters(string(v), markup)}, nil
	case []byte:
		items := make([]any, len(v))
		for i, b := range v {
			items[i] = int64(b)
		}
		return &sliceIterator{items: items}, nil
	case Iterable:
		return v.Iterate()
	case *Undefined:
		if v.Lenient {
			return &sliceIterator{}, nil
		}
		return nil, v.Err()
	}
	return nil, typeError("'%s' object is not iterable", TypeName(v))
}

func markup(s string) any { return Markup(s) }

func characters(s string, wrap func(string) any) []any {
	items := make([]any, 0, len(s))
	for _, r := range s {
		if wrap != nil {
			items = append(items, wrap(string(r)))
		} else {
			items = append(items, string(r))
		}
	}
	return items
}

// Items collects what v gives when it is iterated over. The slice is the caller's.
func Items(v any) ([]any, error) {
	switch v := v.(type) {
	case *value.List:
		return append(make([]any, 0, len(v.Items)), v.Items...), nil
	case value.Tuple:
		return append(make([]any, 0, len(v)), v...), nil
	case *value.Dict:
		return v.Keys(), nil
	case View:
		return v.Items(), nil
	}
	it, err := Iterate(v)
	if err != nil {
		return nil, err
	}
	var out []any
	for {
		item, ok, err := it.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		if len(out) >= maxItems {
			return nil, tooLarge("sequence")
		}
		out = append(out, item)
	}
}

// Contains is Python's "item in container".
func Contains(container, item any) (bool, error) {
	switch c := container.(type) {
	case string:
		return textContains(c, item)
	case Markup:
		return textContains(string(c), item)
	case *value.Dict:
		return dictHas(c, item)
	case *value.Set:
		key, err := Key(item)
		return err == nil && c.Has(key), err
	case View:
		if c.Kind == KeysView {
			return dictHas(c.Dict, item)
		}
	case Range:
		if i, ok := item.(int64); ok {
			return c.Len() > 0 && (i-c.Start)%c.Step == 0 && (i-c.Start)/c.Step >= 0 && (i-c.Start)/c.Step < int64(c.Len()), nil
		}
	case Container:
		return c.Has(item), nil
	case *Undefined:
		if c.Lenient {
			return false, nil
		}
		return false, c.Err()
	}
	it, err := Iterate(container)
	if err != nil {
		return false, typeError("argument of type '%s' is not iterable", TypeName(container))
	}
	for {
		v, ok, err := it.Next()
		if !ok || err != nil {
			return false, err
		}
		if same, err := Equal(v, item); same || err != nil {
			return same, err
		}
	}
}

func dictHas(d *value.Dict, item any) (bool, error) {
	if u, ok := item.(*Undefined); ok && u.Lenient {
		return false, nil
	}
	key, err := Key(item)
	if err != nil {
		return false, err
	}
	_, ok := d.Get(key)
	return ok, nil
}

// Key is the value as a key of a dict or member of a set.
func Key(v any) (any, error) { return keyAt(v, 0) }

func keyAt(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, Errorf("RecursionError", "a key nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case string, int64, bool, nil, float64:
		return v, nil
	case Markup:
		return string(v), nil
	case *Unknown:
		return v.String(), nil
	case *value.List, *value.Dict, *value.Set:
		return nil, typeError("unhashable type: '%s'", TypeName(v))
	case value.Tuple:
		out := v
		for i, item := range v {
			key, err := keyAt(item, depth+1)
			if err != nil {
				return nil, err
			}
			if _, plain := item.(Markup); plain {
				if &out[0] == &v[0] {
					out = append(value.Tuple(nil), v...)
				}
				out[i] = key
			}
		}
		return out, nil
	case *Undefined:
		return nil, v.Err()
	case Object:
		return nil, typeError("unhashable type: '%s'", TypeName(v))
	}
	return v, nil
}

func textContains(s string, item any) (bool, error) {
	if sub, ok := Text(item); ok {
		return strings.Contains(s, sub), nil
	}
	return false, WrongType(item, "'in <string>' requires string as left operand, not %s")
}
