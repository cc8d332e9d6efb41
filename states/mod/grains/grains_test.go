package grains_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/grains"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

// newHost makes a host with a few grains, of which the custom ones are roles, old_role and apps.
func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Facts.Set("id", "web1.example.com", "os", "Debian", "os_family", "Debian", "osrelease_info", value.NewList(int64(12), int64(5)),
		"host", "web1", "serialnumber", "12345678", "systemd", value.NewDict("version", "252"), "none", nil,
		"dns", value.NewDict("search", value.NewList("a.example", "b.example"), "domain", ""))
	h.Write("/etc/brine/grains", `{"roles":["web","db"],"old_role":"x","apps":{"web":{"port":80}},"ports":{"80":"http"},`+
		`"mixed":["plain",{"inner":7}]}`)
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, grains.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		h := newHost(t)
		h.Write("/etc/brine/grains", `{"roles":["db"],"old_role":"x"}`)
		return h
	}})
}

func call(t *testing.T, h *hosttest.Host, line string) (string, int, error) {
	t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	f, err := module.NewIndex(grains.Module).Func("grains." + name)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	if rest != "" {
		words = strings.Split(rest, " | ")
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words...))
	if err != nil {
		return "", r.Retcode, err
	}
	data, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), r.Retcode, nil
}

func TestReading(t *testing.T) {
	h := newHost(t)
	for line, want := range map[string]string{
		"get os":                                 `"Debian"`,
		"get nosuch":                             `""`,
		"get nosuch | default=7":                 `7`,
		"get none | default=7":                   `null`,
		"get os:nosuch":                          `""`,
		"get apps:web:port":                      `80`,
		"get apps/web | delimiter=/":             `{"port":80}`,
		"get roles:1":                            `"db"`,
		"get roles:-1":                           `"db"`,
		"get roles:2":                            `""`,
		"get mixed:inner":                        `7`,
		"get osrelease_info:0":                   `12`,
		"fetch os":                               `"Debian"`,
		"has_value os":                           `true`,
		"has_value none":                         `true`,
		"has_value dns:nosuch":                   `false`,
		"item os | roles | nosuch":               `{"os":"Debian","roles":["web","db"],"nosuch":""}`,
		"item serialnumber | id | sanitize=true": `{"serialnumber":"123456XX","id":"MINION.DOMAINNAME"}`,
		"equals os | Debian":                     `true`,
		"equals systemd:version | 252":           `true`,
		"equals osrelease_info | [12, 5]":        `true`,
		"equals nosuch | x":                      `false`,
		"ls":                                     `["apps","dns","host","id","mixed","none","old_role","os","os_family","osrelease_info","ports","roles","serialnumber","systemd"]`,
		"warnings":                               `[]`,
	} {
		if got, _, err := call(t, h, line); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
}

func TestFilterBy(t *testing.T) {
	h := newHost(t)
	for line, want := range map[string]string{
		"{Debian: a, RedHat: b}":                                     `"a"`,
		"{RedHat: b}":                                                `null`,
		"{RedHat: b, default: c}":                                    `"c"`,
		"{RedHat: b} | default=RedHat":                               `"b"`,
		"{web*: a, default: b} | id":                                 `"a"`,
		"{'web[0-9].*': a} | id":                                     `"a"`,
		"{db: a, web: b} | roles":                                    `"b"`,
		"{cache: a, 'd?': b} | roles":                                `"b"`,
		"{12: a} | osrelease_info":                                   `"a"`,
		"{None: a, default: b} | none":                               `"a"`,
		"{a: 1, default: 2} | nosuch":                                `2`,
		"{'252': a} | systemd:version":                               `"a"`,
		"{Debian: {a: 1, b: {c: 2}}} | merge={b: {d: 3}}":            `{"a":1,"b":{"c":2,"d":3}}`,
		"{Debian: {a: 1}} | merge=''":                                `{"a":1}`,
		"{Debian: {a: [1]}} | merge={a: [2]}":                        `{"a":[2]}`,
		"{RedHat: {}} | merge={a: 1}":                                `{"a":1}`,
		"{A: B, C: {D: {E: F, G: H}}} | xxx | {D: {E: I}, J: K} | C": `{"D":{"E":"I","G":"H"},"J":"K"}`,
		"{default: {A: {B: C}, D: E}, F: {A: {B: G}}, H: {D: I}} | xxx | {D: J} | F | default": `{"A":{"B":"G"},"D":"J"}`,
		"{default: {A: {B: C}, D: E}, F: {A: {B: G}}, H: {D: I}} | xxx | {D: J} | H | default": `{"A":{"B":"C"},"D":"J"}`,
		"{base: {a: 1, b: 2}, Debian: {b: 3}} | base=base":                                     `{"a":1,"b":3}`,
		"{base: {a: 1}} | base=base": `{"a":1}`,
	} {
		if got, _, err := call(t, h, "filter_by "+line); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"{Debian: a} | merge=[1]":               "filter_by merge argument must be a dictionary, got a list",
		"{Debian: a} | merge={b: 1}":            "cannot lay the merge argument over a text",
		"{base: {a: 1}, Debian: x} | base=base": "filter_by default and look-up values must both be dictionaries",
	} {
		if _, _, err := call(t, h, "filter_by "+line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}

func TestFilterByLeavesTheMapAlone(t *testing.T) {
	lookup := value.NewDict("Debian", value.NewDict("a", int64(1)))
	before, _ := value.Clone(lookup)
	x := module.NewIndex(grains.Module)
	for range 2 {
		got, _, err := x.Call(t.Context(), newHost(t).Host, "grains.filter_by", []any{lookup},
			value.NewDict("merge", value.NewDict("b", int64(2))))
		if err != nil || !value.Equal(got, value.NewDict("a", int64(1), "b", int64(2))) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if !value.Equal(lookup, before) {
		t.Errorf("the lookup map has become %v", lookup)
	}
}

// TestSetting runs each line on a fresh host and looks at one grain afterwards.
func TestSetting(t *testing.T) {
	for _, c := range []struct{ line, returned, look, after string }{
		{"setval role | web", `{"role":"web"}`, "role", `"web"`},
		{"setval roles | [cache]", `{"roles":["cache"]}`, "roles", `["cache"]`},
		{"setval os | Other", `{"os":"Other"}`, "os", `"Other"`},
		{"setval old_role | None | destructive=true", `{"old_role":null}`, "old_role", `""`},
		{"setvals {a: 1, b: [x]}", `{"a":1,"b":["x"]}`, "b", `["x"]`},
		{"setvals {old_role: null} | destructive=true", `{"old_role":null}`, "old_role", `""`},
		{"append roles | cache", `{"roles":["web","db","cache"]}`, "roles", `["web","db","cache"]`},
		{"append roles | [a, b]", `{"roles":["web","db","a","b"]}`, "roles", `["web","db","a","b"]`},
		{"append roles | web", `"The val web was already in the list roles"`, "roles", `["web","db"]`},
		{"append new | 1", `{"new":[1]}`, "new", `[1]`},
		{"append old_role | y | convert=true", `{"old_role":["x","y"]}`, "old_role", `["x","y"]`},
		{"append deep:er:list | 1", `{"deep":{"er":{"list":[1]}}}`, "deep:er:list", `[1]`},
		{"append apps:web:names | w", `{"apps":{"web":{"port":80,"names":["w"]}}}`, "apps:web:names", `["w"]`},
		{"remove roles | web", `{"roles":["db"]}`, "roles", `["db"]`},
		{"remove roles | nosuch", `"The val nosuch was not in the list roles"`, "roles", `["web","db"]`},
		{"set role | web", `{"comment":"","changes":{"role":"web"},"result":true}`, "role", `"web"`},
		{"set old_role | x", `{"comment":"Grain is already set","changes":{},"result":true}`, "old_role", `"x"`},
		{"set apps:web:port | 8080", `{"comment":"","changes":{"apps":{"web":{"port":8080}}},"result":true}`, "apps:web:port", `8080`},
		{"set a/b | 1 | delimiter=/", `{"comment":"","changes":{"a":{"b":1}},"result":true}`, "a:b", `1`},
		{"set apps | x | force=true", `{"comment":"","changes":{"apps":"x"},"result":true}`, "apps", `"x"`},
		{"set mixed:inner | 8", `{"comment":"","changes":{"mixed":["plain",{"inner":8}]},"result":true}`, "mixed:inner", `8`},
		{"set mixed:plain | 8", `{"comment":"","changes":{"mixed":[{"plain":8},{"inner":7}]},"result":true}`, "mixed:plain", `8`},
		{"delval old_role", `{"comment":"","changes":{"old_role":null},"result":true}`, "old_role", `null`},
		{"delval old_role | destructive=true", `{"comment":"","changes":{"old_role":null},"result":true}`, "old_role", `""`},
		{"delkey old_role", `{"comment":"","changes":{"old_role":null},"result":true}`, "old_role", `""`},
		{"delkey roles | force=true", `{"comment":"","changes":{"roles":null},"result":true}`, "roles", `""`},
		{"delkey apps:web | force=true", `{"comment":"","changes":{"apps":{}},"result":true}`, "apps", `{}`},
	} {
		h := newHost(t)
		if got, code, err := call(t, h, c.line); err != nil || got != c.returned || code != 0 {
			t.Errorf("%s: got %s, %d, %v, want %s", c.line, got, code, err, c.returned)
		}
		if got, _, err := call(t, h, "get "+c.look); err != nil || got != c.after {
			t.Errorf("%s: %s is %s, %v, want %s", c.line, c.look, got, err, c.after)
		}
	}
}

func TestRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"set roles | x":      `{"comment":"cannot set \"roles\": it is a list or a map (force=true overwrites it)","changes":{},"result":false}`,
		"set old_role | [x]": `{"comment":"cannot set \"old_role\" to a list or a map: it has a value (force=true overwrites it)","changes":{},"result":false}`,
		"set old_role:y | 1": `{"comment":"cannot set \"y\" inside of \"old_role\", whose value is 'x' (force=true overwrites it)","changes":{},"result":false}`,
		"delkey os":          `{"comment":"cannot delete grain \"os\": it is no custom one","changes":{},"result":false}`,
		"delval roles":       `{"comment":"cannot set \"roles\": it is a list or a map (force=true overwrites it)","changes":{},"result":false}`,
		"set fixed | 1":      `{"comment":"cannot set grain \"fixed\": minion.toml gives it a value, which counts more than custom grains","changes":{},"result":false}`,
	} {
		h := newHost(t)
		h.Facts.Fix("fixed", "minion.toml")
		before := h.Read("/etc/brine/grains")
		if got, code, err := call(t, h, line); err != nil || got != want || code != 1 {
			t.Errorf("%s: got %s, %d, %v, want %s", line, got, code, err, want)
		}
		if h.Read("/etc/brine/grains") != before {
			t.Errorf("%s: the file was changed", line)
		}
	}
	for line, want := range map[string]string{
		"append old_role | y":      "the grain old_role is no list, but a text",
		"remove os | y":            "the grain os is no list, but a text",
		"setval fixed | 1":         "minion.toml gives it a value",
		"setvals {a: 1, fixed: 2}": "minion.toml gives it a value",
		"setvals [a]":              `argument "grains"`,
		"setval '' | 1":            "a grain without a name",
	} {
		h := newHost(t)
		h.Facts.Fix("fixed", "minion.toml")
		if _, _, err := call(t, h, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
		if strings.Contains(h.Read("/etc/brine/grains"), `"a"`) {
			t.Errorf("%s: something was set", line)
		}
	}
	h := newHost(t)
	h.Host.Facts, h.Host.Grains = nil, value.NewDict("os", "Alpine")
	if got, _, err := call(t, h, "get os"); err != nil || got != `"Alpine"` {
		t.Errorf("without facts: got %s, %v", got, err)
	}
	if _, _, err := call(t, h, "setval a | 1"); err == nil {
		t.Error("set a grain of a host that has no place for it")
	}
}

func TestEditsAtTheSameTimeAreAllKept(t *testing.T) {
	h := newHost(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, _, err := call(t, h, fmt.Sprintf("append par | %d", i)); err != nil {
				t.Error(err)
			}
			if r := apply(t, h, "list_present", fmt.Sprintf("name: both, value: %d", i), false); r.Result == nil || !*r.Result {
				t.Error(r.Comment)
			}
		})
	}
	all.Wait()
	for _, name := range []string{"par", "both"} {
		got, _, err := call(t, h, "get "+name)
		if n := strings.Count(got, ",") + 1; n != 20 || err != nil {
			t.Errorf("%s has %d values of 20: %s, %v", name, n, got, err)
		}
	}
}

// apply declares one state and runs it.
func apply(t *testing.T, h *hosttest.Host, function, args string, test bool) module.Result {
	t.Helper()
	s, err := module.NewIndex(grains.Module).State("grains." + function)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := yaml.Parse("args", []byte("{"+args+"}"))
	if err != nil {
		t.Fatal(err)
	}
	in := module.Input{}
	for _, p := range doc.Pairs {
		in.Args = append(in.Args, module.Arg{Name: p.Key.Value.(string), Value: module.Node(p.Value)})
	}
	b, err := s.Bind(in)
	if err != nil {
		t.Fatal(err)
	}
	return b.Run(t.Context(), h.Host, test)
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, args, would, did, changes, look, after string }{
		{"present", "name: role, value: web", "Grain role is set to be added", "Set grain role to web", `{"role":"web"}`, "role", `"web"`},
		{"present", "name: old_role, value: y", "Grain old_role is set to be changed", "Set grain old_role to y", `{"old_role":"y"}`, "old_role", `"y"`},
		{"present", "name: 'a,b', delimiter: ',', value: 1", "Grain a:b is set to be added", "Set grain a:b to 1", `{"a":{"b":1}}`, "a:b", `1`},
		{"present", "name: roles, value: [x], force: true", "Grain roles is set to be changed", "Set grain roles to ['x']", `{"roles":["x"]}`, "roles", `["x"]`},
		{"absent", "name: old_role", "Value for grain old_role is set to be deleted (None)", "Value for grain old_role was set to None", `{"grain":"old_role","value":null}`, "old_role", `null`},
		{"absent", "name: old_role, destructive: true", "Grain old_role is set to be deleted", "Grain old_role was deleted", `{"deleted":"old_role"}`, "old_role", `""`},
		{"absent", "name: 'apps:web', destructive: true, force: true", "Grain apps:web is set to be deleted", "Grain apps:web was deleted", `{"deleted":"apps:web"}`, "apps", `{}`},
		{"append", "name: roles, value: cache", "Value cache in grain roles is set to be added", "Value cache was added to grain roles", `{"added":"cache"}`, "roles", `["web","db","cache"]`},
		{"append", "name: old_role, value: y, convert: true", "Value y in grain old_role is set to be added", "Value y was added to grain old_role", `{"added":"y"}`, "old_role", `["x","y"]`},
		{"list_present", "name: roles, value: cache", "Value cache is set to be appended to grain roles", "Append value cache to grain roles", `{"new":{"roles":["web","db","cache"]}}`, "roles", `["web","db","cache"]`},
		{"list_present", "name: roles, value: [db, x, y]", "Value ['x', 'y'] is set to be appended to grain roles", "Append value ['x', 'y'] to grain roles", `{"new":{"roles":["web","db","x","y"]}}`, "roles", `["web","db","x","y"]`},
		{"list_present", "name: 'new:list', value: x", "Value x is set to be appended to grain new:list", "Append value x to grain new:list", `{"new":{"new:list":["x"]}}`, "new:list", `["x"]`},
		{"list_absent", "name: roles, value: [db, nosuch]", "Value db in grain roles is set to be deleted\nValue nosuch is absent from grain roles", "Value db was deleted from grain roles\nValue nosuch is absent from grain roles", `{"deleted":["db"]}`, "roles", `["web"]`},
	} {
		h := newHost(t)
		before := h.Read("/etc/brine/grains")
		r := apply(t, h, c.state, c.args, true)
		if r.Result != nil || r.Comment != c.would || h.Read("/etc/brine/grains") != before {
			t.Errorf("%s %s in test mode: got %v, %q", c.state, c.args, r.Result, r.Comment)
		}
		r = apply(t, h, c.state, c.args, false)
		changes, _ := value.MarshalJSON(r.Changes)
		if r.Result == nil || !*r.Result || r.Comment != c.did || string(changes) != c.changes {
			t.Errorf("%s %s: got %v, %q, %s", c.state, c.args, r.Result, r.Comment, changes)
		}
		if got, _, _ := call(t, h, "get "+c.look); got != c.after {
			t.Errorf("%s %s: %s is %s, want %s", c.state, c.args, c.look, got, c.after)
		}
		if r = apply(t, h, c.state, c.args, false); r.Result == nil || !*r.Result || r.Changes.Len() > 0 {
			t.Errorf("%s %s again: got %v, %q, %v", c.state, c.args, r.Result, r.Comment, r.Changes)
		}
	}
}

func TestStatesThatFail(t *testing.T) {
	for _, c := range [][3]string{
		{"present", "name: roles, value: x", "cannot set \"roles\": it is a list or a map (force=true overwrites it)"},
		{"present", "name: fixed, value: x", "minion.toml gives it a value"},
		{"absent", "name: roles", "it is a list or a map (force=true overwrites it)"},
		{"absent", "name: os, destructive: true", "cannot delete grain \"os\": it is no custom one"},
		{"append", "name: nosuch, value: x", "Grain nosuch does not exist"},
		{"append", "name: os, value: x", "the grain os is no list, but a text"},
		{"exists", "name: nosuch", "Grain does not exist"},
		{"list_present", "name: os, value: x", "the grain os is no list, but a text"},
		{"list_absent", "name: os, value: x", "the grain os is no list, but a text"},
	} {
		h := newHost(t)
		h.Facts.Fix("fixed", "minion.toml")
		before := h.Read("/etc/brine/grains")
		if r := apply(t, h, c[0], c[1], false); r.Result == nil || *r.Result || !strings.Contains(r.Comment, c[2]) {
			t.Errorf("%s %s: got %v, %q, want %s", c[0], c[1], r.Result, r.Comment, c[2])
		}
		if h.Read("/etc/brine/grains") != before {
			t.Errorf("%s %s: the file was changed", c[0], c[1])
		}
	}
}
