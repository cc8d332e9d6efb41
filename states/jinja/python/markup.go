package python

import (
	"html"
	"regexp"
	"strings"
	"sync"

	"brine/states/value"
)

// markupMethodTable are the methods of str: text that they return is Markup again, and text that they are
// given is escaped where it would become part of it.
func markupMethodTable(str map[string]*Method) map[string]*Method {
	t := map[string]*Method{}
	for name, m := range str {
		t[name] = &Method{Name: name, Sig: m.Sig, sig: m.sig, Fn: wrapMarkup(name, m.Fn)}
	}
	for name, m := range methodsOf([]Method{
		{Name: "striptags", Fn: func(self any, _ *Call) (any, error) { return StripTags(string(self.(Markup))), nil }},
		{Name: "unescape", Fn: func(self any, _ *Call) (any, error) { return html.UnescapeString(string(self.(Markup))), nil }},
	}) {
		t[name] = m
	}
	return t
}

func wrapMarkup(name string, fn methodFunc) methodFunc {
	escapes := strings.Contains(" replace ljust rjust center removeprefix removesuffix strip lstrip rstrip ", " "+name+" ")
	return func(self any, c *Call) (any, error) {
		switch {
		case name == "format":
			f := formatter{args: Args{c.Rest, c.Named}, escape: true}
			s, err := f.run(string(self.(Markup)), 2)
			return Markup(s), err
		case name == "join":
			return markupJoin(self.(Markup), c)
		case escapes:
			escapeArgs(c.Args)
		}
		v, err := fn(string(self.(Markup)), c)
		return asMarkup(v), err
	}
}

func escapeArgs(args []any) {
	for i, a := range args {
		if s, ok := a.(string); ok && s != " " {
			args[i] = Escape(s)
		}
	}
}

func asMarkup(v any) any {
	switch v := v.(type) {
	case string:
		return Markup(v)
	case *value.List:
		for i, item := range v.Items {
			v.Items[i] = asMarkup(item)
		}
	case value.Tuple:
		for i, item := range v {
			v[i] = asMarkup(item)
		}
	}
	return v
}

func markupJoin(sep Markup, c *Call) (any, error) {
	items, err := Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	for i, item := range items {
		m, err := EscapeValue(item)
		if err != nil {
			return nil, err
		}
		parts[i] = string(m)
	}
	return Markup(strings.Join(parts, string(sep))), nil
}

var (
	comments = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)<!--.*?-->`) })
	tags     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)<.*?>`) })
)

// StripTags removes what looks like HTML tags, joins blanks, and resolves entities.
func StripTags(s string) string {
	s = tags().ReplaceAllString(comments().ReplaceAllString(s, ""), "")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}
