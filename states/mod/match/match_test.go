package match_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, match.Module, moduletest.Options{}) }

func call(t *testing.T, h *host.Host, name string, args ...module.Arg) (any, error) {
	t.Helper()
	f, err := module.NewIndex(match.Module).Func("match." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Input{Args: args})
	return r.Value, err
}

func dict(t *testing.T, v any, keys ...string) *value.Dict {
	t.Helper()
	for _, k := range keys {
		v, _ = v.(*value.Dict).Get(k)
	}
	return v.(*value.Dict)
}

// otherwise are targets that Salt's silence says no to and brine understands.
var otherwise = map[string]bool{
	"(web* or db*) and G@os:Debian": true, // parentheses may touch words
}

func TestTargetsMatchAsInSalt(t *testing.T) {
	data, err := os.ReadFile("../../../proto/target/testdata/targets.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var h *host.Host
	for line := range bytes.Lines(data) {
		v, err := value.FromJSON(line)
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			m := dict(t, v, "minion")
			h = &host.Host{Grains: dict(t, m, "grains"), Pillar: dict(t, m, "pillar")}
			h.Config = value.NewDict("nodegroups", dict(t, m, "nodegroups"))
			continue
		}
		kind, _ := v.(*value.Dict).Get("matcher")
		expr, _ := v.(*value.Dict).Get("expr")
		want, _ := v.(*value.Dict).Get("result")
		args := []module.Arg{{Value: module.Data(expr)}}
		for k, v := range dict(t, v, "kwargs").All() {
			if k != "nodegroups" {
				args = append(args, module.Arg{Name: k.(string), Value: module.Data(v)})
			}
		}
		name := kind.(string)
		if name == "nodegroup" {
			name, args[0].Value = "compound", module.Data("N@"+expr.(string))
		}
		got, err := call(t, h, name, args...)
		if s, ok := expr.(string); ok && otherwise[s] {
			want = true
		}
		if (want == true) != (got == true) || want == true && err != nil {
			t.Errorf("%s %v: got %v, %v, want %v", kind, expr, got, err, want)
		}
	}
}

// TestMistakes has one of each way to a mistake; proto/target has all of them.
func TestMistakes(t *testing.T) {
	h := &host.Host{
		Grains: value.NewDict("id", "web1", "os", "Debian"),
		Config: value.NewDict("nodegroups", value.NewDict("a", "N@b", "b", "web* and N@a", "c", int64(5))),
	}
	for _, tt := range []struct{ name, target, want string }{
		{"compound", "web* and", "it ends where a target is expected\n    web* and\n            ^"},
		{"compound", "N@none", "there is no nodegroup \"none\": there are a, b, c\n    N@none\n      ^"},
		{"compound", "N@a", "cannot read nodegroup \"b\": the nodegroup \"a\" is part of itself: a -> b -> a"},
		{"pcre", "[", "this is no regular expression: "},
		{"grain_pcre", "os:[", "this is no regular expression: "},
		{"ipcidr", "10.1.2.300", "\"10.1.2.300\" is no address and no network"},
		{"grain", "os", "want KEY:VALUE"},
		{"glob", "web1,db1", "',' does not occur in a minion id"},
		{"list", "web1, db1", "' ' does not occur in a minion id"},
	} {
		got, err := call(t, h, tt.name, module.Arg{Value: module.Data(tt.target)})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q: got %v, %v, want %s", tt.name, tt.target, got, err, tt.want)
		}
	}
}

func TestCompound(t *testing.T) {
	h := &host.Host{Grains: value.NewDict("id", "web1", "os", "Debian")}
	for target, want := range map[string]bool{
		"not(db*) and (E@web(1|2) or db*)": true,
		"web* not web1":                    false,
		"E@(?!db)":                         true, // looks ahead
		"E@(?!web)":                        false,
	} {
		if got, err := call(t, h, "compound", module.Arg{Value: module.Data(target)}); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", target, got, err, want)
		}
	}
	id := module.Arg{Name: "minion_id", Value: module.Data("db1")}
	if got, err := call(t, h, "compound", module.Arg{Value: module.Data("db* and L@db1,db2")}, id); got != true || err != nil {
		t.Errorf("another id: got %v, %v", got, err)
	}
}

func TestLookups(t *testing.T) {
	h := &host.Host{Grains: value.NewDict("id", "web1", "os", "Debian")}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"filter_by", []string{"{'db*': 1, 'web* and G@os:Debian': {a: 1}, 'web*': 3}"}, `{"a":1}`},
		{"filter_by", []string{"{'web*': {a: {b: 1}}}", "glob", "merge={a: {c: 2}}"}, `{"a":{"b":1,"c":2}}`},
		{"filter_by", []string{"{'web*': null}", "glob", "merge={a: 1}"}, `{"a":1}`},
		{"filter_by", []string{"{'web*': 5}", "glob", "merge={a: 1}"}, "cannot merge into what was found: want a map, got integer"},
		{"filter_by", []string{"{'db*': 1, default: 2}", "glob"}, "2"},
		{"filter_by", []string{"{'db*': 1, other: 2}", "glob", "default=other"}, "2"},
		{"filter_by", []string{"{'db*': 1}", "glob"}, "null"},
		{"filter_by", []string{"{'db1': 1}", "list", "minion_id=db1"}, "1"},
		{"filter_by", []string{"{'os:Debian': 1}", "grian"}, `cannot match by "grian" (did you mean "grain"?): known are ` +
			"compound, glob, grain, grain_pcre, ipcidr, list, nodegroup, pcre, pillar, pillar_exact, pillar_pcre"},
		{"search_by", []string{"{web: ['web*', 'www*'], db: ['db*'], any: '*'}", "glob"}, `["web","any"]`},
		{"search_by", []string{"{db: ['db*']}", "glob"}, "null"},
	} {
		v, err := call(t, h, tt.name, module.Words(tt.args...).Args...)
		json, _ := value.MarshalJSON(v)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}
