// Package library holds the filters, tests and globals of templates: those of Jinja and those of Salt.
// Each is one entry of a list, in order of name.
package library

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"brine/states/jinja/python"
	"brine/states/value"
)

// A Host is the running template that a function is used by.
type Host interface {
	Context() context.Context
	Lenient() bool  // undefined values print as nothing
	Escaping() bool // output is escaped
	Filter(name string, v any, a python.Args) (any, error)
	Test(name string, v any, a python.Args) (bool, error)
	Salt(name string, a python.Args) (any, error)
	HTTP(url string, options *value.Dict) (any, error)
	Root() fs.FS // files of the machine; nil when there are none
	Now() time.Time
	Names() map[string]any // the variables
}

// A Func is a filter, test or global.
type Func struct {
	Name string
	Sig  string // as in package python; of filters and tests with the value first
	Doc  string
	Fn   func(h Host, c *python.Call) (any, error)
	sig  *python.Signature
}

// Apply calls a filter or test on a value.
func (f *Func) Apply(h Host, v any, a python.Args) (any, error) {
	c, err := f.sig.Bind(&v, a)
	if err != nil {
		return nil, err
	}
	return f.Fn(h, c)
}

// The tables by name, made when the first template is read: a minion that waits has none. They can't be made where they
// are declared, as filters like map use them again.
var tables struct {
	sync.Once
	filters, tests, globals map[string]*Func
}

func makeTables() {
	tables.filters = table(jinjaFilters(), saltFilters(), networkFilters(), dataFilters(), fileFilters())
	tables.tests = table(jinjaTests())
	tables.globals = table(globalFuncs())
}

// table makes a table of lists; later ones win, as Salt's filters do over Jinja's.
func table(lists ...[]Func) map[string]*Func {
	t := map[string]*Func{}
	for _, list := range lists {
		for i := range list {
			f := &list[i]
			f.sig = python.NewSignature(f.Name, f.Sig)
			t[f.Name] = f
		}
	}
	return t
}

// FindFilter returns the filter of that name, or nil.
func FindFilter(name string) *Func {
	tables.Do(makeTables)
	return tables.filters[name]
}

// FindTest returns the test of that name, or nil.
func FindTest(name string) *Func {
	tables.Do(makeTables)
	return tables.tests[name]
}

func findGlobal(name string) *Func {
	tables.Do(makeTables)
	return tables.globals[name]
}

// Filters returns all filters in order of name.
func Filters() []*Func { return inOrder(&tables.filters) }

// Tests returns all tests in order of name.
func Tests() []*Func { return inOrder(&tables.tests) }

// Globals returns all globals in order of name.
func Globals() []*Func { return inOrder(&tables.globals) }

func inOrder(t *map[string]*Func) []*Func {
	tables.Do(makeTables)
	return slices.SortedFunc(maps.Values(*t), func(a, b *Func) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// Known tells the parser which filters and tests there are.
type Known struct{}

// HasFilter reports whether there is a filter of that name.
func (Known) HasFilter(name string) bool { return FindFilter(name) != nil }

// HasTest reports whether there is a test of that name.
func (Known) HasTest(name string) bool { return FindTest(name) != nil }

// Global returns the global of that name.
func Global(h Host, name string) (any, bool) {
	f := findGlobal(name)
	if f == nil {
		return nil, false
	}
	return &global{h, f}, true
}

type global struct {
	host Host
	*Func
}

func (g *global) TypeName() string             { return "function" }
func (g *global) Attr(name string) (any, bool) { return g.Name, name == "__name__" }

func (g *global) Text() (string, error) {
	switch g.Name {
	case "range", "dict":
		return "<class '" + g.Name + "'>", nil
	}
	return "<function " + g.Name + ">", nil
}

func (g *global) Call(a python.Args) (any, error) {
	c, err := g.sig.Bind(nil, a)
	if err != nil {
		return nil, err
	}
	return g.Fn(g.host, c)
}

// text is the str of an argument.
func text(v any) (string, error) { return python.Str(v) }

// soft is str, but leaves Markup what it is.
func soft(v any) (any, error) {
	if _, ok := v.(python.Markup); ok {
		return v, nil
	}
	return python.Str(v)
}

// like makes s Markup when v is.
func like(v any, s string) any {
	if _, ok := v.(python.Markup); ok {
		return python.Markup(s)
	}
	return s
}

// onText makes a filter of a function on text.
func onText(fn func(string) string) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		s, err := text(c.Args[0])
		if err != nil {
			return nil, err
		}
		return like(c.Args[0], fn(s)), nil
	}
}

func boolArg(v any) (bool, error) { return python.Truth(v) }

func intArg(v any) (int, error) {
	if i, ok := python.Int(v); ok {
		return int(i), nil
	}
	if _, ok := v.(*python.Unknown); ok {
		return 1, nil
	}
	if _, err := python.Defined(v); err != nil {
		return 0, err
	}
	return 0, python.NoInt(v)
}

func undefined(h Host, hint string) *python.Undefined {
	return &python.Undefined{Hint: hint, Lenient: h.Lenient()}
}
