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
	look := func(ctx context.Context, _ *host.Host, a args) (module.Plan, error) {
		_, err := module.Remember(ctx, key{}, a.For, func() (int, error) {
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
	ctx := module.WithMemo(t.Context())
	for _, c := range []struct {
		ctx   context.Context
		words []string
		test  bool
		want  int // looks so far
	}{
		{ctx, []string{"name=err"}, false, 1},
		{ctx, []string{"name=same"}, false, 2},
		{ctx, []string{"name=same"}, false, 2},
		{ctx, []string{"name=change"}, true, 2},
		{ctx, []string{"name=change"}, false, 2},
		{ctx, []string{"name=same"}, false, 3},
		{ctx, []string{"name=fail"}, false, 3},
		{ctx, []string{"name=same"}, false, 4},
		{ctx, []string{"name=same", "for=0"}, false, 5},
		{t.Context(), []string{"name=same"}, false, 6},
		{t.Context(), []string{"name=same"}, false, 7},
	} {
		b, err := s.Bind(module.Words(c.words...))
		if err != nil {
			t.Fatal(err)
		}
		b.Run(c.ctx, hosttest.New(t).Host, c.test)
		if looks != c.want {
			t.Errorf("%v: got %d looks, want %d", c.words, looks, c.want)
		}
	}
}
