package slsutil_test

import (
	"math/big"
	"strings"
	"testing"

	"brine/states/mod/slsutil"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, slsutil.Module, moduletest.Options{}) }

func call(t *testing.T, name string, args ...module.Arg) string {
	t.Helper()
	f, err := module.NewIndex(slsutil.Module).Func("slsutil." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), nil, module.Input{Args: args})
	if err != nil {
		return err.Error()
	}
	if text, ok := r.Value.(string); ok {
		return text
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"merge", []string{"{a: {b: 1, l: [1]}, x: 1}", "{a: {c: 2, l: [2]}}"}, `{"a":{"b":1,"l":[2],"c":2},"x":1}`},
		{"merge", []string{"{l: [1, 2]}", "{l: [2, 3]}", "merge_lists=True"}, `{"l":[1,2,3]}`},
		{"merge", []string{"{a: {b: 1}, x: 1}", "{a: {c: 2}}", "overwrite"}, `{"a":{"c":2},"x":1}`},
		{"merge", []string{"{a: {b: 1}, x: 1}", "{a: {c: 2}}", "aggregate"}, `{"a":{"c":2},"x":1}`},
		{"merge", []string{"{a: {b: 1}, x: 1}", "{a: {c: 2}}", "smart", "jinja|yamlex"}, `{"a":{"c":2},"x":1}`},
		{"merge", []string{"{a: {b: 1}, x: 1}", "{a: {c: 2}, y: 2}", "list"}, `{"a":[{"b":1},{"c":2}],"x":1,"y":2}`},
		{"merge", []string{"{a: 1}", "{a: 2}", "strategy=best"},
			`cannot merge by the strategy "best": known are smart, recurse, overwrite, aggregate and list`},
		{"merge", []string{"{a: 1}", "[1]"}, `cannot call slsutil.merge: argument "obj_b": want a map, got "[1]"`},
		{"merge_all", []string{"[{a: {b: 1}}, {a: {c: 2}}, {a: {b: 3}}]"}, `{"a":{"b":3,"c":2}}`},
		{"merge_all", []string{"[]"}, "{}"},
		{"update", []string{"{a: {b: 1}}", "{a: {c: 2}}"}, `{"a":{"b":1,"c":2}}`},
		{"update", []string{"{a: {b: 1}}", "{a: {c: 2}}", "recursive_update=False"}, `{"a":{"c":2}}`},
		{"boolstr", []string{"True"}, "true"},
		{"boolstr", []string{"0", "yes", "no"}, "no"},
		{"boolstr", []string{"''", "yes", "no"}, "no"},
		{"boolstr", []string{"[0]", "yes", "no"}, "yes"},
		{"boolstr", []string{"{}", "yes", "no"}, "no"},
		{"boolstr", nil, "false"},

		{"serialize", []string{"json", "{b: [1, 2.0, null], a: {}, ü: 'ö\"'}"}, `{"b": [1, 2.0, null], "a": {}, "ü": "ö\""}`},
		{"serialize", []string{"json", "{b: [1, 2], a: []}", "indent=2", "sort_keys=True"},
			"{\n  \"a\": [],\n  \"b\": [\n    1,\n    2\n  ]\n}"},
		{"serialize", []string{"json", "ü😀", "ensure_ascii=True"}, `"\u00fc\ud83d\ude00"`},
		{"serialize", []string{"json", "{2: a, true: b, null: c, 1.5: d}"}, `{"2": "a", "true": "b", "null": "c", "1.5": "d"}`},
		{"serialize", []string{"json", "{}", "indnet=2"}, `cannot serialize to json: option "indnet": unknown (did you mean "indent"?)`},
		{"serialize", []string{"json", "{}", "indent=-1"}, `cannot serialize to json: option "indent": want a number of blanks, got -1`},
		{"serialize", []string{"yaml", "{b: [1, 'yes'], a: {c: 0644}}"}, "a: {c: 644}\nb: [1, 'yes']"},
		{"serialize", []string{"yaml", "{b: 1, a: 2}", "sort_keys=False", "default_flow_style=False"}, "b: 1\na: 2"},
		{"serialize", []string{"yaml", "{b: &x [1], a: *x}", "default_flow_style=True"}, "{a: &id001 [1], b: *id001}"},
		{"serialize", []string{"yaml", "{b: [{c: 1}], a: é}"}, "a: \"\\xE9\"\nb:\n- {c: 1}"},
		{"serialize", []string{"yaml", "{b: [{c: 1}], a: é}", "allow_unicode=True", "indent=4"}, "a: é\nb:\n- {c: 1}"},
		{"serialize", []string{"yaml", "{b: {d: 1, c: 2}}", "sort_keys=False", "default_flow_style=True"}, "{b: {d: 1, c: 2}}"},
		{"renderer", []string{"string='a: {{ b * 2 }}'", "b=3"}, `{"a":6}`},
		{"renderer", []string{"string='a: {{ b * 2 }}'", "b=3", "default_renderer=jinja"}, "a: 6"},
		{"renderer", []string{"string='a: {{ b }}'"}, "string:1: cannot render: Jinja variable 'b' is undefined\n    a: {{ b }}\n          ^"},
		{"renderer", nil, "cannot render: want path or string"},
		{"serialize", []string{"yaml", "{}", "sort=1"}, `cannot serialize to yaml: option "sort": unknown`},
		{"serialize", []string{"toml", "{a: {b: [1, 2]}, c: x}"}, "c = \"x\"\n\n[a]\nb = [ 1, 2,]\n"},
		{"serialize", []string{"toml", `{in: {c: [{b: 2, t: {u: {v: 1}}}, {}], "a k": {x: 'q"''s'}}, o: [{n: [{m: 1}]}]}`},
			"[[o]]\n\n[[o.n]]\nm = 1\n\n[in]\n[[in.c]]\nb = 2\n\n[in.c.t.u]\nv = 1\n[[in.c]]\n\n[in.\"a k\"]\nx = \"q\\\"'s\"\n"},
		{"serialize", []string{"toml", "[1]"}, "cannot serialize to toml: want a map, got list"},
		{"serialize", []string{"toml", "{a: null, e: {}, b: {c: {d: 1.0e+20}}}"}, "[e]\n\n[b.c]\nd = 1e+20\n"},
		{"serialize", []string{"jsno", "{}"},
			`cannot serialize to "jsno": known are configparser, json, keyvalue, python, toml and yaml (did you mean "json"?)`},
		{"deserialize", []string{"json", `{"b": 1, "a": [true]}`}, `{"b":1,"a":[true]}`},
		{"deserialize", []string{"json", `{"b": `}, "cannot deserialize from json: cannot read JSON: it ends too early"},
		{"deserialize", []string{"yaml", "{b: 0644, a: yes}"}, `{"b":420,"a":true}`},
		{"deserialize", []string{"toml", "a = 1\n[b]\nc = 2020-01-02T03:04:05Z\nd = [{e = 1.5}]\n"},
			`{"a":1,"b":{"c":"2020-01-02T03:04:05Z","d":[{"e":1.5}]}}`},
		{"deserialize", []string{"xml", "<a/>"}, `cannot deserialize from "xml": known are configparser, json, keyvalue, python, toml and yaml`},
	} {
		if got := call(t, tt.name, module.Words(tt.args...).Args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}

func TestMergeLeavesItsDictsAlone(t *testing.T) {
	a, b := value.NewDict("a", value.NewDict("x", int64(1))), value.NewDict("a", value.NewDict("y", int64(2)))
	for _, strategy := range []string{"recurse", "overwrite", "list"} {
		call(t, "merge", module.Arg{Value: module.Data(a)}, module.Arg{Value: module.Data(b)},
			module.Arg{Name: "strategy", Value: module.Data(strategy)})
	}
	if x, y := a.Len(), b.Len(); x != 1 || y != 1 || !value.Equal(a, value.NewDict("a", value.NewDict("x", int64(1)))) {
		t.Errorf("got %v, %v", a.Keys(), b.Keys())
	}
}

func TestSerializeRefusesWhatContainsItself(t *testing.T) {
	l := value.NewList()
	l.Items = append(l.Items, l)
	d := value.NewDict("l", l, "n", new(big.Int).Lsh(big.NewInt(1), 70))
	for to, want := range map[string]string{"json": "Circular reference", "toml": "levels"} {
		got := call(t, "serialize", module.Arg{Value: module.Data(to)}, module.Arg{Value: module.Data(d)})
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %.100s", to, got)
		}
	}
}

func TestYAMLNamesWhatContainsItself(t *testing.T) {
	l := value.NewList()
	l.Items = append(l.Items, l)
	got := call(t, "serialize", module.Arg{Value: module.Data("yaml")}, module.Arg{Value: module.Data(value.NewDict("l", l))})
	if want := "l: &id001\n- *id001"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBanner(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"width=30", "title=One title here", "text=Some text that is longer-than one line of averylongwordthatdoesnotfit"}, `
##############################
#                            #
#       One title here       #
#                            #
# Some text that is longer-  #
# than one line of averylong #
# wordthatdoesnotfit         #
##############################`},
		{[]string{"20", "' *'", "*", "/**", "' */'", "title=odd", "text=x", "newline=True"}, `
/**
 *******************
 *                 *
 *       odd       *
 *                 *
 * x               *
 *******************
 */
`},
		{[]string{"4"}, "\ncannot make a banner: width 4 is too small"},
	} {
		if got := call(t, "banner", module.Words(tt.args...).Args...); "\n"+got != tt.want {
			t.Errorf("%q: got\n%s\nwant%s", tt.args, got, tt.want)
		}
	}
	got := call(t, "banner")
	for line := range strings.SplitSeq(got, "\n") {
		if len(line) != 72 {
			t.Errorf("got line %q", line)
		}
	}
}
