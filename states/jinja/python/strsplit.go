package python

import (
	"strings"

	"brine/states/value"
)

func strJoin(self any, c *Call) (any, error) {
	items, err := Items(c.Args[0])
	if err != nil {
		if isUndefined(c.Args[0]) {
			return nil, err
		}
		return nil, typeError("can only join an iterable")
	}
	var b strings.Builder
	for i, item := range items {
		s, ok := Text(item)
		if !ok {
			return nil, typeError("sequence item %d: expected str instance, %s found", i, TypeName(item))
		}
		if i > 0 {
			b.WriteString(self.(string))
		}
		b.WriteString(s)
		if b.Len() > maxText {
			return nil, tooLarge("text")
		}
	}
	return b.String(), nil
}

func partition(index func(s, sub string) int, last bool) methodFunc {
	return func(self any, c *Call) (any, error) {
		s := self.(string)
		sep, err := textArg(c.Args[0], "")
		if err != nil {
			return nil, err
		}
		if sep == "" {
			return nil, valueError("empty separator")
		}
		i := index(s, sep)
		switch {
		case i >= 0:
			return value.Tuple{s[:i], sep, s[i+len(sep):]}, nil
		case last:
			return value.Tuple{"", "", s}, nil
		}
		return value.Tuple{s, "", ""}, nil
	}
}

func splitArgs(c *Call) (sep string, blank bool, limit int, err error) {
	if limit, err = intArg(c.Args[1]); err != nil {
		return
	}
	if c.Args[0] == nil {
		return "", true, limit, nil
	}
	sep, err = textArg(c.Args[0], "separator")
	if err == nil && sep == "" {
		err = valueError("empty separator")
	}
	return
}

func strSplit(self any, c *Call) (any, error) {
	sep, blank, limit, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	if blank {
		return listOf(SplitBlank(self.(string), limit)), nil
	}
	if limit >= 0 {
		limit++
	}
	return listOf(strings.SplitN(self.(string), sep, limit)), nil
}

func listOf(texts []string) *value.List {
	items := make([]any, len(texts))
	for i, t := range texts {
		items[i] = t
	}
	return &value.List{Items: items}
}

func SplitBlank(s string, limit int) []string {
	if limit < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var out []string
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" {
		end := strings.IndexFunc(s, isSpace)
		if end < 0 || len(out) == limit {
			return append(out, s)
		}
		out = append(out, s[:end])
		s = strings.TrimLeftFunc(s[end:], isSpace)
	}
	return out
}

func strRsplit(self any, c *Call) (any, error) {
	s := self.(string)
	sep, blank, limit, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return strSplit(self, c)
	}
	var out []string
	cut := func() (int, int) {
		i := strings.LastIndex(s, sep)
		return i, i + len(sep)
	}
	if blank {
		s = strings.TrimRightFunc(s, isSpace)
		cut = func() (int, int) {
			i := strings.LastIndexFunc(s, isSpace)
			if i < 0 {
				return -1, 0
			}
			return len(strings.TrimRightFunc(s[:i], isSpace)), i + len(string([]rune(s[i:])[:1]))
		}
	}
	for len(out) < limit {
		i, next := cut()
		if i < 0 || blank && s == "" {
			break
		}
		out = append(out, s[next:])
		s = s[:i]
	}
	if !blank || s != "" {
		out = append(out, s)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return listOf(out), nil
}

func strSplitlines(self any, c *Call) (any, error) {
	keep, err := Truth(c.Args[0])
	if err != nil {
		return nil, err
	}
	return listOf(SplitLines(self.(string), keep)), nil
}

func SplitLines(s string, keep bool) []string {
	var out []string
	start := 0
	for i, r := range s {
		if i < start || !isLineEnd(r) {
			continue
		}
		end := i + len(string(r))
		if r == '\r' && strings.HasPrefix(s[end:], "\n") {
			end++
		}
		if keep {
			out = append(out, s[start:end])
		} else {
			out = append(out, s[start:i])
		}
		start = end
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

func isLineEnd(r rune) bool {
	return r >= 10 && r <= 13 || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}
