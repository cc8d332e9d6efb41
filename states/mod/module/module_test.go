package modulemod_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/file"
	modulemod "brine/states/mod/module"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

type echoArgs struct {
	Text  string `arg:"text,required,alias=name" doc:"any text"`
	Times int    `arg:"times" default:"1" doc:"how often"`
}

// functions are what a test's host has to call.
func functions() *module.Index {
	dict := func(pairs ...any) func(context.Context, *host.Host, struct{}) (*value.Dict, error) {
		return func(context.Context, *host.Host, struct{}) (*value.Dict, error) { return value.NewDict(pairs...), nil }
	}
	return module.NewIndex(module.Module{Name: "test", Funcs: []module.Func{
		{Name: "echo", Do: module.Call(func(_ context.Context, _ *host.Host, a echoArgs) (string, error) {
			return fmt.Sprintf("%s x%d", a.Text, a.Times), nil
		})},
		{Name: "false", Do: module.Call(func(context.Context, *host.Host, struct{}) (bool, error) { return false, nil })},
		{Name: "fails", Do: module.Call(func(context.Context, *host.Host, struct{}) (bool, error) { return false, errors.New("cannot do it") })},
		{Name: "code", Do: module.Call(func(context.Context, *host.Host, struct{}) (module.Returned, error) {
			return module.Returned{Value: "bad", Retcode: 2}, nil
		})},
		{Name: "all", Do: module.Call(dict("retcode", int64(1), "comment", "it said no"))},
		{Name: "result", Do: module.Call(dict("result", false))},
		{Name: "good", Do: module.Call(dict("result", true, "comment", "well done"))},
	}})
}

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Host.Modules = functions()
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, modulemod.Module, moduletest.Options{
		Host: newHost, Bare: newHost, Repeats: []string{"run"}, Afterwards: []string{"run", "wait", "watch"},
	})
}

func bind(t *testing.T, name, text string) (*module.Bound, error) {
	t.Helper()
	s, err := module.NewIndex(modulemod.Module).State("module." + name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := yaml.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var in module.Input
	for _, item := range doc.Items {
		p := item.Pairs[0]
		in.Args = append(in.Args, module.Arg{Name: fmt.Sprint(p.Key.Value), Value: module.Node(p.Value)})
	}
	return s.Bind(in)
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestRun(t *testing.T) {
	for _, c := range []struct{ args, test, done string }{
		{"[{name: test.echo}, {text: 0644}]", "would {} Module function test.echo is set to execute",
			`true {"ret":"0644 x1"} Module function test.echo executed`},
		{"[{name: test.echo}, {m_name: hi}, {kwargs: {times: 2}}]", "would {} Module function test.echo is set to execute",
			`true {"ret":"hi x2"} Module function test.echo executed`},
		{"[{name: test.echo}, {args: [hi, 3]}]", "would {} Module function test.echo is set to execute",
			`true {"ret":"hi x3"} Module function test.echo executed`},
		{"[{name: id}, {test.echo: [{text: 0644}, {times: 2}]}, {'test.echo:again': [b]}]",
			"would {} Functions test.echo, test.echo:again to be executed",
			`true {"test.echo":"0644 x2","test.echo:again":"b x1"} test.echo: 0644 x2, test.echo:again: b x1`},
		{"[{name: id}, {test.good: }]", "would {} Functions test.good to be executed",
			`true {"test.good":{"result":true,"comment":"well done"}} test.good: well done`},
		{"[{name: id}, {test.false: []}, {test.fails: []}, {test.all: []}, {test.code: []}, {test.echo: {text: a}}]",
			"would {} Functions test.false, test.fails, test.all, test.code, test.echo to be executed",
			`false {"test.echo":"a x1"} 'test.false' failed: False, 'test.fails' failed: cannot do it, ` +
				`'test.all' failed: it said no, 'test.code' failed: bad, test.echo: a x1`},
		{"[{name: test.false}]", "would {} Module function test.false is set to execute",
			`false {"ret":false} module function test.false failed: False`},
		{"[{name: test.result}]", "would {} Module function test.result is set to execute",
			`false {"ret":{"result":false}} module function test.result failed: {"result":false}`},
		{"[{name: test.ecko}]", `false {} module function test.ecko is not available (did you mean "test.echo"?)`,
			`false {} module function test.ecko is not available (did you mean "test.echo"?)`},
		{"[{name: test.echo}, {txt: a}]",
			"false {} cannot call test.echo: \n    argument \"text\" is missing\n    unknown argument \"txt\" (did you mean \"text\"?)",
			"false {} cannot call test.echo: \n    argument \"text\" is missing\n    unknown argument \"txt\" (did you mean \"text\"?)"},
	} {
		b, err := bind(t, "run", c.args)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		h := newHost(t)
		test, done := told(b.Run(t.Context(), h.Host, true)), told(b.Run(t.Context(), h.Host, false))
		if test != c.test || done != c.done {
			t.Errorf("%s: got %s and %s, want %s and %s", c.args, test, done, c.test, c.done)
		}
	}
}

func TestWaitRunsWhenAWatchedStateChanged(t *testing.T) {
	b, err := bind(t, "wait", "[{name: test.echo}, {text: a}]")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	if got := told(b.Run(t.Context(), h.Host, false)); got != "true {} nothing that it watches has changed" {
		t.Errorf("got %s", got)
	}
	if got := told(b.RunWatch(t.Context(), h.Host, []string{"file: x"}, false)); got != `true {"ret":"a x1"} Module function test.echo executed` {
		t.Errorf("got %s", got)
	}
}

// As in Salt the older form takes arguments of any number beside named ones.
func TestOlderFormWithArgsBesideNamedOnes(t *testing.T) {
	h := hosttest.New(t)
	h.Host.Modules = module.NewIndex(file.Module)
	for _, c := range [][2]string{
		{"[{name: file.write}, {path: /c8}, {args: [l1, l2]}]", "l1\nl2\n"},
		{"[{name: file.append}, {path: /c8}, {args: [l3]}]", "l1\nl2\nl3\n"},
		{"[{name: file.append}, {args: [/c8, l4]}]", "l1\nl2\nl3\nl4\n"},
		{"[{name: file.append}, {args: [a]}, {pth: /c8}]", "l1\nl2\nl3\nl4\n"},
	} {
		b, err := bind(t, "run", c[0])
		if err != nil {
			t.Fatal(err)
		}
		got := told(b.Run(t.Context(), h.Host, false))
		if h.Read("/c8") != c[1] || strings.HasPrefix(got, "false") != strings.Contains(c[0], "pth") {
			t.Errorf("%s: got %s and %q, want %q", c[0], got, h.Read("/c8"), c[1])
		}
	}
}

// What is called is checked before anything of a run is applied.
func TestMistakesOfCallsAreFoundWhenTheRunIsCompiled(t *testing.T) {
	h := newHost(t)
	const text = `
a: {module.run: [{name: nosuch.fn}]}
b:
  module.run:
    - test.echo: [hi, {txt: a}]
    - test.fales: []
c: {module.wait: [{name: test.echo}, {text: a}]}
`
	_, errs := sls.Compile(t.Context(), sls.Dir(fstest.MapFS{"x.sls": {Data: []byte(text)}}), []string{"x"},
		sls.Options{Index: module.NewIndex(modulemod.Module), Host: h.Host})
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	want := []string{
		`x.sls:2: state "a": module.run: module function nosuch.fn is not available`,
		`x.sls:5: state "b": module.run: cannot call test.echo: unknown argument "txt" (did you mean "text"?)`,
		`x.sls:6: state "b": module.run: module function test.fales is not available (did you mean "test.false"?)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestMistakesOfTheForms(t *testing.T) {
	for args, want := range map[string]string{
		"[{name: restart}]":                           `"restart" is no function: write FUNCTION: [ARGUMENTS], or name: FUNCTION`,
		"[{name: id}, {test.echo: [a]}, {text: b}]":   `argument "text" is neither a function nor in the list of one`,
		"[{name: id}, {test.echo: [{a: 1}, {a: 2}]}]": `argument "a" of test.echo is given twice`,
		"[{name: id}, {test.echo: [a]}, {args: [b]}]": `arguments "args" and "kwargs" belong to the older form: write them into the list of the function`,
	} {
		if _, err := bind(t, "run", args); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}
