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
	e := &proto.Event{Tag: "site/x/y", Origin: "web1", At: 1795803067510012, Data: []byte(`{"id":"web1","data":{"n":2}}`)}
	return salt.Render(t.Context(), salt.Options{ID: "m1", Open: open}, []string{path}, e)
}

func TestReactionsAreReadAsSaltReadsThem(t *testing.T) {
	for text, want := range map[string]string{
		"a:\n  local.state.apply:\n    - tgt: {{ data['id'] }}\n    - args:\n      - mods: web\n      - test: true\n":                              "a local state.apply GLOB web1 [] map[mods:web test:true]",
		"a:\n  cmd.state.sls:\n    - tgt: [web1, web2]\n    - arg:\n      - web\n      - {{ data['data']['n'] }}\n    - kwarg: {pillar: {x: 1}}\n": "a local state.sls LIST web1,web2 [web 2] map[pillar:map[x:1]]",
		"a:\n  local.state.sls:\n    - tgt: x\n    - arg: [web, test=True, 'pillar={a: 1}', a==b, 'echo x=y']\n":                                   "a local state.sls GLOB x [web a==b echo x=y] map[pillar:map[a:1] test:true]",
		"a:\n  caller.test.echo:\n    - args: [\"{{ data._stamp }}\"]\n":                                                                           "a caller test.echo [2026-11-27T18:11:07.510012] map[]",
		"a:\n  runner.x.y:\n    - arg: [a=b]\n":                                                                                "a runner x.y [a=b] map[]",
		"a:\n  local.cmd.run:\n    - tgt: 'G@os:Debian'\n    - expr_form: compound\n    - arg: uptime\n":                       "a local cmd.run COMPOUND G@os:Debian [uptime] map[]",
		"a:\n  local:\n    - test.ping\n    - tgt: '*'\n":                                                                      "a local test.ping GLOB * [] map[]",
		"{% from 'map.jinja' import who %}\na:\n  local.test.ping:\n    - tgt: '{{ who }}'\n":                                  "a local test.ping GLOB db* [] map[]",
		"a:\n  runner.state.orchestrate:\n    - args:\n      - mods: orch.deploy\n      - pillar:\n          tag: {{ tag }}\n": "a runner state.orchestrate [] map[mods:orch.deploy pillar:map[tag:site/x/y]]",
		"a:\n  runner.state.orchestrate:\n    - mods: orch.deploy\n":                                                           "a runner state.orchestrate [] map[mods:orch.deploy]",
		"a:\n  wheel.key.accept:\n    - args:\n      match: {{ data['id'] }}\nb:\n  caller.test.echo:\n    - args: [hallo]\n":  "a wheel key.accept [] map[match:web1]; b caller test.echo [hallo] map[]",
		"{% if data['nosuch'] is defined %}\na:\n  local.test.ping:\n    - tgt: x\n{% endif %}\n":                              "",
		"a:\n  local.test.ping:\n    - tgt: x\n  runner.jobs.active: []\n":                                                     "a/local.test.ping local test.ping GLOB x [] map[]; a/runner.jobs.active runner jobs.active [] map[]",
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

func TestReactionsSeeWhoSentTheEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.sls")
	if err := os.WriteFile(path, []byte("a:\n  local.test.ping:\n    - tgt: {{ data['id'] }}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sender, data, want string }{
		{"web1", `{"id":"*"}`, "web1"},
		{"web1", `{"id":"web1","\u0069d":"db1"}`, "web1"},
		{"web1", `{}`, "web1"},
		{"", `{"id":"web7","act":"pend"}`, "web7"},
	} {
		all, err := salt.Render(t.Context(), salt.Options{Sender: c.sender}, []string{path}, &proto.Event{Tag: "x", Data: []byte(c.data)})
		if err != nil || len(all) != 1 || all[0].Target.Expression != c.want {
			t.Errorf("%s of %q: got %v, %v, want one for %s", c.data, c.sender, all, err, c.want)
		}
	}
}

func TestReactionsMayBeOfAnotherEnvironment(t *testing.T) {
	open := func(_ context.Context, env, path string) ([]byte, error) {
		files := map[string]string{"dev/react/a.sls": "{% from 'm.jinja' import to %}\na:\n  local.test.ping: {tgt: {{ to }}}\n", "dev/m.jinja": "{% set to = 'dev1' %}"}
		if text, ok := files[env+"/"+path]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	all, err := salt.Render(t.Context(), salt.Options{Open: open}, []string{"salt://react/a.sls?saltenv=dev"}, &proto.Event{Tag: "x", Data: []byte("{}")})
	if err != nil || len(all) != 1 || all[0].Target.Expression != "dev1" {
		t.Errorf("got %v, %v", all, err)
	}
	if _, err := salt.Render(t.Context(), salt.Options{Open: open}, []string{"salt://react/a.sls"}, &proto.Event{Tag: "x", Data: []byte("{}")}); err == nil {
		t.Error("environment base has it too")
	}
}

func TestAFileWithAMistakeKeepsNoOtherFromBeingUsed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"1.sls": "a: 3\nb:\n  caller.test.ping: []\n", "2.sls": "c:\n  caller.test.ping: []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := salt.Render(t.Context(), salt.Options{}, []string{filepath.Join(dir, "*.sls"), filepath.Join(dir, "nosuch")}, &proto.Event{Tag: "x", Data: []byte("{}")})
	if len(all) != 1 || all[0].ID != "c" {
		t.Errorf("got %v, want c alone", all)
	}
	for _, want := range []string{`1.sls:1: cannot read the reaction "a"`, "cannot read reaction " + dir + "/nosuch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
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
