package jinja_test

import (
	"context"
	"fmt"
	"testing"

	"brine/states/jinja"
	"brine/states/jinja/python"
	"brine/states/value"
)

// What is made of an unknown result is unknown too, and ends no template.
func TestUnknown(t *testing.T) {
	for _, tt := range []struct{ template, no, yes string }{
		{"{{ u }}", "unknown_of_x.y", "unknown_of_x.y"},
		{"{{ u.a['b'][0](1).items() }}", "unknown_of_x.y", "unknown_of_x.y"},
		{"{{ u + 1 }} {{ 1 - u }} {{ -u }} {{ 'a' ~ u }}", "unknown_of_x.y unknown_of_x.y unknown_of_x.y aunknown_of_x.y",
			"unknown_of_x.y unknown_of_x.y unknown_of_x.y aunknown_of_x.y"},
		{"{{ 'a' if u else 'b' }} {{ u == 'x' }} {{ 'x' != u }} {{ 'x' in u }} {{ u in {'a': 1} }}",
			"b False True False False", "a True False True False"},
		{"{% for k, v in u.items() %}{{ k }}{% else %}none{% endfor %}", "none", "unknown_of_x.y"},
		{"{{ {'a': 1}[u] }} {{ [1][u] }} {{ {'a': 1}.get(u) }}", "unknown_of_x.y unknown_of_x.y None", "unknown_of_x.y unknown_of_x.y None"},
		{"{{ u | upper }} {{ u | int }} {{ u | json }} {{ u | yaml }} {{ u | length }}",
			"unknown_of_x.y unknown_of_x.y unknown_of_x.y unknown_of_x.y unknown_of_x.y",
			"unknown_of_x.y unknown_of_x.y unknown_of_x.y unknown_of_x.y unknown_of_x.y"},
		{"{{ {'a': u} | json }} {{ [u] | yaml }} {{ [u] | join(',') }} {{ range(u) | list }}",
			`{"a": "unknown_of_x.y"} [unknown_of_x.y] unknown_of_x.y [0]`, `{"a": "unknown_of_x.y"} [unknown_of_x.y] unknown_of_x.y [0]`},
		{"{% set d = {'a': 1} %}{% do d.update(u) %}{{ d }} {{ u | first }}", "{'a': 1} unknown_of_x.y", "{'a': 1} unknown_of_x.y"},
		{"{{ u | default('d') }} {{ u is defined }} {{ u is none }} {{ '{:>3}'.format(u) }} {{ '%s' % u }}",
			"unknown_of_x.y True False unknown_of_x.y unknown_of_x.y", "unknown_of_x.y True False unknown_of_x.y unknown_of_x.y"},
		{"{% set a, b = u %}{{ b }}", "unknown_of_x.y", "unknown_of_x.y"},
	} {
		for yes, want := range map[bool]string{false: tt.no, true: tt.yes} {
			env := jinja.Env{Call: func(context.Context, string, []any, *value.Dict) (any, error) {
				return &python.Unknown{Function: "x.y", Yes: yes}, nil
			}}
			tpl, err := new(jinja.Engine).Parse("t", "{% set u = salt['x.y']() %}"+tt.template, jinja.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := tpl.Render(t.Context(), env, nil)
			if got != want || err != nil {
				t.Errorf("%s with %v: got %q, %v, want %q", tt.template, yes, got, err, want)
			}
		}
	}
}

func TestCallsAreTold(t *testing.T) {
	var told []string
	env := jinja.Env{
		Load: loader(map[string]string{"m": "\n{% macro f() %}{{ salt.a.b() }}{% endmacro %}"}),
		Call: func(context.Context, string, []any, *value.Dict) (any, error) { return int64(1), nil },
		Called: func(at jinja.Place, name string) {
			told = append(told, fmt.Sprintf("%s:%d:%d %s", at.Template, at.Line, at.Column, name))
		},
	}
	tpl, err := new(jinja.Engine).Parse("t", "{% import 'm' as m with context %}\n{{ m.f() }} {{ salt['c.d'](1) }}", jinja.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.Render(t.Context(), env, nil); err != nil {
		t.Fatal(err)
	}
	if want := "[m:2:25 a.b t:2:20 c.d]"; fmt.Sprint(told) != want {
		t.Errorf("got %v, want %s", told, want)
	}
}
