package moduletest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

type badArgs struct {
	Name string `arg:"name,required"`
	Any  greedy `arg:"greedy" doc:"takes anything"`
}

// greedy takes what it should refuse.
type greedy struct{}

func (*greedy) ArgType() string             { return "text" }
func (*greedy) ParseArg(module.Value) error { return nil }

// rash panics on what it does not expect.
type rash struct{}

func (*rash) ArgType() string { return "text" }
func (*rash) ParseArg(v module.Value) error {
	_ = v.Data.(string)
	return nil
}

type rashArgs struct {
	Name string `arg:"name,required" doc:"d"`
	Rash rash   `arg:"rash" doc:"d"`
}

type fine struct {
	Name string `arg:"name,required" doc:"a file"`
}

func write(h *host.Host, name string) error { return os.WriteFile(h.Path(name), []byte("x"), 0o600) }

func look[A any](plan func(h *host.Host) (module.Plan, error)) module.Planner {
	return module.Look(func(_ context.Context, h *host.Host, _ A) (module.Plan, error) { return plan(h) })
}

// always is a step that writes a file, under the name that it foretells.
func always(h *host.Host) module.Plan {
	return module.Plan{Steps: []module.Step{module.Change("a", "b", func(context.Context) error { return write(h, "/x") })}}
}

func bad() module.Module {
	call := module.Call(func(context.Context, *host.Host, badArgs) (bool, error) { return true, nil })
	return module.Module{
		Funcs: []module.Func{{Name: "b", Do: call}, {Name: "a", Doc: "d", Example: "x 'y", Do: call},
			{Name: "c", Doc: "d", Example: "x z=1", Do: call}},
		States: []module.State{
			{Name: "undocumented", Plan: look[fine](func(h *host.Host) (module.Plan, error) { return always(h), nil })},
			{Name: "other", Doc: "d", Example: "x:\n  bad.another", Plan: look[fine](func(h *host.Host) (module.Plan, error) { return always(h), nil })},
			{Name: "refused", Doc: "d", Example: "x:\n  .refused:\n    - nosuch: 1", Plan: look[fine](func(h *host.Host) (module.Plan, error) { return always(h), nil })},
			{Name: "repeats", Doc: "d", Example: "x: .repeats", Plan: look[fine](func(h *host.Host) (module.Plan, error) { return always(h), nil })},
			{Name: "lies", Doc: "d", Example: "x: .lies", Plan: look[fine](func(h *host.Host) (module.Plan, error) {
				return module.Plan{}, errors.Join(write(h, "/y"), nil)
			})},
			{Name: "empty", Doc: "d", Example: "x: .empty", Plan: look[fine](func(*host.Host) (module.Plan, error) {
				do := func(context.Context) (module.Done, error) { return module.Done{}, nil }
				return module.Plan{Steps: []module.Step{{Do: do}}}, nil
			})},
			{Name: "fails", Doc: "d", Example: "x: .fails", Plan: look[fine](func(*host.Host) (module.Plan, error) {
				return module.Plan{}, errors.New("no such thing")
			})},
			{Name: "single", Doc: "d", Example: "x: .single\ny: .single", Aggregate: true, Plan: look[fine](func(*host.Host) (module.Plan, error) {
				return module.Plan{}, nil
			})},
			{Name: "rash", Doc: "d", Example: "x: .rash", Plan: look[rashArgs](func(*host.Host) (module.Plan, error) {
				return module.Plan{}, nil
			})},
		},
	}
}

// fault is a state of the module worse, which makes /made in the way that make has.
func fault(name string, make func(ctx context.Context, h *host.Host) error) module.State {
	return module.State{Name: name, Doc: "d", Example: "x: worse." + name, Plan: look[fine](func(h *host.Host) (module.Plan, error) {
		if _, err := os.Stat(h.Path("/made")); err == nil {
			return module.Plan{}, nil
		}
		return module.Plan{Steps: []module.Step{module.Change("x", "made", func(ctx context.Context) error { return make(ctx, h) })}}, nil
	})}
}

// worse has states that work as long as nothing fails.
func worse() module.Module {
	tool := func(ctx context.Context, h *host.Host) error { _, err := h.Run(ctx, "tool"); return err }
	watch := func(plan module.Plan) module.Watcher {
		return module.React(func(context.Context, *host.Host, fine, []string) (module.Plan, error) { return plan, nil })
	}
	nothing := func(context.Context) error { return nil }
	m := module.Module{Name: "worse", Doc: "d", States: []module.State{
		fault("beside", func(ctx context.Context, h *host.Host) error {
			if err := write(h, "/made.tmp"); err != nil {
				return err
			}
			if err := tool(ctx, h); err != nil {
				return err
			}
			return os.Rename(h.Path("/made.tmp"), h.Path("/made"))
		}),
		fault("deaf", func(_ context.Context, h *host.Host) error { return wrapped(write(h, "/made")) }),
		fault("half", func(ctx context.Context, h *host.Host) error {
			for _, name := range []string{"/made", "/sub/b"} {
				if err := write(h, name); err != nil {
					return errors.Join(wrapped(err), os.WriteFile(h.Path("/made"), []byte("ha"), 0o600))
				}
			}
			return nil
		}),
		fault("lucky", func(ctx context.Context, h *host.Host) error { _ = tool(ctx, h); return nil }),
		fault("mumbles", func(_ context.Context, h *host.Host) error {
			if write(h, "/made") != nil {
				return errors.New("no luck")
			}
			return nil
		}),
		fault("needs", func(_ context.Context, h *host.Host) error { return wrapped(write(h, "/made")) }),
		fault("surprised", func(_ context.Context, h *host.Host) error { return wrapped(write(h, "/made")) }),
		fault("swallows", func(_ context.Context, h *host.Host) error { _ = write(h, "/made"); return nil }),
	}}
	m.States[1].Watch = watch(module.Plan{})
	m.States[6].Watch = watch(module.Plan{Steps: []module.Step{{Changes: value.NewDict("a", "b"), Do: func(ctx context.Context) (module.Done, error) {
		return module.Done{Changes: value.NewDict("a", "c")}, nothing(ctx)
	}}}})
	m.States[5].Plan = look[fine](func(h *host.Host) (module.Plan, error) {
		if _, err := os.Stat(h.Path("/sub")); err != nil {
			return module.Plan{}, errors.New("cannot find /sub")
		}
		return module.Plan{}, nil
	})
	return m
}

func wrapped(err error) error {
	if err != nil {
		return fmt.Errorf("cannot make it: %w", err)
	}
	return nil
}

// worseHost has a tool that makes /made.
func worseHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/sub/a", "a")
	h.Change("tool", func(host.Command) (host.Output, error) { return host.Output{}, write(h.Host, "/made") })
	return h
}

// TestWhatIsMissingIsTold runs the suite on a module with every fault, and compares what its author is told.
func TestWhatIsMissingIsTold(t *testing.T) {
	var b strings.Builder
	missing(t, &b, bad(), Options{Repeats: []string{"nosuch"}, Host: hosttest.New})
	if os.Geteuid() == 0 { // who may not write is known only to root
		missing(t, &b, worse(), Options{Host: worseHost})
	}
	const path = "testdata/missing.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(want), b.String()) || os.Geteuid() == 0 && b.String() != string(want) {
		t.Errorf("got\n%swant\n%s%v", b.String(), want, err)
	}
}

// scratch are the roots of hosts, which are others in each run.
var scratch = regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `/TestWhatIsMissingIsTold\d+/\d+`)

// missing writes what the suite tells of a module.
func missing(t *testing.T, b *strings.Builder, m module.Module, o Options) {
	note := func(where string, problems []string) {
		for _, text := range problems {
			b.WriteString(where + ": " + scratch.ReplaceAllString(text, "") + "\n")
		}
	}
	note("module", describe(m, o))
	x := module.NewIndex(m)
	for _, name := range x.Functions() {
		f, err := x.Func(name)
		if err != nil {
			t.Fatal(err)
		}
		note(name, function(f))
	}
	for _, name := range x.States() {
		s, err := x.State(name)
		if err != nil {
			t.Fatal(err)
		}
		note("state "+name, state(t, m, s, o))
	}
}

// TestThePageShowsTheModule keeps the page about adding a module true: the module on it is compiled and tested.
func TestThePageShowsTheModule(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"hello/hello.go", "hello/hello_test.go"} {
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```go\n"+string(code)+"```\n") {
			t.Errorf("states/README.md does not show %s as it is: paste it", path)
		}
	}
}
