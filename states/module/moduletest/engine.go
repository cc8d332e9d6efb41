package moduletest

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// earlier is a module whose one state always changes something.
func earlier() module.Module {
	return module.Module{Name: "earlier", States: []module.State{{
		Name: "changed",
		Plan: module.Look(func(context.Context, *host.Host, struct {
			Name string `arg:"name,required"`
		}) (module.Plan, error) {
			do := func(context.Context) error { return nil }
			return module.Plan{Steps: []module.Step{module.Change("earlier", "changed", do)}}, nil
		}),
	}}}
}

// engine runs an example as part of an SLS file, behind a state that changes something: as it stands there, with
// that as its requisite, and watching it.
func engine(t testing.TB, m module.Module, s *module.State, examples []example, o Options) (problems []string) {
	if m.Name == "" {
		return nil
	}
	e := &site{m: m, s: s, examples: examples, o: o}
	problems = append(problems, e.test(t, o.Host(t), "require_in", "before the run", nil)...)
	if e.has(o.Fails) {
		return problems
	}
	problems = append(problems, e.bare(t)...)
	h := o.Host(t)
	results, err := e.run(t, h, "watch_in", false)
	if err != nil {
		return append(problems, err.Error())
	}
	for _, r := range results {
		if ok, _ := r.dict.Get("result"); ok != true {
			problems = append(problems, fmt.Sprintf("Example %q: when one that it watches changed, it ends with %v", r.id, shown(r.dict)))
		}
	}
	if e.has(o.Repeats) {
		return problems
	}
	return append(problems, e.test(t, h, "require_in", "after the run", func(comment string) bool {
		return strings.HasPrefix(comment, "depends on changes of earlier")
	})...)
}

// A site is an example between other states.
type site struct {
	m        module.Module
	s        *module.State
	examples []example
	o        Options
}

func (e *site) has(names []string) bool {
	for _, n := range names {
		if n == e.s.Name {
			return true
		}
	}
	return false
}

// test runs the example in test mode: nothing is sure while an earlier state would change something.
func (e *site) test(t testing.TB, h *hosttest.Host, by, when string, comment func(string) bool) (problems []string) {
	before := h.Snapshot()
	results, err := e.run(t, h, by, true)
	if err != nil {
		return []string{err.Error()}
	}
	for _, r := range results {
		result, _ := r.dict.Get("result")
		text, _ := r.dict.Get("comment")
		if result != nil || comment != nil && !comment(fmt.Sprint(text)) {
			problems = append(problems, fmt.Sprintf("Example %q: test mode %s, behind a state that would change, says %s",
				r.id, when, shown(r.dict)))
		}
	}
	return append(problems, changed(h, before, "test mode in an SLS file", "only the Do of a step may change the host")...)
}

// bare runs the example in test mode on a host on which nothing is, behind a state that it does not name: what fails
// there for something that a state can bring depends on that one.
func (e *site) bare(t testing.TB) (problems []string) {
	make := e.o.Bare
	if make == nil {
		make = bareHost
	}
	h := make(t)
	whole := e.o.Host(t)
	h.Files, h.Host.Files = whole.Files, whole.Host.Files // masters have the files that the examples name
	before := h.Snapshot()
	results, err := e.run(t, h, "", true)
	if err != nil {
		return []string{err.Error()}
	}
	for _, r := range results {
		comment, _ := r.dict.Get("comment")
		if result, _ := r.dict.Get("result"); result == false {
			problems = append(problems, fmt.Sprintf("Example %q: test mode on a bare host, behind a state that would change, fails with %q: "+
				"return module.Unknown for what another state may bring, or give Options a Bare host", r.id, comment))
		}
	}
	return append(problems, changed(h, before, "test mode on a bare host", "only the Do of a step may change the host")...)
}

// bareHost makes a host that has no programs at all.
func bareHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		return host.Output{}, fmt.Errorf("cannot start %q: %w", c.Argv[0], fs.ErrNotExist)
	}
	return h
}

// An ended is how one state ended.
type ended struct {
	id   string
	dict *value.Dict
}

// run runs the example behind the other state; by is how the two hang together.
func (e *site) run(t testing.TB, h *hosttest.Host, by string, test bool) ([]ended, error) {
	p, err := e.compile(t, h, by)
	if err != nil {
		return nil, err
	}
	results, _ := run.Run(t.Context(), p, h.Host, run.Options{Test: test})
	var all []ended
	for _, n := range p.Nodes {
		if n.Module == "earlier" {
			continue
		}
		v, _ := results.Get(n.Tag())
		d, _ := v.(*value.Dict)
		all = append(all, ended{n.ID, d})
	}
	return all, nil
}

func (e *site) compile(t testing.TB, h *hosttest.Host, by string) (*plan.Plan, error) {
	var b strings.Builder
	b.WriteString("earlier:\n  earlier.changed:\n    - order: 1\n")
	if by != "" {
		fmt.Fprintf(&b, "    - %s:\n", by)
		for _, x := range e.examples {
			fmt.Fprintf(&b, "      - %s: %s\n", e.m.Name, shown(x.id))
		}
	}
	files := fstest.MapFS{
		"earlier.sls": {Data: []byte(b.String())},
		"example.sls": {Data: []byte(strings.ReplaceAll(e.s.Example, "\t", ""))},
	}
	mods := []module.Module{earlier()}
	if e.m.Name != "" {
		mods = append(mods, e.m)
	}
	p, errs := sls.Compile(t.Context(), sls.Dir(files), []string{"earlier", "example"},
		sls.Options{Index: module.NewIndex(mods...), Host: h.Host})
	for _, err := range errs {
		return nil, fmt.Errorf("the Example is no piece of an SLS file: %v", err)
	}
	return p, nil
}
