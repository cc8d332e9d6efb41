package target

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// text is a value as Python's str writes it, which is what patterns are
// compared with.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case json.Number:
		return numberText(v)
	}
	var b strings.Builder
	writeRepr(&b, v)
	return b.String()
}

// writeRepr writes what Python's repr makes of a value.
func writeRepr(b *strings.Builder, v any) {
	if s, ok := v.(string); ok {
		writeQuoted(b, s)
		return
	}
	if m, ok := asMap(v); ok {
		separator := "{"
		for k, v := range m.All() {
			b.WriteString(separator)
			writeRepr(b, k)
			b.WriteString(": ")
			writeRepr(b, v)
			separator = ", "
		}
		b.WriteString(strings.TrimSuffix(separator, ", ") + "}")
		return
	}
	if items, ok := asList(v); ok {
		b.WriteByte('[')
		for i, item := range items {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, item)
		}
		b.WriteByte(']')
		return
	}
	switch v.(type) {
	case nil, bool, int64, float64, json.Number:
		b.WriteString(text(v))
	default:
		fmt.Fprint(b, v)
	}
}

func writeQuoted(b *strings.Builder, s string) {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		case r > 0x7f && !unicode.IsPrint(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteRune(quote)
}

// numberText keeps an integer of any size.
func numberText(n json.Number) string {
	s := n.String()
	if strings.ContainsAny(s, ".eE") {
		if f, err := n.Float64(); err == nil {
			return floatText(f)
		}
	}
	return s
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
