package sls

import (
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

// textName is what messages call an SLS that came as text.
const textName = "<text>"

// text reads an SLS that stands by itself.
func (l *loader) text(t *Text) {
	f := &file{Mod: Mod{Env: l.opts.Env, Name: t.Name}, path: t.Name}
	if t.Name == "" {
		f.path = textName
	}
	top, ok := l.render(f, t.Text)
	if !ok {
		return
	}
	for _, word := range []string{"include", "exclude", "extends"} {
		if n := top.Get(word); n != nil {
			l.fail(f.at(n), "the %q declaration is invalid where a single text is applied: put it into an SLS of the tree", word)
			return
		}
	}
	l.take(f, top)
}

// single declares one state.
func (l *loader) single(s *Single) {
	f := &file{Mod: Mod{Env: l.opts.Env}}
	l.order, l.read = append(l.order, f), append(l.read, "")
	mod, fn, ok := strings.Cut(s.State, ".")
	if !ok {
		l.fail(plan.Place{}, "%q is no state: want one such as pkg.installed", s.State)
		return
	}
	d := &decl{file: f, module: mod, fn: fn}
	for _, a := range s.Args {
		if a.Name == "name" {
			d.id, _ = a.Value.Str()
		}
		if slices.ContainsFunc(d.args, func(old argument) bool { return old.name == a.Name }) {
			l.fail(plan.Place{}, "argument %q is given twice", a.Name)
			continue
		}
		d.args = append(d.args, argument{name: a.Name, file: f, value: nodeOf(a.Value)})
	}
	if d.id == "" {
		l.fail(plan.Place{}, "argument \"name\" is missing")
	}
	f.decls = append(f.decls, d)
}

// nodeOf makes a node of a value that stands in no file.
func nodeOf(v module.Value) *yaml.Node {
	if pairs, ok := v.Pairs(); ok {
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range pairs {
			n.Pairs = append(n.Pairs, yaml.Pair{Key: nodeOf(p[0]), Value: nodeOf(p[1])})
		}
		return n
	}
	if items, ok := v.Items(); ok {
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range items {
			n.Items = append(n.Items, nodeOf(item))
		}
		return n
	}
	text, err := v.Str()
	if err != nil && v.Data != nil {
		text = value.Kind(v.Data)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: v.Data, Text: text}
}
