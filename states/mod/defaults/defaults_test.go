package defaults_test

import (
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/defaults"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, defaults.Module, moduletest.Options{}) }

func call(t *testing.T, h *host.Host, name string, args ...module.Arg) (any, string) {
	t.Helper()
	f, err := module.NewIndex(defaults.Module).Func("defaults." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Input{Args: args})
	if err != nil {
		return nil, err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return r.Value, string(json)
}

func TestFunctions(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://core/defaults.yaml", "users:\n  root: 0\n  list: [a, {b: c}]\n", 0o644)
	h.Files.Serve("salt://old/defaults.json", `{"port": 80}`, 0o644)
	h.Files.Serve("salt://empty/defaults.yaml", "# nothing\n", 0o644)
	h.Files.Serve("salt://broken/defaults.json", `{"port": `, 0o644)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"get", []string{"core:users:root"}, "0"},
		{"get", []string{"core:users:list:1:b"}, `"c"`},
		{"get", []string{"core:users:list:b"}, `"c"`},
		{"get", []string{"core:users:ann"}, `""`},
		{"get", []string{"core:users:ann", "none"}, `"none"`},
		{"get", []string{"core"}, `{"users":{"root":0,"list":["a",{"b":"c"}]}}`},
		{"get", []string{"old:port"}, "80"},
		{"get", []string{"empty"}, "{}"},
		{"get", []string{"nosuch"}, "null"},
		{"get", []string{"nosuch:key", "x"}, `"x"`},
		{"get", []string{"broken:port"}, `cannot read "salt://broken/defaults.json": cannot read JSON: it ends too early`},
		{"merge", []string{"{a: {b: 1, l: [1]}}", "{a: {c: 2, l: [2]}}"}, `{"a":{"b":1,"l":[2],"c":2}}`},
		{"merge", []string{"{l: [1, 2]}", "{l: [2, 3]}", "merge_lists=True"}, `{"l":[1,2,3]}`},
		{"merge", []string{"null", "{a: 1}"}, `{"a":1}`},
		{"merge", []string{"{a: 1}", "null"}, `{"a":1}`},
		{"merge", []string{"null", "null", "convert_none=False"},
			"cannot merge: argument \"dest\" is nothing\ncannot merge: argument \"src\" is nothing"},
		{"update", []string{"{web1: {port: 81, l: [1]}, web2: {}, web3: null}", "{port: 80, l: [0]}"},
			`{"web1":{"port":81,"l":[0,1]},"web2":{"port":80,"l":[0]},"web3":{"port":80,"l":[0]}}`},
		{"update", []string{"{web1: {l: [1]}}", "{l: [0]}", "merge_lists=False"}, `{"web1":{"l":[1]}}`},
		{"update", []string{"{web1: 5}", "{l: [0]}"}, "cannot lay web1 over the defaults: want a map, got integer"},
		{"deepcopy", []string{"{a: [1]}"}, `{"a":[1]}`},
	} {
		if _, got := call(t, h.Host, tt.name, module.Words(tt.args...).Args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
	if _, got := call(t, &host.Host{}, "get", module.Words("core").Args...); got == "null" {
		t.Errorf("without masters: got %s", got)
	}
}

// What a template holds is changed in place, unless it asks for a copy.
func TestInPlace(t *testing.T) {
	for _, tt := range []struct {
		name    string
		inPlace bool
		want    string
	}{
		{"merge", true, `{"a":{"b":1,"c":2},"d":{"c":2}}`},
		{"merge", false, `{"a":{"b":1}}`},
		{"update", true, `{"a":{"a":{"c":2},"d":{"c":2},"b":1}}`},
		{"update", false, `{"a":{"b":1}}`},
	} {
		dest := value.NewDict("a", value.NewDict("b", int64(1)))
		src := value.NewDict("a", value.NewDict("c", int64(2)), "d", value.NewDict("c", int64(2)))
		got, _ := call(t, nil, tt.name, module.Arg{Value: module.Data(dest)}, module.Arg{Value: module.Data(src)},
			module.Arg{Name: "in_place", Value: module.Data(tt.inPlace)})
		json, _ := value.MarshalJSON(dest)
		if string(json) != tt.want || (got == dest) != tt.inPlace {
			t.Errorf("%s in place %v: got %s, want %s", tt.name, tt.inPlace, json, tt.want)
		}
		if json, _ := value.MarshalJSON(src); string(json) != `{"a":{"c":2},"d":{"c":2}}` {
			t.Errorf("%s changed what it merged from: %s", tt.name, json)
		}
	}
	dict := value.NewDict("a", value.NewList())
	if got, _ := call(t, nil, "deepcopy", module.Arg{Value: module.Data(dict)}); got == dict {
		t.Error("deepcopy returned the same")
	}
}
