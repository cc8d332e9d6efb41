package sls

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

// A decl is one state of one ID as it was written: "file.managed" and its arguments.
type decl struct {
	file   *file
	id     string
	module string
	fn     string // "" when it was not understood
	at     plan.Place
	args   []argument
	order  int // where it stands when it says nothing else

	requisites []plan.Requisite // what *_in of other states added
	warnings   []string
}

// An argument is one "- name: value".
type argument struct {
	name  string
	file  *file // not always that of the state: extend and use bring arguments from elsewhere
	line  int
	col   int // 0 where it is not known
	value *yaml.Node

	// within is "context" or "defaults" for what stands after it with too little indentation: Salt's templates see it.
	within string
}

func (d *decl) arg(name string) *yaml.Node {
	for _, a := range d.args {
		if a.name == name {
			return a.value
		}
	}
	return nil
}

// place is where an argument stands.
func (d *decl) place(a argument) plan.Place {
	return plan.Place{File: a.file.path, Line: a.line, Column: a.col}
}

// declare reads one entry of an SLS: an ID and its states.
func (l *loader) declare(f *file, p yaml.Pair) {
	id, ok := l.id(f, p.Key)
	if !ok {
		return
	}
	at := f.at(p.Key)
	if first, ok := l.ids[id]; ok {
		l.fail(at, "found conflicting ID %q: IDs are unique in all files of a run, and %s has it already", id, first)
	} else {
		l.ids[id] = at
	}
	f.decls = append(f.decls, l.body(f, id, at, p.Value, false)...)
}

// id reads a key as an ID; false for what is none.
func (l *loader) id(f *file, key *yaml.Node) (string, bool) {
	id, ok := key.Str()
	if !ok {
		l.fail(f.at(key), "the ID %s is not formed as a string, but is of type %s: it may need to be quoted", key.Text, key.TypeName())
		return "", false
	}
	return id, !strings.HasPrefix(id, "__")
}

// body reads the states of an ID. Those of an extension need no function.
func (l *loader) body(f *file, id string, at plan.Place, body *yaml.Node, extension bool) (decls []*decl) {
	if text, ok := body.Str(); ok {
		d := &decl{file: f, id: id, at: f.at(body)}
		if mod, fn, ok := strings.Cut(text, "."); ok {
			d.module = mod
			l.setFunc(d, fn, d.at)
		} else {
			l.fail(at, "ID %q is not a dictionary: want a state such as file.managed, got %q", id, text)
		}
		if extension && d.module == "" {
			return nil
		}
		return []*decl{d}
	}
	if body.Kind != yaml.MappingNode {
		l.fail(at, "ID %q is not a dictionary: want states and their arguments, got %s", id, body.TypeName())
		return nil
	}
	seen := map[string]*decl{}
	for _, p := range body.Pairs {
		name, ok := p.Key.Str()
		if !ok {
			l.fail(f.at(p.Key), "ID %q: %s is no state: want one such as file.managed", id, p.Key.Text)
			continue
		}
		if strings.HasPrefix(name, "__") {
			continue
		}
		d := &decl{file: f, id: id, at: f.at(p.Key)}
		var fn string
		d.module, fn, _ = strings.Cut(name, ".")
		if first := seen[d.module]; first != nil {
			l.fail(d.at, "ID %q contains multiple state declarations of the same type %q (the first is at line %d)",
				id, d.module, first.at.Line)
			continue
		}
		seen[d.module] = d
		l.arguments(d, fn, p.Value, extension)
		decls = append(decls, d)
	}
	return decls
}

// arguments reads the list after "mod.fun:" or "mod:".
func (l *loader) arguments(d *decl, fn string, list *yaml.Node, extension bool) {
	if fn != "" {
		l.setFunc(d, fn, d.at)
	}
	switch {
	case list.IsNull() && fn != "":
		l.fail(d.at, "ID %q contains a short declaration (%s.%s) with a trailing colon: without arguments the colon must be omitted",
			d.id, d.module, fn)
		return
	case list.Kind != yaml.SequenceNode:
		l.fail(d.at, "state %q is not formed as a list: write each argument of %s in a line after \"- \"", d.id, d.module)
		return
	}
	for _, item := range list.Items {
		l.argument(d, item)
	}
	if d.fn == "" && !extension {
		l.fail(d.at, "no function declared in state %q: want one such as %s.NAME", d.id, d.module)
	}
}

func (l *loader) argument(d *decl, item *yaml.Node) {
	at := d.file.at(item)
	if text, ok := item.Str(); ok {
		l.setFunc(d, text, at)
		return
	}
	if item.Kind == yaml.ScalarNode { // as in Salt
		d.warnings = append(d.warnings, fmt.Sprintf("the item %s is ignored: it is no argument, at %s", item.Text, at))
		return
	}
	if item.Kind != yaml.MappingNode || len(item.Pairs) == 0 {
		l.fail(at, "state %q: want an argument (\"- name: value\"), got %s", d.id, item.TypeName())
		return
	}
	within := ""
	for i, p := range l.pairs(d, item) {
		l.named(d, p, within)
		if name, _ := p.Key.Str(); i == 0 && p.Value.IsNull() && (name == "context" || name == "defaults") {
			within = name
		}
	}
}

// pairs returns the arguments of one item: one, or as in Salt several of the same indentation.
func (l *loader) pairs(d *decl, item *yaml.Node) []yaml.Pair {
	first := item.Pairs[0]
	if len(item.Pairs) == 1 {
		return item.Pairs
	}
	name, _ := first.Key.Str()
	if _, ok := plan.ParseKind(strings.TrimSuffix(name, "_in")); ok {
		l.fail(d.file.at(item.Pairs[1].Key), "multiple dictionaries defined in one argument of state %q: %q needs a \"- \" of its own"+
			" or more indentation", d.id, item.Pairs[1].Key.Text)
		return nil
	}
	return item.Pairs
}

// named takes an argument. As in Salt, of two with one name the later counts, but that both hold that add to others.
func (l *loader) named(d *decl, p yaml.Pair, within string) {
	name, ok := p.Key.Str()
	if !ok {
		l.fail(d.file.at(p.Key), "state %q: the argument name %s is not a string", d.id, p.Key.Text)
		return
	}
	arg := argument{name, d.file, p.Key.Line, p.Key.Column, p.Value, within}
	i := slices.IndexFunc(d.args, func(a argument) bool { return a.name == name })
	base, adds := strings.CutSuffix(name, "_in")
	if _, isRequisite := plan.ParseKind(base); i < 0 || adds && isRequisite {
		d.args = append(d.args, arg)
		return
	}
	if !same(d.args[i].value, p.Value) {
		d.warnings = append(d.warnings, fmt.Sprintf("%s at line %d is ignored: it stands again at %s, and the later one counts",
			name, d.args[i].line, d.place(arg)))
	}
	d.args[i] = arg
}

// same says whether two values of an argument are one scalar, so that nothing is lost with one of them.
func same(a, b *yaml.Node) bool {
	return a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode && a.Text == b.Text && value.Equal(a.Value, b.Value)
}

func (l *loader) setFunc(d *decl, fn string, at plan.Place) {
	switch {
	case strings.ContainsAny(fn, " \t\n"):
		l.fail(at, "the function %q in state %q has whitespace: perhaps this is an argument that is missing a \":\"", fn, d.id)
		d.fn = fn
	case d.fn != "":
		l.fail(at, "too many functions declared in state %q: choose one of %s, %s", d.id, d.fn, fn)
	default:
		d.fn = fn
	}
}
