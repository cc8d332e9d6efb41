package match_test

import (
	"bytes"
	"os"
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
	data, err := os.ReadFile("testdata/targets.jsonl")
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

func TestMistakes(t *testing.T) {
	h := &host.Host{
		Grains: value.NewDict("id", "web1", "os", "Debian"),
		Config: value.NewDict("nodegroups", value.NewDict("a", "N@b", "b", "web* and N@a", "c", int64(5))),
	}
	for _, tt := range []struct{ name, target, want string }{
		{"compound", "", `cannot read the target "": it ends where a target is expected`},
		{"compound", "web* and", `cannot read the target "web* and": it ends where a target is expected`},
		{"compound", "or web*", `cannot read the target "or web*": "or" stands where a target is expected`},
		{"compound", "web* db*", `cannot read the target "web* db*": "db*" stands where and, or or the end is expected`},
		{"compound", "web* AND db*", `cannot read the target "web* AND db*": "AND" stands where and, or or the end is expected`},
		{"compound", "( web*", `cannot read the target "( web*": a parenthesis is not closed`},
		{"compound", "web* )", `cannot read the target "web* )": ")" stands where and, or or the end is expected`},
		{"compound", "not not web*", `cannot read the target "not not web*": "not" stands where a target is expected`},
		{"compound", "X@a", `cannot read the target "X@a": X@ is not known: there are G@ P@ I@ J@ L@ E@ S@ N@`},
		{"compound", "E|@a", `cannot read the target "E|@a": E@ has no delimiter`},
		{"compound", "N@none", `cannot match: there is no nodegroup "none"`},
		{"compound", "N@a", `cannot match: the nodegroup "a" is part of itself`},
		{"compound", "N@c", `cannot match: the nodegroup "c" is no text and no list`},
		{"pcre", "[", `cannot read the regular expression "[": the bracket at 0 is not closed`},
		{"grain_pcre", "os:[", `cannot read the regular expression "[": the bracket at 0 is not closed`},
		{"ipcidr", "10.1.2.300", `cannot match: "10.1.2.300" is no address and no network`},
		{"compound", "G@", `cannot read the target "": want KEY:VALUE`},
		{"grain", "os", `cannot read the target "os": want KEY:VALUE`},
		{"compound", "I|@roles:web", `cannot read the target "roles:web": want KEY|VALUE`},
		{"glob", "web1,db1", "cannot read target \"web1,db1\": ',' does not occur in a minion id; " +
			"ids with commas between them are a list\n    web1,db1\n        ^"},
		{"list", "web1, db1", "cannot read target \"web1, db1\": ' ' does not occur in a minion id; leave the space out\n" +
			"    web1, db1\n         ^"},
		{"glob", "web[", "cannot read target \"web[\": this [ has no closing ]\n    web[\n       ^"},
	} {
		got, err := call(t, h, tt.name, module.Arg{Value: module.Data(tt.target)})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s %q: got %v, %v, want %s", tt.name, tt.target, got, err, tt.want)
		}
	}
}

func TestCompound(t *testing.T) {
	h := &host.Host{Grains: value.NewDict("id", "web1", "os", "Debian")}
	for target, want := range map[string]bool{
		"not(db*) and (E@web(1|2) or db*)": true,
		"((E@web(1|2)))":                   true,
		"web* not db*":                     true,
		"web* not web1":                    false,
		"db* or web* and G@os:Deb*":        true,
		"not db* or web2":                  true,
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
