package grains

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"brine/states/value"
	"brine/states/yaml"
)

// dump writes a value as YAML in lines. It fails on what would not be read back as it is.
func dump(d *value.Dict) ([]byte, error) {
	var b strings.Builder
	if d.Len() > 0 {
		dumpDict(&b, d, 0)
	}
	doc, err := yaml.Parse("", []byte(b.String()))
	if err != nil {
		return nil, err
	}
	if back := doc.Data(); d.Len() > 0 && !value.Equal(back, plain(d)) {
		return nil, errors.New("a value in it cannot be written as YAML")
	}
	return []byte(b.String()), nil
}

// plain is a value as it comes back from YAML: tuples and sets are lists there.
func plain(v any) any {
	switch v := v.(type) {
	case *value.List:
		return plainItems(v.Items)
	case value.Tuple:
		return plainItems(v)
	case *value.Set:
		return plainItems(v.Items())
	case *value.Dict:
		out := &value.Dict{}
		for k, item := range v.All() {
			_ = out.Set(k, plain(item)) // it was a key already
		}
		return out
	case []byte:
		return string(v)
	}
	return v
}

func plainItems(items []any) *value.List {
	l := value.NewList()
	for _, item := range items {
		l.Items = append(l.Items, plain(item))
	}
	return l
}

func dumpDict(b *strings.Builder, d *value.Dict, indent int) {
	for k, v := range d.All() {
		b.WriteString(strings.Repeat(" ", indent) + scalar(k) + ":")
		dumpUnder(b, plain(v), indent)
	}
}

// dumpUnder writes what stands after a key. Items of a list stand under it without more indentation.
func dumpUnder(b *strings.Builder, v any, indent int) {
	switch v := v.(type) {
	case *value.Dict:
		if v.Len() > 0 {
			b.WriteString("\n")
			dumpDict(b, v, indent+2)
			return
		}
	case *value.List:
		if len(v.Items) > 0 {
			b.WriteString("\n")
			dumpList(b, v, indent)
			return
		}
	}
	b.WriteString(" " + scalar(v) + "\n")
}

func dumpList(b *strings.Builder, l *value.List, indent int) {
	for _, item := range l.Items {
		b.WriteString(strings.Repeat(" ", indent) + "-")
		switch v := item.(type) {
		case *value.Dict:
			if v.Len() > 0 {
				var inner strings.Builder
				dumpDict(&inner, v, indent+2)
				b.WriteString(" " + inner.String()[indent+2:])
				continue
			}
		case *value.List:
			if len(v.Items) > 0 {
				var inner strings.Builder
				dumpList(&inner, v, indent+2)
				b.WriteString(" " + inner.String()[indent+2:])
				continue
			}
		}
		b.WriteString(" " + scalar(item) + "\n")
	}
}

// scalar writes what fits on the rest of a line.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case *value.Dict:
		return "{}"
	case *value.List:
		return "[]"
	case float64:
		return floatText(v)
	case string:
		if plainText(v) {
			return v
		}
	}
	text, err := value.MarshalJSON(v) // YAML reads JSON's texts as they are
	if err != nil {
		return fmt.Sprint(v) // dump finds that it does not come back
	}
	return visible(string(text))
}

// visible escapes what YAML takes for line ends, or would not take at all.
func visible(quoted string) string {
	var b strings.Builder
	for _, r := range quoted {
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func floatText(f float64) string {
	switch text := value.FloatText(f); {
	case text == "nan", text == "inf":
		return "." + text
	case text == "-inf":
		return "-.inf"
	case strings.Contains(text, "e") && !strings.Contains(text, "."):
		return strings.Replace(text, "e", ".0e", 1) // without a dot it would be text
	default:
		return text
	}
}

// plainText tells whether a text means itself without quotes.
func plainText(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '/'
		inner := c >= '0' && c <= '9' || strings.ContainsRune(".-+@ ", c)
		if !letter && (i == 0 || !inner) {
			return false
		}
	}
	if s == "" || s != strings.TrimSpace(s) {
		return false
	}
	doc, err := yaml.Parse("", []byte(s))
	return err == nil && doc.Kind == yaml.ScalarNode && doc.Value == any(s)
}
