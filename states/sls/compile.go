package sls

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// A compiler makes chunks of declarations.
type compiler struct {
	index    *module.Index
	decls    []*decl
	byTarget map[string][]*decl // by ID, name argument and SLS
	errs     []*plan.Error
}

func newCompiler(index *module.Index, decls []*decl) *compiler {
	c := &compiler{index: index, decls: decls, byTarget: map[string][]*decl{}}
	for _, d := range decls {
		c.byTarget[d.id] = append(c.byTarget[d.id], d)
		if d.file.name != d.id {
			c.byTarget[d.file.name] = append(c.byTarget[d.file.name], d)
		}
		if name := d.arg("name"); name != nil && name.Text != d.id && name.Text != d.file.name {
			c.byTarget[name.Text] = append(c.byTarget[name.Text], d)
		}
	}
	return c
}

func (c *compiler) fail(at plan.Place, format string, args ...any) {
	c.errs = append(c.errs, plan.Errorf(at, format, args...))
}

// suggest names the target most likely meant by one that isn't there.
func (c *compiler) suggest(r plan.Requisite) string {
	return module.DidYouMean(r.Target, slices.Sorted(maps.Keys(c.byTarget)))
}

// chunks makes the chunks of all declarations: one each, or one for each of its names.
func (c *compiler) chunks() []*plan.Chunk {
	var chunks []*plan.Chunk
	for i, d := range c.decls {
		for nth, args := range c.expand(d) {
			b := &chunkBuilder{compiler: c, decl: d, chunk: &plan.Chunk{
				ID: d.id, Name: d.id, Module: d.module, Func: d.fn, SLS: d.file.name, Through: d.file.through,
				Place: d.at, Order: firstOrder + i, Nth: nth,
			}}
			b.build(args)
			chunks = append(chunks, b.chunk)
		}
	}
	setOrders(chunks)
	return chunks
}

// expand returns the arguments for each of the names of a declaration, or just its arguments.
func (c *compiler) expand(d *decl) [][]argument {
	list := d.arg("names")
	if list == nil {
		return [][]argument{d.args}
	}
	if list.Kind != yaml.SequenceNode {
		c.fail(d.file.at(list), "the names statement in state %q needs to be formed as a list", d.id)
		return [][]argument{slices.DeleteFunc(slices.Clone(d.args), func(a argument) bool { return a.name == "names" })}
	}
	var all [][]argument
	seen := map[string]bool{}
	for _, item := range list.Items {
		name, own, ok := c.nameOf(d, item)
		if !ok || seen[name.Text] {
			continue
		}
		seen[name.Text] = true
		args := []argument{{"name", name.Line, name}}
		for _, a := range d.args {
			replaced := slices.ContainsFunc(own, func(o argument) bool { return o.name == a.name })
			if a.name != "names" && a.name != "name" && !replaced {
				args = append(args, a)
			}
		}
		all = append(all, append(args, own...))
	}
	return all
}

// nameOf reads an item of names: "- x", or "- x:" with a list of arguments of its own.
func (c *compiler) nameOf(d *decl, item *yaml.Node) (name *yaml.Node, own []argument, ok bool) {
	switch {
	case item.Kind == yaml.ScalarNode && item.Value != nil:
		return item, nil, true
	case item.Kind != yaml.MappingNode || len(item.Pairs) != 1 || item.Pairs[0].Value.Kind != yaml.SequenceNode:
		c.fail(d.file.at(item), "state %q: an item of names is a name, or a name with a list of arguments", d.id)
		return nil, nil, false
	}
	for _, arg := range item.Pairs[0].Value.Items {
		if arg.Kind != yaml.MappingNode || len(arg.Pairs) != 1 {
			c.fail(d.file.at(arg), "state %q: want an argument (\"- name: value\"), got %s", d.id, arg.TypeName())
			return nil, nil, false
		}
		own = append(own, argument{arg.Pairs[0].Key.Text, arg.Line, arg.Pairs[0].Value})
	}
	return item.Pairs[0].Key, own, true
}

// A chunkBuilder makes one chunk.
type chunkBuilder struct {
	*compiler
	decl  *decl
	chunk *plan.Chunk
	args  []module.Arg // those of the state's own function
}

// build takes out the arguments that every state has, and binds the rest to the state's function.
func (b *chunkBuilder) build(args []argument) {
	b.chunk.Requisites = slices.Clone(b.decl.requisites)
	b.args = append(b.args, module.Arg{Name: "name", Value: module.Value{
		Data: b.decl.id, Text: b.decl.id, HasText: true, Line: b.decl.at.Line}})
	for _, a := range args {
		b.take(a)
	}
	if b.decl.fn == "" {
		return // told already
	}
	b.checks(args)
	b.bind()
}

func (b *chunkBuilder) take(a argument) {
	at := b.decl.place(a.line)
	if kind, ok := plan.ParseKind(a.name); ok {
		b.chunk.Requisites = append(b.chunk.Requisites, b.requisiteList(b.decl, a, kind)...)
		return
	}
	if in, ok := strings.CutSuffix(a.name, "_in"); ok {
		if _, ok := plan.ParseKind(in); ok {
			return // requisitesIn took it
		}
	}
	if set, ok := globals[a.name]; ok {
		if set != nil {
			set(b, a)
		}
		return
	}
	switch {
	case later[a.name]:
		b.fail(at, "state %q: %q is not read yet in this version", b.decl.id, a.name)
	case a.name == "name":
		b.name(a)
	default:
		b.args = append(b.args, module.Arg{Name: a.name, Value: module.Node(a.value)})
	}
}

func (b *chunkBuilder) name(a argument) {
	if a.value.IsNull() {
		return
	}
	b.args[0].Value = module.Node(a.value)
	if a.value.Kind == yaml.ScalarNode {
		b.chunk.Name = a.value.Text
	}
}

// bind finds the state's function and checks its arguments.
func (b *chunkBuilder) bind() {
	full := b.decl.module + "." + b.decl.fn
	state, err := b.index.State(full)
	if err != nil {
		if !strings.ContainsAny(b.decl.fn, " \t\n") { // told already
			b.fail(b.decl.at, "state %q: %v", b.decl.id, err)
		}
		return
	}
	b.chunk.State, err = state.Bind(module.Input{Args: b.args})
	var mistakes module.ArgErrors
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			b.argError(full, state, m)
		}
	case err != nil:
		b.fail(b.decl.at, "state %q: %s: %v", b.decl.id, full, err)
	}
}

// argError adds to an unknown argument what is misspelt of the words that all states know.
func (b *chunkBuilder) argError(full string, state *module.State, m *module.ArgError) {
	at := b.decl.at
	if m.Line > 0 {
		at.Line = m.Line
	}
	text := m.Text
	if strings.HasPrefix(text, "unknown argument") && !strings.Contains(text, "did you mean") {
		text += module.DidYouMean(m.Arg, words())
	}
	b.fail(at, "state %q: %s: %s", b.decl.id, full, text)
}
