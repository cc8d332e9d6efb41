package jinja_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"brine/states/jinja"
	"brine/states/jinja/python"
	"brine/states/value"
)

func seed(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Template)
	}
	for _, s := range []string{"{{", "{% raw %}", "{#-", "{{ '\\u12' }}", "{{ 1_0.e5 }}", "{%- set a -%}", "{{ a[::] }}", "{% for a in b recursive %}"} {
		f.Add(s)
	}
}

// FuzzParse reads any text: it must give a template or an *Error with a place.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, source string) {
		for _, s := range []jinja.Settings{{}, {TrimBlocks: true, LstripBlocks: true}} {
			_, err := new(jinja.Engine).Parse("fuzz", source, s)
			var e *jinja.Error
			if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Text == "") {
				t.Fatalf("%q: got %#v", source, err)
			}
		}
	})
}

// FuzzRender renders any text within limits: it must end, with text or an *Error.
func FuzzRender(f *testing.F) {
	seed(f)
	for _, use := range []string{"{{ u }}", "{{ u.a[0](1) | int + 1 }}", "{% for k, v in u.items() | sort %}{{ '%s' % k ~ v }}{% endfor %}",
		"{{ {u: [u]} | yaml }}{{ [u, 1] | sort | join(',') | regex_replace('a', u) }}", "{% set a, b = u %}{{ a < b or a in [b] }}{{ u[1:] | dictsort }}",
		"{{ u | map('upper') | list | unique | max }}{{ u.split(',') | sum }}{{ 'a'.join(u) }}{{ range(u) }}{{ u % 2 }}{{ u is mapping }}"} {
		f.Add("{% set u = salt['x.y']() %}" + use)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tpl, err := new(jinja.Engine).Parse("fuzz", source, jinja.Settings{})
		if err != nil {
			return
		}
		for _, result := range []any{"called", &python.Unknown{Function: "x.y"}, &python.Unknown{Function: "x.y", Yes: true}} {
			env := jinja.Env{
				Load:   loader(map[string]string{"a": "{% set x = 1 %}{% macro f() %}f{% endmacro %}a", "b": source}),
				Call:   func(context.Context, string, []any, *value.Dict) (any, error) { return result, nil },
				Limits: jinja.Limits{Steps: 2000, Output: 20_000, Depth: 20},
			}
			_, err = tpl.Render(context.Background(), env, map[string]any{
				"m": value.NewDict("a", int64(1)), "l": value.NewList(int64(3), "x"), "s": "Hello", "n": int64(7), "tpldir": ".",
			})
			var e *jinja.Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("%q: got %T: %v", source, err, err)
			}
			if !strings.Contains(source, "salt") {
				break // nothing is called
			}
		}
	})
}
