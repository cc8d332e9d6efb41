package module

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

// An Index finds functions and states by their full names. It doesn't change and is safe for concurrent use.
type Index struct {
	modules map[string]*Module
	funcs   map[string]*Func
	states  map[string]*State
	late    lates
}

var _ host.Modules = (*Index)(nil)

// NewIndex makes an index of modules. It panics when two things have one name, or a state's Plan and Watch take
// different arguments: mistakes in the modules.
func NewIndex(mods ...Module) *Index {
	x := &Index{modules: map[string]*Module{}, funcs: map[string]*Func{}, states: map[string]*State{}}
	for _, m := range mods {
		add(x.modules, m.Name, &m)
		for _, f := range m.Funcs {
			f.module = m.Name
			add(x.funcs, f.FullName(), &f)
		}
		for _, s := range m.States {
			s.module = m.Name
			if s.Watches() && s.Plan.t != s.Watch.t {
				panic("module: Plan and Watch of state " + s.FullName() + " take different arguments")
			}
			add(x.states, s.FullName(), &s)
		}
	}
	return x
}

func add[T any](into map[string]*T, name string, x *T) {
	if into[name] != nil {
		panic("module: two are named " + name)
	}
	into[name] = x
}

// Func returns an execution function. The error names the nearest one there is.
func (x *Index) Func(name string) (*Func, error) {
	if f := x.funcs[name]; f != nil {
		return f, nil
	}
	if l := of(x.late.funcs, name); l != nil {
		return l.function(name)
	}
	if x.states[name] != nil {
		return nil, fmt.Errorf("%q is a state, not a function: it belongs into an SLS file", name)
	}
	return nil, unknown("function", name, slices.Collect(maps.Keys(x.functions(nearby(x.late.funcs, name)))))
}

// State returns a state. The error names the nearest one there is.
func (x *Index) State(name string) (*State, error) {
	if s := x.states[name]; s != nil {
		return s, nil
	}
	if l := of(x.late.states, name); l != nil {
		return l.state(name)
	}
	if x.funcs[name] != nil {
		return nil, fmt.Errorf("%q is a function, not a state", name)
	}
	return nil, unknown("state", name, slices.Collect(maps.Keys(x.stateFunctions(nearby(x.late.states, name)))))
}

// unknown is the error of a name that isn't there. Of a known module only its own names are near.
func unknown(what, name string, names []string) error {
	slices.Sort(names)
	mod, _, _ := strings.Cut(name, ".")
	own := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, mod+".") })
	if near := spell.Nearest(name, own); near != "" {
		return fmt.Errorf("unknown %s %q (did you mean %q?)", what, name, near)
	}
	if len(own) > 0 {
		for i := range own {
			own[i] = own[i][len(mod)+1:]
		}
		return fmt.Errorf("unknown %s %q: module %q has %s", what, name, mod, strings.Join(own, ", "))
	}
	var same []string
	for _, n := range names {
		if strings.HasSuffix(n, "."+name) {
			same = append(same, fmt.Sprintf("%q", n))
		}
	}
	if len(same) > 0 {
		return fmt.Errorf("unknown %s %q (did you mean %s?)", what, name, strings.Join(same, " or "))
	}
	return fmt.Errorf("unknown %s %q%s", what, name, spell.DidYouMean(name, names))
}

// Modules returns the names of the modules that have functions.
func (x *Index) Modules() []string {
	return x.modulesWith(func(m *Module) bool { return len(m.Funcs) > 0 }, x.late.funcs)
}

// StateModules returns the names of the modules that have states.
func (x *Index) StateModules() []string {
	return x.modulesWith(func(m *Module) bool { return len(m.States) > 0 }, x.late.states)
}

func (x *Index) modulesWith(has func(*Module) bool, late map[string]*lateModule) []string {
	var names []string
	for name, m := range x.modules {
		if has(m) {
			names = append(names, name)
		}
	}
	for name := range late {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Functions returns the full names of the functions that a pattern matches; see host.Modules.
func (x *Index) Functions(patterns ...string) []string {
	return matching(x.functions(patterns), patterns)
}

// States returns the full names of the states that a pattern matches.
func (x *Index) States(patterns ...string) []string {
	return matching(x.stateFunctions(patterns), patterns)
}

func matching[T any](of map[string]*T, patterns []string) []string {
	var names []string
	for name := range of {
		if len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func matches(pattern, name string) bool {
	if mod, _, _ := strings.Cut(name, "."); mod == pattern {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// FunctionDocs maps the full names of functions to their documentation.
func (x *Index) FunctionDocs(patterns ...string) *value.Dict {
	d := &value.Dict{}
	all := x.functions(patterns)
	for _, name := range matching(all, patterns) {
		d.Put(name, all[name].Usage())
	}
	return d
}

// StateDocs maps the full names of states to their documentation.
func (x *Index) StateDocs(patterns ...string) *value.Dict {
	d := &value.Dict{}
	all := x.stateFunctions(patterns)
	for _, name := range matching(all, patterns) {
		d.Put(name, all[name].Usage())
	}
	return d
}

// FunctionArgs maps the full names of functions to Salt's argspec.
func (x *Index) FunctionArgs(patterns ...string) *value.Dict {
	d := &value.Dict{}
	all := x.functions(patterns)
	for _, name := range matching(all, patterns) {
		d.Put(name, argspec(all[name].Params()))
	}
	return d
}

// StateArgs maps the full names of states to Salt's argspec.
func (x *Index) StateArgs(patterns ...string) *value.Dict {
	d := &value.Dict{}
	all := x.stateFunctions(patterns)
	for _, name := range matching(all, patterns) {
		d.Put(name, argspec(all[name].Params()))
	}
	return d
}

type nestedKey struct{}

// Nested says whether a function was called by Index.Call: from a template or from another module, with values that
// no operator typed.
func Nested(ctx context.Context) bool { return ctx.Value(nestedKey{}) != nil }

// Call calls a function with plain values, or with a Value where the text of an argument is known.
func (x *Index) Call(
	ctx context.Context, h *host.Host, function string, args []any, named *value.Dict,
) (any, int, error) {
	f, err := x.Func(function)
	if err != nil {
		return nil, 0, err
	}
	r, err := f.Call(context.WithValue(ctx, nestedKey{}, true), h, inputOf(args, named))
	return r.Value, r.Retcode, err
}

// Check finds every mistake in what Call would be called with.
func (x *Index) Check(function string, args []any, named *value.Dict) error {
	f, err := x.Func(function)
	if err == nil {
		err = f.Check(inputOf(args, named))
	}
	return err
}

func inputOf(args []any, named *value.Dict) Input {
	var in Input
	for _, a := range args {
		in.Args = append(in.Args, Arg{Value: asValue(a)})
	}
	for k, v := range named.All() {
		in.Args = append(in.Args, Arg{Name: fmt.Sprint(k), Value: asValue(v)})
	}
	return in
}

func asValue(v any) Value {
	if typed, ok := v.(Value); ok {
		return typed
	}
	return Data(v)
}
