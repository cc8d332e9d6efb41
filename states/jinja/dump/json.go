package dump

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf16"

	"brine/states/jinja/python"
	"brine/states/value"
)

// JSONOptions are those of Python's json.dumps.
type JSONOptions struct {
	SortKeys bool
	ASCII    bool
	Lines    bool   // each item on a line of its own
	Indent   string // before it, for each level; implies Lines
	Compact  bool   // no blanks after commas and colons

	Comma, Colon string // what stands between items, and between a key and its value; "" is as the others say
}

// JSON writes a value as Python's json.dumps does.
func JSON(v any, o JSONOptions) (string, error) {
	o.Lines = o.Lines || o.Indent != ""
	w := &jsonWriter{JSONOptions: o}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	return w.b.String(), nil
}

type jsonWriter struct {
	JSONOptions
	b strings.Builder
}

func (w *jsonWriter) value(v any, depth int) error {
	if depth > maxLevels {
		return python.Errorf("ValueError", "Circular reference detected")
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		fmt.Fprint(&w.b, v)
	case int64:
		fmt.Fprint(&w.b, v)
	case *big.Int:
		w.b.WriteString(v.String())
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.text(v)
	case python.Markup:
		w.text(string(v))
	case *python.Unknown:
		w.text(v.String())
	case *value.List:
		return w.list(v.Items, depth)
	case value.Tuple:
		return w.list(v, depth)
	case *value.Dict:
		return w.dict(v, depth)
	case *python.Undefined:
		return python.Errorf("TypeError", "Object of type %s is not JSON serializable: %s", python.TypeName(v), v.Text())
	default:
		return python.Errorf("TypeError", "Object of type %s is not JSON serializable", python.TypeName(v))
	}
	return nil
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return value.FloatText(f)
}

// separate writes what stands before an item.
func (w *jsonWriter) separate(first bool, depth int) {
	switch {
	case w.Lines:
		if !first {
			w.b.WriteString(cmp.Or(w.Comma, ","))
		}
		w.b.WriteString("\n" + strings.Repeat(w.Indent, depth))
	case !first && w.Comma != "":
		w.b.WriteString(w.Comma)
	case !first && w.Compact:
		w.b.WriteByte(',')
	case !first:
		w.b.WriteString(", ")
	}
}

func (w *jsonWriter) end(close byte, depth int) {
	if w.Lines {
		w.b.WriteString("\n" + strings.Repeat(w.Indent, depth))
	}
	w.b.WriteByte(close)
}

func (w *jsonWriter) list(items []any, depth int) error {
	if len(items) == 0 {
		w.b.WriteString("[]")
		return nil
	}
	w.b.WriteByte('[')
	for i, item := range items {
		w.separate(i == 0, depth+1)
		if err := w.value(item, depth+1); err != nil {
			return err
		}
	}
	w.end(']', depth)
	return nil
}

func (w *jsonWriter) dict(d *value.Dict, depth int) error {
	if d.Len() == 0 {
		w.b.WriteString("{}")
		return nil
	}
	keys := d.Keys()
	if w.SortKeys {
		var err error
		if keys, err = python.Sorted(keys, false, func(v any) (any, error) { return v, nil }); err != nil {
			return err
		}
	}
	w.b.WriteByte('{')
	for i, k := range keys {
		w.separate(i == 0, depth+1)
		if err := w.key(k); err != nil {
			return err
		}
		switch {
		case w.Colon != "":
			w.b.WriteString(w.Colon)
		case w.Compact:
			w.b.WriteByte(':')
		default:
			w.b.WriteString(": ")
		}
		v, _ := d.Get(k)
		if err := w.value(v, depth+1); err != nil {
			return err
		}
	}
	w.end('}', depth)
	return nil
}

func (w *jsonWriter) key(k any) error {
	switch k := k.(type) {
	case string:
		w.text(k)
	case nil, bool, int64, *big.Int, float64:
		w.b.WriteByte('"')
		err := w.value(k, 0)
		w.b.WriteByte('"')
		return err
	default:
		return python.Errorf("TypeError", "keys must be str, int, float, bool or None, not %s", python.TypeName(k))
	}
	return nil
}

func (w *jsonWriter) text(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r == '\r':
			w.b.WriteString(`\r`)
		case r == '\t':
			w.b.WriteString(`\t`)
		case r == '\b':
			w.b.WriteString(`\b`)
		case r == '\f':
			w.b.WriteString(`\f`)
		case r < ' ' || w.ASCII && r > 0x7e && r <= 0xffff:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		case w.ASCII && r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, hi, lo)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
