package library

import (
	"math/rand/v2"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

func filterSkip(Host, *python.Call) (any, error) { return "", nil }

func filterSequence(_ Host, c *python.Call) (any, error) {
	switch c.Args[0].(type) {
	case *value.List, value.Tuple, *value.Dict, *value.Set:
		return c.Args[0], nil
	}
	return value.NewList(c.Args[0]), nil
}

// hashable reports whether Python could use the value as a key.
func hashable(v any) bool {
	switch v.(type) {
	case *value.List, *value.Dict, *value.Set, python.View:
		return false
	}
	return true
}

func filterUnique(_ Host, c *python.Call) (any, error) { return uniqueOf(c.Args[0]) }

// uniqueOf makes a set of what is hashable itself, and a list of a list: both are Salt's.
func uniqueOf(v any) (any, error) {
	if _, err := python.Defined(v); err != nil {
		return nil, err
	}
	if hashable(v) {
		s, err := python.SetOf(v)
		return s, err
	}
	items, err := python.Items(v)
	if err != nil {
		return nil, err
	}
	items, err = distinct(items)
	return value.NewList(items...), err
}

func distinct(items []any) ([]any, error) {
	seen := &value.Set{}
	var out, others []any // others are members that can't be in a set
	for _, item := range items {
		if u, ok := item.(*python.Undefined); ok && len(out) > 0 {
			return nil, u.Err()
		}
		if key, err := python.Key(item); err == nil && seen.Has(key) {
			continue
		} else if err == nil && seen.Add(key) == nil {
			out = append(out, item)
			continue
		}
		known, err := python.Contains(value.Tuple(others), item)
		if err != nil {
			return nil, err
		}
		if !known {
			others = append(others, item)
			out = append(out, item)
		}
	}
	return out, nil
}

// combine is the frame of the filters of two lists: of sets when both are hashable, of lists otherwise.
func combine(c *python.Call, pick func(a, b []any) ([]any, error)) (any, error) {
	for _, v := range c.Args[:2] {
		if _, err := python.Defined(v); err != nil {
			return nil, err
		}
	}
	a, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	b, err := python.Items(c.Args[1])
	if err != nil {
		return nil, err
	}
	items, err := pick(a, b)
	if err != nil {
		return nil, err
	}
	if hashable(c.Args[0]) && hashable(c.Args[1]) {
		return uniqueOf(value.Tuple(items))
	}
	items, err = distinct(items)
	return value.NewList(items...), err
}

// among returns the items of a that are in b, or those that are not.
func among(a, b []any, in bool) ([]any, error) {
	keys := &value.Set{}
	var others value.Tuple
	for _, item := range b {
		if key, err := python.Key(item); err != nil || keys.Add(key) != nil {
			others = append(others, item)
		}
	}
	var out []any
	for _, item := range a {
		key, err := python.Key(item)
		found := err == nil && keys.Has(key)
		if !found && len(others) > 0 {
			if found, err = python.Contains(others, item); err != nil {
				return nil, err
			}
		}
		if found == in {
			out = append(out, item)
		}
	}
	return out, nil
}

func filterUnion(_ Host, c *python.Call) (any, error) {
	return combine(c, func(a, b []any) ([]any, error) {
		if hashable(c.Args[0]) != hashable(c.Args[1]) {
			_, err := python.Binary("+", c.Args[0], c.Args[1])
			return nil, err
		}
		return append(a, b...), nil
	})
}

func filterIntersect(_ Host, c *python.Call) (any, error) {
	return combine(c, func(a, b []any) ([]any, error) { return among(a, b, true) })
}

func filterDifference(_ Host, c *python.Call) (any, error) {
	return combine(c, func(a, b []any) ([]any, error) { return among(a, b, false) })
}

func filterSymmetric(_ Host, c *python.Call) (any, error) {
	return combine(c, func(a, b []any) ([]any, error) {
		left, err := among(a, b, false)
		if err != nil {
			return nil, err
		}
		right, err := among(b, a, false)
		return append(left, right...), err
	})
}

// extreme makes min and max.
func extreme(name string, sign int) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		items, err := python.Items(c.Args[0])
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return nil, python.Errorf("ValueError", "%s() arg is an empty sequence", name)
		}
		best := items[0]
		for _, item := range items[1:] {
			op := ">"
			if sign < 0 {
				op = "<"
			}
			better, err := python.Compare(op, item, best)
			if err != nil {
				return nil, err
			}
			if better {
				best = item
			}
		}
		return best, nil
	}
}

func filterAvg(h Host, c *python.Call) (any, error) {
	if hashable(c.Args[0]) {
		return toFloat(c.Args[0])
	}
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	var sum any = int64(0)
	for _, item := range items {
		if sum, err = python.Binary("+", sum, item); err != nil {
			return nil, err
		}
	}
	mean, err := python.Binary("/", sum, int64(len(items)))
	if err != nil {
		return nil, err
	}
	return toFloat(mean)
}

func filterExactly(_ Host, c *python.Call) (any, error) {
	want := 1
	if len(c.Args) > 1 {
		var err error
		if want, err = intArg(c.Args[1]); err != nil {
			return nil, err
		}
	}
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	n := 0
	for _, item := range items {
		ok, err := python.Truth(item)
		if err != nil {
			return nil, err
		}
		if ok {
			n++
		}
	}
	return n == want, nil
}

func filterFlatten(_ Host, c *python.Call) (any, error) {
	levels := -1
	if c.Args[1] != nil {
		var err error
		if levels, err = intArg(c.Args[1]); err != nil {
			return nil, err
		}
	}
	nulls, err := boolArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	out := value.NewList()
	return out, flatten(out, c.Args[0], levels, nulls, 0)
}

func flatten(out *value.List, v any, levels int, nulls bool, depth int) error {
	if depth > 200 {
		return python.Errorf("RecursionError", "Reference cycle detected. Check input list.")
	}
	items, err := python.Items(v)
	if err != nil {
		return err
	}
	for _, item := range items {
		switch {
		case !nulls && (item == nil || item == "None" || item == "null"):
		case isIterable(item) && !isText(item) && levels != 0:
			if err := flatten(out, item, levels-1, nulls, depth+1); err != nil {
				return err
			}
		default:
			out.Items = append(out.Items, item)
		}
	}
	return nil
}

func filterIsIter(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	return isIterable(c.Args[0]) && !isText(c.Args[0]), nil
}

func filterIsSorted(_ Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(items); i++ {
		if less, err := python.Less(items[i], items[i-1]); less || err != nil {
			return false, err
		}
	}
	return true, nil
}

func filterSortedIgnorecase(_ Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	items, err = python.Sorted(items, false, func(v any) (any, error) {
		if !isText(v) {
			return nil, python.Errorf("AttributeError", "'%s' object has no attribute 'lower'", python.TypeName(v))
		}
		return ignoreCase(v), nil
	})
	return value.NewList(items...), err
}

func filterSubstring(_ Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[1])
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if ok, err := python.Contains(item, c.Args[0]); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func filterMethodCall(_ Host, c *python.Call) (any, error) {
	name, err := text(c.Args[1])
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, "_") {
		return nil, python.Errorf("SecurityError", "access to attribute %s of '%s' object is unsafe.", python.Quote(name), python.TypeName(c.Args[0]))
	}
	fn, ok, err := python.Attr(c.Args[0], name)
	if !ok || err != nil {
		return nil, err
	}
	return python.Invoke(fn, python.Args{Pos: c.Rest, Named: c.Named})
}

func shuffled(c *python.Call, seed any) ([]any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	shuffle := rand.Shuffle
	if seed != nil {
		s, err := text(seed)
		if err != nil {
			return nil, err
		}
		sum := uint64(14695981039346656037)
		for i := range len(s) {
			sum = (sum ^ uint64(s[i])) * 1099511628211
		}
		shuffle = rand.New(rand.NewPCG(sum, sum)).Shuffle
	}
	shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	return items, nil
}

func filterRandomShuffle(_ Host, c *python.Call) (any, error) {
	items, err := shuffled(c, c.Args[1])
	return value.NewList(items...), err
}

func filterRandomSample(_ Host, c *python.Call) (any, error) {
	n, err := intArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	items, err := shuffled(c, c.Args[2])
	if err != nil {
		return nil, err
	}
	if n < 0 || n > len(items) {
		return nil, python.Errorf("ValueError", "Sample larger than population or is negative")
	}
	return value.NewList(items[:n]...), nil
}
