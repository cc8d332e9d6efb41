package mine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/config"
	"brine/states/mod/mine"
	"brine/states/mod/test"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, mine.Module, moduletest.Options{}) }

// masters are those that a minion tells and asks.
type masters struct {
	own   map[string]host.MineEntry
	items []host.MineItem
	asked host.MineQuery
	err   error
}

func (m *masters) Get(_ context.Context, q host.MineQuery) ([]host.MineItem, error) {
	m.asked = q
	return m.items, m.err
}

func (m *masters) Edit(_ context.Context, change func(map[string]host.MineEntry)) error {
	change(m.own)
	return m.err
}

func (m *masters) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m.own)) {
		e := m.own[name]
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s=%s %s %s", name, e.Data, e.Allow, e.AllowHow)))
	}
	return strings.Join(all, "; ")
}

func run(t *testing.T, h *host.Host, function string, words ...string) string {
	t.Helper()
	x := module.NewIndex(mine.Module, config.Module, test.Module)
	h.Modules = x
	f, err := x.Func("mine." + function)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Words(words...))
	if err != nil {
		return "error: " + err.Error()
	}
	data, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGet(t *testing.T) {
	item := func(f, m string, v any) host.MineItem { return host.MineItem{Function: f, Minion: m, Value: v} }
	m := &masters{items: []host.MineItem{item("a", "db1", int64(1)), item("a", "web1", int64(2)), item("b", "web1", "x")}}
	h := hosttest.New(t).Host
	h.Mine, h.Grains = m, value.NewDict("id", "web1")
	for _, c := range []struct{ words, asks, want string }{
		{"*|a,b", "* glob [a b]", `{"a":{"db1":1,"web1":2},"b":{"web1":"x"}}`},
		{"*|[b, a, a]|exclude_minion=True", "* glob [a b]", `{"a":{"db1":1}}`},
		{"os:Debian|a|grain", "os:Debian grain [a]", `{"db1":1,"web1":"x"}`},
		{"*|3", "", "error: cannot use fun = 3: want a function or a list of them"},
	} {
		m.asked = host.MineQuery{}
		if got := run(t, h, "get", strings.Split(c.words, "|")...); got != c.want {
			t.Errorf("%s: got %s, want %s", c.words, got, c.want)
		}
		if asks := fmt.Sprint(m.asked.Target, " ", m.asked.Type, " ", m.asked.Functions); c.asks != "" && asks != c.asks {
			t.Errorf("%s: asks %s, want %s", c.words, asks, c.asks)
		}
	}
	m.err = errors.New("too large")
	if got := run(t, h, "get", "*", "a"); got != "error: too large" {
		t.Errorf("got %s", got)
	}
}

// TestNoMaster answers nothing, and says in the log why.
func TestNoMaster(t *testing.T) {
	h := hosttest.New(t)
	var told string
	h.Log = func(level, message string) { told += level + ": " + message }
	if got := run(t, h.Host, "get", "*", "[network.ip_addrs, x]", "expr_form=grain"); got != "{}" ||
		told != "warn: mine.get has no answer: no master is there to ask" {
		t.Errorf("got %s, %q", got, told)
	}
	for _, function := range []string{"flush", "delete x", "send test.ping"} {
		words := strings.Fields(function)
		if got := run(t, h.Host, words[0], words[1:]...); !strings.HasPrefix(got, "error: cannot change the mine") {
			t.Errorf("%s: got %s", function, got)
		}
	}
}

func TestSendDeleteFlush(t *testing.T) {
	m := &masters{own: map[string]host.MineEntry{}}
	h := hosttest.New(t).Host
	h.Mine = m
	for _, c := range []struct{ words, want, own string }{
		{"send|test.ping", "true", "test.ping=true"},
		{"send|me|hello|mine_function=test.echo|allow_tgt=web*", "true", `me="hello" web* glob; test.ping=true`},
		{"send|me|text=ho|mine_function=test.echo|allow_tgt=[a, b]|allow_tgt_type=list", "true", `me="ho" a,b list; test.ping=true`},
		{"send|no.such", `error: cannot send no.such: unknown function "no.such"`, ""},
		{"send|test.ping|allow_tgt=x|allow_tgt_type=globb", `error: cannot send test.ping: allow_tgt_type = "globb": want one of`, ""},
		{"delete|test.ping", "true", `me="ho" a,b list`},
		{"flush", "true", ""},
	} {
		words := strings.Split(c.words, "|")
		got := run(t, h, words[0], words[1:]...)
		if c.own == "" && strings.HasPrefix(c.want, "error") {
			if !strings.HasPrefix(got, strings.SplitAfter(c.want, ": ")[0]) {
				t.Errorf("%s: got %s, want %s", c.words, got, c.want)
			}
			continue
		}
		if got != c.want || m.String() != c.own {
			t.Errorf("%s: got %s and %s, want %s and %s", c.words, got, m, c.want, c.own)
		}
	}
}

func TestUpdateAndValid(t *testing.T) {
	m := &masters{own: map[string]host.MineEntry{"old": {Data: []byte("1")}}}
	h := hosttest.New(t).Host
	var told []string
	h.Log = func(level, message string) { told = append(told, level+": "+message) }
	h.Mine = m
	if got, none := run(t, h, "update"), run(t, h, "valid"); got != "null" || none != "null" {
		t.Errorf("without functions: got %s, %s", got, none)
	}
	h.Config = value.NewDict("mine_functions", value.NewDict(
		"test.ping", value.NewList(), "both", value.NewList(value.NewDict("mine_function", "test.echo"), "conf"),
		"no.such", value.NewList()))
	h.Pillar = value.NewDict("mine_functions", value.NewDict(
		"both", value.NewList("pillar"),
		"named", value.NewDict("mine_function", "test.echo", "text", "named", "allow_tgt", "db*", "allow_tgt_type", "pcre")))
	want := `both="conf"; named="named" db* pcre; old=1; test.ping=true`
	if got := run(t, h, "update"); got != "true" || m.String() != want {
		t.Errorf("got %s and %s, want %s", got, m, want)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "error: no.such is not told to the mine") {
		t.Errorf("told %q", told)
	}
	want = `{"both":{"test.echo":["conf"]},"named":{"test.echo":[{"text":"named"}]},"test.ping":[]}`
	if got := run(t, h, "valid"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := run(t, h, "update", "mine_functions=[test.ping]", "clear=True"); got != "true" || m.String() != "test.ping=true" {
		t.Errorf("got %s and %s", got, m)
	}
	for functions, want := range map[string]string{
		"mine_functions={test.ping: 3}": "error: cannot read mine_functions: test.ping: want a list or a map of arguments, got ",
		"mine_functions=3":              "error: cannot read mine_functions: want a map of functions",
	} {
		if got := run(t, h, "update", functions); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", functions, got, want)
		}
	}
}
