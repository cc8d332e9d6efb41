package pillar

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

// An environment is the files of one, while they are read.
type environment struct {
	*reader
	name   string
	src    sls.Source
	known  []string            // the names of all SLS, once asked for
	files  map[string]*file    // what was read, by SLS and defaults
	merged map[string]struct{} // those of files that are in the pillar
}

// A file is an SLS that was read.
type file struct {
	path     string // for messages
	inTree   string
	own      *value.Dict // without what it includes
	includes *yaml.Node  // nil for none
}

// environment returns the files of an environment; nil, which is a mistake, when there is none of that name.
func (r *reader) environment(name string, at plan.Place) *environment {
	if e, ok := r.envs[name]; ok {
		return e
	}
	src, err := r.trees.Source(name)
	if err != nil {
		r.envs[name] = nil
		if errors.Is(err, fs.ErrNotExist) {
			r.fail(at, "there is no pillar environment %q%s", name, spell.DidYouMean(name, r.trees.Environments()))
		} else {
			r.fail(at, "cannot read pillar of environment %q: %v", name, err)
		}
		return nil
	}
	r.envs[name] = &environment{reader: r, name: name, src: src, files: map[string]*file{}, merged: map[string]struct{}{}}
	return r.envs[name]
}

func (e *environment) names() []string {
	if e.known == nil {
		e.known = sls.Names(e.src)
	}
	return e.known
}

// matching returns the SLS that a glob matches, and any other name as it is.
func (e *environment) matching(name string, at plan.Place) []string {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}
	}
	glob := plan.Glob(name)
	var found []string
	for _, n := range e.names() {
		if glob(n) {
			found = append(found, n)
		}
	}
	if len(found) == 0 && !e.missing[e.name][name] {
		e.fail(at, "cannot read pillar SLS %q: none matches", name)
	}
	return found
}

// compile returns what an SLS and its includes hold; nothing when it can't be read. Defaults are variables of its
// template, and of those that it includes. As in Salt what another SLS has brought already is included without what
// it includes itself: so files that include each other come to an end.
func (e *environment) compile(name string, at plan.Place, defaults *value.Dict) *value.Dict {
	f := e.load(name, at, defaults)
	if f == nil {
		return nil
	}
	e.merged[keyOf(name, defaults)] = struct{}{}
	all := &value.Dict{}
	for _, i := range e.includes(name, f, defaults) {
		for _, n := range e.matching(i.name, i.at) {
			e.opts.Merging.lay(all, i.under(e.included(n, i.at, i.defaults)))
		}
	}
	e.opts.Merging.lay(all, f.own)
	return all
}

// included returns what an include of an SLS brings.
func (e *environment) included(name string, at plan.Place, defaults *value.Dict) *value.Dict {
	if _, ok := e.merged[keyOf(name, defaults)]; !ok {
		return e.compile(name, at, defaults)
	}
	if f := e.load(name, at, defaults); f != nil {
		return f.own
	}
	return nil
}

// keyOf tells an SLS from itself with other defaults.
func keyOf(name string, defaults *value.Dict) string {
	if defaults.Len() == 0 {
		return name
	}
	text, err := value.MarshalJSON(defaults)
	if err != nil {
		return name // it came of YAML: it can be written as JSON
	}
	return name + "\n" + string(text)
}

// load reads an SLS; nil when it holds nothing or can't be read.
func (e *environment) load(name string, at plan.Place, defaults *value.Dict) *file {
	key := keyOf(name, defaults)
	f, ok := e.files[key]
	if !ok {
		f = e.read(name, at, defaults)
		e.files[key] = f
	}
	return f
}

func (e *environment) render(f *file, name string, text []byte, defaults *value.Dict) (*yaml.Node, []*plan.Error) {
	n, errs := render.Render(e.ctx, render.File{
		Name: f.path, Text: text, SLS: name, Path: f.inTree, Env: e.name, Templates: e.templates, Vars: defaults, Secret: true,
		Cache: e.opts.Cache,
		After: map[string]func(context.Context, *yaml.Node) (*yaml.Node, []*plan.Error){
			"gpg": func(ctx context.Context, n *yaml.Node) (*yaml.Node, []*plan.Error) {
				return e.decrypt(ctx, f.path, n, pgpBlock)
			},
		},
	})
	if len(errs) > 0 {
		return nil, errs
	}
	return e.decrypt(e.ctx, f.path, n, ageBlock)
}

func (e *environment) read(name string, at plan.Place, defaults *value.Dict) *file {
	inTree, text, err := sls.Open(e.ctx, e.src, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.missing[e.name][name]:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		e.fail(at, "cannot find pillar SLS %q in environment %q%s", name, e.name, spell.DidYouMean(name, e.names()))
		return nil
	case err != nil:
		e.fail(at, "cannot read pillar SLS %q: %v", name, err)
		return nil
	}
	f := &file{path: inTree, inTree: inTree}
	if e.name != e.own {
		f.path = e.name + ":" + inTree
	}
	if !slices.Contains(e.paths, f.path) {
		e.paths = append(e.paths, f.path)
	}
	e.sources = append(e.sources, string(text))
	top, errs := e.render(f, name, text, defaults)
	e.errs = append(e.errs, errs...)
	switch {
	case len(errs) > 0 || top.IsNull():
		return nil
	case top.Kind != yaml.MappingNode:
		e.fail(plan.Place{File: f.path, Line: top.Line}, "the pillar SLS %q is not a dictionary: it holds a %s", name, top.TypeName())
		return nil
	}
	f.own, f.includes = top.Data().(*value.Dict), top.Get("include")
	f.own.Delete("include")
	return f
}
