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
	"brine/states/yaml"
)

// state looks at one state.
func state(t testing.TB, s *module.State, o Options) []string {
	problems := documented(s.Doc, s.Params())
	problems = append(problems, refuses(s.Params(), func(in module.Input) error {
		_, err := s.Bind(in)
		return err
	})...)
	examples, err := declarations(s.FullName(), s.Example)
	if err != nil {
		return append(problems, err.Error())
	}
	var bound []*module.Bound
	for _, e := range examples {
		b, err := s.Bind(e.in)
		if err != nil {
			problems = append(problems, fmt.Sprintf("Example %q is refused: %v", e.id, err))
			continue
		}
		bound = append(bound, b)
		for _, text := range (&trial{b, o.Host(t), s, o}).run(t) {
			problems = append(problems, fmt.Sprintf("Example %q: %s", e.id, text))
		}
	}
	if s.Aggregate && len(problems) == 0 {
		problems = together(t, o.Host(t), bound)
	}
	return problems
}

// A trial is one example on a host of its own.
type trial struct {
	*module.Bound
	host  *hosttest.Host
	state *module.State
	o     Options
}

// run runs the state in test mode, for real, and again.
func (x *trial) run(t testing.TB) []string {
	fails, repeats := slices.Contains(x.o.Fails, x.state.Name), slices.Contains(x.o.Repeats, x.state.Name)
	before := x.host.Snapshot()
	foretold := x.Run(t.Context(), x.host.Host, true)
	problems := changed(x.host, before, "test mode", "only the Do of a step may change the host")
	if x.state.Watches() {
		x.RunWatch(t.Context(), x.host.Host, []string{"test: x"}, true)
		problems = append(problems, changed(x.host, before, "test mode of Watch", "only the Do of a step may change the host")...)
	}
	done := x.Run(t.Context(), x.host.Host, false)
	if ok := done.Result != nil && *done.Result; ok == fails {
		problems = append(problems, fmt.Sprintf("got result %v (%s), want %v: give Options a Host on which it works, "+
			"or name the state in Fails", ok, done.Comment, !fails))
	}
	problems = append(problems, x.foretold(foretold, done, fails || repeats)...)
	if repeats || fails {
		return problems
	}
	before = x.host.Snapshot()
	again := x.Run(t.Context(), x.host.Host, false)
	const look = "look first whether the host is as wanted, and return no steps then; or name the state in Repeats"
	problems = append(problems, changed(x.host, before, "the second run", look)...)
	if again.Changes.Len() > 0 {
		problems = append(problems, fmt.Sprintf("the second run reports changes %s: %s", shown(again.Changes), look))
	}
	if r := x.Run(t.Context(), x.host.Host, true); r.Result == nil {
		problems = append(problems, fmt.Sprintf("test mode after the run foretells changes %s: %s", shown(r.Changes), look))
	}
	return problems
}

// foretold compares what test mode said with what a run on the unchanged host did.
func (x *trial) foretold(test, done module.Result, loose bool) []string {
	switch {
	case test.Result != nil && *test.Result && done.Changes.Len() > 0:
		return []string{"test mode foretold no change, and the run changed " + shown(done.Changes) +
			": return a step for each change"}
	case loose:
	case test.Result == nil && done.Changes.Len() == 0:
		return []string{"test mode foretold a change, and the run changed nothing: return no step where there is nothing to do"}
	case slices.Contains(x.o.Afterwards, x.state.Name):
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

// An example is one ID of a state's example.
type example struct {
	id string
	in module.Input
}

// declarations reads an example: a piece of an SLS file that declares the state once or more.
func declarations(name, text string) ([]example, error) {
	want := fmt.Sprintf("set Example: a piece of an SLS file that declares %s once or more", name)
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("%s", want)
	}
	doc, err := yaml.Parse("Example", []byte(strings.ReplaceAll(text, "\t", "")))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %v", want, err)
	case doc.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%s, not a %s", want, doc.TypeName())
	}
	var all []example
	for _, p := range doc.Pairs {
		id := fmt.Sprint(p.Key.Value)
		body := p.Value.Get(name)
		if body == nil && p.Value.Value != name {
			return nil, fmt.Errorf("%s: %q is something else", want, id)
		}
		in, err := input(id, body)
		if err != nil {
			return nil, err
		}
		all = append(all, example{id, in})
	}
	return all, nil
}

func input(id string, body *yaml.Node) (module.Input, error) {
	in := module.Input{}
	named := false
	if body != nil {
		for _, item := range body.Items {
			if item.Kind != yaml.MappingNode || len(item.Pairs) != 1 {
				return in, fmt.Errorf("example %q: line %d is no argument such as \"- name: value\"", id, item.Line)
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
	return in, nil
}
