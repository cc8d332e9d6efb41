package run_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/tools/txtar"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/cmd"
	testmod "brine/states/mod/test"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

var cmdModule = cmd.Module

var index = module.NewIndex(cmdModule, testmod.Module)

func compile(t testing.TB, files ...txtar.File) *plan.Plan {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	p, errs := sls.Compile(t.Context(), sls.Dir(fsys), []string{"web"}, sls.Options{Index: index})
	for _, e := range errs {
		t.Error(e)
	}
	if len(errs) > 0 {
		t.FailNow()
	}
	return p
}

func web(text string) txtar.File { return txtar.File{Name: "web.sls", Data: []byte(text)} }

// pids are other ones in each run.
var pids = regexp.MustCompile(`"pid":\d+,`)

// shape writes results a line each: what tests compare, without times.
func shape(results *value.Dict, retcode int) string {
	var b strings.Builder
	for tag, v := range results.All() {
		d := v.(*value.Dict)
		get := func(key string) any { x, _ := d.Get(key); return x }
		changes, _ := value.MarshalJSON(get("changes"))
		changes = pids.ReplaceAll(changes, []byte(`"pid":1,`))
		fmt.Fprintf(&b, "%d %s: %v %s %q", get("__run_num__"), tag, get("result"), changes, get("comment"))
		for _, key := range []string{"__state_ran__", "skip_watch", "warnings", "__not_run__"} {
			if x, ok := d.Get(key); ok {
				text, _ := value.MarshalJSON(x)
				fmt.Fprintf(&b, " %s=%s", key, text)
			}
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "retcode %d\n", retcode)
	return b.String()
}

// TestTrees runs web.sls of the trees in testdata, in an empty root with a file /there: "results" is what comes
// of a real run, "test" what test mode says before it.
func TestTrees(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runTree(t, path) })
	}
}

func runTree(t *testing.T, path string) {
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var files []txtar.File
	want := map[string]string{}
	for _, f := range a.Files {
		if f.Name == "test" || f.Name == "results" {
			want[f.Name] = string(f.Data)
		} else {
			files = append(files, f)
		}
	}
	h := hosttest.New(t).Real()
	h.Write("/there", "")
	p := compile(t, files...)
	a.Files = files
	for _, mode := range []string{"test", "results"} {
		got := shape(run.Run(t.Context(), p, h.Host, run.Options{Test: mode == "test"}))
		a.Files = append(a.Files, txtar.File{Name: mode, Data: []byte(got)})
		if got != want[mode] && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", mode, got, want[mode])
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResultsAreOfSaltsForm(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 5, 0, 123456789, time.UTC)
	clock := func() time.Time {
		now = now.Add(1234567 * time.Nanosecond)
		return now
	}
	p := compile(t, web("greet:\n  test.succeed_with_changes:\n    - name: hello\n"))
	results, _ := run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Now: clock})
	got, err := value.MarshalJSON(results)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"test_|-greet_|-hello_|-succeed_with_changes":{"name":"hello","changes":{"testing":` +
		`{"old":"Unchanged","new":"Something pretended to change"}},"result":true,"comment":"Success!",` +
		`"__sls__":"web","__run_num__":0,"start_time":"09:05:00.124691","duration":1.235,"__id__":"greet"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestProgressNamesTheStateThatRuns(t *testing.T) {
	p := compile(t, web("a:\n  test.nop\nb:\n  test.nop\n"))
	var got []string
	progress := func(done, total int, current string) {
		got = append(got, fmt.Sprintf("%d/%d %s", done, total, current))
	}
	run.Run(t.Context(), p, hosttest.New(t).Host, run.Options{Progress: progress})
	want := "0/2 test.nop: a|1/2 test.nop: b|2/2 "
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestCancelEndsTheStateThatRunsAndLeavesOutTheRest(t *testing.T) {
	p := compile(t, web("a:\n  cmd.run:\n    - name: sleep 60\nb:\n  test.nop\nc:\n  test.nop\n"))
	ctx, cancel := context.WithCancelCause(t.Context())
	h := hosttest.New(t).Real()
	started := h.Exec
	h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		cancel(errors.New("cancelled by ann"))
		return started(ctx, c)
	}
	results, retcode := run.Run(ctx, p, h.Host, run.Options{})
	got := shape(results, retcode)
	const want = `0 cmd_|-a_|-sleep 60_|-run: false {} "cancelled by ann" ` +
		`__not_run__=["test_|-b_|-b_|-nop","test_|-c_|-c_|-nop"]` + "\nretcode 2\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestARunThatLeftSomethingOutIsNoSuccess(t *testing.T) {
	p := compile(t, web("a:\n  test.nop\nb:\n  test.nop\n"))
	for after, want := range []int{run.RetcodeFailed, run.RetcodeFailed, run.RetcodeOK} {
		ctx, cancel := context.WithCancel(t.Context())
		ran := func(done, _ int, _ string) {
			if done+1 == after {
				cancel()
			}
		}
		if after == 0 {
			cancel()
		}
		results, retcode := run.Run(ctx, p, hosttest.New(t).Host, run.Options{Progress: ran})
		if results.Len() != after || retcode != want {
			t.Errorf("ended with state %d: got %d results, retcode %d, want %d", after, results.Len(), retcode, want)
		}
		cancel()
	}
}

func BenchmarkRun(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "state-%d:\n  test.nop:\n    - require:\n      - test: state-%d\n", i+1, i)
	}
	p := compile(b, web("state-0:\n  test.nop\n"+text.String()))
	h := hosttest.New(b).Host
	b.ReportAllocs()
	for b.Loop() {
		run.Run(b.Context(), p, h, run.Options{})
	}
}
