package run_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/cmd"
	"brine/states/module"
	"brine/states/run"
	"brine/states/sls"
)

func TestStatesAreToldWhatIsAroundThem(t *testing.T) {
	var told []string
	type args struct {
		Name string `arg:"name,required" doc:"any text"`
	}
	type key struct{}
	look := func(ctx context.Context, _ *host.Host, a args) (module.Plan, error) {
		around, needs, by := module.AroundOf(ctx), 0, 0
		for range around.Needs {
			needs++
		}
		for range around.NeededBy {
			by++
		}
		seen := around.Kept.Keep(key{}, func() any { return new(int) }).(*int)
		*seen++
		told = append(told, fmt.Sprintf("%s: %d of %d, needs %d, needed by %d, guarded %v",
			a.Name, *seen, len(around.All), needs, by, around.Guarded))
		return module.Plan{}, nil
	}
	x := module.NewIndex(cmd.Module, module.Module{Name: "see", States: []module.State{{Name: "around", Plan: module.Look(look)}}})
	p, errs := sls.Compile(t.Context(), sls.Dir(fstest.MapFS{"web.sls": {Data: []byte(`
a: see.around
b:
  see.around:
    - require: [see: a]
    - onfail_any: []
c:
  see.around:
    - unless: false
d:
  see.around:
    - creates: /none
    - watch: [see: a, see: b]
`)}}), []string{"web"}, sls.Options{Index: x})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{})
	const want = `a: 1 of 4, needs 0, needed by 2, guarded false
b: 2 of 4, needs 1, needed by 1, guarded false
c: 3 of 4, needs 0, needed by 0, guarded true
d: 4 of 4, needs 2, needed by 0, guarded true`
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
