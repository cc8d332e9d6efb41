package sls

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/yaml"
)

// A file is one SLS that was read.
type file struct {
	Mod
	path     string // for messages
	inTree   string // from the root of its tree; "" for what is in none
	decls    []*decl
	extends  []*decl
	excludes []Exclusion
	through  []string // the SLS that include it, directly or through others
	includes []*file
	reads    []*file // those of includes that it was the first to include
}

// A loader reads SLS files, each once, what a file includes before the file itself.
type loader struct {
	ctx  context.Context
	opts Options
	errs []*plan.Error

	trees  map[string]*tree // by environment
	loaded map[Mod]*file    // nil for one that could not be read
	order  []*file          // as their states are numbered
	read   []string         // the names of those
	paths  []string         // of files in the order in which they were opened
	unread bool             // a file is part of the run and could not be read

	ids map[string]plan.Place // where each ID was first declared

	templates *render.Templates
}

// A tree is the source of an environment.
type tree struct {
	Source
	known []string // the names of all SLS, once asked for
}

func newLoader(ctx context.Context, src Source, o Options) *loader {
	l := &loader{
		ctx: ctx, opts: o, trees: map[string]*tree{o.Env: {Source: src}},
		loaded: map[Mod]*file{}, ids: map[string]plan.Place{},
	}
	l.templates = render.New(o.Host, o.Env, l.open)
	l.templates.Watched(o.Watch)
	return l
}

// open reads a file that a template imports.
func (l *loader) open(ctx context.Context, env, path string) ([]byte, error) {
	t, err := l.tree(env)
	if err != nil {
		return nil, err
	}
	if t.Source == nil {
		return nil, fs.ErrNotExist
	}
	data, err := t.Open(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = &absent{err, t, path}
	}
	return data, err
}

// absent is the error of a file that a tree does not have.
type absent struct {
	error
	tree *tree
	path string
}

func (a *absent) Unwrap() error { return a.error }

// Meant names the file of the tree that is most like it, or is "".
func (a *absent) Meant() string { return spell.Nearest(a.path, a.tree.Paths()) }

func (l *loader) fail(at plan.Place, format string, args ...any) {
	l.errs = append(l.errs, plan.Errorf(at, format, args...))
}

// tree returns the files of an environment.
func (l *loader) tree(env string) (*tree, error) {
	if t := l.trees[env]; t != nil {
		return t, nil
	}
	if l.opts.Trees == nil {
		return nil, fmt.Errorf("this run reads environment %q alone", l.opts.Env)
	}
	src, err := l.opts.Trees.Source(env)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no environment %q%s", env, spell.DidYouMean(env, l.opts.Trees.Environments()))
	}
	if err != nil {
		return nil, err
	}
	l.trees[env] = &tree{Source: src}
	return l.trees[env], nil
}

func (t *tree) names() []string {
	if t.known == nil {
		t.known = names(t.Paths())
	}
	return t.known
}

// request reads an SLS that was asked for from outside: a name, or a glob over names.
func (l *loader) request(m Mod) {
	if m.Env == "" {
		m.Env = l.opts.Env
	}
	name, ok := l.name(m.Name, m.At)
	if !ok {
		return
	}
	for _, name := range l.matching(Mod{Env: m.Env, Name: name}, m.At) {
		l.load(Mod{Env: m.Env, Name: name}, m.At)
	}
}

// name checks the name of an SLS; as in Salt "a/b" is "a.b", and a dot at the end says nothing.
func (l *loader) name(name string, at plan.Place) (string, bool) {
	dotted := strings.TrimRight(strings.ReplaceAll(name, "/", "."), ".")
	if !fs.ValidPath(slashed(dotted)) || dotted == "" {
		l.fail(at, "%q cannot be the name of an SLS: want one such as web or web.config", name)
		return "", false
	}
	return dotted, true
}

func slashed(name string) string { return strings.ReplaceAll(name, ".", "/") }

// load reads an SLS and what it includes. It returns nil when that is not possible.
func (l *loader) load(m Mod, at plan.Place) *file {
	if f, ok := l.loaded[m]; ok {
		return f
	}
	l.loaded[m] = nil
	t, err := l.tree(m.Env)
	if err != nil {
		l.fail(at, "cannot read SLS %q: %v", m.Name, err)
		return nil
	}
	filePath, text, err := Open(l.ctx, t, m.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.fail(at, "cannot find SLS %q in environment %q: there is neither %s.sls nor %[3]s/init.sls%[4]s",
			m.Name, m.Env, slashed(m.Name), spell.DidYouMean(m.Name, t.names()))
		return nil
	case err != nil:
		l.unread = true
		l.fail(at, "cannot read SLS %q: %v", m.Name, err)
		return nil
	}
	f := &file{Mod: m, path: filePath, inTree: filePath}
	if m.Env != l.opts.Env {
		f.path = m.Env + ":" + filePath
	}
	top, ok := l.render(f, text)
	if !ok {
		return nil
	}
	l.loaded[m] = f
	l.take(f, top)
	return f
}

func (l *loader) render(f *file, text []byte) (*yaml.Node, bool) {
	l.paths = append(l.paths, f.path)
	top, errs := render.Render(l.ctx, render.File{
		Name: f.path, Text: text, SLS: f.Name, Path: f.inTree, Env: f.Env, Templates: l.templates,
	})
	l.unread = l.unread || top == nil
	for _, e := range errs {
		l.errs = append(l.errs, e)
		if !slices.Contains(l.paths, e.Place.File) {
			l.paths = append(l.paths, e.Place.File) // a file that a template imports
		}
	}
	return top, top != nil
}

// asList is what to do about an SLS that is a list, as playbooks of other programs are.
func asList(top *yaml.Node) string {
	if top.Kind != yaml.SequenceNode {
		return ""
	}
	return " (begin each state with its ID and a colon, without \"- \", and below it MODULE.STATE: with a list of arguments)"
}

// take reads the includes first, so that their states are numbered before the file's own.
func (l *loader) take(f *file, top *yaml.Node) {
	switch {
	case top.IsNull():
	case top.Kind != yaml.MappingNode:
		l.fail(f.at(top), "the SLS %q is not a dictionary: it holds a %s%s", f.Name, top.TypeName(), asList(top))
		return
	}
	if include := top.Get("include"); include != nil {
		l.include(f, include)
	}
	l.order, l.read = append(l.order, f), append(l.read, f.Name)
	for _, p := range top.Pairs {
		switch p.Key.Value {
		case "include":
		case "extend":
			l.extension(f, p.Value)
		case "exclude":
			l.exclusion(f, p.Value)
		default:
			l.declare(f, p)
		}
	}
	for _, p := range top.Twice { // told already; what stands there may have mistakes of its own
		if id, ok := p.Key.Str(); ok && !reserved(id) {
			f.decls = append(f.decls, l.body(f, id, f.at(p.Key), p.Value, false)...)
		}
	}
}

func reserved(id string) bool { return id == "include" || id == "extend" || id == "exclude" }

func (f *file) at(n *yaml.Node) plan.Place {
	return plan.Place{File: f.path, Line: n.Line, Column: n.Column}
}

// files returns what was read in the order in which states are numbered, and tells each file by which others
// it was included. As in Salt a file counts for the one that includes it first, so that files may include each other;
// for one that has nothing by that count all its includes do.
func (l *loader) files() []*file {
	for _, f := range l.order {
		below := (*file).first
		if !f.declares() {
			below = (*file).all
		}
		f.above(f.Name, below, map[*file]bool{f: true})
	}
	return l.order
}

func (f *file) first() []*file { return f.reads }
func (f *file) all() []*file   { return f.includes }

// declares says whether there are states in a file or in what it was the first to include.
func (f *file) declares() bool {
	return len(f.decls) > 0 || slices.ContainsFunc(f.reads, (*file).declares)
}

func (f *file) above(name string, below func(*file) []*file, seen map[*file]bool) {
	for _, inc := range below(f) {
		if !seen[inc] {
			seen[inc] = true
			inc.through = append(inc.through, name)
			inc.above(name, below, seen)
		}
	}
}

func (l *loader) mods() []Mod {
	mods := make([]Mod, len(l.order))
	for i, f := range l.order {
		mods[i] = f.Mod
	}
	return mods
}
