package environ_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/environ"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) {
	moduletest.Run(t, environ.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		t.Setenv("BRINE_EXAMPLE", "")
		return hosttest.New(t)
	}})
}

func TestFunctions(t *testing.T) {
	x := module.NewIndex(environ.Module)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"get", []string{"ONE"}, `"1"`},
		{"get", []string{"NONE"}, `""`},
		{"get", []string{"NONE", "else"}, `"else"`},
		{"has_value", []string{"ONE"}, "true"},
		{"has_value", []string{"ONE", "1"}, "true"},
		{"has_value", []string{"ONE", "2"}, "false"},
		{"has_value", []string{"EMPTY", ""}, "true"},
		{"has_value", []string{"NONE"}, "false"},
		{"item", []string{"[ONE, NONE]", "default=x"}, `{"ONE":"1","NONE":"x"}`},
		{"item", []string{"ONE"}, `{"ONE":"1"}`},
		{"items", nil, `{"EMPTY":"","ONE":"1"}`},
		{"setval", []string{"ONE", "2"}, `"2"`},
		{"items", nil, `{"EMPTY":"","ONE":"2"}`},
		{"setval", []string{"ONE", "False"}, `""`},
		{"setval", []string{"ONE", "False", "false_unsets=True"}, "null"},
		{"items", nil, `{"EMPTY":""}`},
		{"setenv", []string{"{ONE: a, TWO: 2, EMPTY: false}", "false_unsets=True"}, `{"ONE":"a","TWO":"2","EMPTY":null}`},
		{"items", nil, `{"ONE":"a","TWO":"2"}`},
		{"setenv", []string{"{ONE: b}", "clear_all=True"}, `{"ONE":"b","TWO":null}`},
		{"items", nil, `{"ONE":"b"}`},
		{"setenv", []string{"{A=B: c}"}, "cannot set a variable: want the name of one, got \"A=B\""},
		{"setenv", []string{"{A: [c]}"}, `cannot set the variable "A": want text or false, got a list`},
		{"setval", []string{"A", "True"}, `cannot set the variable "A": want text or false, got true`},
	} {
		if tt.name == "get" && tt.args[0] == "ONE" {
			clean(t)
		}
		f, err := x.Func("environ." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), nil, module.Words(tt.args...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}

// clean leaves two variables of the environment, until the test ends.
func clean(t *testing.T) {
	t.Helper()
	for k, v := range environment(t).All() {
		t.Setenv(k.(string), v.(string)) // has it set again at the end
		if err := os.Unsetenv(k.(string)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ONE", "EMPTY", "TWO"} {
		t.Setenv(name, map[string]string{"ONE": "1"}[name])
	}
	if err := os.Unsetenv("TWO"); err != nil {
		t.Fatal(err)
	}
}

func environment(t *testing.T) *value.Dict {
	t.Helper()
	f, err := module.NewIndex(environ.Module).Func("environ.items")
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), nil, module.Input{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Value.(*value.Dict)
}

func TestSetenvState(t *testing.T) {
	for _, tt := range []struct {
		args    []string
		changes string
	}{
		{[]string{"name=ONE", "value=1"}, "{}"},
		{[]string{"name=ONE", "value=0644"}, `{"ONE":"0644"}`},
		{[]string{"name=ONE", "value=False"}, `{"ONE":""}`},
		{[]string{"name=EMPTY", "value=False"}, "{}"},
		{[]string{"name=NONE", "value=False", "false_unsets=True"}, "{}"},
		{[]string{"name=ONE", "value=False", "false_unsets=True"}, `{"ONE":null}`},
		{[]string{"name=x", "value={ONE: 1, TWO: b}"}, `{"TWO":"b"}`},
		{[]string{"name=ONE", "value=1", "clear_all=True"}, `{"EMPTY":null}`},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			clean(t)
			s, err := module.NewIndex(environ.Module).State("environ.setenv")
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.Bind(module.Words(tt.args...))
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range []bool{true, false} {
				json, _ := value.MarshalJSON(b.Run(t.Context(), &host.Host{}, test).Changes)
				if string(json) != tt.changes {
					t.Errorf("test mode %v: got %s, want %s", test, json, tt.changes)
				}
			}
			if r := b.Run(t.Context(), &host.Host{}, false); r.Changes.Len() > 0 {
				t.Errorf("the second run changed %v", r.Changes.Keys())
			}
		})
	}
}
