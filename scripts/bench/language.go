package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"brine/states/all"
	"brine/states/host"
	"brine/states/render"
	"brine/states/value"
)

// language measures the state language: whole commands over many states, and the rendering of one formula.
func (b *bench) language(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-language.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, m := range []struct {
		what, sls string
		states    int
		wall      time.Duration // at most
		memory    int64         // at most; 0 is not shown
	}{
		{"1,000 test.nop, each requires the one before", chained(1000), 1000, 200 * time.Millisecond, 0},
		{"1,000 states of a loop over 20 macros", ofMacros(1000), 1000, 200 * time.Millisecond, 0},
		{"10,000 test.nop, each requires the one before", chained(10_000), 10_000, time.Second, 200e6},
		{"10,000 states of a loop over 20 macros", ofMacros(10_000), 10_000, time.Second, 200e6},
	} {
		wall, cpu, resident, err := b.applyMany(ctx, dir, m.sls, m.states)
		if err != nil {
			return err
		}
		b.say("state.apply, "+m.what, ms(wall), ms(m.wall), wall <= m.wall)
		b.say("the same, processor time", ms(cpu), "", true)
		if m.memory > 0 {
			b.say("the same, resident at its most", mb(resident), mb(m.memory), resident <= m.memory)
		}
	}
	return b.formula(ctx)
}

// chained is states each of which requires the one before.
func chained(n int) string {
	var sls strings.Builder
	for i := range n {
		fmt.Fprintf(&sls, "s%d:\n  test.nop:\n    - name: step %d\n", i, i)
		if i > 0 {
			fmt.Fprintf(&sls, "    - require:\n      - test: s%d\n", i-1)
		}
	}
	return sls.String()
}

// ofMacros is a template that makes as many states by calling twenty macros in a loop.
func ofMacros(n int) string {
	const macros = 20
	var sls strings.Builder
	for i := range macros {
		fmt.Fprintf(&sls, "{%%- macro part%d(i, fun='nop') %%}\npart%d-{{ i }}:\n  test.{{ fun }}:\n    - name: {{ 'part ' ~ i }}\n"+
			"{%%- if i > 0 %%}\n    - require:\n      - test: part%d-{{ i - 1 }}\n{%%- endif %%}\n{%%- endmacro %%}\n", i, i, i)
	}
	fmt.Fprintf(&sls, "{%%- for i in range(%d) %%}\n", n/macros)
	for i := range macros {
		fmt.Fprintf(&sls, "{{- part%d(i) }}\n", i)
	}
	return sls.String() + "{%- endfor %}\n"
}

// applyMany runs the whole command several times and returns the medians.
func (b *bench) applyMany(ctx context.Context, dir, sls string, states int) (wall, cpu time.Duration, resident int64, err error) {
	tree := filepath.Join(dir, "tree")
	if err := errors.Join(
		os.MkdirAll(tree, 0o755),
		os.WriteFile(filepath.Join(tree, "many.sls"), []byte(sls), 0o644),
	); err != nil {
		return 0, 0, 0, err
	}
	var walls, cpus []time.Duration
	var residents []int64
	for range b.runs {
		cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "brine-minion"), "--root", filepath.Join(dir, "root"), "call",
			"--file-root", tree, "state.apply", "many")
		began := time.Now()
		out, err := cmd.CombinedOutput()
		walls = append(walls, time.Since(began))
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("Succeeded: %d", states)) {
			return 0, 0, 0, fmt.Errorf("state.apply: %v: %.2000s", err, out)
		}
		cpus = append(cpus, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			residents = append(residents, usage.Maxrss<<10)
		}
	}
	return median(walls), median(cpus), median(residents), nil
}

// formulaFiles is a formula with what most have: a map of defaults, facts and pillar, macros, and states that use them.
//
//go:embed formula
var formulaFiles embed.FS

// formula renders the formula in this process over and over, with its templates parsed once. What each rendering does
// anew is to read the files, as a state run does.
func (b *bench) formula(ctx context.Context) error {
	h := &host.Host{Modules: all.Index(), Config: value.NewDict("id", "bench"),
		Grains: value.NewDict("id", "bench", "os", "Debian", "os_family", "Debian")}
	instances := &value.Dict{}
	for i := range 5 {
		instances.Put(fmt.Sprint("extra", i), value.NewDict("port", int64(7000+i), "memory", int64(128),
			"options", value.NewDict("appendonly", true, "save", value.NewList(int64(900), int64(1)))))
	}
	h.Pillar = value.NewDict("cache", value.NewDict("enable", false, "instances", instances))
	text, err := formulaFiles.ReadFile("formula/cache/init.sls")
	if err != nil {
		return err
	}
	for _, m := range []struct {
		what, pipe string
		bound      time.Duration
	}{
		{"a formula of map, macros and two YAML files rendered", "jinja|text", 2 * time.Millisecond},
		{"the same, and its YAML read", "jinja|yaml", 3 * time.Millisecond},
	} {
		var times []time.Duration
		for range 200 {
			file := render.File{Name: "cache/init.sls", Path: "cache/init.sls", SLS: "cache", Text: text, Pipe: m.pipe,
				Templates: render.New(h, "base", func(_ context.Context, _, path string) ([]byte, error) {
					return formulaFiles.ReadFile("formula/" + path)
				})}
			began := time.Now()
			if _, errs := render.Render(ctx, file); len(errs) > 0 {
				return errs[0]
			}
			times = append(times, time.Since(began))
		}
		took := median(times)
		b.say(m.what, fmt.Sprintf("%.2f ms", took.Seconds()*1000), fmt.Sprintf("%d ms", m.bound.Milliseconds()), took <= m.bound)
	}
	return nil
}
