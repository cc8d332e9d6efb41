package agentmod

import (
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/sls"
	"brine/states/value"
)

// templated shows what templates of SLS and of files see of a run.
const templated = `
{% import_yaml "./data.yaml" as data %}
{% from "map.jinja" import port with context %}
/etc/greeting:
  file.managed:
    - contents: {{ [data.greeting, port, pillar.who, opts.test, saltenv, sls, salt["pillar.get"]("who")]|join(" ")|yaml_dquote }}
    - makedirs: true
/etc/rendered:
  file.managed:
    - contents: "{% raw %}{{ pillar.who }} {{ grains.id }} {{ more }}{% endraw %}"
    - template: jinja
    - context: {more: {{ data.greeting }}}
    - makedirs: true
/etc/motd:
  file.managed:
    - contents_pillar: who
    - makedirs: true
`

func TestTemplatesSeeTheRun(t *testing.T) {
	h, _ := newAgent(t, map[string]string{
		"web/init.sls": templated, "web/data.yaml": "greeting: hello", "map.jinja": "{% set port = pillar.port + 1 %}",
	})
	h.Host.Pillar = value.NewDict("port", int64(80), "who", "nobody")
	h.Host.Grains = value.NewDict("id", "web1")
	r, err := call(t, h, "state.apply", "web", "pillar={who: joe}")
	if err != nil || r.Retcode != 0 {
		t.Fatalf("got %s, %v", shown(r.Value), err)
	}
	for path, want := range map[string]string{
		"/etc/greeting": "hello 81 joe False base web joe\n", "/etc/rendered": "joe web1 hello\n", "/etc/motd": "joe\n",
	} {
		if got := h.Read(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if got, _ := h.Host.Pillar.Get("who"); got != "nobody" {
		t.Errorf("the run changed the host's pillar: got %v", got)
	}
}

func TestAMistakeInWhatManyImportIsToldOnce(t *testing.T) {
	h, a := newAgent(t, map[string]string{
		"a.sls": "{% from 'map.jinja' import x with context %}", "b.sls": "{% from 'map.jinja' import x with context %}",
		"map.jinja": "\n{% set x = nothing.there %}", "c.sls": "x: {{ y }}",
	})
	r, err := call(t, h, "state.apply", "c,a,b")
	list, ok := r.Value.(*value.List)
	if err != nil || !ok || r.Retcode != 1 || len(list.Items) != 2 {
		t.Fatalf("got %s, %d, %v, want 2 mistakes", shown(r.Value), r.Retcode, err)
	}
	for i, want := range []string{"c.sls:1: ", "map.jinja:2: "} {
		if got := list.Items[i].(string); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	a.Source = sls.Dir(fstest.MapFS{"a.sls": {Data: []byte("{{ salt['state.show_sls']('a') }}")}})
	if r, err := call(t, h, "state.apply", "a"); err != nil || r.Retcode != 0 && r.Retcode != 1 {
		t.Errorf("an SLS that applies itself: got %s, %v", shown(r.Value), err)
	}
}
