// Package pillar makes the pillar of a minion: the data that masters give it alone, of
// SLS files that a top file chooses.
package pillar

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

// Options say how pillar is made.
type Options struct {
	Env        string // "" is base
	Match      func(kind, target string) (bool, error)
	MergeLists bool       // lists are joined, instead of the later one taking the place of the earlier
	Host       *host.Host // what templates see, but its pillar; nil for nothing
	Watch      render.Watcher
}

// Compile reads the top file of a tree and merges the SLS that it gives this minion, each with what it includes
// beneath it. With any error there is no pillar. A tree without a top file is an error, one that gives nothing is not.
func Compile(ctx context.Context, src sls.Source, o Options) (*value.Dict, []*plan.Error) {
	o.Env = cmp.Or(o.Env, "base")
	if o.Host != nil {
		without := *o.Host // there is no pillar before it is made
		without.Pillar = &value.Dict{}
		o.Host = &without
	}
	mods, errs := sls.Top(ctx, src, sls.Options{Env: o.Env, Host: o.Host, Watch: o.Watch}, sls.TopOptions{Match: o.Match, Only: true})
	r := &reader{ctx: ctx, src: src, opts: o, read: map[string]*value.Dict{}, open: map[string]bool{}, errs: errs}
	r.templates = render.New(o.Host, o.Env, func(ctx context.Context, _, path string) ([]byte, error) { return src.Open(ctx, path) })
	r.templates.Watched(o.Watch)
	all := &value.Dict{}
	for _, m := range mods {
		for _, name := range r.matching(m.Name, m.At) {
			all = merge(all, r.file(name, m.At), o.MergeLists)
		}
	}
	if len(r.errs) > 0 {
		return nil, r.sorted()
	}
	return all, nil
}

// sorted orders the mistakes by file, as files are read, and line.
func (r *reader) sorted() []*plan.Error {
	rank := map[string]int{} // 0 for the top file
	for i, path := range r.paths {
		rank[path] = i + 1
	}
	slices.SortStableFunc(r.errs, func(a, b *plan.Error) int {
		return cmp.Or(cmp.Compare(rank[a.Place.File], rank[b.Place.File]), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	return r.errs
}

type reader struct {
	ctx  context.Context
	src  sls.Source
	opts Options
	read map[string]*value.Dict // with what each includes
	open map[string]bool        // while they are read

	paths []string // in the order in which they were read
	errs  []*plan.Error

	templates *render.Templates
}

func (r *reader) fail(at plan.Place, format string, args ...any) {
	r.errs = append(r.errs, plan.Errorf(at, format, args...))
}

// file returns what an SLS and its includes hold; nothing when it can't be read.
func (r *reader) file(name string, at plan.Place) *value.Dict {
	if d, ok := r.read[name]; ok {
		return d
	}
	if r.open[name] {
		return nil // it includes itself: what it holds comes anyway
	}
	r.open[name] = true
	d := r.load(name, at)
	delete(r.open, name)
	r.read[name] = d
	return d
}

func (r *reader) load(name string, at plan.Place) *value.Dict {
	path, text, err := sls.Open(r.ctx, r.src, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.fail(at, "cannot find pillar SLS %q in environment %q%s", name, r.opts.Env, module.DidYouMean(name, sls.Names(r.src)))
		return nil
	case err != nil:
		r.fail(at, "cannot read pillar SLS %q: %v", name, err)
		return nil
	}
	r.paths = append(r.paths, path)
	top, errs := render.Render(r.ctx, render.File{
		Name: path, Text: text, SLS: name, Path: path, Env: r.opts.Env, Templates: r.templates, Secret: true,
	})
	r.errs = append(r.errs, errs...)
	switch {
	case len(errs) > 0 || top.IsNull():
		return nil
	case top.Kind != yaml.MappingNode:
		r.fail(plan.Place{File: path, Line: top.Line}, "the pillar SLS %q is not a dictionary: it holds a %s", name, top.TypeName())
		return nil
	}
	beneath := r.includes(name, path, top.Get("include"))
	own := top.Data().(*value.Dict)
	own.Delete("include")
	return merge(beneath, own, r.opts.MergeLists)
}

// includes returns what the include list of an SLS brings.
func (r *reader) includes(name, path string, list *yaml.Node) *value.Dict {
	all := &value.Dict{}
	if list == nil {
		return all
	}
	if list.Kind != yaml.SequenceNode {
		r.fail(plan.Place{File: path, Line: list.Line},
			"the include declaration is not formed as a list: write each SLS in a line after \"- \"")
		return all
	}
	for _, item := range list.Items {
		all = merge(all, r.include(name, path, item), r.opts.MergeLists)
	}
	return all
}

// include reads one item: the name of an SLS, or a name with the key that its data is put under.
func (r *reader) include(name, path string, item *yaml.Node) *value.Dict {
	at := plan.Place{File: path, Line: item.Line}
	key := ""
	if item.Kind == yaml.MappingNode && len(item.Pairs) == 1 {
		for _, p := range item.Pairs[0].Value.Pairs {
			if p.Key.Text == "key" {
				key = p.Value.Text
			} else {
				r.fail(plan.Place{File: path, Line: p.Key.Line}, "include of %q: unknown option %q%s",
					item.Pairs[0].Key.Text, p.Key.Text, module.DidYouMean(p.Key.Text, []string{"key"}))
			}
		}
		item = item.Pairs[0].Key
	}
	text, ok := item.Str()
	if !ok || text == "" {
		r.fail(at, "cannot include a %s: want the name of an SLS", item.TypeName())
		return nil
	}
	included, ok := sls.Relative(name, path, strings.ReplaceAll(text, "/", "."))
	if !ok {
		r.fail(at, "the relative include %q goes beyond the top level of the tree", text)
		return nil
	}
	all := &value.Dict{}
	for _, n := range r.matching(included, at) {
		all = merge(all, r.file(n, at), r.opts.MergeLists)
	}
	for _, k := range slices.Backward(strings.Split(key, ":")) {
		if k != "" {
			all = value.NewDict(k, all)
		}
	}
	return all
}

// matching returns the SLS that a glob matches, and any other name as it is.
func (r *reader) matching(name string, at plan.Place) []string {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}
	}
	glob := plan.Glob(name)
	var found []string
	for _, n := range sls.Names(r.src) {
		if glob(n) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		r.fail(at, "cannot read pillar SLS %q: none matches", name)
	}
	return found
}
