package sls

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/yaml"
)

// A file is one SLS that was read.
type file struct {
	name     string // such as "web.config"
	path     string
	decls    []*decl
	through  []string // the SLS that include it, directly or through others
	includes []*file
}

// A loader reads SLS files, each once, what a file includes before the file itself.
type loader struct {
	ctx  context.Context
	src  Source
	env  string
	errs []*plan.Error

	files  map[string]*file // by name; nil for one that could not be read
	order  []*file          // as their states are numbered
	read   []string         // the names of those
	paths  []string         // of files in the order in which they were opened
	known  []string         // the names of all SLS, once asked for
	unread bool             // a file exists and could not be read

	ids map[string]plan.Place // where each ID was first declared
}

func (l *loader) fail(at plan.Place, format string, args ...any) {
	l.errs = append(l.errs, plan.Errorf(at, format, args...))
}

func (l *loader) names() []string {
	if l.known == nil {
		l.known = names(l.src.Paths())
	}
	return l.known
}

// request reads an SLS that was asked for from outside.
func (l *loader) request(name string) {
	if name, ok := l.name(name, plan.Place{}); ok {
		l.load(name, plan.Place{})
	}
}

// name checks the name of an SLS; as in Salt "a/b" is "a.b".
func (l *loader) name(name string, at plan.Place) (string, bool) {
	dotted := strings.ReplaceAll(name, "/", ".")
	if !fs.ValidPath(slashed(dotted)) || dotted == "" {
		l.fail(at, "%q cannot be the name of an SLS: want one such as web or web.config", name)
		return "", false
	}
	return dotted, true
}

func slashed(name string) string { return strings.ReplaceAll(name, ".", "/") }

// load reads an SLS and what it includes. It returns nil when that is not possible.
func (l *loader) load(name string, at plan.Place) *file {
	if f, ok := l.files[name]; ok {
		return f
	}
	l.files[name] = nil
	filePath, text, err := l.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.fail(at, "cannot find SLS %q in environment %q: there is neither %s.sls nor %[3]s/init.sls%[4]s",
			name, l.env, slashed(name), module.DidYouMean(name, l.names()))
		return nil
	case err != nil:
		l.unread = true
		l.fail(at, "cannot read SLS %q: %v", name, err)
		return nil
	}
	l.paths = append(l.paths, filePath)
	f := &file{name: name, path: filePath}
	top, errs := render.Render(render.File{Name: filePath, Text: text})
	if len(errs) > 0 {
		l.unread = true
		l.errs = append(l.errs, errs...)
		return nil
	}
	l.files[name] = f
	l.take(f, top)
	return f
}

func (l *loader) open(name string) (string, []byte, error) {
	for _, p := range []string{slashed(name) + ".sls", slashed(name) + "/init.sls"} {
		text, err := l.src.Open(l.ctx, p)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, text, err
		}
	}
	return "", nil, fs.ErrNotExist
}

// take reads the includes first, so that their states are numbered before the file's own.
func (l *loader) take(f *file, top *yaml.Node) {
	switch {
	case top.IsNull():
	case top.Kind != yaml.MappingNode:
		l.fail(f.at(top), "the SLS %q is not a dictionary: it holds a %s", f.name, top.TypeName())
		return
	}
	if include := top.Get("include"); include != nil {
		l.include(f, include)
	}
	l.order, l.read = append(l.order, f), append(l.read, f.name)
	for _, p := range top.Pairs {
		if p.Key.Value != "include" {
			l.declare(f, p)
		}
	}
}

func (f *file) at(n *yaml.Node) plan.Place { return plan.Place{File: f.path, Line: n.Line} }

func (l *loader) include(f *file, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		l.fail(f.at(list), "the include declaration is not formed as a list: write each SLS in a line after \"- \"")
		return
	}
	for _, item := range list.Items {
		name, ok := l.included(f, item)
		if !ok {
			continue
		}
		for _, name := range l.matching(name, f.at(item)) {
			if inc := l.load(name, f.at(item)); inc != nil && inc != f && !slices.Contains(f.includes, inc) {
				f.includes = append(f.includes, inc)
			}
		}
	}
}

// included returns the name that an item of an include list gives.
func (l *loader) included(f *file, item *yaml.Node) (string, bool) {
	if item.Kind == yaml.MappingNode && len(item.Pairs) == 1 {
		env := item.Pairs[0].Key.Text
		if env != l.env {
			l.fail(f.at(item), "cannot include from environment %q: this run reads %q alone", env, l.env)
			return "", false
		}
		item = item.Pairs[0].Value
	}
	name, ok := item.Str()
	if !ok || name == "" {
		l.fail(f.at(item), "cannot include a %s: want the name of an SLS", item.TypeName())
		return "", false
	}
	levels := len(name) - len(strings.TrimLeft(name, "."))
	if levels == 0 {
		return l.name(name, f.at(item))
	}
	within := strings.Split(f.name, ".")
	if path.Base(f.path) == "init.sls" && f.path != "init.sls" {
		within = append(within, "init")
	}
	if levels > len(within) {
		l.fail(f.at(item), "the relative include %q goes beyond the top level of the tree", name)
		return "", false
	}
	return l.name(strings.Join(append(within[:len(within)-levels], name[levels:]), "."), f.at(item))
}

// matching returns the SLS that a name with * ? or [ matches, and any other name as it is.
func (l *loader) matching(name string, at plan.Place) []string {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}
	}
	glob := plan.Glob(name)
	var found []string
	for _, n := range l.names() {
		if glob(n) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		l.fail(at, "cannot include %q: no SLS matches", name)
	}
	return found
}

// decls returns all declarations in the order in which states are numbered, and tells each file by which others
// it was included.
func (l *loader) decls() []*decl {
	for _, f := range l.order {
		above(f, f.name, map[*file]bool{f: true})
	}
	var all []*decl
	for _, f := range l.order {
		all = append(all, f.decls...)
	}
	return all
}

func above(f *file, name string, seen map[*file]bool) {
	for _, inc := range f.includes {
		if !seen[inc] {
			seen[inc] = true
			inc.through = append(inc.through, name)
			above(inc, name, seen)
		}
	}
}
