package test_test

import (
	"regexp"
	"testing"

	"brine/states/host/hosttest"
	mod "brine/states/mod/test"
	"brine/states/module"
	"brine/states/value"
)

func TestMore(t *testing.T) {
	h := hosttest.New(t)
	x := module.NewIndex(mod.Module)
	h.Modules = x
	h.Config = value.NewDict("id", "me")
	h.Grains.Put("osfinger", "Debian-12")
	for _, tt := range []struct{ call, want string }{
		{"arg_repr 1 two three=[a]", `{"args":["1","'two'"],"kwargs":{"three":"['a']"}}`},
		{"arg_type 1 two 1.5 true null three=[a] four={}", `{"args":["<class 'int'>","<class 'str'>","<class 'float'>","<class 'bool'>","<class 'NoneType'>"],` +
			`"kwargs":{"three":"<class 'list'>","four":"<class 'dict'>"}}`},
		{"assertion true", `null`},
		{"assertion false", `cannot go on: the value is not true`},
		{"collatz 3", `[[3,10,5,16,8,4,2,1],N]`},
		{"collatz 0", `cannot begin with 0: want a number from 1 on`},
		{"fib 100", `[354224848179261915075,N]`},
		{"fib -1", `cannot compute number -1 of Fibonacci: want 0 to 100000`},
		{"get_opts", `{"id":"me"}`},
		{"outputter [a]", `["a"]`},
		{"provider test", `"test"`},
		{"provider nosuch", `cannot find the module "nosuch": there is none`},
		{"providers", `{"test":"test"}`},
		{"rand_sleep 0.001", `true`},
	} {
		words := regexp.MustCompile(` `).Split(tt.call, -1)
		f, err := x.Func("test." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := regexp.MustCompile(`,[0-9.e-]+\]$`).ReplaceAllString(string(json), ",N]")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.call, got, tt.want)
		}
	}
	for name, want := range map[string]string{"versions": `Brine Version:\n +Brine: `, "versions_report": "osfinger: Debian-12", "stack": "test.stack"} {
		f, err := x.Func("test." + name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words())
		if text, _ := r.Value.(string); err != nil || !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s: got %v, %v", name, r.Value, err)
		}
	}
}
