package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MarshalJSON writes a value as JSON with the keys of dicts in order, on one line. What JSON has no
// word for is written as near as can be read back: tuples and sets as lists, bytes as text,
// keys that are no text as Python writes them, infinities and NaN as text. Bytes
// that are no UTF-8 become U+FFFD. Values that Of takes are written too. It fails on a value
// that contains itself.
func MarshalJSON(v any) ([]byte, error) { return appendJSON(nil, v, 0) }

func appendJSON(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case *big.Int:
		return v.Append(b, 10), nil
	case float64:
		return appendFloat(b, v), nil
	case string:
		return appendString(b, v), nil
	case []byte:
		return appendString(b, string(v)), nil
	case *List:
		return appendItems(b, v.Items, depth)
	case Tuple:
		return appendItems(b, v, depth)
	case *Set:
		return appendItems(b, v.Items(), depth)
	case *Dict:
		return appendDict(b, v, depth)
	}
	w, err := Of(v)
	if err != nil {
		return nil, err
	}
	return appendJSON(b, w, depth)
}

func appendItems(b []byte, items []any, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendDict(b []byte, d *Dict, depth int) ([]byte, error) {
	b = append(b, '{')
	var err error
	first := true
	for k, v := range d.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, KeyText(k)), ':')
		if b, err = appendJSON(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// KeyText is how Python's json module writes the key of a dict; a tuple, which it refuses, is written by its items.
func KeyText(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(k)
	case float64:
		return FloatText(k)
	case []byte:
		return string(k)
	case Tuple:
		parts := make([]string, len(k))
		for i, item := range k {
			parts[i] = KeyText(item)
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprint(k)
}

func appendFloat(b []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return appendString(b, FloatText(f))
	}
	return append(b, FloatText(f)...)
}

// FloatText writes a number as Python's repr does: 1.0, 1e+16, 1e-05, inf, nan.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
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

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// FromJSON reads one JSON document. Objects become dicts in their order (a key given twice keeps
// its last value, as in Python), whole numbers int64 or *big.Int, others float64.
func FromJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := readValue(dec, 0)
	if err != nil {
		return nil, jsonError(dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot read JSON: more text after the value, at byte %d", dec.InputOffset())
	}
	return v, nil
}

func jsonError(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("cannot read JSON: it ends too early")
	}
	return fmt.Errorf("cannot read JSON: %v, at byte %d", err, dec.InputOffset())
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(string(t))
	case json.Delim:
		if t == '[' {
			return readList(dec, depth)
		}
		return readDict(dec, depth)
	}
	return t, nil
}

func readList(dec *json.Decoder, depth int) (any, error) {
	l := NewList()
	for dec.More() {
		item, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, item)
	}
	_, err := dec.Token()
	return l, err
}

func readDict(dec *json.Decoder, depth int) (any, error) {
	d := &Dict{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		d.Put(k.(string), v)
	}
	_, err := dec.Token()
	return d, err
}

// maxDigits bounds whole numbers: reading one takes time that grows with the square of its length.
const maxDigits = 4300

func number(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if len(s) > maxDigits {
			return nil, fmt.Errorf("a number of %d digits, the limit is %d", len(s), maxDigits)
		}
		i, ok := new(big.Int).SetString(s, 10)
		if !ok {
			return nil, fmt.Errorf("bad number %q", s)
		}
		return i, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("bad number %q", s)
	}
	return f, nil
}
