package module_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
)

// A depot is a package manager of a test: what is installed, and what was asked of it.
type depot struct {
	installed    map[string]string
	versions     map[string]string // that there are to install
	transactions []string
}

type packageArgs struct {
	Name string `arg:"name,required" doc:"d"`
	From string `arg:"fromrepo" doc:"d"`
}

// installed foretells a name, and learns the version only when it installed it.
func (d *depot) plan(_ context.Context, _ *host.Host, a packageArgs) (module.Plan, error) {
	if _, ok := d.installed[a.Name]; ok {
		return module.Plan{Same: a.Name + " is installed"}, nil
	}
	if a.Name == "forbidden" {
		return module.Plan{}, errors.New("cannot install forbidden")
	}
	foretold := value.NewDict(a.Name, value.NewDict("old", "", "new", "installed"))
	return module.Plan{Steps: []module.Step{module.Joint(a.From, a.Name, foretold, d.install)}}, nil
}

func (d *depot) install(_ context.Context, names []string) ([]module.Done, error) {
	d.transactions = append(d.transactions, strings.Join(names, " "))
	if slices.Contains(names, "torn") && len(names) > 1 {
		d.installed[names[0]] = "1.0"
		done := make([]module.Done, len(names))
		done[0].Changes = value.NewDict(names[0], "1.0")
		return done, errors.New("interrupted")
	}
	for _, n := range names {
		if d.versions[n] == "" {
			return nil, fmt.Errorf("no package %s", n)
		}
	}
	var done []module.Done
	for _, n := range names {
		d.installed[n] = d.versions[n]
		done = append(done, module.Done{Changes: value.NewDict(n, value.NewDict("old", "", "new", d.versions[n]))})
	}
	return done, nil
}

// together runs the states named, "NAME" or "NAME@REPO", and tells how each ended.
func (d *depot) together(t *testing.T, names ...string) string {
	t.Helper()
	m := module.Module{Name: "pkg", States: []module.State{{Name: "installed", Aggregate: true, Plan: module.Look(d.plan)}}}
	s, err := module.NewIndex(m).State("pkg.installed")
	if err != nil {
		t.Fatal(err)
	}
	var bounds []*module.Bound
	for _, n := range names {
		name, from, _ := strings.Cut(n, "@")
		b, err := s.Bind(module.Words("name="+name, "fromrepo="+from))
		if err != nil {
			t.Fatal(err)
		}
		bounds = append(bounds, b)
	}
	h := hosttest.New(t).Host
	var out []string
	for i, r := range module.Together(t.Context(), h, bounds) {
		how := "together"
		if r == nil {
			alone := bounds[i].Run(t.Context(), h, false)
			r, how = &alone, "alone"
		}
		json, err := value.MarshalJSON(r.Changes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %v %s", names[i], how, *r.Result, json))
	}
	return strings.Join(out, "\n") + "\n" + strings.Join(d.transactions, ", ")
}

func TestTogether(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"a", "b"}, `a together true {"a":{"old":"","new":"1.1"}}
b together true {"b":{"old":"","new":"1.2"}}
a b`},
		{[]string{"a", "have", "b", "c@backports", "forbidden"}, `a together true {"a":{"old":"","new":"1.1"}}
have alone true {}
b together true {"b":{"old":"","new":"1.2"}}
c@backports alone true {"c":{"old":"","new":"1.3"}}
forbidden alone false {}
a b, c`},
		{[]string{"a", "nosuch", "b"}, `a alone true {"a":{"old":"","new":"1.1"}}
nosuch alone false {}
b alone true {"b":{"old":"","new":"1.2"}}
a nosuch b, a, nosuch, b`},
		{[]string{"a", "torn"}, `a together true {"a":"1.0"}
torn alone true {"torn":{"old":"","new":"2"}}
a torn, torn`},
		{[]string{"a"}, "a alone true {\"a\":{\"old\":\"\",\"new\":\"1.1\"}}\na"},
	} {
		d := &depot{
			installed: map[string]string{"have": "0.9"},
			versions:  map[string]string{"a": "1.1", "b": "1.2", "c": "1.3", "torn": "2"},
		}
		if got := d.together(t, c.names...); got != c.want {
			t.Errorf("%v: got\n%s\nwant\n%s", c.names, got, c.want)
		}
	}
}

func TestAJointStepIsKnownOnlyAfterwards(t *testing.T) {
	d := &depot{installed: map[string]string{}, versions: map[string]string{"a": "1.1"}}
	m := module.Module{Name: "pkg", States: []module.State{{Name: "installed", Aggregate: true, Plan: module.Look(d.plan)}}}
	s, _ := module.NewIndex(m).State("pkg.installed")
	b, err := s.Bind(module.Words("name=a"))
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	for _, c := range []struct {
		test bool
		want string
	}{{true, `{"a":{"old":"","new":"installed"}}`}, {false, `{"a":{"old":"","new":"1.1"}}`}, {true, `{}`}} {
		r := b.Run(t.Context(), h, c.test)
		if json, _ := value.MarshalJSON(r.Changes); string(json) != c.want {
			t.Errorf("test mode %v: got %s, want %s", c.test, json, c.want)
		}
	}
}
