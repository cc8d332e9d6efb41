// Package moduletest is the suite that every module passes: documented, examples that work, wrong arguments
// refused, test mode that changes nothing, a second run that changes nothing.
package moduletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

// Options say what of a module's examples is out of the ordinary.
type Options struct {
	// Host makes a host on which the examples of the states work; nil is hosttest.New.
	Host func(testing.TB) *hosttest.Host
	// Repeats names the states that change something at every run, such as cmd.run.
	Repeats []string
	// Fails names the states that are meant to fail.
	Fails []string
}

// Run runs the suite on a module.
func Run(t *testing.T, m module.Module, o Options) {
	if o.Host == nil {
		o.Host = hosttest.New
	}
	if m.Name == "" || m.Doc == "" {
		t.Errorf("module %q has no documentation", m.Name)
	}
	if !slices.IsSortedFunc(m.Funcs, func(a, b module.Func) int { return strings.Compare(a.Name, b.Name) }) ||
		!slices.IsSortedFunc(m.States, func(a, b module.State) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("functions and states of %s are not in order of name", m.Name)
	}
	x := module.NewIndex(m)
	for _, name := range x.Functions() {
		f, err := x.Func(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			documented(t, f.Doc, f.Usage(), f.Params())
			if err := f.Check(module.Words(words(t, f.Example)...)); err != nil {
				t.Errorf("example %q is refused: %v", f.Example, err)
			}
			refuses(t, f.Params(), f.Check)
		})
	}
	for _, name := range x.States() {
		s, err := x.State(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run("state "+name, func(t *testing.T) {
			documented(t, s.Doc, s.Usage(), s.Params())
			refuses(t, s.Params(), func(in module.Input) error {
				_, err := s.Bind(in)
				return err
			})
			for id, in := range declarations(t, name, s.Example) {
				settles(t, s, id, in, o)
			}
		})
	}
}

func documented(t *testing.T, doc, usage string, params []module.Param) {
	t.Helper()
	if strings.TrimSpace(doc) == "" {
		t.Error("has no documentation")
	}
	if !strings.Contains(usage, "Example:") {
		t.Error("has no example")
	}
	for _, p := range params {
		if p.Doc == "" {
			t.Errorf("argument %q has no documentation", p.Name)
		}
	}
}

// refuses gives check an unknown argument, and each argument something that it can't be.
func refuses(t *testing.T, params []module.Param, check func(module.Input) error) {
	t.Helper()
	const stranger = "no_such_argument"
	open := slices.ContainsFunc(params, func(p module.Param) bool { return p.Named })
	err := check(module.Input{Args: []module.Arg{{Name: stranger, Value: module.Typed("1")}}})
	if !open && (err == nil || !strings.Contains(err.Error(), stranger)) {
		t.Errorf("unknown argument: got error %v, want one that names %q", err, stranger)
	}
	wrong := value.NewDict("wrong", value.NewList(value.NewDict()))
	for _, p := range params {
		if p.Rest || p.Named || strings.Contains(p.Type, "anything") || strings.Contains(p.Type, "map") {
			continue
		}
		err := check(module.Input{Args: []module.Arg{{Name: p.Name, Value: module.Data(wrong)}}})
		if err == nil || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("argument %q given a map: got error %v, want one that names it", p.Name, err)
		}
	}
}

// settles runs a state in test mode, for real, and again.
func settles(t *testing.T, s *module.State, id string, in module.Input, o Options) {
	t.Helper()
	b, err := s.Bind(in)
	if err != nil {
		t.Errorf("example %q is refused: %v", id, err)
		return
	}
	h := o.Host(t)
	fails, repeats := slices.Contains(o.Fails, s.Name), slices.Contains(o.Repeats, s.Name)

	before := h.Snapshot()
	foretold := b.Run(t.Context(), h.Host, true)
	unchanged(t, h, before, "test mode")
	if s.Watches() {
		b.RunWatch(t.Context(), h.Host, []string{"test: x"}, true)
		unchanged(t, h, before, "test mode of watch")
	}
	done := b.Run(t.Context(), h.Host, false)
	if ok := done.Result != nil && *done.Result; ok == fails {
		t.Errorf("%s: got result %v (%s), want %v", id, ok, done.Comment, !fails)
	}
	if foretold.Result != nil && *foretold.Result && done.Changes.Len() > 0 {
		t.Errorf("%s: test mode foretold no change, the run changed %v", id, done.Changes.Keys())
	}
	if foretold.Result == nil && done.Changes.Len() == 0 && !fails {
		t.Errorf("%s: test mode foretold a change, the run changed nothing", id)
	}
	if repeats || fails {
		return
	}
	before = h.Snapshot()
	again := b.Run(t.Context(), h.Host, false)
	unchanged(t, h, before, "the second run")
	if again.Changes.Len() > 0 {
		t.Errorf("%s: the second run reports changes %v", id, again.Changes.Keys())
	}
	if r := b.Run(t.Context(), h.Host, true); r.Result == nil {
		t.Errorf("%s: test mode after a run foretells changes %v", id, r.Changes.Keys())
	}
}

func unchanged(t *testing.T, h *hosttest.Host, before []string, when string) {
	t.Helper()
	after := h.Snapshot()
	if slices.Equal(before, after) {
		return
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("%s changed %s", when, line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("%s took away %s", when, line)
		}
	}
}

// declarations reads an example: a piece of an SLS file that declares the state once or more.
func declarations(t *testing.T, name, example string) map[string]module.Input {
	t.Helper()
	doc, err := yaml.Parse("example", []byte(strings.ReplaceAll(example, "\t", "")))
	if err != nil || doc.Kind != yaml.MappingNode {
		t.Fatalf("example is no SLS: %v", err)
	}
	all := make(map[string]module.Input)
	for _, p := range doc.Pairs {
		id := fmt.Sprint(p.Key.Value)
		body := p.Value.Get(name)
		if body == nil && p.Value.Value != name {
			t.Fatalf("example %q does not declare %s", id, name)
		}
		all[id] = input(t, id, body)
	}
	return all
}

func input(t *testing.T, id string, body *yaml.Node) module.Input {
	t.Helper()
	in := module.Input{}
	named := false
	if body != nil {
		for _, item := range body.Items {
			if item.Kind != yaml.MappingNode || len(item.Pairs) != 1 {
				t.Fatalf("example %q: line %d is no argument", id, item.Line)
			}
			p := item.Pairs[0]
			key := fmt.Sprint(p.Key.Value)
			named = named || key == "name"
			in.Args = append(in.Args, module.Arg{Name: key, Value: module.Node(p.Value)})
		}
	}
	if !named {
		in.Args = append(in.Args, module.Arg{Name: "name", Value: module.Data(id)})
	}
	return in
}

// words splits an example as a shell does, as far as examples need it: blanks, and quotes of both kinds.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 {
		t.Errorf("example %q: a quote is not closed", line)
	}
	if open {
		out = append(out, word.String())
	}
	return out
}
