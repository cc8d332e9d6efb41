package module_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// told makes a function that returns its arguments as JSON.
func told(t *testing.T, args ...module.Told) module.Func {
	t.Helper()
	params, err := module.ParamsTold(args)
	if err != nil {
		t.Fatal(err)
	}
	return module.Func{Name: "f", Do: module.CallTold(params, func(_ context.Context, _ *host.Host, args *value.Dict) (any, error) {
		data, err := value.MarshalJSON(args)
		return string(data), err
	})}
}

func TestToldArguments(t *testing.T) {
	f := told(t, module.Told{Name: "text", Type: "str", Default: "x"}, module.Told{Name: "n", Type: "int"}, module.Told{Name: "on", Type: "bool", Default: false},
		module.Told{Name: "time", Type: "seconds"}, module.Told{Name: "list", Type: "list of text"}, module.Told{Name: "any"},
		module.Told{Name: "rest", Rest: true}, module.Told{Name: "more", Named: true})
	for words, want := range map[string]string{
		"":                                `{"text":"x","n":null,"on":false,"time":null,"list":null,"any":null,"rest":[],"more":{}}`,
		"0644 7":                          `{"text":"0644","n":7,"on":false,"time":null,"list":null,"any":null,"rest":[],"more":{}}`,
		"a 1 yes 2m":                      `{"text":"a","n":1,"on":true,"time":120.0,"list":null,"any":null,"rest":[],"more":{}}`,
		"list=a any=":                     `{"text":"x","n":null,"on":false,"time":null,"list":["a"],"any":"","rest":[],"more":{}}`,
		"a 1 no 1 [x] {} y 2 z=1 on=null": `an error: argument "on" is given twice`,
		"a 1 no 1 [x] 5 y 2 z=1":          `{"text":"a","n":1,"on":false,"time":1.0,"list":["x"],"any":5,"rest":["y",2],"more":{"z":1}}`,
	} {
		r, err := f.Call(t.Context(), nil, module.Words(strings.Fields(words)...))
		got, _ := r.Value.(string)
		if err != nil {
			got = "an error: " + strings.TrimPrefix(err.Error(), "cannot call .f: ")
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", words, got, want)
		}
	}
}

func TestToldArgumentsThatAreNone(t *testing.T) {
	_, err := module.ParamsTold([]module.Told{
		{Name: "a-b"}, {Name: "x", Type: "boolaen"}, {Name: "x"}, {Name: "y", Type: "map", Default: "z"}, {Name: "r", Required: true, Default: "z"},
	})
	for _, want := range []string{
		`argument "a-b": want a name`, `unknown type "boolaen" (did you mean "boolean"?)`, `argument "x" stands twice`,
		`argument "y": default: want a map`, `argument "r": what is required has no default`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestLateModules(t *testing.T) {
	loads := map[string]int{}
	late := func(name string, states bool, err error) module.Late {
		return module.Late{Name: name, States: states, Load: func() (module.Module, error) {
			loads[name]++
			f := told(t)
			look := module.LookTold(nil, func(context.Context, *host.Host, *value.Dict) (module.Plan, error) { return module.Plan{}, nil })
			return module.Module{Name: name, Funcs: []module.Func{f}, States: []module.State{{Name: "s", Plan: look}}}, err
		}}
	}
	base := module.NewIndex(module.Module{Name: "own", Funcs: []module.Func{told(t)}})
	x := base.With(late("a", false, nil), late("a", false, errors.New("the second of a name")), late("b", true, nil),
		late("bad", false, errors.New("it is broken")), late("own", false, errors.New("it is never read")), module.Late{Name: "open", Open: true})
	check := func(name string, state bool, want string) {
		t.Helper()
		var err error
		if state {
			_, err = x.State(name)
		} else {
			_, err = x.Func(name)
		}
		if got := errorText(err); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	check("own.f", false, "")
	check("a.f", false, "")
	check("a.f", false, "")
	check("a.g", false, `unknown function "a.g" (did you mean "a.f"?)`)
	check("b.s", true, "")
	check("b.f", false, `unknown function "b.f" (did you mean "a.f"?)`)
	check("bad.f", false, `cannot use "bad.f": it is broken`)
	check("open.anything", false, "")
	if loads["a"] != 1 || loads["b"] != 1 || loads["own"] != 0 {
		t.Errorf("loads are %v", loads)
	}
	if got := strings.Join(x.Functions(), " "); got != "a.f own.f" {
		t.Errorf("functions are %s", got)
	}
	if got := strings.Join(x.Modules(), " ") + ", " + strings.Join(x.StateModules(), " "); got != "a bad open own, b" {
		t.Errorf("modules are %s", got)
	}
	if got := base.Functions(); len(got) != 1 {
		t.Errorf("the index below has %v", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
