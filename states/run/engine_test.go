package run_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	testmod "brine/states/mod/test"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

func TestRetryWaits(t *testing.T) {
	p := compile(t, web(`
a:
  test.fail_without_changes:
    - retry: {attempts: 3, interval: 7, splay: 0}
b:
  test.fail_without_changes:
    - retry: {attempts: 2, interval: 10, splay: 5}
`))
	var waits []time.Duration
	wait := func(_ context.Context, d time.Duration) { waits = append(waits, d) }
	run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Wait: wait})
	if len(waits) != 3 || waits[0] != 7*time.Second || waits[1] != 7*time.Second ||
		waits[2] < 10*time.Second || waits[2] >= 15*time.Second {
		t.Errorf("waited %v, want 7s twice and 10s to 15s", waits)
	}
}

func TestCancelEndsTheWaitForTheNextAttempt(t *testing.T) {
	p := compile(t, web("a:\n  test.fail_without_changes:\n    - retry: {attempts: 3, interval: 3600}\n"))
	ctx, cancel := context.WithCancel(t.Context())
	progress := func(done, _ int, current string) {
		if current != "" {
			time.AfterFunc(time.Millisecond, cancel)
		}
	}
	began := time.Now()
	_, retcode := run.Run(ctx, p, hosttest.New(t).Host, run.Options{Progress: progress})
	if took := time.Since(began); retcode == 0 || took > time.Minute {
		t.Errorf("got retcode %d after %v", retcode, took)
	}
}

func TestStopEndsTheRunBeforeAState(t *testing.T) {
	p := compile(t, web("a: test.nop\nb: test.nop\nc:\n  test.nop:\n    - listen: [{test: a}]\n"))
	stop := func(n *plan.Node) bool { return n.ID == "b" }
	results, retcode := run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Stop: stop})
	got, _ := value.MarshalJSON(results)
	if retcode != run.RetcodeFailed || results.Len() != 1 ||
		!strings.Contains(string(got), `"__not_run__":["test_|-b_|-b_|-nop","test_|-c_|-c_|-nop"]`) {
		t.Errorf("got retcode %d, %s", retcode, got)
	}
}

// eventually is a module whose state changes something at each attempt and succeeds at the third.
func eventually() module.Module {
	var n atomic.Int32
	return module.Module{Name: "it", States: []module.State{{
		Name: "works", Plan: module.Look(func(context.Context, *host.Host, named) (module.Plan, error) {
			do := func(context.Context) (module.Done, error) {
				i := n.Add(1)
				done := module.Done{Changes: value.NewDict(fmt.Sprintf("attempt %d", i), true)}
				if i < 3 {
					return done, errors.New("not yet")
				}
				return done, nil
			}
			return module.Plan{Steps: []module.Step{{Do: do}}, Did: "now"}, nil
		}),
	}}}
}

type named struct {
	Name string `arg:"name,required" doc:"d"`
}

func TestChangesOfAllAttemptsCount(t *testing.T) {
	p := compileWith(t, module.NewIndex(eventually()), "a:\n  it.works:\n    - retry: {attempts: 5, interval: 0}\n")
	got := shape(run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{}))
	const want = `0 it_|-a_|-a_|-works: true {"attempt 1":true,"attempt 2":true,"attempt 3":true} ` +
		`"Attempt 1: Returned a result of \"False\", with the following comment: \"not yet\"\n` +
		`Attempt 2: Returned a result of \"False\", with the following comment: \"not yet\"\nnow"` + "\nretcode 0\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func compileWith(t testing.TB, index *module.Index, text string) *plan.Plan {
	t.Helper()
	src := sls.Dir(fstest.MapFS{"web.sls": {Data: []byte(text)}})
	p, errs := sls.Compile(t.Context(), src, []string{"web"}, sls.Options{Index: index})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return p
}

// packages is a module whose states are done in one transaction; it notes each.
func packages(transactions *[]string) module.Module {
	install := func(_ context.Context, names []string) ([]module.Done, error) {
		*transactions = append(*transactions, strings.Join(names, "+"))
		if slices.Contains(names, "nosuch") {
			return nil, errors.New("there is no package nosuch")
		}
		return make([]module.Done, len(names)), nil
	}
	look := func(_ context.Context, _ *host.Host, a named) (module.Plan, error) {
		step := module.Joint("", a.Name, value.NewDict(a.Name, "installed"), install)
		return module.Plan{Steps: []module.Step{step}}, nil
	}
	return module.Module{Name: "pkg", States: []module.State{{Name: "installed", Aggregate: true, Plan: module.Look(look)}}}
}

func TestAggregate(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"what stands together is done together": {
			"a: pkg.installed\nb: pkg.installed\nn: test.nop\nc: pkg.installed\n", "a+b c"},
		"aggregate reaches further": {
			"a:\n  pkg.installed: [{aggregate: true}]\nn: test.nop\nb:\n  pkg.installed: [{aggregate: true}]\nc: pkg.installed\n",
			"a+b c"},
		"aggregate: false stays alone": {
			"a: pkg.installed\nb:\n  pkg.installed: [{aggregate: false}]\nc: pkg.installed\n", "a b c"},
		"a requisite that is not done holds back": {
			"a: pkg.installed\nb:\n  pkg.installed: [{require: [a]}]\nc: pkg.installed\n", "a b+c"},
		"a requisite that failed holds back": {
			"f: test.fail_without_changes\na: pkg.installed\nb:\n  pkg.installed: [{require: [f]}]\nc: pkg.installed\n", "a c"},
		"a check is asked at its turn": {
			"a: pkg.installed\nb:\n  pkg.installed: [{unless: 'false'}]\nc: pkg.installed\n", "a b c"},
		"one bad one is the failure of one": {
			"a: pkg.installed\nnosuch: pkg.installed\nb: pkg.installed\n", "a+nosuch+b a nosuch b"},
	} {
		var transactions []string
		p := compileWith(t, module.NewIndex(packages(&transactions), testmod.Module, cmdModule), c.text)
		results, _ := run.Run(t.Context(), p, hosttest.New(t).Real().Host, run.Options{})
		if got := strings.Join(transactions, " "); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		for tag, r := range results.All() {
			d := r.(*value.Dict)
			result, _ := d.Get("result")
			changes, _ := d.Get("changes")
			if fine := strings.HasPrefix(tag.(string), "pkg") && !strings.Contains(tag.(string), "nosuch"); fine && result == true {
				id, _ := d.Get("__id__")
				if keys := changes.(*value.Dict).Keys(); len(keys) != 1 || keys[0] != id {
					t.Errorf("%s: %s changed %v, want itself alone", name, tag, keys)
				}
			}
		}
	}
}

func TestWhatWasDoneTogetherIsToldThoughTheRunEnds(t *testing.T) {
	var transactions []string
	p := compileWith(t, module.NewIndex(packages(&transactions), testmod.Module), `
a:
  pkg.installed: [{aggregate: true}]
stop:
  test.fail_without_changes: [{failhard: true}]
b:
  pkg.installed: [{aggregate: true}]
c: test.nop
`)
	got := shape(run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{}))
	const want = `0 pkg_|-a_|-a_|-installed: true {"a":"installed"} "changed: a"
1 test_|-stop_|-stop_|-fail_without_changes: false {} "Failure!"
2 pkg_|-b_|-b_|-installed: true {"b":"installed"} "changed: b" __not_run__=["test_|-c_|-c_|-nop"]
retcode 2
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestACommentNamesAFewOfManyFailures(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "f%02d:\n  test.fail_without_changes: []\n", i)
	}
	text.WriteString("z:\n  test.nop:\n    - require: [test: 'f0*', test: 'f*']\n")
	results, _ := run.Run(t.Context(), compile(t, web(text.String())), hosttest.New(t).Host, run.Options{})
	last, _ := results.Get("test_|-z_|-z_|-nop")
	comment, _ := last.(*value.Dict).Get("comment")
	const want = "One or more requisite failed: web.f00, web.f01, web.f02, web.f03, web.f04, web.f05, web.f06, web.f07, " +
		"web.f08, web.f09 and more"
	if comment != want {
		t.Errorf("got %q, want %q", comment, want)
	}
}

func TestTestModeDoesNothingTogether(t *testing.T) {
	var transactions []string
	p := compileWith(t, module.NewIndex(packages(&transactions)), "a: pkg.installed\nb: pkg.installed\n")
	got := shape(run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Test: true}))
	const want = `0 pkg_|-a_|-a_|-installed: <nil> {"a":"installed"} "would change: a"
1 pkg_|-b_|-b_|-installed: <nil> {"b":"installed"} "would change: b"
retcode 0
`
	if got != want || len(transactions) > 0 {
		t.Errorf("got\n%s%v, want\n%s", got, transactions, want)
	}
}

func TestEventsTellHowStatesEnded(t *testing.T) {
	p := compile(t, web("a:\n  test.nop:\n    - name: n\n    - fire_event: true\nb:\n  test.nop:\n    - fire_event: done/b\n"+
		"c:\n  test.nop:\n    - fire_event: false\n"))
	var got []string
	fire := func(_ context.Context, n *plan.Node, result *value.Dict) error {
		comment, _ := result.Get("comment")
		got = append(got, fmt.Sprintf("%s %s", n.FireEvent, comment))
		return errors.New("no one listens")
	}
	results, _ := run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Fire: fire})
	if text := strings.Join(got, "|"); text != "n Success!|done/b Success!" {
		t.Errorf("got %s", text)
	}
	if text := shape(results, 0); strings.Count(text, `warnings=["no one listens"]`) != 2 {
		t.Errorf("an event that was not sent is not told:\n%s", text)
	}
}

func TestReloadIsNotDoneBesideOtherStates(t *testing.T) {
	p := compile(t, web("slow:\n  cmd.run:\n    - name: sleep 0.05\n    - parallel: true\n"+
		"a:\n  test.nop:\n    - reload_grains: true\n    - reload_pillar: true\nb:\n  test.nop:\n    - reload_modules: true\n"))
	var got []string
	h := hosttest.New(t).Real().Host
	reload := func(_ context.Context, what string) error {
		h.Grains = value.NewDict("reloaded", what) // a race if a state ran
		got = append(got, what)
		return nil
	}
	run.Run(t.Context(), p, h, run.Options{Reload: reload})
	if text := strings.Join(got, " "); text != "grains pillar" {
		t.Errorf("got %s", text)
	}
	got = nil
	run.Run(t.Context(), p, h, run.Options{Reload: reload, Test: true})
	if len(got) > 0 {
		t.Errorf("test mode reloads %v", got)
	}
}

func TestAFailureWithFailhardWaitsForWhatRunsBeside(t *testing.T) {
	p := compile(t, web("slow:\n  cmd.run:\n    - name: until test -e go; do sleep 0.01; done\n    - parallel: true\n"+
		"touch:\n  cmd.run:\n    - name: touch go\n"+
		"late:\n  test.nop:\n    - parallel: true\n    - require: [slow]\n"+
		"stop:\n  test.fail_without_changes:\n    - failhard: true\nnever: test.nop\n"))
	got := shape(run.Run(t.Context(), p, hosttest.New(t).Real().Host, run.Options{}))
	if !strings.Contains(got, `0 cmd_|-slow_|-until test -e go; do sleep 0.01; done_|-run: true`) ||
		!strings.Contains(got, `test_|-never_|-never_|-nop`) || strings.Contains(got, "test_|-never_|-never_|-nop: ") {
		t.Errorf("got\n%s", got)
	}
}

func TestAFailureBesideLeavesOutWhatWaits(t *testing.T) {
	p := compile(t, web("stop:\n  test.fail_without_changes:\n    - parallel: true\n    - failhard: true\n"+
		"waits:\n  test.nop:\n    - parallel: true\n    - onfail: [stop]\nlast:\n  test.nop:\n    - require: [waits]\n"))
	got := shape(run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{}))
	const want = `0 test_|-stop_|-stop_|-fail_without_changes: false {} "Failure!" ` +
		`__not_run__=["test_|-waits_|-waits_|-nop","test_|-last_|-last_|-nop"]` + "\nretcode 2\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestReloadsOfStatesBesideOneAnother(t *testing.T) {
	var text strings.Builder
	text.WriteString("first:\n  cmd.run:\n    - name: sleep 0.05\n    - parallel: true\n    - reload_grains: true\n")
	for i := range 8 {
		fmt.Fprintf(&text, "s%d:\n  test.nop:\n    - parallel: true\n    - reload_grains: true\n    - require: [first]\n", i)
		fmt.Fprintf(&text, "t%d:\n  test.nop:\n    - parallel: true\n    - require: [s%d]\n", i, i)
	}
	p := compile(t, web(text.String()))
	reloads := 0
	results, retcode := run.Run(t.Context(), p, hosttest.New(t).Real().Host, run.Options{
		Reload: func(context.Context, string) error {
			reloads++
			return nil
		},
	})
	if results.Len() != 17 || retcode != 0 || reloads != 9 {
		t.Errorf("got %d results, %d reloads\n%s", results.Len(), reloads, shape(results, retcode))
	}
	for tag, v := range results.All() {
		if v == nil {
			t.Errorf("%s has no result", tag)
		}
	}
}

func TestCancelEndsWhatRunsBeside(t *testing.T) {
	p := compile(t, web("a:\n  cmd.run:\n    - name: sleep 60\n    - parallel: true\n"+
		"b:\n  cmd.run:\n    - name: sleep 61\n    - parallel: true\nc:\n  test.nop:\n    - require: [a, b]\n"))
	ctx, cancel := context.WithCancelCause(t.Context())
	h := hosttest.New(t).Real()
	started := h.Exec
	var n atomic.Int32
	h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		if n.Add(1) == 2 {
			cancel(errors.New("cancelled by ann"))
		}
		return started(ctx, c)
	}
	results, retcode := run.Run(ctx, p, h.Host, run.Options{})
	got := shape(results, retcode)
	if strings.Count(got, `false {} "cancelled by ann"`) != 2 || !strings.Contains(got, `__not_run__=["test_|-c_|-c_|-nop"]`) || retcode != 2 {
		t.Errorf("got\n%s", got)
	}
}

// chained is a tree of n states, each of which needs the one before it.
func chained(n int) sls.Source {
	var text strings.Builder
	text.WriteString("nop-0: test.nop\n")
	for i := range n - 1 {
		fmt.Fprintf(&text, "nop-%d:\n  test.nop:\n    - require:\n      - test: nop-%d\n", i+1, i)
	}
	return sls.Dir(fstest.MapFS{"web.sls": {Data: []byte(text.String())}})
}

func apply(t testing.TB, src sls.Source, h *host.Host) int {
	p, errs := sls.Compile(t.Context(), src, []string{"web"}, sls.Options{Index: index})
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	results, _ := run.Run(t.Context(), p, h, run.Options{})
	return results.Len()
}

func TestAllocationsGrowWithStatesAlone(t *testing.T) {
	h := hosttest.New(t).Host
	const most = 200 // a state, compiled and run
	for _, n := range []int{100, 1000} {
		src := chained(n)
		if per := testing.AllocsPerRun(3, func() { apply(t, src, h) }) / float64(n); per > most {
			t.Errorf("%d states: %.0f allocations a state, want at most %d", n, per, most)
		}
	}
}

func BenchmarkThousandChained(b *testing.B) {
	src, h := chained(1000), hosttest.New(b).Host
	b.ReportAllocs()
	for b.Loop() {
		if n := apply(b, src, h); n != 1000 {
			b.Fatal(n)
		}
	}
}
