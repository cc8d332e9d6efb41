package syntax_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/jinja/library"
	"brine/states/jinja/syntax"
)

// FuzzParse reads any text under all options: it must give a template, each part of which has a place in the text, or an
// *Error with a place.
func FuzzParse(f *testing.F) {
	for _, source := range seeds(f) {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, o := range []syntax.Options{{}, {TrimBlocks: true}, {LstripBlocks: true}, {TrimBlocks: true, LstripBlocks: true}} {
			tree, err := syntax.Parse(source, o, library.Known{})
			if (tree == nil) == (err == nil) {
				t.Fatalf("%q: got tree %v and error %v, want one of them", source, tree, err)
			}
			lines := strings.Count(source, "\n") + strings.Count(source, "\r") + 1
			var e *syntax.Error
			if err != nil && (!errors.As(err, &e) || e.Text == "" || e.Line < 1 || e.Line > lines || e.Column < 1) {
				t.Fatalf("%q: got %#v", source, err)
			}
		}
	})
}

// seeds are the templates of testdata and of the examples, and what begins and ends in unusual ways.
func seeds(f *testing.F) []string {
	f.Helper()
	all := []string{
		"{{", "{%", "{#", "{{ 'a", "{% raw %}", "{%- set a -%}", "{%+ if a +%}", "a{{- '\\x4' -}}\n", "{{ 1_0.e5 ** -2 // 3 }}",
		"{{ a[::], (b,), {c: d}, [*e] if f else g is not h }}", "{% for a, (b, c) in d if e recursive %}{{ loop(a) }}{% endfor %}",
		"{% macro m(a, b=1, *c, **d) %}{{ caller() }}{% endmacro %}{% call(x) m(1, *y, **z) %}{% endcall %}",
		"{% block a scoped required %}{{ super() }}{% endblock a %}{% extends 'b' %}", "{% filter a(b)|c %}{% endfilter %}",
		"{% from 'a' import b as c, d with context %}{% include ['a', 'b'] ignore missing without context %}",
		"{% load_yaml as a %}b: {{ c }}{% endload %}{% import_json 'd' as e %}{% do f.append(g) %}",
		"{% set ns.a, b = c %}{% with d = e %}{% autoescape true %}{% endautoescape %}{% endwith %}\r\n\r",
		strings.Repeat("{{ (", 300), strings.Repeat("{% if a %}", 300), "{{ " + strings.Repeat("not ", 300) + "a }}",
	}
	data, err := os.ReadFile("../testdata/jinja.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var c struct {
			Template string
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			f.Fatal(err)
		}
		all = append(all, c.Template)
	}
	for _, name := range []string{"errors", "language"} {
		a, err := txtar.ParseFile("../testdata/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			all = append(all, string(file.Data))
		}
	}
	return append(all, examples(f)...)
}

// examples are the files of the example trees.
func examples(f *testing.F) []string {
	f.Helper()
	var all []string
	err := filepath.WalkDir("../../../scripts/examples", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, string(data))
		return err
	})
	if err != nil || len(all) == 0 {
		f.Fatal(len(all), err)
	}
	return all
}
