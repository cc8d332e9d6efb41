// Package sls compiles SLS files: it reads the files named and all that they include,
// makes chunks of their declarations, checks every argument and orders the chunks. Nothing of
// the host is touched, and every mistake is found at once.
package sls

import (
	"cmp"
	"context"
	"slices"

	"brine/states/module"
	"brine/states/plan"
)

// Options say how SLS files are compiled.
type Options struct {
	Env   string        // the environment's name; "" is base
	Index *module.Index // the states and functions there are
}

// Compile reads the SLS named, such as "web" or "web.config", in their order. With any error there
// is no plan. The errors are ordered by file, as files are read, and line.
func Compile(ctx context.Context, src Source, mods []string, o Options) (*plan.Plan, []*plan.Error) {
	env := cmp.Or(o.Env, "base")
	l := &loader{ctx: ctx, src: src, env: env, files: map[string]*file{}, ids: map[string]plan.Place{}}
	for _, name := range mods {
		l.request(name)
	}
	c := newCompiler(o.Index, l.decls())
	c.requisitesIn()
	chunks := c.chunks()
	p, errs := plan.New(chunks, l.read)
	if l.unread {
		// What a file declares that can't be read is not known, so that nothing is missing for sure.
		errs = nil
	}
	if all := slices.Concat(l.errs, c.errs, errs); len(all) > 0 {
		return nil, l.sorted(all)
	}
	return p, nil
}

// sorted orders errors by file and line; the same mistake is told once.
func (l *loader) sorted(errs []*plan.Error) []*plan.Error {
	rank := map[string]int{"": -1}
	for i, path := range l.paths {
		rank[path] = i
	}
	slices.SortStableFunc(errs, func(a, b *plan.Error) int {
		return cmp.Or(cmp.Compare(rank[a.Place.File], rank[b.Place.File]), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	seen := map[plan.Error]bool{}
	return slices.DeleteFunc(errs, func(e *plan.Error) bool {
		twice := seen[*e]
		seen[*e] = true
		return twice
	})
}
