package jinja

import (
	"maps"
	"strings"

	"brine/states/jinja/library"
	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
)

// A layer is names that no one changes any more, over other layers.
type layer struct {
	names map[string]any
	next  *layer
}

// A scope is what Jinja calls a context: the names of a template at its top level, over those
// that it was given.
type scope struct {
	vars     map[string]any
	exported map[string]bool
	base     *layer
	blocks   map[string][]*block
}

// A block of the template that is rendered, or of one of its parents.
type block struct {
	tpl  *Template
	node *syntax.Block
}

func (s *scope) lookup(name string) (any, bool) {
	if v, ok := s.vars[name]; ok {
		return v, true
	}
	for l := s.base; l != nil; l = l.next {
		if v, ok := l.names[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) set(name string, v any, export bool) {
	s.vars[name] = v
	if export && !strings.HasPrefix(name, "_") {
		if s.exported == nil {
			s.exported = map[string]bool{}
		}
		s.exported[name] = true
	}
}

// seen is the scope as another template that uses it with its context sees it, with the variables given on top.
func (s *scope) seen(locals map[string]any) *layer {
	if len(s.vars) == 0 && len(locals) == 0 {
		return s.base
	}
	names := make(map[string]any, len(s.vars)+len(locals))
	maps.Copy(names, s.vars)
	maps.Copy(names, locals)
	return &layer{names, s.base}
}

type missingValue struct{}

// missing is what a variable holds that was not set.
var missing any = missingValue{}

// A frame is one call of a syntax.Func.
type frame struct {
	*run
	tpl     *Template
	vars    []any
	up      *frame // of the function around it
	scope   *scope
	out     *strings.Builder
	escape  bool // inside autoescape of the template's own text: blocks and other templates have their own
	extends bool // a parent template writes instead of this one
	parent  *Template
}

func (f *frame) enter(s *syntax.Scope) {
	for i := range s.Loads {
		l := &s.Loads[i]
		switch l.Kind {
		case syntax.Resolve:
			f.vars[l.Index] = f.resolve(l.Name)
		case syntax.Alias:
			f.vars[l.Index] = f.slot(l.From)
		default:
			f.vars[l.Index] = missing
		}
	}
}

func (f *frame) resolve(name string) any {
	if v, ok := f.scope.lookup(name); ok {
		return v
	}
	if v, ok := f.global(name); ok {
		return v
	}
	if v, ok := library.Global(f, name); ok {
		return v
	}
	return missing
}

func (f *frame) slot(s syntax.Slot) any {
	for range s.Up {
		f = f.up
	}
	return f.vars[s.Index]
}

func (f *frame) setSlot(s syntax.Slot, v any) {
	for range s.Up {
		f = f.up
	}
	f.vars[s.Index] = v
}

// locals are the variables that are set, by name.
func (f *frame) locals(list []syntax.Local) map[string]any {
	out := make(map[string]any, len(list))
	for _, l := range list {
		if v := f.slot(l.Slot); v != missing {
			out[l.Name] = v
		}
	}
	return out
}

func (f *frame) undefined(name string) *python.Undefined {
	return &python.Undefined{Name: name, Lenient: f.settings.AllowUndefined}
}

func (f *frame) undefinedBecause(hint, name string) *python.Undefined {
	u := f.undefined(name)
	u.Hint = hint
	return u
}

// Escaping reports whether output is escaped, for the library.
func (f *frame) Escaping() bool { return f.escape }
