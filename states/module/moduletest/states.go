package moduletest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
)

// state looks at one state.
func state(t testing.TB, m module.Module, s *module.State, o Options) []string {
	problems := documented(s.Doc, s.Params())
	problems = append(problems, refuses(s.Params(), func(in module.Input) error {
		_, err := s.Bind(in)
		return err
	})...)
	examples, err := declarations(s.FullName(), s.Example)
	if err != nil {
		return append(problems, err.Error())
	}
	more, err := cases(s.FullName(), o.Cases)
	if err != nil {
		return append(problems, err.Error())
	}
	var bound []*module.Bound
	for _, e := range slices.Concat(examples, more) {
		b, err := s.Bind(e.in)
		if err != nil {
			problems = append(problems, fmt.Sprintf("Example %q is refused: %v", e.id, err))
			continue
		}
		bound = append(bound, b)
		for _, text := range (&trial{b, s, e.name(), o}).run(t) {
			problems = append(problems, fmt.Sprintf("Example %q: %s", e.id, text))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	if s.Aggregate {
		problems = together(t, o.Host(t), bound[:len(examples)])
	}
	return append(problems, engine(t, m, s, examples, o)...)
}

// A trial is one example, each run on a host of its own.
type trial struct {
	*module.Bound
	state *module.State
	name  string
	o     Options
}

func (x *trial) is(names []string) bool { return slices.Contains(names, x.state.Name) }

func (x *trial) run(t testing.TB) []string {
	problems := x.runs(t)
	if len(problems) > 0 {
		return problems
	}
	if x.state.Watches() {
		problems = x.watch(t)
	}
	if !x.is(x.o.Fails) {
		problems = append(problems, x.faults(t)...)
	}
	return problems
}

// runs runs the state in test mode, for real, and again.
func (x *trial) runs(t testing.TB) []string {
	h := x.o.Host(t)
	fails, repeats := x.is(x.o.Fails), x.is(x.o.Repeats)
	before := h.Snapshot()
	foretold := x.Run(t.Context(), h.Host, true)
	problems := changed(h, before, "test mode", "only the Do of a step may change the host")
	done := x.Run(t.Context(), h.Host, false)
	if ok := done.Result != nil && *done.Result; ok == fails {
		problems = append(problems, fmt.Sprintf("got result %v (%s), want %v: give Options a Host on which it works, "+
			"or name the state in Fails", ok, done.Comment, !fails))
	}
	problems = append(problems, x.foretold(foretold, done, fails)...)
	if repeats || fails {
		return problems
	}
	before = h.Snapshot()
	again := x.Run(t.Context(), h.Host, false)
	const look = "look first whether the host is as wanted, and return no steps then; or name the state in Repeats"
	problems = append(problems, changed(h, before, "the second run", look)...)
	if again.Changes.Len() > 0 {
		problems = append(problems, fmt.Sprintf("the second run reports changes %s: %s", shown(again.Changes), look))
	}
	if r := x.Run(t.Context(), h.Host, true); r.Result == nil {
		problems = append(problems, fmt.Sprintf("test mode after the run foretells changes %s: %s", shown(r.Changes), look))
	}
	return problems
}

// watch lets a state that the trial's watches change, on a host that is as wanted.
func (x *trial) watch(t testing.TB) []string {
	h := x.o.Host(t)
	x.Run(t.Context(), h.Host, false)
	before := h.Snapshot()
	foretold := x.RunWatch(t.Context(), h.Host, []string{"test: x"}, true)
	problems := changed(h, before, "test mode of Watch", "only the Do of a step may change the host")
	done := x.RunWatch(t.Context(), h.Host, []string{"test: x"}, false)
	ok, fails := done.Result != nil && *done.Result, x.is(x.o.Fails)
	switch {
	case !ok && !fails:
		problems = append(problems, fmt.Sprintf("Watch fails: %s", done.Comment))
	case done.Changes.Len() == 0 && !fails && !x.is(x.o.Idle):
		problems = append(problems, "Watch changes nothing: let it do something, or name the state in Idle")
	}
	for _, text := range x.foretold(foretold, done, fails) {
		problems = append(problems, "Watch: "+text)
	}
	return problems
}

// foretold compares what test mode said with what a run on the unchanged host did.
func (x *trial) foretold(test, done module.Result, fails bool) []string {
	switch {
	case test.Result != nil && *test.Result && done.Changes.Len() > 0:
		return []string{"test mode foretold no change, and the run changed " + shown(done.Changes) +
			": return a step for each change"}
	case fails:
	case test.Result == nil && test.Changes.Len() == 0 && x.is(x.o.Afterwards): // it said that it can't tell
	case test.Result == nil && done.Changes.Len() == 0:
		return []string{"test mode foretold a change, and the run changed nothing: return no step where there is nothing to do"}
	case x.is(x.o.Afterwards):
	case !value.Equal(test.Changes, done.Changes):
		return []string{fmt.Sprintf("test mode foretold %s, and the run changed %s: let the Changes of a step be what Do "+
			"changes, or name the state in Afterwards", shown(test.Changes), shown(done.Changes))}
	}
	return nil
}

// together runs all examples of a state with Aggregate in one.
func together(t testing.TB, h *hosttest.Host, examples []*module.Bound) (problems []string) {
	if len(examples) < 2 {
		return []string{"Aggregate is set: show two IDs in Example, which are tried in one then"}
	}
	for i, r := range module.Together(t.Context(), h.Host, examples) {
		if r == nil {
			problems = append(problems, fmt.Sprintf("Aggregate is set, and ID %d of Example is not done with the others: "+
				"let the plan be one step made by module.Joint, with the same key", i+1))
		} else if again := examples[i].Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			problems = append(problems, fmt.Sprintf("ID %d of Example was done with the others, and a run after that changed %s",
				i+1, shown(again.Changes)))
		}
	}
	return problems
}

// changed tells what of the host is not as it was: each path once.
func changed(h *hosttest.Host, before []string, when, advice string) (problems []string) {
	seen := map[string]bool{}
	after := h.Snapshot()
	for _, lines := range [][2][]string{{after, before}, {before, after}} {
		for _, line := range lines[0] {
			what := line // a command that was run
			if name, under := strings.CutPrefix(line, h.Root); under {
				what, _, _ = strings.Cut(name, " ")
			}
			if slices.Contains(lines[1], line) || seen[what] {
				continue
			}
			seen[what] = true
			problems = append(problems, fmt.Sprintf("%s changed %s: %s", when, cmp.Or(what, "/"), advice))
		}
	}
	return problems
}

func shown(v any) string {
	text, err := value.MarshalJSON(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
