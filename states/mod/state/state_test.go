package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/state"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, state.Module, moduletest.Options{}) }

// agent notes what it is asked to apply.
type agent struct {
	asked host.StateRun
	view  host.View
	jobs  []host.Job
	err   error

	stopped string
}

func (a *agent) Running() []host.Job { return a.jobs }

func (*agent) Signal(string, syscall.Signal) error { return nil }

func (a *agent) SoftStop(jid, id string) error {
	a.stopped = jid + " " + id
	return a.err
}

func (a *agent) Apply(_ context.Context, run host.StateRun) (any, int, error) {
	a.asked = run
	return value.NewDict("test_|-a_|-a_|-nop", &value.Dict{}), 2, a.err
}

func (a *agent) Show(_ context.Context, view host.View, run host.StateRun) (any, int, error) {
	a.asked, a.view = run, view
	return value.NewList(), 0, a.err
}

func call(t *testing.T, a host.Agent, line string) (module.Returned, error) {
	t.Helper()
	words := strings.Split(line, " ")
	f, err := module.NewIndex(state.Module).Func("state." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	h.Agent = a
	return f.Call(t.Context(), h, module.Words(words[1:]...))
}

func TestApply(t *testing.T) {
	for line, want := range map[string]host.StateRun{
		"apply":                       {},
		"apply web":                   {Mods: []string{"web"}},
		"apply web,db.main test=True": {Mods: []string{"web", "db.main"}, Test: true},
		"apply mods=[web,'a,b']":      {Mods: []string{"web", "a", "b"}},
		"apply exclude=a,b":           {Exclude: []string{"a", "b"}},
		"highstate test=True":         {Test: true},
		"sls web queue=True":          {Mods: []string{"web"}},
		"sls web concurrent=True":     {Mods: []string{"web"}},
		"sls 010 saltenv=dev":         {Mods: []string{"010"}, Environment: "dev"},
		"sls_id nginx web":            {ID: "nginx", Mods: []string{"web"}},
		"template /x.sls":             {Path: "/x.sls"},
		"template_str x:":             {Text: "x:"},
		"test web":                    {Mods: []string{"web"}, Test: true},
		"top other.sls":               {Top: "other.sls"},
	} {
		a := &agent{}
		r, err := call(t, a, line)
		if err != nil || r.Retcode != 2 {
			t.Errorf("%s: got retcode %d, %v", line, r.Retcode, err)
		}
		if got := fmt.Sprintf("%+v", a.asked); got != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: asked for %s, want %+v", line, got, want)
		}
	}
}

func TestSoftKill(t *testing.T) {
	a := &agent{}
	for line, want := range map[string]string{
		"soft_kill 20260131120000000123":                "20260131120000000123 ",
		"soft_kill 20260131120000000123 state_id=nginx": "20260131120000000123 nginx",
	} {
		if r, err := call(t, a, line); err != nil || r.Value != true || a.stopped != want {
			t.Errorf("%s: got %v, %v, stopped %s", line, r.Value, err, a.stopped)
		}
	}
	a.err = errors.New("no such job")
	if _, err := call(t, a, "soft_kill 1"); err == nil {
		t.Error("no such job, yet no error")
	}
}

func TestExclude(t *testing.T) {
	f, err := module.NewIndex(state.Module).Func("state.apply")
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{}
	h := hosttest.New(t).Host
	h.Agent = a
	if _, err := f.Call(t.Context(), h, module.Words("exclude=[a, {id: b}, {sls: c*}]")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a.asked.Exclude); got != "[a id:b sls:c*]" {
		t.Errorf("got %s", got)
	}
	want := `cannot call state.apply: argument "exclude": want names of SLS files, or "sls: NAME" and "id: ID", ` +
		`got "[a, {ids: b}]"`
	if _, err := f.Call(t.Context(), h, module.Words("exclude=[a, {ids: b}]")); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSingleKeepsTheTextOfArguments(t *testing.T) {
	a := &agent{}
	if _, err := call(t, a, "single file.managed /x mode=0644 test=True"); err != nil {
		t.Fatal(err)
	}
	args := a.asked.Single.Args
	if len(args) != 2 || args[0].Value != "/x" || args[1].Name != "mode" || args[1].Value.(*module.Value).Text != "0644" {
		t.Errorf("got %+v", a.asked.Single)
	}
	if a.asked.Single.State != "file.managed" || !a.asked.Test {
		t.Errorf("got %+v", a.asked)
	}
}

func TestShow(t *testing.T) {
	for line, want := range map[string]host.View{
		"show_top": host.ShowTop, "show_states": host.ShowStates, "show_highstate": host.ShowHigh,
		"show_lowstate": host.ShowLow, "show_sls web": host.ShowHigh, "show_low_sls web": host.ShowLow,
	} {
		a := &agent{}
		if _, err := call(t, a, line); err != nil || a.view != want || strings.HasSuffix(line, "web") != (len(a.asked.Mods) == 1) {
			t.Errorf("%s: got %v, %+v, %v", line, a.view, a.asked, err)
		}
	}
	if _, err := call(t, nil, "show_top"); err == nil {
		t.Error("no minion, yet no error")
	}
}

func TestRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"sls":            `cannot call state.sls: argument "mods" is missing`,
		"sls ,":          "cannot apply states: mods names no SLS file",
		"apply web tset": `cannot call state.apply: argument "test": want true or false, got "tset"`,
		"apply tets=1":   `cannot call state.apply: unknown argument "tets" (did you mean "test"?)`,
	} {
		if _, err := call(t, &agent{}, line); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	if _, err := call(t, nil, "apply"); err == nil || err.Error() != "cannot apply states: no minion runs here" {
		t.Errorf("without a minion: got %v", err)
	}
	broken := errors.New("the tree is not here")
	if _, err := call(t, &agent{err: broken}, "apply"); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestRunning(t *testing.T) {
	a := &agent{jobs: []host.Job{
		{JID: "1", Function: "test.ping", Started: time.Now()},
		{JID: "2", Function: "state.apply", Started: time.Date(2026, 1, 31, 12, 0, 1, 5000, time.UTC)},
		{JID: "3", Function: "state.sls"},
	}}
	r, err := call(t, a, "running")
	json, jsonErr := value.MarshalJSON(r.Value)
	want := `["The function \"state.apply\" is running and was started at 2026, Jan 31 12:00:01.000005 with jid 2",` +
		`"The function \"state.sls\" is waiting with jid 3"]`
	if err = errors.Join(err, jsonErr); err != nil || string(json) != want {
		t.Errorf("got %s, %v, want %s", json, err, want)
	}
}

func TestFunctionsThatApplyStatesAreMarked(t *testing.T) {
	x := module.NewIndex(state.Module)
	for _, name := range x.Functions() {
		f, err := x.Func(name)
		if err != nil || f.StateRun != slices.Contains(state.Functions, name) {
			t.Errorf("%s: StateRun is %v, %v", name, f.StateRun, err)
		}
	}
}
