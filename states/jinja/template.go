package jinja

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
	"brine/states/value"
)

// template runs a whole template into out. A parent that it extends follows with its own.
func (r *run) template(t *Template, c *scope, out *strings.Builder) error {
	if err := r.deeper(); err != nil {
		return (&frame{run: r, tpl: t}).locate(err, syntax.Pos{})
	}
	defer r.leave()
	if c.blocks == nil {
		c.blocks = map[string][]*block{}
	}
	for name, node := range t.tree.Blocks {
		c.blocks[name] = append(c.blocks[name], &block{t, node})
	}
	f := &frame{run: r, tpl: t, vars: make([]any, t.tree.Func.Slots), scope: c, out: out}
	f.enter(t.tree.Scope)
	if t.tree.Self != nil {
		f.setSlot(*t.tree.Self, &self{f})
	}
	if _, err := f.body(t.tree.Body); err != nil {
		return err
	}
	if f.parent != nil {
		return r.template(f.parent, c, out)
	}
	return nil
}

// A loaded template is one that this run has read. Its module is made once for all imports without context.
type loaded struct {
	*Template
	module *module
}

// get reads the template of that name, as Salt's loader does.
func (r *run) get(name string) (*loaded, error) {
	if l := r.loaded[name]; l != nil {
		return l, nil
	}
	file, dir, err := r.locateFile(name)
	if err != nil {
		return nil, err
	}
	text, err := r.read(file, name)
	if err != nil {
		return nil, err
	}
	// A template that is imported without context sees these of the file that was read last.
	r.tpl = map[string]any{"tplfile": file, "tpldir": dir, "tpldot": strings.ReplaceAll(strings.TrimPrefix(dir, "."), "/", ".")}
	t, err := r.engine.Parse(file, text, r.settings)
	if err != nil {
		return nil, err
	}
	l := &loaded{Template: t}
	r.loaded[name] = l
	return l, nil
}

// locateFile resolves "./x" and "../x" against tpldir, and returns the path from the root and the new tpldir.
func (r *run) locateFile(name string) (file, dir string, err error) {
	file = strings.TrimPrefix(name, "salt://")
	if first, _, _ := strings.Cut(name, "/"); first != "." && first != ".." {
		return file, path.Dir(file), nil
	}
	v, ok := r.global("tpldir")
	dir, isText := python.Text(v)
	if !ok || !isText {
		return "", "", notFound(name)
	}
	file = path.Join(dir, name)
	if file == ".." || strings.HasPrefix(file, "../") {
		return "", "", notFound(name)
	}
	return file, dir, nil
}

func notFound(name string) error {
	return python.Errorf("TemplateNotFound", "cannot find the template %s", name)
}

func (r *run) read(file, name string) (string, error) {
	if r.env.Load == nil {
		return "", notFound(name)
	}
	text, err := r.env.Load(r.ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		r.absent = err
		return "", notFound(name)
	}
	return text, err
}

// meant tells which template Load takes the one for that it did not find, or is "".
func (r *run) meant() string {
	var like interface{ Meant() string }
	if !errors.As(r.absent, &like) {
		return ""
	}
	if name := like.Meant(); name != "" {
		return fmt.Sprintf(" (did you mean %q?)", name)
	}
	return ""
}

// pick reads the template that an expression names: by name, or the first there is of a list of names. Of one that may be
// missing nobody looks for what was meant.
func (f *frame) pick(e syntax.Expr, mayMiss bool) (*loaded, error) {
	v, err := f.eval(e)
	if err != nil {
		return nil, err
	}
	if name, ok := python.Text(v); ok {
		f.absent = nil
		l, err := f.get(name)
		if isNotFound(err) && !mayMiss {
			err = notFound(name + f.meant())
		}
		return l, err
	}
	if u, ok := v.(*python.Undefined); ok {
		return nil, u.Err()
	}
	var names []any
	switch v := v.(type) {
	case *value.List:
		names = v.Items
	case value.Tuple:
		names = v
	default:
		return nil, python.Errorf("TypeError", "the name of a template must be text, not %s", python.TypeName(v))
	}
	if len(names) == 0 {
		return nil, python.Errorf("TemplateNotFound", "cannot select from an empty list of templates")
	}
	return f.first(names)
}

func (f *frame) first(names []any) (*loaded, error) {
	var tried []string
	for _, n := range names {
		if u, ok := n.(*python.Undefined); ok {
			return nil, u.Err()
		}
		name, ok := python.Text(n)
		if !ok {
			return nil, python.Errorf("TypeError", "the name of a template must be text, not %s", python.TypeName(n))
		}
		l, err := f.get(name)
		if !isNotFound(err) {
			return l, err
		}
		tried = append(tried, name)
	}
	return nil, notFound(strings.Join(tried, " or "))
}

func isNotFound(err error) bool {
	pe, ok := err.(*python.Error)
	return ok && pe.Type == "TemplateNotFound"
}

// templates runs the statements that use other templates.
func (f *frame) templates(s syntax.Stmt) error {
	var err error
	var at syntax.Pos
	switch s := s.(type) {
	case *syntax.Block:
		err, at = f.blockHere(s), s.Pos
	case *syntax.Extends:
		f.trace(s.Pos, false)
		err, at = f.extend(s), s.Pos
	case *syntax.Include:
		f.trace(s.Pos, false)
		err, at = f.include(s), s.Pos
	case *syntax.Import:
		err, at = f.importAs(s), s.Pos
	case *syntax.FromImport:
		err, at = f.fromImport(s), s.Pos
	}
	if err != nil {
		return f.locate(err, at)
	}
	return nil
}

func (f *frame) extend(s *syntax.Extends) error {
	if f.parent != nil {
		return python.Errorf("TemplateRuntimeError", "extended multiple times")
	}
	l, err := f.pick(s.Template, false)
	if err != nil {
		return err
	}
	f.parent, f.extends = l.Template, true
	return nil
}

func (f *frame) include(s *syntax.Include) error {
	l, err := f.pick(s.Template, s.IgnoreMissing)
	if err != nil {
		if s.IgnoreMissing && isNotFound(err) {
			return nil
		}
		return err
	}
	if !s.WithContext {
		m, err := f.defaultModule(l)
		if err != nil {
			return err
		}
		return f.write(f.out, m.body)
	}
	c := &scope{vars: map[string]any{}, base: f.scope.seen(f.locals(s.Locals))}
	return f.template(l.Template, c, f.out)
}

// moduleOf runs a template that is imported.
func (f *frame) moduleOf(l *loaded, withContext bool, locals []syntax.Local) (*module, error) {
	if !withContext {
		return f.defaultModule(l)
	}
	return f.makeModule(l, f.scope.seen(f.locals(locals)))
}

func (f *frame) defaultModule(l *loaded) (*module, error) {
	if l.module == nil {
		m, err := f.makeModule(l, nil)
		if err != nil {
			return nil, err
		}
		l.module = m
	}
	return l.module, nil
}

func (f *frame) makeModule(l *loaded, base *layer) (*module, error) {
	c := &scope{vars: map[string]any{}, base: base}
	var out strings.Builder
	if err := f.template(l.Template, c, &out); err != nil {
		return nil, err
	}
	return &module{name: l.name, scope: c, body: out.String()}, nil
}

func (f *frame) importAs(s *syntax.Import) error {
	l, err := f.pick(s.Template, false)
	if err != nil {
		return err
	}
	if s.Load != "" {
		defer f.timed(strings.Replace(s.Load, "load_", "import_", 1), l.name)()
	}
	m, err := f.moduleOf(l, s.WithContext, s.Locals)
	if err != nil {
		return err
	}
	if s.Load == "" {
		return f.assign(s.Target, m, syntax.Store{Context: s.Store.Context})
	}
	v, err := f.Filter(s.Load, m.body, python.Args{})
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	return f.assign(s.Target, v, s.Store)
}

func (f *frame) fromImport(s *syntax.FromImport) error {
	l, err := f.pick(s.Template, false)
	if err != nil {
		return err
	}
	m, err := f.moduleOf(l, s.WithContext, s.Locals)
	if err != nil {
		return err
	}
	for _, n := range s.Names {
		v, ok := m.Attr(n.Name)
		if !ok {
			where := "line " + python.Itoa(s.Line)
			v = f.undefinedBecause("the template "+python.Quote(m.name)+" (imported on "+where+
				") does not export the requested name "+python.Quote(n.Name), n.Name)
		}
		if err := f.assign(n.Target, v, s.Store); err != nil {
			return err
		}
		delete(f.scope.exported, n.Target.Name)
	}
	return nil
}

// A module is what an import gives.
type module struct {
	name  string
	scope *scope
	body  string
}

func (m *module) TypeName() string { return "jinja2.environment.TemplateModule" }

func (m *module) Text() (string, error) { return m.body, nil }

// Attr returns what the template exports.
func (m *module) Attr(name string) (any, bool) {
	if !m.scope.exported[name] {
		return nil, false
	}
	v, ok := m.scope.vars[name]
	return v, ok
}
