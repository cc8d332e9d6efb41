// Package jmespath searches data with expressions of JMESPath (jmespath.org).
package jmespath

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

func fail(format string, args ...any) error { return python.Errorf("JMESPathError", format, args...) }

// A token's kind is its text, or one of: name, number, literal, end.
type token struct {
	kind  string
	text  string
	value any
	at    int
}

var operators = []string{"[?", "[]", "||", "&&", "==", "!=", "<=", ">=", ".", "[", "]", "{", "}", "(", ")", ",", ":", "|", "&", "!", "<", ">", "*", "@"}

func lex(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		if strings.IndexByte(" \t\r\n", s[i]) >= 0 {
			i++
			continue
		}
		t, n, err := one(s, i)
		if err != nil {
			return nil, err
		}
		t.at = i
		out = append(out, t)
		i += n
	}
	return append(out, token{kind: "end", at: len(s)}), nil
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// one reads the token at i and returns its length.
func one(s string, i int) (token, int, error) {
	rest := s[i:]
	switch c := rest[0]; {
	case isLetter(c):
		n := 1
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
			n++
		}
		return token{kind: "name", text: rest[:n]}, n, nil
	case isDigit(c) || c == '-' && len(rest) > 1 && isDigit(rest[1]):
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		v, _ := python.ParseInt(rest[:n], 10)
		return token{kind: "number", value: v}, n, nil
	case c == '"' || c == '\'' || c == '`':
		return quoted(rest, i)
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{kind: op, text: op}, len(op), nil
		}
	}
	return token{}, 0, fail("bad JMESPath %q: unexpected %q at %d", s, rest[:1], i)
}

// quoted reads a "name", a 'text' or a `literal`.
func quoted(rest string, at int) (token, int, error) {
	q := rest[0]
	end := 1
	for end < len(rest) && rest[end] != q {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return token{}, 0, fail("bad JMESPath: unclosed %c at %d", q, at)
	}
	body := rest[1:end]
	switch q {
	case '\'':
		return token{kind: "literal", value: strings.ReplaceAll(body, `\'`, "'")}, end + 1, nil
	case '"':
		v, err := value.FromJSON([]byte(rest[:end+1]))
		name, _ := v.(string)
		if err != nil {
			return token{}, 0, fail("bad JMESPath: bad name at %d", at)
		}
		return token{kind: "name", text: name, value: true}, end + 1, nil
	}
	body = strings.TrimLeft(strings.ReplaceAll(body, "\\`", "`"), " \t\r\n")
	v, err := value.FromJSON([]byte(body))
	if err != nil { // text without quotes is allowed
		if v, err = value.FromJSON([]byte(`"` + body + `"`)); err != nil {
			return token{}, 0, fail("bad JMESPath: bad literal at %d", at)
		}
	}
	return token{kind: "literal", value: v}, end + 1, nil
}
