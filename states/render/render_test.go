package render_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"brine/states/render"
	"brine/states/value"
)

// rendered is the data of a file as JSON, or its mistakes.
func rendered(text, pipe string) string {
	n, errs := render.Render(context.Background(), render.File{Name: "a.sls", Text: []byte(text), Pipe: pipe, SLS: "web.a", Path: "web/a.sls"})
	if len(errs) > 0 {
		var lines []string
		for _, e := range errs {
			lines = append(lines, e.Error())
		}
		return strings.Join(lines, "\n")
	}
	out, err := value.MarshalJSON(n.Data())
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func TestRender(t *testing.T) {
	const python = `the renderer "py" is not supported: it runs Python inside the minion: ` +
		`write the file as jinja|yaml, or the logic as a module of the tree`
	for _, c := range []struct{ text, pipe, want string }{
		{"a: 1", "", `{"a":1}`},
		{"", "", `null`},
		{"#!yaml\na: \"{{ x }}\"", "", `{"a":"{{ x }}"}`},
		{"#!jinja|yaml\r\na: 1\r\n", "", `{"a":1}`},
		{"#! jinja | yaml -o\na: 1", "", `{"a":1}`},
		{"#!/bin/sh\na: 1", "", `{"a":1}`},
		{"#!json\n{\"b\": [1.50, null, true, \"x\"], \"a\": {}}", "", `{"b":[1.5,null,true,"x"],"a":{}}`},
		{`{"a": 12345678901234567890}`, "json", `{"a":12345678901234567890}`},
		{"a: 1\rb: {% x %}", "", "a.sls:2: cannot render: Jinja syntax error: Encountered unknown tag 'x'.\n    b: {% x %}\n          ^"},
		{"{% for i in range(3) %}\nk{{ i }}: {{ i * 2 }}\n{% endfor %}", "", `{"k0":0,"k1":2,"k2":4}`},
		{"#!jinja|json\n{\"a\": {{ [1, 2]|tojson }}}", "", `{"a":[1,2]}`},
		{"#!jinja|toml\nb = {{ 1 + 1 }}\n[a]\nd = 1.5\nc = \"x\"\n[[l]]\nt = 1979-05-27T07:32:00Z\n", "",
			`{"b":2,"a":{"d":1.5,"c":"x"},"l":[{"t":"1979-05-27T07:32:00Z"}]}`},
		{"#!toml\na = 1\nb = \n", "", "a.sls:3: cannot read TOML: expected value but found '\\n' instead"},
		{"#!text\na: {{ 1 }}\n", "", `"a: {{ 1 }}\n"`},
		{"#!jinja|text\na: {{ 1 }}\n", "", `"a: 1\n"`},
		{"{{ slspath }}/{{ sls }}:\n  {{ tpldir }}: {{ tplfile }} {{ saltenv }} {{ opts.test }}", "", `{"web/web.a":{"web":"web/a.sls base False"}}`},
		{"#!stateconf yaml . jinja\n", "", "a.sls:1: cannot render: the renderer \"stateconf\" is not supported: " +
			"write the file as jinja|yaml with full names of IDs, and require where the order counts"},
		{"a: 1\na: 2\nb: !x 1", "", "a.sls:2: cannot read YAML: found conflicting ID 'a': line 1 has it already\n" +
			"a.sls:3: cannot read YAML: could not determine a constructor for the tag '!x'"},
		{"#!py\n", "", "a.sls:1: cannot render: " + python},
		{"#!jinja|py\n", "", "a.sls:1: cannot render: " + python},
		{"#!jinja\n", "", `a.sls:1: cannot render: the renderer "jinja" makes text: one that makes data must follow, such as "jinja|yaml"`},
		{"#!yaml|jinja\n", "", `a.sls:1: cannot render: the renderer "yaml" makes data: it must be the last`},
		{"#!jinja||yaml\n", "", `a.sls:1: cannot render: a renderer is missing in "jinja||yaml"`},
		{"#!jnija|yaml\n", "", `a.sls:1: cannot render: unknown renderer "jnija" (did you mean "jinja"?): there are jinja`},
		{"#!yml\n", "", `a.sls:1: cannot render: unknown renderer "yml" (did you mean "yaml"?): there are jinja, json, text, toml, yaml`},
		{"{\"a\":\n 1,\n}", "json", "a.sls:3: cannot read JSON: invalid character '}' looking for beginning of object key string"},
		{"{\"a\":\n 1", "json", "a.sls:2: cannot read JSON: it ends too early"},
		{"{}\n{}", "json", "a.sls:2: cannot read JSON: more text after the value"},
		{"{\"a\": 1,\n\"a\": 2}", "json", "a.sls:2: cannot read JSON: found conflicting ID 'a': line 1 has it already"},
		{strings.Repeat("[", 2000), "json", "a.sls:1: cannot read JSON: nested deeper than 1000 levels"},
	} {
		if got := rendered(c.text, c.pipe); got != c.want {
			t.Errorf("%q by %q: got\n%s\nwant\n%s", c.text[:min(len(c.text), 60)], c.pipe, got, c.want)
		}
	}
}

func TestJSONValuesKnowTheirLine(t *testing.T) {
	n, errs := render.Render(context.Background(), render.File{Name: "a", Text: []byte("#!json\n{\"a\":\n\n [\"x\",\n 0.50]}")})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	x := n.Get("a").Items[1]
	if got := fmt.Sprint(x.Line, " ", x.Text); got != "5 0.50" {
		t.Errorf("got %q, want %q", got, "5 0.50")
	}
}

// A line of many values is read in the time that it takes to go over it once.
func TestValuesOfALongLineKnowTheirColumn(t *testing.T) {
	const items = 100_000
	text := "{{ 1 }}: 0\nlist: [" + strings.Repeat("'é', ", items) + "x]\nlast: [a, b]"
	n, errs := render.Render(context.Background(), render.File{Name: "a", Text: []byte(text)})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	list := n.Get("list").Items
	for i, want := range map[int]string{0: "2:8", 1: "2:13", items: fmt.Sprint("2:", 8+5*items)} {
		if got := fmt.Sprintf("%d:%d", list[i].Line, list[i].Column); got != want {
			t.Errorf("item %d: got %s, want %s", i, got, want)
		}
	}
	if b := n.Get("last").Items[1]; b.Line != 3 || b.Column != 11 {
		t.Errorf("what stands after the line: got %d:%d, want 3:11", b.Line, b.Column)
	}
}

func FuzzRender(f *testing.F) {
	f.Add([]byte("#!json\n{\"a\": [1, {\"b\": null}]}"))
	f.Add([]byte("#!jinja|yaml\na: b"))
	for _, text := range []string{
		"#!toml\n[a]\nb = 1\n", "#!jinja|text\n{{ 1 }}", "#!jinja|json\n{\"a\": {{ [1] | json }}}", "#!yaml\n{{ a }}", "#!py\n", "#!jinja | yamll",
		"{% for i in [1, 2] %}\na{{ i }}:\n  b: {{ i\n}}\n  b: é{{ i }}\n{% endfor %}", "a: {{ 'b\n c: d' }}\n\te: [", "{% set x %}\na: 1\na: 2\n{% endset %}\n{{ x }}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, errs := render.Render(context.Background(), render.File{Name: "fuzz", Text: text})
		if n == nil && errs == nil {
			t.Fatal("got no node and no errors")
		}
		for _, e := range errs {
			if e.Place.Line < 1 || e.Text == "" {
				t.Errorf("error without a place or text: %#v", e)
			}
		}
	})
}
