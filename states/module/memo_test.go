package module_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
)

func TestStatesRememberUntilOneChangesTheHost(t *testing.T) {
	type key struct{}
	type args struct {
		Name string        `arg:"name,required" doc:"same, change or fail"`
		For  time.Duration `arg:"for" default:"60" doc:"how long it is remembered"`
	}
	looks := 0
	look := func(_ context.Context, h *host.Host, a args) (module.Plan, error) {
		_, err := host.Remember(h.Memo, key{}, a.For, func() (int, error) {
			looks++
			if a.Name == "err" {
				return 0, errors.New("cannot look")
			}
			return looks, nil
		})
		change := module.Change("x", 1, func(context.Context) error {
			if a.Name == "fail" {
				return errors.New("cannot change")
			}
			return nil
		})
		if a.Name == "same" || err != nil {
			return module.Plan{}, err
		}
		return module.Plan{Steps: []module.Step{change}}, nil
	}
	s, err := module.NewIndex(module.Module{Name: "m", States: []module.State{{Name: "s", Plan: module.Look(look)}}}).State("m.s")
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	run := func(words []string, test bool, want int) {
		t.Helper()
		b, err := s.Bind(module.Words(words...))
		if err != nil {
			t.Fatal(err)
		}
		b.Run(t.Context(), h, test)
		if looks != want {
			t.Errorf("%v: got %d looks, want %d", words, looks, want)
		}
	}
	end := h.Memo.Running()
	for _, c := range []struct {
		words []string
		test  bool
		want  int // looks so far
	}{
		{[]string{"name=err"}, false, 1},
		{[]string{"name=same"}, false, 2},
		{[]string{"name=same"}, false, 2},
		{[]string{"name=change"}, true, 2},
		{[]string{"name=change"}, false, 2},
		{[]string{"name=same"}, false, 3},
		{[]string{"name=fail"}, false, 3},
		{[]string{"name=same"}, false, 4},
		{[]string{"name=same", "for=0"}, false, 5},
	} {
		run(c.words, c.test, c.want)
	}
	if h.Memo.Changes() != 2 {
		t.Errorf("got %d changes, want 2", h.Memo.Changes())
	}
	end()
	for want := range 2 { // outside of a state run
		run([]string{"name=same"}, false, 6+want)
	}
	end = h.Memo.Running()
	defer end()
	run([]string{"name=same"}, false, 8)
}
