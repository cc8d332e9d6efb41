package sls_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/module"
	"brine/states/sls"
	"brine/states/value"
)

// trees are the environments of an archive whose files begin with their environment's name.
type trees map[string][]txtar.File

func treesOf(files []txtar.File) trees {
	all := trees{}
	for _, f := range files {
		if env, path, ok := strings.Cut(f.Name, "/"); ok {
			all[env] = append(all[env], txtar.File{Name: path, Data: f.Data})
		}
	}
	return all
}

func (t trees) Environments() []string { return slices.Sorted(maps.Keys(t)) }

func (t trees) Source(env string) (sls.Source, error) {
	if t[env] == nil {
		return nil, fs.ErrNotExist
	}
	return tree(t[env]), nil
}

// match knows globs and lists, as the minion web1.
func match(kind, target string) (bool, error) {
	switch {
	case kind == "compound" && strings.ContainsAny(target, "@["):
		return false, fmt.Errorf("cannot read target %q", target)
	case kind == "compound" || kind == "glob":
		ok, err := filepath.Match(target, "web1")
		return ok, err
	case kind == "list":
		return slices.Contains(strings.Split(target, ","), "web1"), nil
	}
	return false, errors.New("unknown match " + kind)
}

// TestTops reads the top files of the trees in testdata/top for the minion web1.
func TestTops(t *testing.T) {
	paths, err := filepath.Glob("testdata/top/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			last := &a.Files[len(a.Files)-1]
			got := top(t, a.Files)
			if *update {
				last.Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(last.Data) {
				t.Errorf("got\n%swant\n%s", got, last.Data)
			}
		})
	}
}

func top(t *testing.T, files []txtar.File) string {
	t.Helper()
	o := sls.TopOptions{Match: match}
	for _, f := range files {
		if f.Name == "options" {
			words := append(strings.Fields(string(f.Data)), "")
			o.Strategy, o.Default = words[0], words[1]
		}
	}
	if o.Only = o.Strategy == "only"; o.Only {
		o.Strategy = ""
	}
	all := treesOf(files)
	base, err := all.Source("base")
	if err != nil {
		t.Fatal(err)
	}
	mods, errs := sls.Top(t.Context(), base, sls.Options{Trees: all}, o)
	if errs != nil {
		return lines(errs)
	}
	json, err := value.MarshalJSON(sls.TopDict(mods))
	if err != nil {
		t.Fatal(err)
	}
	return string(json) + "\n"
}

func TestNoTopFile(t *testing.T) {
	_, errs := sls.Top(t.Context(), tree(nil), sls.Options{}, sls.TopOptions{Match: match})
	if got := lines(errs); got != "cannot find top.sls in environment \"base\": name the SLS to apply, or write it\n" {
		t.Errorf("got %s", got)
	}
}

func build(t *testing.T, files string, in sls.Input, o sls.Options) (*sls.Program, string) {
	t.Helper()
	all := treesOf(txtar.Parse([]byte(files)).Files)
	o.Index = index
	if o.Env == "" {
		o.Trees = all
	}
	p, errs := sls.Build(t.Context(), tree(all["base"]), in, o)
	return p, lines(errs)
}

func TestOtherEnvironments(t *testing.T) {
	const files = `
-- base/web.sls --
include:
  - prod: p
  - _xenv: q
  - nowhere: r
  - _xenv: s
  - _xenv: both
a: test.nop
-- base/both.sls --
b: test.nop
-- prod/p.sls --
include: [.inner, web]
p:
  test.nop:
    - requre: [a]
-- prod/inner.sls --
i: test.nop
-- prod/web.sls --
w: test.nop
-- prod/both.sls --
-- prdo/q.sls --
q: test.nop
`
	p, errs := build(t, files, sls.Input{Mods: []sls.Mod{{Name: "web"}, {Env: "prod", Name: "inn*"}}}, sls.Options{})
	const want = `web.sls:4: cannot read SLS "r": there is no environment "nowhere"
web.sls:5: cannot include "s": no environment has it
`
	if p != nil || errs != want {
		t.Errorf("got\n%swant\n%s", errs, want)
	}
	fixed := strings.Replace(files, "  - nowhere: r\n  - _xenv: s\n", "", 1)
	p, errs = build(t, fixed, sls.Input{Mods: []sls.Mod{{Name: "web"}}}, sls.Options{})
	if errs != "" {
		t.Fatal(errs)
	}
	var got []string
	for _, f := range p.Files {
		got = append(got, f.Env+":"+f.Name)
	}
	if text := strings.Join(got, " "); text != "prod:inner prod:web prod:p prdo:q base:both base:web" {
		t.Errorf("got %s", text)
	}
	_, errs = build(t, fixed, sls.Input{Mods: []sls.Mod{{Name: "web"}}}, sls.Options{Env: "base"})
	if !strings.HasPrefix(errs, "web.sls:2: cannot read SLS \"p\": this run reads environment \"base\" alone\n") {
		t.Errorf("without other trees: got\n%s", errs)
	}
}

func TestLenientTreesWarn(t *testing.T) {
	const files = "-- base/web.sls --\na:\n  test.succeed_with_changes:\n    - commnet: x\n    - requires: y\n    - comment: z\n" +
		"b:\n  test.configurable_test_state:\n    - nosuch: 1\n    - changes: 5\n    - onlyif: [{func: test.true}]\n"
	in := sls.Input{Mods: []sls.Mod{{Name: "web"}}}
	_, errs := build(t, files, in, sls.Options{Lenient: true})
	const want = "web.sls:9: state \"b\": test.configurable_test_state: argument \"changes\": want true, false or Random, got \"5\"\n"
	if errs != want {
		t.Errorf("got\n%swant\n%s", errs, want)
	}
	p, errs := build(t, strings.Replace(files, ": 5", ": true", 1), in, sls.Options{Lenient: true})
	if errs != "" {
		t.Fatal(errs)
	}
	got := strings.Join(p.Plan.Nodes[0].Warnings, "|")
	if got != `unknown argument "commnet" (did you mean "comment"?) is ignored|unknown argument "requires" is ignored` {
		t.Errorf("got %s", got)
	}
	got = strings.Join(p.Plan.Nodes[1].Warnings, "|")
	if got != `onlyif: an item without fun is ignored, at web.sls:10|unknown argument "nosuch" is ignored` {
		t.Errorf("got %s", got)
	}
}

func TestWhatWouldSpareFilesIsNotIgnored(t *testing.T) {
	const files = "-- base/web.sls --\n/srv/a:\n  file.tidied:\n    - exclude_pat: keep*\n"
	in := sls.Input{Mods: []sls.Mod{{Name: "web"}}}
	_, errs := build(t, files, in, sls.Options{})
	if want := "web.sls:3: state \"/srv/a\": file.tidied: unknown argument \"exclude_pat\"\n"; errs != want {
		t.Errorf("got\n%swant\n%s", errs, want)
	}
}

func TestLenientTreesHaveVariablesThatLookMisspelt(t *testing.T) {
	const files = "-- base/web.sls --\n/etc/a:\n  file.managed:\n    - contents: a\n    - modes: 600\n" +
		"/etc/b:\n  file.managed:\n    - contents: b\n    - template: jinja\n    - modes: 600\n    - requires: a\n"
	p, errs := build(t, files, sls.Input{Mods: []sls.Mod{{Name: "web"}}}, sls.Options{Lenient: true})
	if errs != "" {
		t.Fatal(errs)
	}
	const variable = `: a variable of the template, as in Salt; context and defaults have precedence`
	for i, want := range []string{`unknown argument "modes" (did you mean "mode"?) is ignored`,
		`unknown argument "modes"` + variable + `|unknown argument "requires"` + variable} {
		if got := strings.Join(p.Plan.Nodes[i].Warnings, "|"); got != want {
			t.Errorf("state %d: got %s, want %s", i, got, want)
		}
	}
}

func TestEachNameHasWarningsOfItsOwn(t *testing.T) {
	const files = "-- base/web.sls --\na:\n  test.nop:\n    - require_in: ['x*', 'y*', 'z*']\n" +
		"    - names: [b: [{onlyif: [{b: 1}]}], c: [{retry: 5}]]\n"
	p, errs := build(t, files, sls.Input{Mods: []sls.Mod{{Name: "web"}}}, sls.Options{Lenient: true})
	if errs != "" {
		t.Fatal(errs)
	}
	for i, want := range []string{"onlyif: an item without fun is ignored, at web.sls:4",
		"retry is no dictionary: the defaults are used, at web.sls:4"} {
		if w := p.Plan.Nodes[i].Warnings; len(w) != 4 || w[3] != want {
			t.Errorf("name %d: got %q, want %q last", i, w, want)
		}
	}
}

func TestTextsAndSingleStates(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
	}{
		{"a: test.nop\n", ""},
		{"include: [b]\na: test.nop\n", "<text>:1: the \"include\" declaration is invalid where a single text is applied: put it into an SLS of the tree\n"},
		{"a: test.nopp\n", "<text>:1: state \"a\": unknown state \"test.nopp\" (did you mean \"test.nop\"?)\n"},
		{"a: [\n", "<text>:2: cannot read YAML: "},
	} {
		if _, errs := build(t, "", sls.Input{Text: &sls.Text{Text: []byte(c.text)}}, sls.Options{}); !strings.HasPrefix(errs, c.want) || (c.want == "") != (errs == "") {
			t.Errorf("%q: got %s, want %s", c.text, errs, c.want)
		}
	}
	for _, c := range []struct{ state, args, want string }{
		{"test.nop", "name=x", ""},
		{"nop", "name=x", "\"nop\" is no state: want one such as pkg.installed\n"},
		{"test.nop", "", "argument \"name\" is missing\n"},
		{"test.succeed_with_changes", "name=x coment=y", "state \"x\": test.succeed_with_changes: unknown argument \"coment\" (did you mean \"comment\"?)\n"},
	} {
		if _, errs := build(t, "", sls.Input{Single: single(c.state, c.args)}, sls.Options{}); errs != c.want {
			t.Errorf("%s %s: got %s, want %s", c.state, c.args, errs, c.want)
		}
	}
}

func single(state, args string) *sls.Single {
	return &sls.Single{State: state, Args: module.Words(strings.Fields(args)...).Args}
}

func TestShow(t *testing.T) {
	const files = "-- base/web.sls --\ninclude: [lib]\na:\n  test.succeed_with_changes:\n    - comment: c\n    - require_in: [b]\n" +
		"-- base/lib.sls --\nb:\n  test:\n    - nop\n    - require:\n      - test: x\nx: test.nop\n"
	p, errs := build(t, files, sls.Input{Mods: []sls.Mod{{Name: "web"}}}, sls.Options{Show: true})
	if errs != "" {
		t.Fatal(errs)
	}
	high, err := value.MarshalJSON(p.High)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"b":{"__sls__":"lib","__env__":"base","test":[{"require":[{"test":"x"},{"test":"a"}]},{"order":10000},"nop"]},` +
		`"x":{"__sls__":"lib","__env__":"base","test":[{"order":10001},"nop"]},` +
		`"a":{"__sls__":"web","__env__":"base","test":[{"comment":"c"},{"order":10002},"succeed_with_changes"]}}`
	if string(high) != want {
		t.Errorf("got  %s\nwant %s", high, want)
	}
	low, err := value.MarshalJSON(p.Plan.Nodes[2].Low)
	if err != nil {
		t.Fatal(err)
	}
	const wantLow = `{"state":"test","name":"b","__sls__":"lib","__env__":"base","__sls_included_from__":["web"],"__id__":"b",` +
		`"require":[{"test":"x"},{"test":"a"}],"order":10000,"fun":"nop"}`
	if string(low) != wantLow {
		t.Errorf("got  %s\nwant %s", low, wantLow)
	}
}
