package python

import (
	"bytes"
	"math/big"
	"strings"

	"brine/states/value"
)

// Equal is Python's ==.
func Equal(a, b any) (bool, error) { return equal(a, b, 0) }

func equal(a, b any, depth int) (bool, error) {
	if depth > maxDepth {
		return false, Errorf("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	if u := eitherUnknown(a, b); u != nil {
		return u.Yes, nil
	}
	switch a := a.(type) {
	case string:
		s, ok := Text(b)
		if ok || !isUndefined(b) {
			return ok && s == a, nil
		}
	case Markup:
		s, ok := Text(b)
		if ok || !isUndefined(b) {
			return ok && s == string(a), nil
		}
	case *value.List:
		if b, ok := b.(*value.List); ok {
			return equalItems(a.Items, b.Items, depth)
		}
	case value.Tuple:
		if b, ok := b.(value.Tuple); ok {
			return equalItems(a, b, depth)
		}
	case *value.Dict:
		if b, ok := b.(*value.Dict); ok {
			return equalDicts(a, b, depth)
		}
	case View:
		if b, ok := b.(View); ok {
			return equalItems(a.Items(), b.Items(), depth)
		}
	}
	for _, v := range [2]any{a, b} {
		if u, ok := v.(*Undefined); ok {
			if !u.Lenient {
				return false, u.Err()
			}
			return isUndefined(a) && isUndefined(b), nil
		}
	}
	if _, ok := a.(Object); ok {
		return a == b, nil
	}
	if r, ok := a.(Range); ok {
		return r == b, nil
	}
	return value.Equal(a, b), nil
}

func isUndefined(v any) bool {
	_, ok := v.(*Undefined)
	return ok
}

func equalItems(a, b []any, depth int) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := equal(a[i], b[i], depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func equalDicts(a, b *value.Dict, depth int) (bool, error) {
	if a == b {
		return true, nil
	}
	if a.Len() != b.Len() {
		return false, nil
	}
	for k, v := range a.All() {
		other, ok := b.Get(k)
		if !ok {
			return false, nil
		}
		if same, err := equal(v, other, depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Identical is Python's "is": the same object, or the same None, bool, number or text.
func Identical(a, b any) bool {
	switch a := a.(type) {
	case value.Tuple:
		b, ok := b.(value.Tuple)
		return ok && len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	case []byte:
		b, ok := b.([]byte)
		return ok && len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	case Object:
		return a == b
	}
	switch b.(type) {
	case value.Tuple, []byte, Object:
		return false
	}
	return a == b
}

// Compare orders two values for the operator op: "<", "<=", ">" or ">=".
func Compare(op string, a, b any) (bool, error) {
	if x, ok := a.(*value.Set); ok {
		if y, ok := b.(*value.Set); ok {
			return compareSets(op, x, y), nil
		}
	}
	c, err := order(op, a, b, 0)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return c == -1, nil
	case "<=":
		return c == -1 || c == 0, nil
	case ">":
		return c == 1, nil
	}
	return c == 1 || c == 0, nil
}

func compareSets(op string, a, b *value.Set) bool {
	if op == ">" || op == ">=" {
		a, b = b, a
	}
	for _, m := range a.Items() {
		if !b.Has(m) {
			return false
		}
	}
	return op == "<=" || op == ">=" || a.Len() < b.Len()
}

// unordered is what order returns for NaN.
const unordered = 2

func order(op string, a, b any, depth int) (int, error) {
	if depth > maxDepth {
		return 0, Errorf("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	if eitherUnknown(a, b) != nil {
		return 0, nil
	}
	if x, ok := Text(a); ok {
		if y, ok := Text(b); ok {
			return strings.Compare(x, y), nil
		}
	}
	if IsNumber(a) && IsNumber(b) {
		return compareNumbers(a, b), nil
	}
	switch x := a.(type) {
	case *value.List:
		if y, ok := b.(*value.List); ok {
			return orderItems(op, x.Items, y.Items, depth)
		}
	case value.Tuple:
		if y, ok := b.(value.Tuple); ok {
			return orderItems(op, x, y, depth)
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y), nil
		}
	case *Undefined:
		return 0, x.Err()
	}
	if u, ok := b.(*Undefined); ok {
		return 0, u.Err()
	}
	return 0, typeError("'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func orderItems(op string, a, b []any, depth int) (int, error) {
	for i := range min(len(a), len(b)) {
		same, err := equal(a[i], b[i], depth+1)
		if err != nil {
			return 0, err
		}
		if !same {
			return order(op, a[i], b[i], depth+1)
		}
	}
	switch {
	case len(a) < len(b):
		return -1, nil
	case len(a) > len(b):
		return 1, nil
	}
	return 0, nil
}

// Less is Python's <, for sorting.
func Less(a, b any) (bool, error) { return Compare("<", a, b) }
