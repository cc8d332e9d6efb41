package sls

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

// A compiler makes chunks of declarations.
type compiler struct {
	opts     Options
	index    *module.Index
	files    []*file
	decls    []*decl
	byTarget targets
	errs     []*plan.Error
	missing  []*plan.Error // of names that nothing of what was read has

	suggested int
}

// targets finds declarations by what requisites call them.
type targets struct{ id, name, sls map[string][]*decl }

func newCompiler(o Options, files []*file) *compiler {
	c := &compiler{opts: o, index: o.Index, files: files}
	c.byTarget = targets{map[string][]*decl{}, map[string][]*decl{}, map[string][]*decl{}}
	for _, f := range files {
		for _, d := range f.decls {
			c.add(d)
		}
	}
	return c
}

func (c *compiler) add(d *decl) {
	c.decls = append(c.decls, d)
	t := c.byTarget
	t.id[d.id] = append(t.id[d.id], d)
	t.sls[d.file.Name] = append(t.sls[d.file.Name], d)
	if name := d.arg("name"); name != nil && name.Text != d.id {
		t.name[name.Text] = append(t.name[name.Text], d)
	}
}

func (c *compiler) fail(at plan.Place, format string, args ...any) {
	c.errs = append(c.errs, plan.Errorf(at, format, args...))
}

// lack notes that the run does not have what is named.
func (c *compiler) lack(r plan.Requisite, format string, args ...any) {
	e := plan.Errorf(r.Place, format, args...)
	e.Lacks = &r
	c.missing = append(c.missing, e)
}

// unknown is fail for a name that there is not.
func (c *compiler) unknown(at plan.Place, format string, args ...any) {
	c.fail(at, format, args...)
	c.errs[len(c.errs)-1].Unknown = true
}

// chunks makes the chunks of all declarations: one each, or one for each of its names.
func (c *compiler) chunks() []*plan.Chunk {
	var chunks []*plan.Chunk
	c.number()
	for _, d := range c.decls {
		for nth, args := range c.expand(d) {
			b := &chunkBuilder{compiler: c, decl: d, chunk: &plan.Chunk{
				ID: d.id, Name: d.id, Module: d.module, Func: d.fn, SLS: d.file.Name, Env: d.file.Env, Through: d.file.through,
				Place: d.at, Order: d.order, Nth: nth, Warnings: slices.Clip(d.warnings),
			}}
			b.build(args)
			if c.opts.Chunk != nil {
				c.opts.Chunk(b.chunk)
			}
			chunks = append(chunks, b.chunk)
		}
	}
	setOrders(chunks)
	if c.opts.Show {
		for _, chunk := range chunks {
			chunk.Low.Put("order", int64(chunk.Order))
			chunk.Low.Put("fun", chunk.Func)
		}
	}
	return chunks
}

// number gives each declaration without an order of its own the next one, as Salt does.
func (c *compiler) number() {
	next := firstOrder
	for _, d := range c.decls {
		if d.order = next; d.arg("order") == nil {
			next++
		}
	}
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
		args := []argument{{"name", d.file, name.Line, name.Column, name, ""}}
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
		key := arg.Pairs[0].Key
		own = append(own, argument{key.Text, d.file, key.Line, key.Column, arg.Pairs[0].Value, ""})
	}
	return item.Pairs[0].Key, own, true
}

// A chunkBuilder makes one chunk.
type chunkBuilder struct {
	*compiler
	decl  *decl
	chunk *plan.Chunk
	state *module.State // nil when there is none of that name
	args  []module.Arg  // those of the state's own function
}

// build takes out the arguments that every state has, and binds the rest to the state's function.
func (b *chunkBuilder) build(args []argument) {
	b.args = append(b.args, module.Arg{Name: "name", Value: module.Value{
		Data: b.decl.id, Text: b.decl.id, HasText: true, Line: b.decl.at.Line}})
	b.find()
	for _, a := range args {
		b.take(a)
	}
	b.chunk.Requisites = append(b.chunk.Requisites, b.decl.requisites...) // as in Salt after its own, which are gone to first
	if b.opts.Show {
		b.chunk.Low = b.low(args)
	}
	if b.decl.fn == "" {
		return // told already
	}
	if b.chunk.FireEvent == eventOfName {
		b.chunk.FireEvent = b.chunk.Name
	}
	b.checks(args)
	b.bind(args)
	b.listens()
}

// listens refuses a state that would hear of changes and has nothing to do then.
func (b *chunkBuilder) listens() {
	if b.state == nil || b.state.Watches() {
		return
	}
	for _, r := range b.chunk.Requisites {
		if r.Kind == plan.Listen {
			b.fail(r.Place, "state %q: %s does nothing when a state that it listens to changed: use onchanges", b.decl.id, b.state.FullName())
		}
	}
}

// find finds the state that is declared.
func (b *chunkBuilder) find() {
	if b.decl.fn == "" || strings.ContainsAny(b.decl.fn, " \t\n") {
		return // told already
	}
	var err error
	if b.state, err = b.index.State(b.decl.module + "." + b.decl.fn); err != nil {
		b.unknown(b.decl.at, "state %q: %v", b.decl.id, err)
	}
}

// own says whether an argument that every state has is one of this state's own.
func (b *chunkBuilder) own(name string) bool {
	return b.state != nil && slices.ContainsFunc(b.state.Params(), func(p module.Param) bool { return p.Name == name })
}

func (b *chunkBuilder) take(a argument) {
	if slot := slotIn(a.value); slot != "" {
		b.fail(b.decl.place(a), "state %q: argument %q: cannot use what a function returns (%s): slots are not supported", b.decl.id, a.name, slot)
	}
	if _, ok := plan.ParseKind(a.name); ok {
		b.chunk.Requisites = append(b.chunk.Requisites, b.requisiteList(b.decl, a)...)
		return
	}
	if in, ok := strings.CutSuffix(a.name, "_in"); ok {
		if _, ok := plan.ParseKind(in); ok {
			return // requisitesIn took it
		}
	}
	set, ok := globals[a.name]
	switch {
	case a.within != "" && b.own(a.within):
		b.indent(a)
	case ok && !(a.name == "check_cmd" && b.own(a.name)):
		if set != nil {
			set(b, a)
		}
	case a.name == "name":
		b.name(a)
	default:
		b.args = append(b.args, module.Arg{Name: a.name, Value: module.Node(a.value)})
	}
}

// slotIn returns text that Salt would replace by what a function returns when the state runs: that of an argument, or of
// an item or entry of it.
func slotIn(n *yaml.Node) string {
	nodes := append([]*yaml.Node{n}, n.Items...)
	for _, p := range n.Pairs {
		nodes = append(nodes, p.Value)
	}
	for _, n := range nodes {
		if text, ok := n.Str(); ok && strings.HasPrefix(text, "__slot__:salt:") {
			return text
		}
	}
	return ""
}

// indent takes an argument as an entry of the one that stands before it.
func (b *chunkBuilder) indent(a argument) {
	i := slices.IndexFunc(b.args, func(arg module.Arg) bool { return arg.Name == a.within })
	d, ok := b.args[i].Value.Data.(*value.Dict)
	if !ok {
		d = &value.Dict{}
		b.args[i].Value = module.Value{Data: d, Line: a.line}
		b.chunk.Warnings = append(b.chunk.Warnings, a.within+" is read as if what follows it had more indentation, at "+b.decl.place(a).String())
	}
	d.Put(a.name, a.value.Data())
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

// bind checks the arguments of the state's function.
func (b *chunkBuilder) bind(args []argument) {
	if b.state == nil {
		return
	}
	var err error
	b.chunk.State, err = b.state.Bind(module.Input{Args: b.args, Loose: b.opts.Lenient})
	var mistakes module.ArgErrors
	errors.As(err, &mistakes)
	b.others(args, mistakes)
	if len(mistakes) == 0 {
		b.calls(args)
	}
	var unknown []string
	for _, m := range mistakes {
		if other := b.sibling(m); m.Unknown && (b.opts.Lenient || other != "") {
			unknown = append(unknown, m.Arg)
			b.chunk.Warnings = append(b.chunk.Warnings, m.Text+" is ignored"+other)
			continue
		}
		b.argError(args, m)
	}
	if len(unknown) > 0 && len(unknown) == len(mistakes) {
		known := slices.DeleteFunc(b.args, func(a module.Arg) bool { return slices.Contains(unknown, a.Name) })
		b.chunk.State, _ = b.state.Bind(module.Input{Args: known, Loose: b.opts.Lenient}) // all its mistakes are gone
	}
}

// A caller is arguments that name functions and theirs.
type caller interface {
	CheckCalls(functions *module.Index) module.ArgErrors
}

// calls finds mistakes in the functions that a state calls.
func (b *chunkBuilder) calls(args []argument) {
	c, ok := b.chunk.State.Args().(caller)
	if !ok {
		return
	}
	functions := b.opts.Index
	if b.opts.Host != nil {
		if x, ok := b.opts.Host.Modules.(*module.Index); ok { // what the host calls
			functions = x
		}
	}
	for _, m := range c.CheckCalls(functions) {
		b.argError(args, m)
	}
}

// others warns of arguments that the state takes beside its own, and refuses those that look like misspelt words that
// all states know.
func (b *chunkBuilder) others(args []argument, mistakes module.ArgErrors) {
	params := b.state.Params()
	i := slices.IndexFunc(params, func(p module.Param) bool { return p.Others })
	if i < 0 {
		return
	}
	for _, a := range b.args {
		told := func(m *module.ArgError) bool { return m.Unknown && m.Arg == a.Name }
		if takes(b.state, a.Name) || slices.ContainsFunc(mistakes, told) {
			continue
		}
		text := fmt.Sprintf("unknown argument %q", a.Name)
		if spell.Nearest(a.Name, words()) != "" && !b.opts.Lenient {
			b.argError(args, &module.ArgError{Arg: a.Name, Text: text, Unknown: true})
			continue
		}
		b.chunk.Warnings = append(b.chunk.Warnings, text+": "+params[i].Doc)
	}
}

// takes says whether a state has an argument of that name.
func takes(s *module.State, name string) bool {
	return slices.ContainsFunc(s.Params(), func(p module.Param) bool {
		return !p.Named && (p.Name == name || slices.Contains(p.Aliases, name))
	})
}

// sibling tells which other state of the module has an unknown argument; "" when none has, or it is more
// likely misspelt. It is no mistake, but left from a state that was another one before, or shared by several; Salt ignores it.
func (b *chunkBuilder) sibling(m *module.ArgError) string {
	if !m.Unknown || b.state.Exact || strings.Contains(m.Text, "did you mean") {
		return ""
	}
	for _, name := range b.index.States(b.decl.module + ".*") {
		if s, err := b.index.State(name); err == nil && takes(s, m.Arg) {
			return ": it is one of " + name
		}
	}
	return ""
}

// argError adds to an unknown argument what is misspelt of the words that all states know.
func (b *chunkBuilder) argError(args []argument, m *module.ArgError) {
	at := b.decl.at
	for _, a := range args {
		if a.name == m.Arg {
			at = b.decl.place(a)
		}
	}
	if m.Line > 0 && m.Line != at.Line && !m.Unknown {
		at.Line, at.Column = m.Line, 0
	}
	text := m.Text
	if m.Unknown && !strings.Contains(text, "did you mean") {
		text += spell.DidYouMean(m.Arg, words())
	}
	if m.Unknown {
		b.unknown(at, "state %q: %s: %s", b.decl.id, b.state.FullName(), text)
		return
	}
	b.fail(at, "state %q: %s: %s", b.decl.id, b.state.FullName(), text)
}
