package agentmod

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/sls"
	"brine/states/value"
)

var site = map[string]string{
	"top.sls": "base:\n  'web*': [web]\n  '*':\n    - common\n  db1:\n    - match: list\n    - db\n",
	"web.sls": "include: [lib]\nw:\n  test.nop:\n    - require: [l]\n",
	"lib.sls": "l: test.nop\n", "common.sls": "c:\n  test.succeed_with_changes:\n    - fire_event: done\n",
	"other.sls": "base:\n  '*': [lib]\n",
}

// ask calls a function as the minion web1, and returns its value as JSON without times.
func ask(t *testing.T, files map[string]string, function string, words ...string) (string, int) {
	t.Helper()
	h, _ := newAgent(t, files)
	h.Facts.Set("id", "web1")
	h.Grains = h.Facts.Now(t.Context())
	return told(t, h, function, words...)
}

func told(t *testing.T, h *hosttest.Host, function string, words ...string) (string, int) {
	t.Helper()
	r, err := call(t, h, function, words...)
	if err != nil {
		return err.Error(), r.Retcode
	}
	if d, ok := r.Value.(*value.Dict); ok {
		for _, v := range d.All() {
			if one, ok := v.(*value.Dict); ok {
				one.Delete("start_time")
				one.Delete("duration")
			}
		}
	}
	return string(shown(r.Value)), r.Retcode
}

func TestTopFileSaysWhatIsApplied(t *testing.T) {
	for line, want := range map[string]string{
		"state.highstate":                "l w c",
		"state.apply":                    "l w c",
		"state.apply exclude=common":     "l w",
		"state.apply web":                "l w",
		"state.top other.sls":            "l",
		"state.sls_id w web":             "l w",
		"state.sls_id l web":             "l",
		"state.template_str x:_test.nop": "x",
		"state.single test.nop y":        "y",
	} {
		words := strings.Fields(line)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_test.nop", " test.nop")
		}
		h, _ := newAgent(t, site)
		h.Facts.Set("id", "web1")
		r, err := call(t, h, words[0], words[1:]...)
		if err != nil || r.Retcode != 0 {
			t.Errorf("%s: got %s, %v", line, shown(r.Value), err)
			continue
		}
		var ids []string
		for _, v := range r.Value.(*value.Dict).All() {
			id, _ := v.(*value.Dict).Get("__id__")
			ids = append(ids, fmt.Sprint(id))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestMistakesOfWhatIsApplied(t *testing.T) {
	for line, want := range map[string]string{
		"state.apply nope":         `["cannot find SLS \"nope\" in environment \"base\": there is neither nope.sls nor nope/init.sls"]`,
		"state.top nope.sls":       `["cannot find nope.sls in environment \"base\": name the SLS to apply, or write it"]`,
		"state.sls_id nope web":    `["no state of SLS web in environment \"base\" has the ID \"nope\""]`,
		"state.single test.nopp y": `["state \"y\": unknown state \"test.nopp\" (did you mean \"test.nop\"?)"]`,
		"state.template /nope":     "cannot apply /nope: open ROOT/nope: no such file or directory",
		"state.show_top saltenv=x": `cannot apply states of environment "x": the job was sent for "base" (brine apply --saltenv x)`,
		"state.show_low_sls nope":  `["cannot find SLS \"nope\" in environment \"base\": there is neither nope.sls nor nope/init.sls"]`,
	} {
		h, _ := newAgent(t, site)
		words := strings.Fields(line)
		got, _ := told(t, h, words[0], words[1:]...)
		if got = strings.ReplaceAll(got, h.Root, "ROOT"); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	files := map[string]string{"top.sls": "base:\n  '*':\n    - wbe\n  'a@b': [x]\n  '*':\n    - match: grian\n", "web.sls": ""}
	got, retcode := ask(t, files, "state.apply")
	const want = `["top.sls:5: cannot read YAML: found conflicting ID '*': line 2 has it already"]`
	if got != want || retcode != 1 {
		t.Errorf("got %s, %d", got, retcode)
	}
}

func TestTargetsOfEveryKind(t *testing.T) {
	h, _ := newAgent(t, map[string]string{"top.sls": `base:
  'G@os:Debian and not ( db* or mail* )': [yes1]
  'os:deb*': [match: grain, yes2]
  'os:(Debian|Ubuntu)$': [match: grain_pcre, yes3]
  'roles:web': [match: pillar, yes4]
  '^(?!db)': [match: pcre, yes5]
  'fronts': [match: nodegroup, yes6]
  '10.0.0.0/8': [match: ipcidr, yes7]
  'db1,web1': [match: list, yes8]
  'N@fronts and db*': [no1]
  'os:RedHat': [match: grain, no2]
`})
	h.Facts.Set("id", "web1", "os", "Debian", "ipv4", value.NewList("127.0.0.1", "10.1.2.3"))
	h.Pillar = value.NewDict("roles", value.NewList("web", "mail"))
	h.Config = value.NewDict("nodegroups", value.NewDict("fronts", "web* or proxy*"))
	got, retcode := told(t, h, "state.show_top")
	const want = `{"base":["yes1","yes2","yes3","yes4","yes5","yes6","yes7","yes8"]}`
	if got != want || retcode != 0 {
		t.Errorf("got %s, %d, want %s", got, retcode, want)
	}
}

func TestTargetsThatCannotBeReadAreRefused(t *testing.T) {
	files := map[string]string{"top.sls": "base:\n  'G@os:Debian and': [a]\n  'web1':\n    - match: grian\n" +
		"  'x,y': [b]\n  '[':\n    - match: pcre\n"}
	got, retcode := ask(t, files, "state.show_top")
	const want = `["top.sls:2: cannot read target \"G@os:Debian and\": it ends where a target is expected\n` +
		`        G@os:Debian and\n                       ^",` +
		`"top.sls:3: cannot match by \"grian\" (did you mean \"grain\"?): known are compound, glob, grain, grain_pcre, ipcidr, ` +
		`list, nodegroup, pcre, pillar, pillar_exact, pillar_pcre",` +
		`"top.sls:5: cannot read target \"x,y\": ',' does not occur in a minion id; ids with commas between them are a list\n` +
		`        x,y\n         ^",` +
		`"top.sls:6: cannot read target \"[\": this is no regular expression: the bracket at 0 is not closed\n        [\n        ^"]`
	if got != want || retcode != 1 {
		t.Errorf("got %s, %d, want %s", got, retcode, want)
	}
}

func TestMistakesOfTopFileAndStatesComeAtOnce(t *testing.T) {
	got, retcode := ask(t, map[string]string{
		"top.sls": "base:\n  'web*': [web]\n  'G@os': [lib]\n  'web[': [lib]\n",
		"web.sls": "w:\n  test.nopp:\n    - require: [l]\n", // lib may have l
	}, "state.apply")
	const want = `["top.sls:3: cannot read target \"G@os\": want KEY:VALUE, such as os:Debian\n        G@os\n          ^",` +
		`"top.sls:4: cannot read target \"web[\": this [ has no closing ]\n        web[\n           ^",` +
		`"web.sls:2: state \"w\": unknown state \"test.nopp\" (did you mean \"test.nop\"?)"]`
	if got != want || retcode != 1 {
		t.Errorf("got %s, %d, want %s", got, retcode, want)
	}
}

func TestAMinionThatNoTargetMeans(t *testing.T) {
	got, retcode := ask(t, map[string]string{"top.sls": "base:\n  'db*': [db]\n"}, "state.apply")
	const want = `{"no_|-states_|-states_|-None":{"name":"No States","changes":{},"result":false,"comment":` +
		`"No Top file or master_tops data matches found: no target of top.sls in environment \"base\" means \"web1\"",` +
		`"__run_num__":0,"__id__":"states"}}`
	if got != want || retcode != 2 {
		t.Errorf("got %s, %d", got, retcode)
	}
}

func TestShowStages(t *testing.T) {
	for line, want := range map[string]string{
		"state.show_top":         `{"base":["web","common"]}`,
		"state.show_states":      `["lib","web","common"]`,
		"state.show_sls lib":     `{"l":{"__sls__":"lib","__env__":"base","test":[{"order":10000},"nop"]}}`,
		"state.show_low_sls lib": `[{"state":"test","name":"l","__sls__":"lib","__env__":"base","__id__":"l","order":10000,"fun":"nop"}]`,
	} {
		words := strings.Fields(line)
		if got, retcode := ask(t, site, words[0], words[1:]...); got != want || retcode != 0 {
			t.Errorf("%s: got %s, %d, want %s", line, got, retcode, want)
		}
	}
}

const reloads = `
a:
  test.nop:
    - reload_pillar: true
    - reload_grains: true
b:
  test.nop:
    - onlyif:
      - fun: pillar.get
        args: [port]
c:
  test.nop:
    - unless:
      - fun: pillar.get
        args: [port]
    - require: [b]
`

func TestPillarOfTheRunAndItsReload(t *testing.T) {
	for _, c := range []struct {
		words []string
		port  any // of the pillar that is collected anew
		want  string
	}{
		{[]string{"web"}, nil, "onlyif condition is false|Success!"},
		{[]string{"web"}, int64(80), "Success!|unless condition is true"},
		{[]string{"web", "pillar={port: 80}"}, nil, "Success!|unless condition is true"},
		{[]string{"web", "pillar={port: null}"}, int64(80), "onlyif condition is false|Success!"},
	} {
		h, a := newAgent(t, map[string]string{"web.sls": reloads})
		h.Grains, h.Pillar = value.NewDict("id", "web1"), value.NewDict("port", int64(0))
		collected := 0
		a.Pillar = func(context.Context) (*value.Dict, error) {
			collected++
			return value.NewDict("port", c.port), nil
		}
		a.Grains = func(context.Context) (*value.Dict, error) {
			collected++
			return nil, fmt.Errorf("no disk")
		}
		r, err := call(t, h, "state.apply", c.words...)
		if err != nil || collected != 2 {
			t.Fatalf("got %v, collected %d times", err, collected)
		}
		var comments []string
		for _, v := range r.Value.(*value.Dict).All() {
			comment, _ := v.(*value.Dict).Get("comment")
			comments = append(comments, comment.(string))
		}
		if got := strings.Join(comments[1:], "|"); got != c.want {
			t.Errorf("%v, %v: got %s, want %s", c.words, c.port, got, c.want)
		}
		first := string(shown(r.Value))
		if !strings.Contains(first, `"warnings":["cannot reload grains: no disk"]`) {
			t.Errorf("grains that were not reloaded are not told: %s", first)
		}
		if port, _ := h.Pillar.Get("port"); port != int64(0) {
			t.Errorf("the pillar of the run is now that of the host: %v", port)
		}
	}
}

func TestEventsHaveSaltsTag(t *testing.T) {
	h, a := newAgent(t, site)
	h.Grains, a.JID = value.NewDict("id", "web1"), "20261126180000000000"
	var got []string
	h.Event = func(_ context.Context, tag string, data *value.Dict) error {
		ret, _ := data.Get("ret")
		result, _ := ret.(*value.Dict).Get("result")
		got = append(got, fmt.Sprint(tag, " ", result))
		return nil
	}
	if _, err := call(t, h, "state.apply", "common"); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(got, "|"); text != "salt/state_result/20261126180000000000/web1/done true" {
		t.Errorf("got %s", text)
	}
}

func TestEachStateIsToldWhereThatIsWanted(t *testing.T) {
	for _, c := range []struct {
		configured bool
		words      []string
		want       string
	}{
		{false, nil, ""},
		{true, []string{"state_events=False"}, ""},
		{false, []string{"state_events=True"}, "salt/job/20261126180000000000/prog/web1/0 _minion_event 20261126180000000000 a 2|" +
			"salt/job/20261126180000000000/prog/web1/1 _minion_event 20261126180000000000 b 2"},
	} {
		h, a := newAgent(t, map[string]string{"two.sls": "a: test.nop\nb: test.nop\n"})
		h.Grains, a.JID, a.Events = value.NewDict("id", "web1"), "20261126180000000000", c.configured
		var got []string
		h.Event = func(_ context.Context, tag string, data *value.Dict) error {
			at := func(path string) any { v, _ := value.Lookup(data, path, "/"); return v }
			got = append(got, fmt.Sprint(tag, " ", at("cmd"), " ", at("jid"), " ", at("data/ret/__id__"), " ", at("data/len")))
			return nil
		}
		if _, err := call(t, h, "state.apply", append(c.words, "two")...); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(got, "|"); text != c.want {
			t.Errorf("%v: got %s, want %s", c.words, text, c.want)
		}
	}
}

func TestATemplateOnTheHostItself(t *testing.T) {
	h, _ := newAgent(t, nil)
	h.Write("/root/repair.sls", "a: test.nop\n")
	if got, retcode := told(t, h, "state.template", "/root/repair.sls"); retcode != 0 || !strings.Contains(got, `"__sls__":"/root/repair.sls"`) {
		t.Errorf("got %s, %d", got, retcode)
	}
}

// environments are trees by name, and what salt:// means in each.
type environments struct {
	*hosttest.Files
	trees map[string]fstest.MapFS
	files map[string]*hosttest.Files
}

func (e environments) Environments() []string { return slices.Sorted(maps.Keys(e.trees)) }

func (e environments) Source(env string) (sls.Source, error) { return sls.Dir(e.trees[env]), nil }

func (e environments) In(env string) (host.Files, error) { return e.files[env], nil }

func TestStatesReadTheFilesOfTheirEnvironment(t *testing.T) {
	managed := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(name + ":\n  file.managed: [{source: 'salt://f'}]\n")}
	}
	base, dev := map[string]string{"top.sls": "base: {'*': [b]}\ndev: {'*': [d]}\n", "b.sls": string(managed("/b").Data)}, managed("/d")
	for pinned, want := range map[bool]string{false: "/b of base, /d of dev", true: "/b of base"} {
		h, a := newAgent(t, base)
		other := hosttest.New(t).Files
		h.Files.Serve("salt://f", "of base", 0o644)
		other.Serve("salt://f", "of dev", 0o644)
		e := environments{h.Files, map[string]fstest.MapFS{"dev": {"d.sls": dev}}, map[string]*hosttest.Files{"dev": other}}
		h.Host.Files, a.Trees, a.Pinned = e, e, pinned
		r, err := call(t, h, "state.apply")
		if err != nil || r.Retcode != 0 {
			t.Fatalf("got %s, %v", shown(r.Value), err)
		}
		var got []string
		for _, name := range []string{"/b", "/d"} {
			if data, err := os.ReadFile(h.Path(name)); err == nil {
				got = append(got, name+" "+string(data))
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("pinned %v: got %s, want %s", pinned, text, want)
		}
	}
}
