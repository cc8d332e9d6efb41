package python

import (
	"strings"

	"brine/states/value"
)

// Unknown is the result of a function that can't be called where the template is checked: it is there, but nobody knows
// what it is. What is made of it is unknown too, and prints as a text that tells where it comes from.
type Unknown struct {
	Function string
	// Yes makes it true, equal to everything, and the only item of itself; else it is false, equal to nothing, and empty.
	Yes bool
}

var (
	_ Object    = (*Unknown)(nil)
	_ Indexer   = (*Unknown)(nil)
	_ Callable  = (*Unknown)(nil)
	_ Container = (*Unknown)(nil)
	_ Iterable  = (*Unknown)(nil)
	_ Texter    = (*Unknown)(nil)
)

// UnknownMark begins the text of each Unknown.
const UnknownMark = "unknown_of_"

// String returns the text that it prints as.
func (u *Unknown) String() string { return UnknownMark + u.Function }

// TypeName says what it is.
func (u *Unknown) TypeName() string { return "unknown" }

// Attr returns itself, but for what no template may reach.
func (u *Unknown) Attr(name string) (any, bool) { return u, !strings.HasPrefix(name, "__") }

// Index returns itself.
func (u *Unknown) Index(any) (any, bool, error) { return u, true, nil }

// Call returns itself.
func (u *Unknown) Call(Args) (any, error) { return u, nil }

// Has returns Yes.
func (u *Unknown) Has(any) bool { return u.Yes }

// Text returns its String.
func (u *Unknown) Text() (string, error) { return u.String(), nil }

// Len returns 1 or 0.
func (u *Unknown) Len() (int, error) { return len(u.items()), nil }

// Iterate gives itself or nothing.
func (u *Unknown) Iterate() (Iterator, error) { return &sliceIterator{items: u.items()}, nil }

func (u *Unknown) items() []any {
	if u.Yes {
		return []any{u}
	}
	return nil
}

// FindUnknown returns the first Unknown that a value is or holds; nil for none.
func FindUnknown(v any) *Unknown { return findUnknown(v, 0) }

func findUnknown(v any, depth int) *Unknown {
	if depth > maxDepth {
		return nil
	}
	var items []any
	switch v := v.(type) {
	case *Unknown:
		return v
	case *value.List:
		items = v.Items
	case value.Tuple:
		items = v
	case *value.Dict:
		for _, item := range v.All() {
			if u := findUnknown(item, depth+1); u != nil {
				return u
			}
		}
	}
	for _, item := range items {
		if u := findUnknown(item, depth+1); u != nil {
			return u
		}
	}
	return nil
}

// eitherUnknown returns the first of two values that is an Unknown.
func eitherUnknown(a, b any) *Unknown {
	if u, ok := a.(*Unknown); ok {
		return u
	}
	u, _ := b.(*Unknown)
	return u
}
