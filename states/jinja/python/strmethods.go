package python

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"brine/states/value"
)

// strMethodList are the methods of str, in order of name.
func strMethodList() []Method {
	return []Method{
		{Name: "capitalize", Fn: onText(Capitalize)},
		{Name: "casefold", Fn: onText(casefold)},
		{Name: "center", Sig: "width, fillchar=' '", Fn: strCenter},
		{Name: "count", Sig: "sub, start=None, end=None", Fn: strCount},
		{Name: "encode", Sig: "encoding='utf-8', errors='strict'", Fn: strEncode},
		{Name: "endswith", Sig: "suffix, start=None, end=None", Fn: affix(strings.HasSuffix, "endswith")},
		{Name: "expandtabs", Sig: "tabsize=8", Fn: strExpandtabs},
		{Name: "find", Sig: "sub, start=None, end=None", Fn: finder(strings.Index, false)},
		{Name: "format", Sig: "*args, **kwargs", Fn: strFormat},
		{Name: "format_map", Sig: "mapping", Fn: strFormatMap},
		{Name: "index", Sig: "sub, start=None, end=None", Fn: finder(strings.Index, true)},
		{Name: "isalnum", Fn: every(isAlnum)},
		{Name: "isalpha", Fn: every(unicode.IsLetter)},
		{Name: "isascii", Fn: predicate(ascii)},
		{Name: "isdecimal", Fn: every(func(r rune) bool { return unicode.Is(unicode.Nd, r) })},
		{Name: "isdigit", Fn: every(isDigit)},
		{Name: "isidentifier", Fn: predicate(IsIdentifier)},
		{Name: "islower", Fn: predicate(IsLower)},
		{Name: "isnumeric", Fn: every(unicode.IsNumber)},
		{Name: "isprintable", Fn: predicate(isPrintable)},
		{Name: "isspace", Fn: every(isSpace)},
		{Name: "istitle", Fn: predicate(isTitle)},
		{Name: "isupper", Fn: predicate(IsUpper)},
		{Name: "join", Sig: "iterable", Fn: strJoin},
		{Name: "ljust", Sig: "width, fillchar=' '", Fn: justify(true)},
		{Name: "lower", Fn: onText(Lower)},
		{Name: "lstrip", Sig: "chars=None", Fn: stripper(true, false)},
		{Name: "maketrans", Sig: "x, y=?, z=?", Fn: strMaketrans},
		{Name: "partition", Sig: "sep", Fn: partition(strings.Index, false)},
		{Name: "removeprefix", Sig: "prefix", Fn: remove(strings.TrimPrefix)},
		{Name: "removesuffix", Sig: "suffix", Fn: remove(strings.TrimSuffix)},
		{Name: "replace", Sig: "old, new, count=-1", Fn: strReplace},
		{Name: "rfind", Sig: "sub, start=None, end=None", Fn: finder(strings.LastIndex, false)},
		{Name: "rindex", Sig: "sub, start=None, end=None", Fn: finder(strings.LastIndex, true)},
		{Name: "rjust", Sig: "width, fillchar=' '", Fn: justify(false)},
		{Name: "rpartition", Sig: "sep", Fn: partition(strings.LastIndex, true)},
		{Name: "rsplit", Sig: "sep=None, maxsplit=-1", Fn: strRsplit},
		{Name: "rstrip", Sig: "chars=None", Fn: stripper(false, true)},
		{Name: "split", Sig: "sep=None, maxsplit=-1", Fn: strSplit},
		{Name: "splitlines", Sig: "keepends=False", Fn: strSplitlines},
		{Name: "startswith", Sig: "prefix, start=None, end=None", Fn: affix(strings.HasPrefix, "startswith")},
		{Name: "strip", Sig: "chars=None", Fn: stripper(true, true)},
		{Name: "swapcase", Fn: onText(swapcase)},
		{Name: "title", Fn: onText(Title)},
		{Name: "translate", Sig: "table", Fn: strTranslate},
		{Name: "upper", Fn: onText(Upper)},
		{Name: "zfill", Sig: "width", Fn: strZfill},
	}
}

type methodFunc = func(self any, c *Call) (any, error)

func onText(fn func(string) string) methodFunc {
	return func(self any, _ *Call) (any, error) { return fn(self.(string)), nil }
}

func predicate(fn func(string) bool) methodFunc {
	return func(self any, _ *Call) (any, error) { return fn(self.(string)), nil }
}

// every is true for text that is not empty and of such characters only.
func every(fn func(rune) bool) methodFunc {
	return predicate(func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !fn(r) }) < 0
	})
}

// textArg is an argument that must be text.
func textArg(v any, what string) (string, error) {
	if s, ok := Text(v); ok {
		return s, nil
	}
	if u, ok := v.(*Undefined); ok {
		return "", u.Err()
	}
	return "", typeError("%s", strings.TrimSpace(what+" must be str, not "+TypeName(v)))
}

func intArg(v any) (int, error) {
	if i, ok := Int(v); ok {
		return int(i), nil
	}
	if _, ok := v.(*Unknown); ok {
		return 0, nil
	}
	return 0, NoInt(v)
}

// NoInt is Python's error for a value that is no integer, and says of one that is not defined why it is not.
func NoInt(v any) error {
	err := typeError("'%s' object cannot be interpreted as an integer", TypeName(v))
	if u, ok := v.(*Undefined); ok {
		err = typeError("%v: %v", err, u.Err())
	}
	return err
}

// window is s[start:end], its offset in characters, and whether the bounds are in order.
func window(s string, start, end any) (string, int, bool, error) {
	if start == nil && end == nil {
		return s, 0, true, nil
	}
	n := runeLen(s)
	if i, ok := Int(start); ok && i > int64(n) {
		return "", 0, false, nil
	}
	from, to, _, err := (&Slice{Start: start, Stop: end}).bounds(n)
	if err != nil || from > to {
		return "", 0, false, err
	}
	if ascii(s) {
		return s[from:to], from, true, nil
	}
	return string([]rune(s)[from:to]), from, true, nil
}

func finder(index func(s, sub string) int, must bool) methodFunc {
	return func(self any, c *Call) (any, error) {
		sub, err := textArg(c.Args[0], "")
		if err != nil {
			return nil, err
		}
		s, offset, ok, err := window(self.(string), c.Args[1], c.Args[2])
		if err != nil {
			return nil, err
		}
		at := -1
		if ok {
			at = index(s, sub)
		}
		if at < 0 && must {
			return nil, valueError("substring not found")
		}
		if at < 0 {
			return int64(-1), nil
		}
		return int64(offset + runeLen(s[:at])), nil
	}
}

func affix(has func(s, affix string) bool, name string) methodFunc {
	return func(self any, c *Call) (any, error) {
		s, _, ok, err := window(self.(string), c.Args[1], c.Args[2])
		if err != nil {
			return nil, err
		}
		candidates, isTuple := c.Args[0].(value.Tuple)
		if !isTuple {
			candidates = value.Tuple{c.Args[0]}
		}
		for _, candidate := range candidates {
			t, isText := Text(candidate)
			if !isText {
				if _, err := Defined(candidate); err != nil {
					return nil, err
				}
				return nil, typeError("%s first arg must be str or a tuple of str, not %s", name, TypeName(candidate))
			}
			if ok && has(s, t) {
				return true, nil
			}
		}
		return false, nil
	}
}

func strCount(self any, c *Call) (any, error) {
	sub, err := textArg(c.Args[0], "")
	if err != nil {
		return nil, err
	}
	s, _, ok, err := window(self.(string), c.Args[1], c.Args[2])
	if !ok || err != nil {
		return int64(0), err
	}
	return int64(strings.Count(s, sub)), nil
}

// filling reads width and fill character, and returns how many of it are wanted.
func filling(self string, c *Call) (int, string, error) {
	width, err := intArg(c.Args[0])
	if err != nil {
		return 0, "", err
	}
	fill, err := textArg(c.Args[1], "The fill character")
	if err == nil && runeLen(fill) != 1 {
		err = typeError("The fill character must be exactly one character long")
	}
	if width > maxText {
		err = tooLarge("text")
	}
	return max(width-runeLen(self), 0), fill, err
}

func strCenter(self any, c *Call) (any, error) {
	s := self.(string)
	n, fill, err := filling(s, c)
	if err != nil || n == 0 {
		return s, err
	}
	left := n/2 + (n & (n + runeLen(s)) & 1)
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left), nil
}

func justify(left bool) methodFunc {
	return func(self any, c *Call) (any, error) {
		s := self.(string)
		n, fill, err := filling(s, c)
		if err != nil {
			return nil, err
		}
		if left {
			return s + strings.Repeat(fill, n), nil
		}
		return strings.Repeat(fill, n) + s, nil
	}
}

func strZfill(self any, c *Call) (any, error) {
	s := self.(string)
	width, err := intArg(c.Args[0])
	if err != nil {
		return nil, err
	}
	if width > maxText {
		return nil, tooLarge("text")
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return sign + strings.Repeat("0", max(width-len(sign)-runeLen(s), 0)) + s, nil
}

func strExpandtabs(self any, c *Call) (any, error) {
	size, err := intArg(c.Args[0])
	if err != nil {
		return nil, err
	}
	if size > maxText/64 {
		return nil, tooLarge("text")
	}
	var b strings.Builder
	column := 0
	for _, r := range self.(string) {
		switch {
		case r == '\t' && size > 0:
			n := size - column%size
			b.WriteString(strings.Repeat(" ", n))
			column += n
		case r == '\t':
		case r == '\n' || r == '\r':
			b.WriteRune(r)
			column = 0
		default:
			b.WriteRune(r)
			column++
		}
		if b.Len() > maxText {
			return nil, tooLarge("text")
		}
	}
	return b.String(), nil
}

func strFormat(self any, c *Call) (any, error) {
	return Format(self.(string), Args{c.Rest, c.Named})
}

func strFormatMap(self any, c *Call) (any, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		return nil, typeError("'%s' object is not a mapping", TypeName(c.Args[0]))
	}
	f := formatter{dict: d}
	return f.run(self.(string), 2)
}

func stripper(left, right bool) methodFunc {
	return func(self any, c *Call) (any, error) {
		s := self.(string)
		in := isSpace
		if c.Args[0] != nil {
			chars, err := textArg(c.Args[0], "strip arg")
			if err != nil {
				return nil, err
			}
			in = func(r rune) bool { return strings.ContainsRune(chars, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, in)
		}
		if right {
			s = strings.TrimRightFunc(s, in)
		}
		return s, nil
	}
}

func remove(trim func(s, affix string) string) methodFunc {
	return func(self any, c *Call) (any, error) {
		affix, err := textArg(c.Args[0], "argument")
		if err != nil {
			return nil, err
		}
		return trim(self.(string), affix), nil
	}
}

func strReplace(self any, c *Call) (any, error) {
	from, err := textArg(c.Args[0], "replace() argument 1")
	if err != nil {
		return nil, err
	}
	to, err := textArg(c.Args[1], "replace() argument 2")
	if err != nil {
		return nil, err
	}
	n, err := intArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	return Replace(self.(string), from, to, n)
}

// Replace is str.replace; all are replaced when n is negative.
func Replace(s, from, to string, n int) (string, error) {
	count := strings.Count(s, from)
	if n >= 0 {
		count = min(count, n)
	}
	if len(to) > 0 && count > maxText/len(to) {
		return "", tooLarge("text")
	}
	return strings.Replace(s, from, to, n), nil
}

// SplitBlank is str.split without a separator.
// SplitLines is str.splitlines.
// encode makes bytes of text in one of the encodings that configuration files use.
// MethodNames returns the names of the methods of the value's type, in order.
func MethodNames(v any) []string {
	methods.Do(makeMethods)
	switch v.(type) {
	case string:
		return slices.Sorted(maps.Keys(methods.str))
	case *value.Dict:
		return slices.Sorted(maps.Keys(methods.dict))
	case *value.List:
		return slices.Sorted(maps.Keys(methods.list))
	}
	return nil
}
