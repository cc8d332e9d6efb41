package python

import (
	"math/big"

	"brine/states/value"
)

// Markup is text that is safe to be put into HTML: escaping leaves it alone.
type Markup string

// A Range is Python's range.
type Range struct{ Start, Stop, Step int64 }

// Len is the number of integers in the range.
func (r Range) Len() int {
	switch {
	case r.Step > 0 && r.Start < r.Stop:
		return int((r.Stop-r.Start-1)/r.Step) + 1
	case r.Step < 0 && r.Start > r.Stop:
		return int((r.Start-r.Stop-1)/-r.Step) + 1
	}
	return 0
}

// A View shows the keys, values or items of a dict as they are when it is looked at.
type View struct {
	Dict *value.Dict
	Kind ViewKind
}

// A ViewKind says what a View shows.
type ViewKind uint8

// The kinds of views.
const (
	KeysView ViewKind = iota
	ValuesView
	ItemsView
)

// Items returns what the view shows now.
func (v View) Items() []any {
	out := make([]any, 0, v.Dict.Len())
	for k, val := range v.Dict.All() {
		switch v.Kind {
		case KeysView:
			out = append(out, k)
		case ValuesView:
			out = append(out, val)
		default:
			out = append(out, value.Tuple{k, val})
		}
	}
	return out
}

// An Object is a value of a kind that only templates have: a macro, a loop, a namespace.
type Object interface {
	TypeName() string
	// Attr returns the attribute of that name, and whether there is one.
	Attr(name string) (any, bool)
}

// An Indexer is an Object that has elements. The error is for what Python would raise
// apart from there being no such element.
type Indexer interface {
	Index(key any) (v any, found bool, err error)
}

// A Container is an Object that can tell whether it holds a value.
type Container interface{ Has(v any) bool }

// A Texter is an Object with a text of its own.
type Texter interface{ Text() (string, error) }

// A Wrapper is an Object that is written as another value with text around it. It may contain itself.
type Wrapper interface {
	Wraps() (before string, inner any, after string)
}

// A Callable is a value that can be called. It is safe to call a Callable while another call of it runs.
type Callable interface {
	Call(a Args) (any, error)
}

// Args are what a call is given.
type Args struct {
	Pos   []any
	Named []Named
}

// Named is an argument given by name.
type Named struct {
	Name  string
	Value any
}

// Builtin makes a Callable of a Go function.
func Builtin(name string, fn func(Args) (any, error)) Callable { return &builtin{name, fn} }

type builtin struct {
	name string
	fn   func(Args) (any, error)
}

func (b *builtin) Call(a Args) (any, error)     { return b.fn(a) }
func (b *builtin) TypeName() string             { return "function" }
func (b *builtin) Attr(name string) (any, bool) { return b.name, name == "__name__" }
func (b *builtin) Text() (string, error)        { return "<function " + b.name + ">", nil }

// TypeName is the name of a value's type in Python.
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Markup:
		return "Markup"
	case []byte:
		return "bytes"
	case *value.List:
		return "list"
	case value.Tuple:
		return "tuple"
	case *value.Dict:
		return "dict"
	case *value.Set:
		return "set"
	case *Undefined:
		if v.Lenient {
			return "Undefined"
		}
		return "StrictUndefined"
	case Range:
		return "range"
	case View:
		return [...]string{"dict_keys", "dict_values", "dict_items"}[v.Kind]
	case *Generator:
		return "generator"
	case *Slice:
		return "slice"
	case Object:
		return v.TypeName()
	}
	return "object"
}

// Text returns what a string holds, be it safe or not.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case Markup:
		return string(v), true
	case *Unknown:
		return v.String(), true
	}
	return "", false
}

// Truth is Python's bool.
func Truth(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case *big.Int:
		return v.Sign() != 0, nil
	case float64:
		return v != 0, nil
	case string:
		return v != "", nil
	case Markup:
		return v != "", nil
	case []byte:
		return len(v) > 0, nil
	case *value.List:
		return len(v.Items) > 0, nil
	case value.Tuple:
		return len(v) > 0, nil
	case *value.Dict:
		return v.Len() > 0, nil
	case *value.Set:
		return v.Len() > 0, nil
	case Range:
		return v.Len() > 0, nil
	case View:
		return v.Dict.Len() > 0, nil
	case *Unknown:
		return v.Yes, nil
	case *Undefined:
		if v.Lenient {
			return false, nil
		}
		return false, v.Err()
	}
	return true, nil
}

// Len is Python's len, in characters for text.
func Len(v any) (int, error) {
	switch v := v.(type) {
	case string:
		return runeLen(v), nil
	case Markup:
		return runeLen(string(v)), nil
	case []byte:
		return len(v), nil
	case *value.List:
		return len(v.Items), nil
	case value.Tuple:
		return len(v), nil
	case *value.Dict:
		return v.Len(), nil
	case *value.Set:
		return v.Len(), nil
	case Range:
		return v.Len(), nil
	case View:
		return v.Dict.Len(), nil
	case interface{ Len() (int, error) }:
		return v.Len()
	case *Undefined:
		if v.Lenient {
			return 0, nil
		}
		return 0, v.Err()
	}
	return 0, typeError("object of type '%s' has no len()", TypeName(v))
}
