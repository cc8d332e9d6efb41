package salt_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/master/reactor/salt"
	"brine/proto"
)

// render renders a reaction for an event of web1.
func render(t *testing.T, text string) ([]salt.Reaction, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.sls")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(_ context.Context, _, path string) ([]byte, error) {
		if path == "map.jinja" {
			return []byte("{% set who = 'db*' %}"), nil
		}
		return nil, fs.ErrNotExist
	}
	e := &proto.Event{Tag: "site/x/y", Origin: "web1", Data: []byte(`{"id":"web1","data":{"n":2}}`)}
	return salt.Render(t.Context(), salt.Options{ID: "m1", Open: open}, []string{path}, e)
}

func TestReactionsAreReadAsSaltReadsThem(t *testing.T) {
	for text, want := range map[string]string{
		"a:\n  local.state.apply:\n    - tgt: {{ data['id'] }}\n    - args:\n      - mods: web\n      - test: true\n":                              "a local state.apply GLOB web1 [] map[mods:web test:true]",
		"a:\n  cmd.state.sls:\n    - tgt: [web1, web2]\n    - arg:\n      - web\n      - {{ data['data']['n'] }}\n    - kwarg: {pillar: {x: 1}}\n": "a local state.sls LIST web1,web2 [web 2] map[pillar:map[x:1]]",
		"a:\n  local.cmd.run:\n    - tgt: 'G@os:Debian'\n    - expr_form: compound\n    - arg: uptime\n":                                           "a local cmd.run COMPOUND G@os:Debian [uptime] map[]",
		"a:\n  local:\n    - test.ping\n    - tgt: '*'\n":                                                                                          "a local test.ping GLOB * [] map[]",
		"{% from 'map.jinja' import who %}\na:\n  local.test.ping:\n    - tgt: '{{ who }}'\n":                                                      "a local test.ping GLOB db* [] map[]",
		"a:\n  runner.state.orchestrate:\n    - args:\n      - mods: orch.deploy\n      - pillar:\n          tag: {{ tag }}\n":                     "a runner state.orchestrate [] map[mods:orch.deploy pillar:map[tag:site/x/y]]",
		"a:\n  runner.state.orchestrate:\n    - mods: orch.deploy\n":                                                                               "a runner state.orchestrate [] map[mods:orch.deploy]",
		"a:\n  wheel.key.accept:\n    - args:\n      match: {{ data['id'] }}\nb:\n  caller.test.echo:\n    - args: [hallo]\n":                      "a wheel key.accept [] map[match:web1]; b caller test.echo [hallo] map[]",
		"{% if data['nosuch'] is defined %}\na:\n  local.test.ping:\n    - tgt: x\n{% endif %}\n":                                                  "",
		"a:\n  local.test.ping:\n    - tgt: x\n  runner.jobs.active: []\n":                                                                         "a/local.test.ping local test.ping GLOB x [] map[]; a/runner.jobs.active runner jobs.active [] map[]",
	} {
		all, err := render(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, r := range all {
			s := r.ID + " " + r.Kind + " " + r.Function
			if r.Target != nil {
				s += fmt.Sprintf(" %s %s", r.Target.Syntax, r.Target.Expression)
			}
			got = append(got, s+fmt.Sprintf(" %v %v", r.Args, r.Kwargs))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: got %s, want %s", text, strings.Join(got, "; "), want)
		}
	}
}

func TestMistakesInReactionsAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"a:\n  locl.test.ping: []\nb: 3\n":                               `r.sls:2: cannot read the reaction "a": unknown type "locl" (did you mean "local"?)|r.sls:3: cannot read the reaction "b": want a function`,
		"a:\n  local.test.ping: []\n":                                    `tgt is missing`,
		"a:\n  local.test.ping:\n    - tgt: x\n    - tgt_type: nosuch\n": `unknown tgt_type "nosuch"`,
		"- a\n": "want a dictionary",
		"a:\n  local.test.ping:\n    - tgt: {{ salt['cmd.run']('id') }}\n": "only functions of data can be called",
		"a: {{ nosuch.x }}\n": "r.sls:1",
	} {
		_, err := render(t, text)
		for part := range strings.SplitSeq(want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %q", text, err, part)
			}
		}
	}
	_, err := salt.Render(t.Context(), salt.Options{}, []string{"/nosuch/*.sls"}, &proto.Event{Tag: "x", Data: []byte("{}")})
	if err == nil || !strings.Contains(err.Error(), "cannot read reaction /nosuch/*.sls") {
		t.Errorf("got %v", err)
	}
}
