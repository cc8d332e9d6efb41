package module

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/value"
	"brine/states/yaml"
)

// An Input is the arguments of one call, from the wire, a command line or an SLS file.
type Input struct {
	Args []Arg

	Loose bool // what looks misspelt may be one of the others that a function takes
}

// An Arg is one argument; a positional one has no name.
type Arg struct {
	Name  string
	Value Value
}

// A Value is an argument's value. A scalar that was text somewhere keeps that text, so that an argument
// that is text gets 0644 and 1.10 as they were written.
type Value struct {
	Data    any    // one of package value's
	Text    string // a scalar's source text without its quotes, when HasText
	HasText bool
	Line    int // in its file; 0 when it has none

	node *yaml.Node
}

// Data is a value that never was text.
func Data(v any) Value { return Value{Data: v} }

// Node is a value of a YAML document.
func Node(n *yaml.Node) Value {
	return Value{Data: n.Data(), Text: n.Text, HasText: n.Kind == yaml.ScalarNode, Line: n.Line, node: n}
}

// Typed is a value typed on a command line: a YAML scalar, or a list or map in brackets or braces.
// An argument that is text gets all of it; only quotes around the whole are taken off as YAML does.
func Typed(text string) Value {
	v := Value{Data: yaml.Scalar(text), Text: text, HasText: true}
	switch data := v.Data.(type) {
	case string:
		if text != "" && (text[0] == '\'' || text[0] == '"') {
			v.Text = data
		}
	case nil, bool, int64, float64:
	default:
		if n, err := yaml.Parse("", []byte(text)); err == nil {
			v.node = n
		}
	}
	return v
}

// Items returns the members of a list, each with its own text where it is known; false when it is no list.
func (v Value) Items() ([]Value, bool) {
	list, ok := sequenceOf(v.Data)
	if !ok {
		return nil, false
	}
	values := make([]Value, len(list))
	for i, item := range list {
		values[i] = Value{Data: item, Line: v.Line}
		if v.node != nil && len(v.node.Items) == len(list) {
			values[i] = Node(v.node.Items[i])
		}
	}
	return values, true
}

// Each returns the members of a list, and any other value as the only one.
func (v Value) Each() []Value {
	if items, ok := v.Items(); ok {
		return items
	}
	return []Value{v}
}

// Pairs returns the keys and values of a map, each with its own text where it is known; false when it is no map.
func (v Value) Pairs() ([][2]Value, bool) {
	d, ok := v.Data.(*value.Dict)
	if !ok {
		return nil, false
	}
	pairs := make([][2]Value, 0, d.Len())
	if v.node != nil && len(v.node.Pairs) == d.Len() {
		for _, p := range v.node.Pairs {
			pairs = append(pairs, [2]Value{Node(p.Key), Node(p.Value)})
		}
		return pairs, true
	}
	for key, val := range d.All() {
		pairs = append(pairs, [2]Value{{Data: key, Line: v.Line}, {Data: val, Line: v.Line}})
	}
	return pairs, true
}

var named = regexp.MustCompile(`(?s)^([A-Za-z_][\w.-]*)=(.*)$`)

// SplitNamed reads NAME=VALUE as typed on a command line; false when word is a positional argument.
// As in Salt "a==b" is one.
func SplitNamed(word string) (name, text string, ok bool) {
	m := named.FindStringSubmatch(word)
	if m == nil || strings.HasPrefix(m[2], "=") {
		return "", word, false
	}
	return m[1], m[2], true
}

// Words makes the Input of arguments typed on a command line, each VALUE or NAME=VALUE.
func Words(words ...string) Input {
	in := Input{Args: make([]Arg, len(words))}
	for i, word := range words {
		name, text, _ := SplitNamed(word)
		in.Args[i] = Arg{Name: name, Value: Typed(text)}
	}
	return in
}

// An ArgError is a mistake in one argument.
type ArgError struct {
	Arg  string // its name as given; "" for a positional one too many
	Line int    // in its file; 0 when it has none
	Text string // what is wrong, naming the argument

	Unknown bool // there is no argument of that name
}

// Error returns the text.
func (e *ArgError) Error() string { return e.Text }

// ArgErrors is every mistake in an Input, by line and then by name.
type ArgErrors []*ArgError

// Error returns the one mistake, or a list of them, each on a line of its own.
func (es ArgErrors) Error() string {
	if len(es) == 1 {
		return es[0].Text
	}
	var b strings.Builder
	for _, e := range es {
		b.WriteString("\n    " + e.Text)
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As each mistake.
func (es ArgErrors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

func (es ArgErrors) orNil() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// A Checker is arguments that may contradict one another. CheckArgs is called when each by itself is in order, before
// anything runs; every error that it joins is a mistake of its own.
type Checker interface{ CheckArgs() error }

// A binder makes argument structs of Inputs. As paramsOf, it is the same code for all of them.
type binder struct {
	t      reflect.Type // of a struct; that of a *value.Dict for arguments that are told
	params func() []Param
}

func newBinder(t reflect.Type) *binder { return &binder{t, paramsOf(t)} }

// bind returns a pointer to a struct, or says every mistake in the Input.
func (d *binder) bind(in Input) (any, ArgErrors) {
	into := reflect.New(d.t)
	args := into.Interface()
	all := d.params()
	b := binding{in: in, params: all, into: into.Elem(), set: make([]string, len(all))}
	if d.t == dictType {
		b.told = fieldsOf(all)
	}
	b.bind(in)
	if d.t == dictType {
		into.Elem().Set(reflect.ValueOf(b.given()))
	}
	if c, ok := args.(Checker); ok && len(b.errs) == 0 {
		b.contradictions(c.CheckArgs())
	}
	slices.SortStableFunc(b.errs, func(x, y *ArgError) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Arg, y.Arg), cmp.Compare(x.Text, y.Text))
	})
	return args, b.errs
}

type binding struct {
	in     Input
	params []Param
	into   reflect.Value
	told   []reflect.Value // of arguments that are no fields of into
	set    []string        // the name under which each argument was given
	errs   ArgErrors
}

func (b *binding) fail(arg string, line int, format string, args ...any) {
	b.errs = append(b.errs, &ArgError{Arg: arg, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (b *binding) contradictions(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			b.contradictions(e)
		}
	} else if err != nil {
		b.fail("", 0, "%v", err)
	}
}

func (b *binding) bind(in Input) {
	position, given := 0, 0
	for _, a := range in.Args {
		if a.Name != "" {
			b.named(a)
			continue
		}
		given++
		for position < len(b.params) && b.params[position].Named {
			position++
		}
		if position == len(b.params) {
			continue
		}
		b.assign(position, b.params[position].Name, a.Value)
		if !b.params[position].Rest {
			position++
		}
	}
	if most := b.most(); most >= 0 && given > most {
		b.fail("", 0, "got %d positional arguments, want at most %d", given, most)
	}
	b.complete()
}

// most is how many positional arguments there may be; -1 is any number.
func (b *binding) most() int {
	n := 0
	for _, p := range b.params {
		if p.Rest {
			return -1
		}
		if !p.Named {
			n++
		}
	}
	return n
}

func (b *binding) named(a Arg) {
	rest := -1
	for i := range b.params {
		p := &b.params[i]
		if p.Named {
			rest = i
		} else if !p.Rest && p.is(a.Name) {
			b.assign(i, a.Name, a.Value)
			return
		}
	}
	if rest < 0 || b.params[rest].Others && !b.other(&b.params[rest], a.Name) {
		b.unknown(a)
		return
	}
	b.collect(rest, a)
}

// other says whether an argument is one of the others that p takes.
func (b *binding) other(p *Param, name string) bool {
	given := func(a Arg) bool { return a.Name == p.With && a.Value.Data != nil }
	if p.With != "" && !slices.ContainsFunc(b.in.Args, given) {
		return false
	}
	return b.in.Loose || spell.Nearest(name, b.names()) == ""
}

// names are all names that arguments have.
func (b *binding) names() []string {
	var names []string
	for _, p := range b.params {
		if !p.Rest && !p.Named {
			names = append(append(names, p.Name), p.Aliases...)
		}
	}
	return names
}

func (b *binding) assign(i int, name string, v Value) {
	p := &b.params[i]
	field := b.field(i)
	if p.Rest {
		item := reflect.New(field.Type().Elem()).Elem()
		if err := assign(item, v); err != nil {
			b.fail(name, v.Line, "argument %q: %v", name, err)
		}
		field.Set(reflect.Append(field, item))
		return
	}
	switch given := b.set[i]; {
	case given != "" && given != name:
		b.fail(name, v.Line, "arguments %q and %q are the same: give one", given, name)
		return
	case given != "":
		b.fail(name, v.Line, "argument %q is given twice", name)
		return
	}
	if v.Data == nil && field.Kind() != reflect.Interface {
		if p.Required {
			b.set[i] = name
			b.fail(name, v.Line, "argument %q has no value", name)
		}
		return // as in Salt, nothing stands for the default
	}
	b.set[i] = name
	if err := assign(field, v); err != nil {
		b.fail(name, v.Line, "argument %q: %v", name, err)
	}
}

// field is where an argument goes.
func (b *binding) field(i int) reflect.Value {
	if b.told != nil {
		return b.told[i]
	}
	return b.into.FieldByIndex(b.params[i].index)
}

// complete fills in defaults and finds what is missing.
func (b *binding) complete() {
	for i := range b.params {
		p := &b.params[i]
		switch {
		case b.set[i] != "":
		case p.Required && !p.Rest:
			b.fail(p.Name, 0, "argument %q is missing", p.Name)
		case p.Default != "":
			_ = assign(b.field(i), p.def) // paramOf tried it
		case p.Required && b.field(i).Len() == 0:
			b.fail(p.Name, 0, "argument %q is missing", p.Name)
		}
	}
}

func (b *binding) unknown(a Arg) {
	b.fail(a.Name, a.Value.Line, "unknown argument %q%s", a.Name, spell.DidYouMean(a.Name, b.names()))
	b.errs[len(b.errs)-1].Unknown = true
}
