package python

import (
	"fmt"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"brine/states/value"
)

// Str is Python's str.
func Str(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case Markup:
		return string(v), nil
	case int64:
		return fmt.Sprint(v), nil
	case *Undefined:
		if v.Lenient {
			return "", nil
		}
		return "", v.Err()
	case Texter:
		return v.Text()
	}
	return Repr(v)
}

// Repr is Python's repr.
func Repr(v any) (string, error) {
	w := writer{}
	w.value(v, 0)
	return w.b.String(), w.err
}

// Print is the text of a value as a template prints it: like Str, but a dict writes its values by
// their str, so that one that is undefined is not printed unseen.
func Print(v any) (string, error) {
	switch v.(type) {
	case *value.Dict, *value.List, value.Tuple, *value.Set:
		w := writer{printing: true}
		w.value(v, 0)
		return w.b.String(), w.err
	}
	return Str(v)
}

// A writer writes values by their repr. The first error stops it.
type writer struct {
	b        strings.Builder
	printing bool
	open     []any // the lists and dicts being written, to notice a value that contains itself
	err      error
}

func (w *writer) value(v any, depth int) {
	if w.err != nil {
		return
	}
	if depth > maxDepth || w.b.Len() > maxText {
		w.err = tooLarge("text of a value")
		return
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("None")
	case bool:
		if v {
			w.b.WriteString("True")
		} else {
			w.b.WriteString("False")
		}
	case int64:
		fmt.Fprint(&w.b, v)
	case *big.Int:
		w.b.WriteString(v.String())
	case float64:
		w.b.WriteString(value.FloatText(v))
	case string:
		w.b.WriteString(quote(v))
	case Markup:
		w.b.WriteString("Markup(" + quote(string(v)) + ")")
	case []byte:
		w.b.WriteString(quoteBytes(v))
	case *value.List:
		w.guarded(v, "[...]", func() { w.items("[", v.Items, "]", depth) })
	case value.Tuple:
		w.tuple(v, depth)
	case *value.Dict:
		w.guarded(v, "{...}", func() { w.dict(v, depth) })
	case *value.Set:
		if v.Len() == 0 {
			w.b.WriteString("set()")
			return
		}
		w.items("{", v.Items(), "}", depth)
	default:
		w.other(v, depth)
	}
}

func (w *writer) other(v any, depth int) {
	switch v := v.(type) {
	case *Undefined:
		w.b.WriteString("Undefined")
	case Range:
		if v.Step == 1 {
			fmt.Fprintf(&w.b, "range(%d, %d)", v.Start, v.Stop)
		} else {
			fmt.Fprintf(&w.b, "range(%d, %d, %d)", v.Start, v.Stop, v.Step)
		}
	case View:
		w.b.WriteString(TypeName(v) + "(")
		w.items("[", v.Items(), "]", depth)
		w.b.WriteString(")")
	case *Generator:
		w.b.WriteString("<generator object " + v.Name + ">")
	case Wrapper:
		before, inner, after := v.Wraps()
		w.guarded(v, "...", func() {
			w.b.WriteString(before)
			w.value(inner, depth+1)
			w.b.WriteString(after)
		})
	case interface{ Repr() (string, error) }:
		s, err := v.Repr()
		w.b.WriteString(s)
		w.err = err
	case Texter:
		s, err := v.Text()
		w.b.WriteString(s)
		w.err = err
	default:
		w.b.WriteString("<" + TypeName(v) + " object>")
	}
}

func (w *writer) guarded(v any, again string, write func()) {
	for _, o := range w.open {
		if o == v {
			w.b.WriteString(again)
			return
		}
	}
	w.open = append(w.open, v)
	write()
	w.open = w.open[:len(w.open)-1]
}

func (w *writer) items(open string, items []any, end string, depth int) {
	// Within a list even a printed dict writes its values by their repr.
	printing := w.printing
	w.printing = false
	w.b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			w.b.WriteString(", ")
		}
		w.value(item, depth+1)
	}
	w.b.WriteString(end)
	w.printing = printing
}

func (w *writer) tuple(t value.Tuple, depth int) {
	if len(t) == 1 {
		w.items("(", t, ",)", depth)
		return
	}
	w.items("(", t, ")", depth)
}

func (w *writer) dict(d *value.Dict, depth int) {
	w.b.WriteByte('{')
	first := true
	for k, v := range d.All() {
		if !first {
			w.b.WriteString(", ")
		}
		first = false
		printing := w.printing
		w.printing = false
		w.value(k, depth+1)
		w.printing = printing
		w.b.WriteString(": ")
		if !w.printing {
			w.value(v, depth+1)
			continue
		}
		w.printed(v, depth)
	}
	w.b.WriteByte('}')
}

func (w *writer) printed(v any, depth int) {
	switch v.(type) {
	case string, Markup, *value.Dict, *value.List, value.Tuple, *value.Set:
		w.value(v, depth+1)
		return
	}
	s, err := Str(v)
	w.b.WriteString(s)
	if err != nil {
		w.err = err
	}
}

// quote writes text as a Python literal.
func quote(s string) string {
	q := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		q = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(q)
	for i, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteByte(byte(r))
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\udc%02x`, s[i]) // as Python shows a byte that is no text
		default:
			quoteRune(&b, r)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func quoteRune(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\r':
		b.WriteString(`\r`)
	case unicode.IsPrint(r):
		b.WriteRune(r)
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

func quoteBytes(p []byte) string {
	q := byte('\'')
	if strings.IndexByte(string(p), '\'') >= 0 && strings.IndexByte(string(p), '"') < 0 {
		q = '"'
	}
	var b strings.Builder
	b.WriteString("b" + string(q))
	for _, c := range p {
		switch {
		case c == q || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		case c == '\n' || c == '\t' || c == '\r':
			quoteRune(&b, rune(c))
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte(q)
	return b.String()
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;")

// Escape makes text safe to be put into HTML.
func Escape(s string) Markup { return Markup(htmlEscapes.Replace(s)) }

// EscapeValue is the text of a value, escaped unless it is Markup.
func EscapeValue(v any) (Markup, error) {
	if m, ok := v.(Markup); ok {
		return m, nil
	}
	s, err := Str(v)
	return Escape(s), err
}

// Quote writes text as Python's repr does.
func Quote(s string) string { return quote(s) }

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func runeLen(s string) int { return utf8.RuneCountInString(s) }

// isSpace is Python's str.isspace of one character.
func isSpace(r rune) bool {
	return r == ' ' || r >= 9 && r <= 13 || r >= 0x1c && r <= 0x1f || r > 0x7f && unicode.IsSpace(r)
}

// IsSpace reports whether Python counts r as white space.
func IsSpace(r rune) bool { return isSpace(r) }
