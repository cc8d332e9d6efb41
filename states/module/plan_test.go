package module_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type nameArg struct {
	Name string `arg:"name,required" doc:"d"`
}

// bound makes a state of a plan.
func bound(t *testing.T, look func(context.Context) (module.Plan, error)) *module.Bound {
	t.Helper()
	x := module.NewIndex(module.Module{Name: "m", States: []module.State{{
		Name: "s",
		Plan: module.Look(func(ctx context.Context, _ *host.Host, _ nameArg) (module.Plan, error) { return look(ctx) }),
	}}})
	s, err := x.State("m.s")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words("name=x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func show(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "none"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	text := fmt.Sprintf("%s %s %q", result, json, r.Comment)
	if r.Unknown {
		text += " unknown"
	}
	return text
}

func change(what string, err error) module.Step {
	return module.Replace(what, "old", "new", func(context.Context) error { return err })
}

func later(done module.Done, err error) module.Step {
	return module.Step{
		Changes: value.NewDict("cmd", "x"),
		Do:      func(context.Context) (module.Done, error) { return done, err },
	}
}

func TestRun(t *testing.T) {
	broken := errors.New("it broke")
	for _, tt := range []struct {
		name         string
		plan         module.Plan
		err          error
		inTest, real string
	}{
		{"nothing to do", module.Plan{}, nil,
			`true {} "already in the wanted state"`, `true {} "already in the wanted state"`},
		{"nothing to do, in words", module.Plan{Same: "fine", Did: "did"}, nil, `true {} "fine"`, `true {} "fine"`},
		{"two changes", module.Plan{Steps: []module.Step{change("a", nil), change("b", nil)}}, nil,
			`none {"a":{"old":"old","new":"new"},"b":{"old":"old","new":"new"}} "would change: a, b"`,
			`true {"a":{"old":"old","new":"new"},"b":{"old":"old","new":"new"}} "changed: a, b"`},
		{"in words", module.Plan{Steps: []module.Step{change("a", nil)}, Would: "would", Did: "did"}, nil,
			`none {"a":{"old":"old","new":"new"}} "would"`, `true {"a":{"old":"old","new":"new"}} "did"`},
		{"fails half way", module.Plan{Steps: []module.Step{change("a", nil), change("b", broken), change("c", nil)}}, nil,
			`none {"a":{"old":"old","new":"new"},"b":{"old":"old","new":"new"},"c":{"old":"old","new":"new"}} ` +
				`"would change: a, b, c"`,
			`false {"a":{"old":"old","new":"new"}} "it broke"`},
		{"known afterwards", module.Plan{
			Steps: []module.Step{later(module.Done{Changes: value.NewDict("pid", 1), Comment: "ran"}, nil)}, Did: "did",
		}, nil, `none {"cmd":"x"} "would change: cmd"`, `true {"pid":1} "ran"`},
		{"nothing after all", module.Plan{
			Steps: []module.Step{later(module.Done{Changes: &value.Dict{}}, nil)}, Same: "fine",
		}, nil, `none {"cmd":"x"} "would change: cmd"`, `true {} "fine"`},
		{"changed and failed", module.Plan{
			Steps: []module.Step{later(module.Done{Changes: value.NewDict("pid", 1)}, broken)},
		}, nil, `none {"cmd":"x"} "would change: cmd"`, `false {"pid":1} "it broke"`},
		{"cannot look", module.Plan{}, broken, `false {} "it broke"`, `false {} "it broke"`},
		{"cannot tell yet", module.Plan{}, fmt.Errorf("look: %w", module.Unknown("no user %q", "bob")),
			`false {} "look: no user \"bob\"" unknown`, `false {} "look: no user \"bob\"" unknown`},
	} {
		b := bound(t, func(context.Context) (module.Plan, error) { return tt.plan, tt.err })
		if got := show(b.Run(t.Context(), &host.Host{}, true)); got != tt.inTest {
			t.Errorf("%s, in test mode:\ngot  %s\nwant %s", tt.name, got, tt.inTest)
		}
		if got := show(b.Run(t.Context(), &host.Host{}, false)); got != tt.real {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.real)
		}
	}
}

func TestTestModeDoesNothing(t *testing.T) {
	b := bound(t, func(context.Context) (module.Plan, error) {
		return module.Plan{Steps: []module.Step{module.Change("a", 1, func(context.Context) error {
			t.Error("a step was done in test mode")
			return nil
		})}}, nil
	})
	b.Run(t.Context(), &host.Host{}, true)
}

func TestCancelStopsBetweenSteps(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	b := bound(t, func(context.Context) (module.Plan, error) {
		return module.Plan{Steps: []module.Step{
			module.Change("a", 1, func(context.Context) error { cancel(errors.New("cancelled by ann")); return nil }),
			change("b", nil),
		}}, nil
	})
	if got, want := show(b.Run(ctx, &host.Host{}, false)), `false {"a":1} "cancelled by ann"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPanicIsAnError(t *testing.T) {
	for name, plan := range map[string]func(context.Context) (module.Plan, error){
		"look": func(context.Context) (module.Plan, error) { panic("oops") },
		"step": func(context.Context) (module.Plan, error) {
			return module.Plan{Steps: []module.Step{module.Change("a", 1, func(context.Context) error { panic("oops") })}}, nil
		},
		"runtime": func(context.Context) (module.Plan, error) { return module.Plan{}, []error{}[len(name0)] },
	} {
		r := bound(t, plan).Run(t.Context(), &host.Host{}, false)
		if r.Result == nil || *r.Result || !strings.HasPrefix(r.Comment, "cannot go on with m.s: panic: ") ||
			!strings.Contains(r.Comment, "module_test.TestPanicIsAnError") {
			t.Errorf("%s: got %s", name, show(r))
		}
	}
}

var name0 = ""

func TestWatch(t *testing.T) {
	state := func(watch module.Watcher) *module.Bound {
		x := module.NewIndex(module.Module{Name: "m", States: []module.State{{
			Name: "s", Watch: watch,
			Plan: module.Look(func(context.Context, *host.Host, nameArg) (module.Plan, error) { return module.Plan{}, nil }),
		}}})
		s, err := x.State("m.s")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words("name=nginx"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	restarts := state(module.React(func(_ context.Context, _ *host.Host, a nameArg, changed []string) (module.Plan, error) {
		return module.Plan{Steps: []module.Step{change(a.Name+" after "+strings.Join(changed, ","), nil)}}, nil
	}))
	want := `true {"nginx after pkg: a,file: b":{"old":"old","new":"new"}} "changed: nginx after pkg: a,file: b"`
	if got := show(restarts.RunWatch(t.Context(), &host.Host{}, []string{"pkg: a", "file: b"}, false)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := show(state(module.Watcher{}).RunWatch(t.Context(), &host.Host{}, []string{"x"}, false)); got != `true {} "already in the wanted state"` {
		t.Errorf("without a watcher: got %s", got)
	}
}

func TestReturns(t *testing.T) {
	x := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{
		{Name: "list", Do: module.Call(func(context.Context, *host.Host, struct{}) ([]string, error) { return []string{"a"}, nil })},
		{Name: "none", Do: module.Call(func(context.Context, *host.Host, struct{}) (*value.Dict, error) { return nil, nil })},
		{Name: "odd", Do: module.Call(func(context.Context, *host.Host, struct{}) (any, error) { return make(chan int), nil })},
		{Name: "retcode", Do: module.Call(func(context.Context, *host.Host, struct{}) (module.Returned, error) {
			return module.Returned{Value: 1, Retcode: 5}, nil
		})},
		{Name: "panics", Do: module.Call(func(context.Context, *host.Host, struct{}) (any, error) { panic("oops") })},
	}})
	for name, want := range map[string]string{
		"m.list": `["a"] 0`, "m.none": "{} 0", "m.retcode": "1 5",
		"m.odd":    "cannot return the value of m.odd: cannot use a Go chan int as a value",
		"m.panics": "cannot go on with m.panics: panic: oops, at brine/states/module_test.TestReturns.func",
		"m.nosuch": `unknown function "m.nosuch": module "m" has list, none, odd, panics, retcode`,
	} {
		v, retcode, err := x.Call(t.Context(), nil, name, nil, nil)
		json, jsonErr := value.MarshalJSON(v)
		got := fmt.Sprintf("%s %d", json, retcode)
		if err != nil {
			got = err.Error()
		}
		if jsonErr != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, %v, want %s", name, got, jsonErr, want)
		}
	}
}

func TestIndexRefusesMistakesInModules(t *testing.T) {
	f := module.Func{Name: "f", Do: module.Call(func(context.Context, *host.Host, struct{}) (any, error) { return nil, nil })}
	look := module.Look(func(context.Context, *host.Host, nameArg) (module.Plan, error) { return module.Plan{}, nil })
	react := module.React(func(context.Context, *host.Host, struct{}, []string) (module.Plan, error) { return module.Plan{}, nil })
	for name, mods := range map[string][]module.Module{
		"one module twice":      {{Name: "a"}, {Name: "a"}},
		"one function twice":    {{Name: "a", Funcs: []module.Func{f, f}}},
		"plan and watch differ": {{Name: "a", States: []module.State{{Name: "s", Plan: look, Watch: react}}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			module.NewIndex(mods...)
		}()
	}
}

func TestOnlyFunctionsOfTheShapeAreTaken(t *testing.T) {
	fine := func(context.Context, *host.Host, struct{}) (string, error) { return "", nil }
	for name, make := range map[string]func(){
		"nothing":                 func() { module.Call(nil) },
		"no function":             func() { module.Call("f") },
		"no host":                 func() { module.Call(func(context.Context, struct{}) (any, error) { return nil, nil }) },
		"no error":                func() { module.Call(func(context.Context, *host.Host, struct{}) any { return nil }) },
		"arguments are no struct": func() { module.Call(func(context.Context, *host.Host, string) (any, error) { return nil, nil }) },
		"a function as a state":   func() { module.Look(fine) },
		"a state as a watcher": func() {
			module.React(func(context.Context, *host.Host, struct{}) (module.Plan, error) { return module.Plan{}, nil })
		},
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "module: want func(context.Context, *host.Host, struct {}") {
					t.Errorf("%s: got panic %q", name, p)
				}
			}()
			make()
		}()
	}
	module.Call(fine)
}

func TestForetellStandsForTheSteps(t *testing.T) {
	bad := errors.New("cannot ask it")
	for _, tt := range []struct {
		done module.Done
		err  error
		want string
	}{
		{module.Done{Changes: value.NewDict("a", "b"), Comment: "c"}, nil, `none {"a":"b"} "c"`},
		{module.Done{Changes: value.NewDict("a", "b")}, nil, `none {"a":"b"} "would"`},
		{module.Done{Comment: "c"}, nil, `true {} "c"`},
		{module.Done{}, nil, `true {} "already in the wanted state"`},
		{module.Done{Changes: value.NewDict("a", "b")}, bad, `false {"a":"b"} "cannot ask it"`},
	} {
		b := bound(t, func(context.Context) (module.Plan, error) {
			return module.Plan{
				Steps: []module.Step{change("x", nil)}, Would: "would",
				Foretell: func(context.Context) (module.Done, error) { return tt.done, tt.err },
			}, nil
		})
		if got := show(b.Run(t.Context(), &host.Host{}, true)); got != tt.want {
			t.Errorf("test mode: got %s, want %s", got, tt.want)
		}
		if got := show(b.Run(t.Context(), &host.Host{}, false)); !strings.HasPrefix(got, `true {"x"`) {
			t.Errorf("got %s", got)
		}
	}
}

func TestNestedCallsKnowIt(t *testing.T) {
	x := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{{
		Name: "f",
		Do: module.Call(func(ctx context.Context, _ *host.Host, _ struct{}) (bool, error) {
			return module.Nested(ctx), nil
		}),
	}}})
	if got, _, err := x.Call(t.Context(), nil, "m.f", nil, nil); got != true || err != nil {
		t.Errorf("by name: got %v, %v", got, err)
	}
	f, err := x.Func("m.f")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Call(t.Context(), nil, module.Input{}); got.Value != false || err != nil {
		t.Errorf("by an operator: got %v, %v", got, err)
	}
}
