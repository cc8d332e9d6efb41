package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape reads the escapes of a string literal as Python does: one that it does not know stays as it is.
// The second result is what is wrong.
func unescape(s string) (text, problem string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i >= len(s) {
			return "", `\ at end of string`
		}
		if simple, ok := simpleEscapes[s[i]]; ok {
			b.WriteString(simple)
			continue
		}
		n, problem := unescapeCode(&b, s[i:])
		if problem != "" {
			return "", problem
		}
		i += n - 1
	}
	return b.String(), ""
}

// unescapeCode reads what follows a backslash and is no simple escape; it returns its length.
func unescapeCode(b *strings.Builder, s string) (int, string) {
	digits := 0
	switch s[0] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case 'N':
		return 0, `unknown Unicode character name`
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		code, _ := strconv.ParseInt(s[:n], 8, 32)
		b.WriteRune(rune(code))
		return n, ""
	default:
		_, n := utf8.DecodeRuneInString(s)
		b.WriteString(`\` + s[:n])
		return n, ""
	}
	if len(s) > digits {
		if code, err := strconv.ParseUint(s[1:digits+1], 16, 32); err == nil {
			if code > 0x10ffff {
				return 0, "illegal Unicode character"
			}
			b.WriteRune(rune(code))
			return digits + 1, ""
		}
	}
	return 0, "truncated \\" + s[:1] + strings.Repeat("X", digits) + " escape"
}
