package module

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

// A Late is a module that is read when something of it is first asked for, such as an executable of a state tree.
type Late struct {
	Name   string
	States bool // it has states; else it has functions

	// Load is called once. Its error says why nothing of the module can be used.
	Load func() (Module, error)
	// Open says that nobody knows what is in it: Load is not called, and it has every function or state, with any arguments.
	Open bool
}

// A lateModule is a Late with what was read of it.
type lateModule struct {
	Late
	once   sync.Once
	err    error
	funcs  map[string]*Func
	states map[string]*State
}

// lates are late modules by name.
type lates struct{ funcs, states map[string]*lateModule }

// With returns an index that has further modules. What the index itself has under a name stands, and of several late
// modules of a name the first counts.
func (x *Index) With(more ...Late) *Index {
	if len(more) == 0 {
		return x
	}
	y := &Index{modules: x.modules, funcs: x.funcs, states: x.states,
		late: lates{maps.Clone(x.late.funcs), maps.Clone(x.late.states)}}
	for _, l := range more {
		into := &y.late.funcs
		if l.States {
			into = &y.late.states
		}
		if *into == nil {
			*into = map[string]*lateModule{}
		}
		if (*into)[l.Name] == nil {
			(*into)[l.Name] = &lateModule{Late: l}
		}
	}
	return y
}

// load reads the module.
func (l *lateModule) load() error {
	l.once.Do(func() {
		if l.Open {
			return
		}
		var m Module
		if m, l.err = l.Load(); l.err != nil {
			return
		}
		l.funcs, l.states = map[string]*Func{}, map[string]*State{}
		for _, f := range m.Funcs {
			f.module = l.Name
			l.funcs[f.FullName()] = &f
		}
		for _, s := range m.States {
			s.module = l.Name
			l.states[s.FullName()] = &s
		}
	})
	return l.err
}

// function returns a function by its full name.
func (l *lateModule) function(name string) (*Func, error) {
	if l.Open {
		return &Func{module: l.Name, Name: name[len(l.Name)+1:], Do: CallTold(openParams(false),
			func(context.Context, *host.Host, *value.Dict) (any, error) {
				return nil, fmt.Errorf("cannot call %s: it is not known here", name)
			})}, nil
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", name, err)
	}
	if f := l.funcs[name]; f != nil {
		return f, nil
	}
	return nil, unknown("function", name, slices.Collect(maps.Keys(l.funcs)))
}

// state returns a state by its full name.
func (l *lateModule) state(name string) (*State, error) {
	if l.Open {
		params := openParams(true)
		return &State{module: l.Name, Name: name[len(l.Name)+1:],
			Plan: LookTold(params, func(context.Context, *host.Host, *value.Dict) (Plan, error) {
				return Plan{}, fmt.Errorf("cannot plan %s: it is not known here", name)
			}),
			Watch: ReactTold(params, func(context.Context, *host.Host, *value.Dict, []string) (Plan, error) {
				return Plan{}, fmt.Errorf("cannot plan %s: it is not known here", name)
			})}, nil
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("cannot use %q: %w", name, err)
	}
	if s := l.states[name]; s != nil {
		return s, nil
	}
	return nil, unknown("state", name, slices.Collect(maps.Keys(l.states)))
}

// openParams take anything.
func openParams(state bool) []Param {
	told := []Told{{Name: "args", Rest: true}, {Name: "kwargs", Named: true}}
	if state {
		told = append([]Told{{Name: "name", Type: "text"}}, told[1])
	}
	params, _ := ParamsTold(told) // they are in order
	return params
}

// of finds the late module that a full name is of; nil when there is none.
func of(mods map[string]*lateModule, name string) *lateModule {
	mod, _, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	return mods[mod]
}

// nearby names the late module that a misspelt name may be of: only that is worth reading for a suggestion.
func nearby(mods map[string]*lateModule, name string) []string {
	mod, _, _ := strings.Cut(name, ".")
	return []string{spell.Nearest(mod, slices.Sorted(maps.Keys(mods)))}
}

// meant loads the late modules that patterns may mean. What can't be read has nothing.
func meant(mods map[string]*lateModule, patterns []string) []*lateModule {
	var all []*lateModule
	for name, l := range mods {
		may := func(p string) bool {
			mod, _, _ := strings.Cut(p, ".")
			return mod == name || strings.ContainsAny(mod, `*?[\`)
		}
		if (len(patterns) == 0 || slices.ContainsFunc(patterns, may)) && l.load() == nil {
			all = append(all, l)
		}
	}
	return all
}

// functions are those that patterns may mean, late ones too.
func (x *Index) functions(patterns []string) map[string]*Func {
	late := meant(x.late.funcs, patterns)
	if len(late) == 0 {
		return x.funcs
	}
	all := maps.Clone(x.funcs)
	for _, l := range late {
		for name, f := range l.funcs {
			if all[name] == nil {
				all[name] = f
			}
		}
	}
	return all
}

// stateFunctions are the states that patterns may mean, late ones too.
func (x *Index) stateFunctions(patterns []string) map[string]*State {
	late := meant(x.late.states, patterns)
	if len(late) == 0 {
		return x.states
	}
	all := maps.Clone(x.states)
	for _, l := range late {
		for name, s := range l.states {
			if all[name] == nil {
				all[name] = s
			}
		}
	}
	return all
}
