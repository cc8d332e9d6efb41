// Package moduletest is the suite that every module passes: documented, examples that work, wrong arguments
// refused all at once, test mode that changes nothing and foretells what a run changes or on whose changes that depends,
// a second run that changes nothing, failures that are told and leave nothing half written. What it says of a module that
// does not pass is what its author has to do.
package moduletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/module"
)

// Options say what of a module's examples is out of the ordinary.
type Options struct {
	// Host makes a host on which the examples of the states work; nil is hosttest.New.
	Host func(testing.TB) *hosttest.Host
	// Bare makes a host on which nothing of what the examples need is there yet, and what no state brings is, such as
	// the init system; nil is one without any programs.
	Bare func(testing.TB) *hosttest.Host
	// Repeats names the states that change something at every run, such as cmd.run.
	Repeats []string
	// Fails names the states that are meant to fail.
	Fails []string
	// Afterwards names the states that know only afterwards what they changed, such as which version of a
	// package was installed.
	Afterwards []string
	// Idle names the states that do nothing when one that they watch changed and the host is as wanted.
	Idle []string
	// Cases is a piece of an SLS file: what it declares of the states is tried as their examples are.
	Cases string
}

// Run runs the suite on a module. Started by root it makes the whole process another user for moments, so that no other
// test may run beside it.
func Run(t *testing.T, m module.Module, o Options) {
	t.Setenv("BRINE_MODULETEST", m.Name) // refused in a parallel test
	if o.Host == nil {
		o.Host = hosttest.New
	}
	for _, text := range describe(m, o) {
		t.Errorf("module %q: %s", m.Name, text)
	}
	x := module.NewIndex(m)
	for _, name := range x.Functions() {
		t.Run(name, func(t *testing.T) {
			f, err := x.Func(name)
			if err != nil {
				t.Fatal(err)
			}
			fail(t, function(f))
		})
	}
	for _, name := range x.States() {
		t.Run("state "+name, func(t *testing.T) {
			s, err := x.State(name)
			if err != nil {
				t.Fatal(err)
			}
			fail(t, state(t, m, s, o))
		})
	}
}

func fail(t *testing.T, problems []string) {
	t.Helper()
	for _, text := range problems {
		t.Error(text)
	}
}

// describe looks at the module as a whole.
func describe(m module.Module, o Options) (problems []string) {
	var funcs, states []string
	for _, f := range m.Funcs {
		funcs = append(funcs, f.Name)
	}
	for _, s := range m.States {
		states = append(states, s.Name)
	}
	if m.Name == "" {
		problems = append(problems, "set Name: what stands before the dot in the names of its functions and states")
	}
	if strings.TrimSpace(m.Doc) == "" {
		problems = append(problems, "set Doc: a sentence that says what the module is for")
	}
	if len(funcs)+len(states) == 0 {
		problems = append(problems, "give it a function or a state")
	}
	for what, names := range map[string][]string{"Funcs": funcs, "States": states} {
		for i := 1; i < len(names); i++ {
			if names[i] < names[i-1] {
				problems = append(problems, fmt.Sprintf("put %s in order of name: %q stands after %q", what, names[i], names[i-1]))
			}
		}
	}
	for _, name := range slices.Concat(o.Repeats, o.Fails, o.Afterwards, o.Idle) {
		if !slices.Contains(states, name) {
			problems = append(problems, fmt.Sprintf("the Options of its test name %q, which is none of its states", name))
		}
	}
	slices.Sort(problems)
	return problems
}

// function looks at one execution function.
func function(f *module.Func) []string {
	problems := documented(f.Doc, f.Params())
	needs := slices.ContainsFunc(f.Params(), func(p module.Param) bool { return p.Required })
	if f.Example == "" && needs {
		problems = append(problems, `set Example: its arguments as they are typed on a command line, such as "nginx restart=true"`)
	}
	words, err := split(f.Example)
	if err == nil && (f.Example != "" || !needs) {
		err = f.Check(module.Words(words...))
	}
	if err != nil {
		problems = append(problems, fmt.Sprintf("Example %q is refused: %v", f.Example, err))
	}
	return append(problems, refuses(f.Params(), f.Check)...)
}

func documented(doc string, params []module.Param) (problems []string) {
	if strings.TrimSpace(doc) == "" {
		problems = append(problems, "set Doc: a sentence that says what it does")
	}
	for _, p := range params {
		if strings.TrimSpace(p.Doc) == "" {
			problems = append(problems, fmt.Sprintf("argument %q: give its field a tag such as doc:\"the file\"", p.Name))
		}
	}
	return problems
}
