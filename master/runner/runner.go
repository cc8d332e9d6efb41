// Package runner has the functions that work on masters: runners, which ask masters and act by them, and wheels, which manage
// them. Their names, arguments and returns are Salt's.
package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/spell"
	"brine/states/module"
	"brine/states/value"
)

// The kinds of functions.
const (
	Runner = "runner"
	Wheel  = "wheel"
)

// A Call is a function that is to be called.
type Call struct {
	Kind     string // Runner or Wheel
	Function string
	Input    module.Input

	JID       string // of the call
	RequestID []byte
	Caller
}

// A Caller is for whom a function works.
type Caller struct {
	Operator *proto.OperatorRecord // whose rights count; nil: nobody's, it may do everything
	Actor    string                // as operators are told: "operator ann", "rule web"
	Record   string                // id of the record that led to it; "" for none
	Key      string                // tells the call from others of that record, with At: what it makes follows from them
	At       time.Time
	Depth    uint32
}

// An Answer is what a function returned.
type Answer struct {
	Value   any
	Retcode int // 0 for success
}

// A function is one that can be called.
type function struct {
	kind string
	*module.Func
	traits
}

// traits are what is to be known of a function besides its arguments.
type traits struct {
	reads   bool   // it changes nothing
	derived bool   // what it makes follows from who calls it, so that a second call of the same finds that
	secret  bool   // what it returns is for who asks alone, and stands in no event
	right   string // of a verb, which suffices too
	own     bool   // it tells of itself by events
}

// Functions are all that there are. It is safe for concurrent use.
type Functions struct {
	site  Site
	index map[string]*module.Index // by kind
	known map[string]traits        // by kind and full name
}

// New makes the functions of a site.
func New(site Site) *Functions {
	f := &Functions{site: site, known: map[string]traits{}}
	f.index = map[string]*module.Index{
		Runner: module.NewIndex(f.runners()...), Wheel: module.NewIndex(f.wheels()...),
	}
	for name, t := range runnerTraits() {
		f.known[Runner+" "+name] = t
	}
	for name, t := range wheelTraits() {
		f.known[Wheel+" "+name] = t
	}
	return f
}

// Names are those of a kind, in order.
func (f *Functions) Names(kind string) []string { return f.index[kind].Functions() }

// find returns a function. The error names the nearest one.
func (f *Functions) find(kind, name string) (*function, error) {
	x := f.index[kind]
	if x == nil {
		return nil, fmt.Errorf("there is no kind of function %q: there are %s and %s", kind, Runner, Wheel)
	}
	fn, err := x.Func(strings.TrimPrefix(name, kind+"."))
	if err != nil {
		other := Runner
		if kind == Runner {
			other = Wheel
		}
		if _, no := f.index[other].Func(name); no == nil {
			return nil, fmt.Errorf("%s is a function of %ss: brine %s %[1]s", name, other, other)
		}
		if instead := elsewhere(kind, name); instead != "" {
			return nil, fmt.Errorf("brine has no %s %s: %s", kind, name, instead)
		}
		return nil, fmt.Errorf("no %s is called %q%s", kind, name, spell.DidYouMean(name, f.Names(kind)))
	}
	return &function{kind, fn, f.known[kind+" "+fn.FullName()]}, nil
}

// Split reads the name of a function as schedules and rules have it: a runner, unless "wheel." stands before it.
func Split(name string) (kind, function string) {
	if f, ok := strings.CutPrefix(name, Wheel+"."); ok {
		return Wheel, f
	}
	return Runner, strings.TrimPrefix(name, Runner+".")
}

// Has tells by an error that there is no function of a name as Split reads it.
func (f *Functions) Has(name string) error {
	_, err := f.find(Split(name))
	return err
}

// Reads tells whether a function changes nothing.
func (f *Functions) Reads(kind, name string) bool {
	fn, err := f.find(kind, name)
	return err == nil && fn.reads
}

// Derived tells whether a second call of the same Record and Key does nothing that the first one has done.
func (f *Functions) Derived(kind, name string) bool {
	fn, err := f.find(kind, name)
	return err == nil && fn.derived
}

// Own tells whether a function tells of itself by events.
func (f *Functions) Own(kind, name string) bool {
	fn, err := f.find(kind, name)
	return err == nil && fn.own
}

// Secret tells whether what a function returns may stand in no event.
func (f *Functions) Secret(kind, name string) bool {
	fn, err := f.find(kind, name)
	return err == nil && fn.secret
}

// Rights are those of which a caller needs one, the first of which is named in a refusal.
func (f *Functions) Rights(kind, name string) ([]string, error) {
	fn, err := f.find(kind, name)
	if err != nil {
		return nil, err
	}
	rights := []string{"@" + kind + "." + fn.FullName()}
	if fn.right != "" {
		rights = append([]string{fn.right}, rights...)
	}
	return rights, nil
}

// Check finds every mistake in the arguments of a call.
func (f *Functions) Check(c Call) error {
	fn, err := f.find(c.Kind, c.Function)
	if err == nil {
		err = fn.Check(c.Input)
	}
	return err
}

type callKey struct{}

// callOf is the call that a function is in.
func callOf(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// Call calls a function. It looks at no rights: Rights names them.
func (f *Functions) Call(ctx context.Context, c Call) (Answer, error) {
	fn, err := f.find(c.Kind, c.Function)
	if err != nil {
		return Answer{}, err
	}
	c.Function = fn.FullName()
	out, err := fn.Call(context.WithValue(ctx, callKey{}, c), nil, c.Input)
	return Answer{out.Value, out.Retcode}, err
}

// docs maps the names of a kind to their documentation.
func (f *Functions) docs(kind string) *value.Dict {
	docs := f.index[kind].FunctionDocs()
	for name, text := range docs.All() {
		docs.Put(name.(string), strings.ReplaceAll(text.(string), "brine run '*' ", "brine "+kind+" "))
	}
	return docs
}

func sorted(list []string) *value.List {
	list = slices.Sorted(slices.Values(list))
	return texts(list)
}

func texts(list []string) *value.List {
	l := value.NewList()
	for _, s := range list {
		l.Items = append(l.Items, s)
	}
	return l
}
