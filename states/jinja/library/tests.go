package library

import (
	"brine/states/jinja/python"
	"brine/states/regex"
	"brine/states/value"
)

func is(fn func(any) bool) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) { return fn(c.Args[0]), nil }
}

func textIs(fn func(string) bool) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		s, err := text(c.Args[0])
		return err == nil && fn(s), err
	}
}

func named(fn func(string) bool) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		s, ok := python.Text(c.Args[0])
		return ok && fn(s), nil
	}
}

func isUndefined(v any) bool {
	_, ok := v.(*python.Undefined)
	return ok
}

func isBool(v any) bool {
	_, ok := v.(bool)
	return ok
}

func isFloat(v any) bool {
	_, ok := v.(float64)
	return ok
}

func isMarkup(v any) bool {
	_, ok := v.(python.Markup)
	return ok
}

func isList(v any) bool {
	_, ok := v.(*value.List)
	return ok
}

func isDict(v any) bool {
	_, ok := v.(*value.Dict)
	return ok
}

func isText(v any) bool {
	_, ok := python.Text(v)
	return ok
}

func isCallable(v any) bool { return python.IsCallable(v) || isUndefined(v) }

func isSequence(v any) bool {
	switch v := v.(type) {
	case *python.Undefined:
		return v.Lenient
	case string, python.Markup, []byte, *value.List, value.Tuple, *value.Dict, python.Range, *group:
		return true
	}
	return false
}

func testIterable(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	return isIterable(c.Args[0]) || isUndefined(c.Args[0]), nil
}

func isIterable(v any) bool {
	switch v.(type) {
	case string, python.Markup, []byte, *value.List, value.Tuple, *value.Dict, *value.Set, python.Range, python.View,
		*python.Generator, python.Iterable:
		return true
	}
	return false
}

func testDivisible(_ Host, c *python.Call) (any, error) {
	r, err := python.Binary("%", c.Args[0], c.Args[1])
	if err != nil {
		return nil, err
	}
	return python.Equal(r, int64(0))
}

func parity(want int64) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		r, err := python.Binary("%", c.Args[0], int64(2))
		if err != nil {
			return nil, err
		}
		return python.Equal(r, want)
	}
}

func testIn(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[1]); err != nil {
		return nil, err
	}
	return python.Contains(c.Args[1], c.Args[0])
}

// regexArgs are the text and the compiled expression of "txt, rgx, ..., ignorecase, multiline".
func regexArgs(c *python.Call, flags int) (string, *regex.Regexp, error) {
	for _, v := range c.Args[:2] {
		if _, err := python.Defined(v); err != nil {
			return "", nil, err
		}
	}
	pattern, ok := python.Text(c.Args[1])
	s, isText := python.Text(c.Args[0])
	if !ok || !isText {
		return "", nil, python.Errorf("TypeError", "expected string or bytes-like object, got '%s'", python.TypeName(c.Args[0]))
	}
	fold, err := python.Truth(c.Args[flags])
	if err != nil {
		return "", nil, err
	}
	lines, err := python.Truth(c.Args[flags+1])
	if err != nil {
		return "", nil, err
	}
	how := regex.Unicode
	if fold {
		how |= regex.IgnoreCase
	}
	if lines {
		how |= regex.Multiline
	}
	re, err := regex.Compile(pattern, how)
	return s, re, err
}

func testMatch(_ Host, c *python.Call) (any, error) {
	s, re, err := regexArgs(c, 2)
	if err != nil {
		return nil, err
	}
	m, err := re.Begins(s)
	return m != nil, err
}
