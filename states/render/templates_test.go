package render_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"brine/states/all"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/render"
	"brine/states/value"
	"brine/states/yaml"
)

// newHost is a host with grains, pillar and all modules.
func newHost(t testing.TB) *host.Host {
	h := hosttest.New(t).Host
	h.Modules = all.Index()
	h.Grains = value.NewDict("id", "web1", "os_family", "Debian")
	h.Pillar = value.NewDict("web", value.NewDict("port", int64(80)))
	h.Config = value.NewDict("id", "web1")
	return h
}

type tree map[string]string

func (t tree) open(_ context.Context, env, path string) ([]byte, error) {
	if env != "base" {
		path = env + ":" + path
	}
	text, ok := t[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

var shared = tree{
	"web/map.jinja":  "{% set web = salt['pillar.get']('web') %}\n{% macro port() %}{{ web.port }}{% endmacro %}",
	"web/bad.jinja":  "{% set a = 1 %}\n{% set b = nothing.at %}",
	"web/part.jinja": "one: 1\ntwo: 2\n",
	"dev:x.jinja":    "{% set where = 'dev' %}",
	"self.jinja":     "{{ salt['slsutil.renderer']('salt://self.jinja', default_renderer='jinja') }}",
}

func TestTemplatesOfSLS(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{% from 'web/map.jinja' import web with context %}\na: {{ web.port }}", `{"a":80}`},
		{"{% from './map.jinja' import port %}\na: {{ port() }}", `{"a":80}`},
		{"{% from 'x.jinja?saltenv=dev' import where %}\na: {{ where }}", `{"a":"dev"}`},
		{"a: {{ grains.id }} {{ pillar.web.port }} {{ opts.id }} {{ opts['__role'] }} {{ sls }} {{ tpldot }}", `{"a":"web1 80 web1 minion web.a web"}`},
		{"a: {{ salt['test.echo']('x') }}{{ salt.test.echo(1) }}{{ 'test.echo' in salt }}{{ 'no.such' in salt }}", `{"a":"x1TrueFalse"}`},
		{"{% do salt['pillar.get']('web').update({'port': 81}) %}\na: {{ pillar.web.port }}", `{"a":81}`},
		{"a: {{ salt['pillar.get']('web:port', nothing) }}", `{"a":80}`},
		{"a: x {{ proxy }} {{ opts.test }} {{ opts.file_client }} {{ opts.pillarenv }}", `{"a":"x {} False remote None"}`},
		{"a: {{ 'http://x/?token=geheim' | http_query(status=True) }}", "web/a.sls:1: cannot render: Jinja error: cannot query: this host may not ask the web"},
		{"\na: {{ salt['test.echo'](nothing) }}", "web/a.sls:2: cannot render: Jinja variable 'nothing' is undefined"},
		{"a: {{ salt['file.dirname'](nothing) }}", "web/a.sls:1: cannot render: Jinja variable 'nothing' is undefined"},
		{"a: {{ salt['pillar.gte']('x') }}", "web/a.sls:1: cannot render: Jinja variable 'salt.utils.templates.AliasedLoader object' " +
			`has no attribute 'pillar.gte': unknown function "pillar.gte" (did you mean "pillar.get"?)`},
		{"\n\na: {{ salt['file.read']('/none') }}", "web/a.sls:3: cannot render: Jinja error: cannot find /none: "},
		{"\n{% import 'web/bad.jinja' as bad %}", "web/bad.jinja:2: cannot render: Jinja variable 'nothing' is undefined"},
		{"{% import 'web/none.jinja' as bad %}", "web/a.sls:1: cannot render: Jinja error: cannot find the template web/none.jinja"},
		{"a: {{ salt['slsutil.renderer']('salt://self.jinja', default_renderer='jinja') }}",
			"web/a.sls:1: cannot render: Jinja error: salt://self.jinja:1: cannot render: Jinja error: "},
	} {
		f := render.File{
			Name: "web/a.sls", Path: "web/a.sls", SLS: "web.a", Text: []byte(c.text), Templates: render.New(newHostWithSelf(t), "base", shared.open),
		}
		n, errs := render.Render(t.Context(), f)
		got := ""
		if len(errs) > 0 {
			got, _, _ = strings.Cut(errs[0].Error(), "\n")
			got = got[:min(len(got), len(c.want))]
		} else if text, err := value.MarshalJSON(n.Data()); err == nil {
			got = string(text)
		}
		if got != c.want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

func newHostWithSelf(t *testing.T) *host.Host {
	h := newHost(t)
	h.Files.(*hosttest.Files).Serve("salt://self.jinja", shared["self.jinja"], 0o644)
	return h
}

// TestPlacesAreThoseOfTheTemplate compares the line of each key with the number in its value.
func TestPlacesAreThoseOfTheTemplate(t *testing.T) {
	for _, text := range []string{
		"a: 1\n{% for i in range(2) %}\nb{{ i }}: 3\n\nc{{ i }}: 5\n{% endfor %}\nd: 7\n",
		"{% if true -%}\na: 2\n{%- endif %}\nb: 4\n{#- x\ny #}\nc: 7",
		"{% macro m(x) %}\n{{ x }}: 3\n{% endmacro %}\n\n{{ m('a')|replace('3', '5') }}\nb: 6\n",
		"{% set d = {'x': 2, 'y': 2} %}\n{{ d|yaml(false) }}\nb: 3",
		"\n{% include 'web/part.jinja' %}\nb: 3",
		"{% filter replace('x', '1') %}\na: x\n{% endfilter %}\n\r\nb: 5",
		"{% macro m() %}{{ caller() }}{% endmacro %}\n{% call m() %}\na: 2\n{% endcall %}\nb: 5",
		"  \n{# c #}a: 2\n{% raw %}b: 3\nc: 4{% endraw %}\n",
	} {
		f := render.File{Name: "a.sls", Text: []byte(text), Templates: render.New(nil, "", shared.open)}
		n, errs := render.Render(t.Context(), f)
		for _, e := range errs {
			t.Errorf("%q: %v", text, e)
		}
		if n == nil {
			continue
		}
		for _, p := range n.Pairs {
			if want := wantLine(p); p.Key.Line != want {
				t.Errorf("%q: %s: got line %d, want %d", text, p.Key.Text, p.Key.Line, want)
			}
		}
	}
}

func wantLine(p yaml.Pair) int {
	if p.Key.Text == "one" || p.Key.Text == "two" {
		return 2 // of the include
	}
	return int(p.Value.Value.(int64))
}

func TestYAMLMistakesHaveBothLines(t *testing.T) {
	text := "{% set n = 3 %}\n{% for i in range(n) %}\n\nk: {{ i }}\n{% endfor %}\nx: [1\n"
	got := rendered(text, "")
	want := "a.sls:7: cannot read YAML: did not find expected ',' or ']', while parsing a flow sequence that began at line 6 " +
		`(it is line 13 of what the template renders: "")`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = rendered("{% for i in [1, 2] %}\n\nk: {{ i }}\n{% endfor %}", "")
	want = `a.sls:3: cannot read YAML: found conflicting ID 'k': line 3 has it already (it is line 6 of what the template renders: "k: 2")`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFilesAreRendered(t *testing.T) {
	h := newHost(t)
	files := h.Files.(*hosttest.Files)
	files.Serve("salt://web/map.jinja", shared["web/map.jinja"], 0o644)
	files.Serve("salt://x.jinja?saltenv=dev", shared["dev:x.jinja"], 0o644)
	r := render.New(h, "base", nil)
	for _, c := range []struct{ engine, name, env, text, want string }{
		{"jinja", "salt://web/f", "", "{% from './map.jinja' import web with context %}{{ web.port }} {{ a }} {{ source }} {{ saltenv }}\n", "80 1 salt://web/f base\n"},
		{"jinja", "salt://f", "dev", "{% from 'x.jinja' import where %}{{ where }} {{ env }}", "dev dev"},
		{"jinja", "cmd", "", "{{ grains.id }}", "web1"},
		{"jinja", "salt://f", "", "a\n{{ b }}", "cannot render salt://f:2: Jinja variable 'b' is undefined\n    {{ b }}\n       ^"},
		{"jniaj", "salt://f", "", "", `cannot render salt://f: unknown engine "jniaj": there is jinja`},
		{"mako", "salt://f", "", "", `cannot render salt://f: the engine "mako" is not supported: write it in jinja`},
	} {
		got, err := r.Render(t.Context(), host.Template{
			Engine: c.engine, Name: c.name, Text: []byte(c.text), Saltenv: c.env, Context: value.NewDict("a", int64(1)),
		})
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != c.want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

// TestSettings reads the same template for an SLS and for a file, with Salt's options.
func TestSettings(t *testing.T) {
	const text = "a: |\n  {% if true %}\n  x\n  {% endif %}\n  y{{ nothing }}\n"
	for _, c := range []struct {
		config    *value.Dict
		sls, file string
	}{
		{nil, "", ""},
		{value.NewDict("allow_undefined", true), "\n  \n  x\n  \n  y\n", "\n  \n  x\n  \n  y\n"},
		{value.NewDict("allow_undefined", true, "jinja_sls_env", value.NewDict("trim_blocks", true, "lstrip_blocks", true)), "\n  x\n  y\n", "\n  \n  x\n  \n  y\n"},
		{value.NewDict("allow_undefined", true, "jinja_env", value.NewDict("lstrip_blocks", true)), "\n  \n  x\n  \n  y\n", "\n\n  x\n\n  y\n"},
		{value.NewDict("allow_undefined", true, "jinja_trim_blocks", true, "jinja_lstrip_blocks", true), "\n  x\n  y\n", "\n  x\n  y\n"},
	} {
		h := newHost(t)
		h.Config = c.config
		got := ""
		f := render.File{Name: "a.sls", Path: "a.sls", SLS: "a", Text: []byte(text), Pipe: "jinja|text", Templates: render.New(h, "base", shared.open)}
		if n, errs := render.Render(t.Context(), f); len(errs) == 0 {
			got = strings.TrimPrefix(n.Text, "a: |")
		}
		if got != c.sls {
			t.Errorf("%v: SLS: got %q, want %q", c.config, got, c.sls)
		}
		out, _ := render.New(h, "base", shared.open).Render(t.Context(), host.Template{Engine: "jinja", Name: "salt://a", Text: []byte(text)})
		if got := strings.TrimPrefix(string(out), "a: |"); got != c.file {
			t.Errorf("%v: file: got %q, want %q", c.config, got, c.file)
		}
	}
}

func TestProfilesAreLogged(t *testing.T) {
	h := newHost(t)
	var logged []string
	h.Log = func(level, message string) { logged = append(logged, level+" "+message) }
	r := render.New(h, "base", tree{"d.yaml": "a: 1"}.open)
	in := host.Template{Engine: "jinja", Name: "salt://a", Text: []byte("{% profile as 'big ' ~ 1 %}{% import_yaml 'd.yaml' as d %}{{ d.a }}{% endprofile %}")}
	if out, err := r.Render(t.Context(), in); string(out) != "1" || err != nil {
		t.Fatalf("got %q, %v", out, err)
	}
	want := []string{`debug rendering import_yaml "d.yaml" of salt://a took 0.`, `debug rendering profile block "big 1" of salt://a took 0.`}
	if len(logged) != len(want) {
		t.Fatalf("got %q, want %q", logged, want)
	}
	for i, line := range logged {
		if !strings.HasPrefix(line, want[i]) || !strings.HasSuffix(line, " seconds") {
			t.Errorf("got %q, want %q", line, want[i])
		}
	}
}

// TestFilesAreRenderedAtTheSameTime has templates change what they share, under the race detector.
func TestFilesAreRenderedAtTheSameTime(t *testing.T) {
	h := newHost(t)
	r := render.New(h, "base", shared.open)
	text := []byte("{% from 'web/map.jinja' import web %}{% do pillar.web.update({'port': a}) %}{% do grains.update({'x': a}) %}" +
		"{% do salt['pillar.get']('web').update({'y': a}) %}{{ pillar.web.port }}{{ salt['pillar.get']('web:y') }}")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			got, err := r.Render(t.Context(), host.Template{Engine: "jinja", Name: "x", Text: text, Context: value.NewDict("a", int64(i))})
			if want := fmt.Sprint(i, i); err != nil || string(got) != strings.ReplaceAll(want, " ", "") {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	wg.Wait()
	if got, _ := value.Lookup(h.Pillar, "web:port", ":"); got != int64(80) {
		t.Errorf("the pillar was changed: got %v, want 80", got)
	}
}

// BenchmarkFile renders a small file on a host with many grains and a large pillar.
func BenchmarkFile(b *testing.B) {
	h := newHost(b)
	for i := range 100 {
		h.Grains.Put(fmt.Sprint("grain", i), value.NewList("a", "b", "c"))
	}
	for i := range 200 {
		h.Pillar.Put(fmt.Sprint("app", i), value.NewDict("port", int64(i), "names", value.NewList("a", "b"), "x", value.NewDict("y", "z")))
	}
	r := render.New(h, "base", shared.open)
	in := host.Template{Engine: "jinja", Name: "salt://web/f", Text: []byte("{% from './map.jinja' import web with context %}port {{ web.port }}\n")}
	for b.Loop() {
		if _, err := r.Render(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}
