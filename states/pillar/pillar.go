// Package pillar makes the pillar of a minion: the data that masters give it alone, of
// SLS files that top files choose.
package pillar

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
)

const base = "base"

// Options say how pillar is made.
type Options struct {
	Env     string // the one environment that counts; "" is all that there are
	Own     string // the one whose files are named without it in mistakes; "" is Env, or base
	Match   func(kind, target string) (bool, error)
	Merging Merging
	Host    *host.Host // what templates see, but its pillar; nil for nothing
	Watch   render.Watcher

	// Decrypt returns what an encrypted block holds, as Secrets does; nil where there are no keys. Blocks of age are
	// decrypted in all SLS, those of PGP in SLS with the renderer gpg.
	Decrypt func(ctx context.Context, block string) (string, error)

	// Opened gets each value that was decrypted; nil where nobody asks.
	Opened map[string]bool

	// Cache keeps the data of files for others whose pillar is made of them; nil for none.
	Cache *render.Cache

	// Exposed is told each secret that a target gives by grains; Grains returns the parts of a target that ask grains.
	Exposed func(Exposure)
	Grains  func(kind, target string) []string

	// Before is what templates see as the pillar, before there is one; nil for nothing.
	Before *value.Dict
}

// Compile reads the top files of the environments and merges the SLS that they give this minion, each with what it
// includes beneath it: those of one environment after those of another, in the order in which top files speak of
// them, that of base first. With any error there is no pillar. No top file at all is an error, one that gives nothing
// is not. What templates do to the host's pillar nobody sees.
func Compile(ctx context.Context, trees sls.Trees, o Options) (*value.Dict, []*plan.Error) {
	r := newReader(ctx, trees, o)
	mods := r.top()
	all := &value.Dict{}
	for i, m := range mods {
		if slices.ContainsFunc(mods[:i], func(o sls.Mod) bool { return o.Env == m.Env && o.Name == m.Name }) {
			continue
		}
		e := r.environment(m.Env, m.At)
		if e == nil {
			continue
		}
		for _, name := range e.matching(m.Name, m.At) {
			d := e.compile(name, m.At, nil)
			r.exposures(m, d)
			o.Merging.lay(all, d)
		}
	}
	if len(r.errs) > 0 {
		return nil, r.sorted()
	}
	return all, nil
}

// Top returns the SLS that the top files of the environments give this minion, in their order.
func Top(ctx context.Context, trees sls.Trees, o Options) ([]sls.Mod, []*plan.Error) {
	r := newReader(ctx, trees, o)
	mods := r.top()
	return mods, r.errs
}

// A reader reads the files of all environments.
type reader struct {
	ctx   context.Context
	trees sls.Trees
	opts  Options
	own   string // the environment whose files are named without it

	envs    map[string]*environment
	missing map[string]map[string]bool // the SLS of each environment that need not be there
	paths   []string                   // in the order in which they were read
	errs    []*plan.Error
	opened  map[string]bool           // what was decrypted
	sources []string                  // the texts of the files that were read
	byGrain map[sls.Mod][]grainTarget // what gives an SLS by grains

	templates *render.Templates
}

func newReader(ctx context.Context, trees sls.Trees, o Options) *reader {
	h := &host.Host{}
	if o.Host != nil {
		*h = *o.Host
	}
	if h.Pillar = o.Before; h.Pillar == nil {
		h.Pillar = &value.Dict{}
	}
	o.Host = h
	r := &reader{
		ctx: ctx, trees: trees, opts: o, own: cmp.Or(o.Env, o.Own, base),
		envs: map[string]*environment{}, missing: map[string]map[string]bool{}, opened: o.Opened, byGrain: map[sls.Mod][]grainTarget{},
	}
	if r.opened == nil {
		r.opened = map[string]bool{}
	}
	r.templates = render.New(h, r.own, r.open)
	r.templates.Watched(o.Watch)
	return r
}

// open reads a file that a template imports.
func (r *reader) open(ctx context.Context, env, path string) ([]byte, error) {
	src, err := r.trees.Source(env)
	if err != nil {
		return nil, err
	}
	text, err := src.Open(ctx, path)
	if err == nil {
		r.sources = append(r.sources, string(text))
	}
	return text, err
}

// top returns the SLS that the top files give, in their order.
func (r *reader) top() []sls.Mod {
	src, err := r.trees.Source(r.own)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.opts.Env == "":
		src = nothing{} // of base; there may be others
	case err != nil:
		r.fail(plan.Place{}, "cannot read pillar of environment %q: %v", r.own, err)
		return nil
	}
	told := func(t sls.Target) {
		r.note(t)
		for _, m := range t.Mods {
			if t.IgnoreMissing {
				r.ignore(m.Env, m.Name)
			}
		}
	}
	o := sls.Options{Env: r.own, Trees: r.trees, Host: r.opts.Host, Watch: r.opts.Watch}
	if r.opts.Merging.Strategy == None {
		o.Trees = nil
	}
	mods, errs := sls.Top(r.ctx, src, o, sls.TopOptions{
		Match: r.opts.Match, Told: told, Strategy: sls.TopMergeAll, Only: r.opts.Env != "", Pillar: true, Cache: r.opts.Cache,
	})
	r.errs = append(r.errs, errs...)
	return mods
}

// ignore remembers an SLS that need not be there, also where another one includes it.
func (r *reader) ignore(env, name string) {
	if r.missing[env] == nil {
		r.missing[env] = map[string]bool{}
	}
	r.missing[env][name] = true
}

// nothing is an environment without files.
type nothing struct{}

func (nothing) Open(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist }
func (nothing) Paths() []string                              { return nil }

func (r *reader) fail(at plan.Place, format string, args ...any) {
	r.errs = append(r.errs, plan.Errorf(at, format, args...))
}

// sorted orders the mistakes by file, as files are read, and line, and tells each once.
func (r *reader) sorted() []*plan.Error {
	rank := map[string]int{} // 0 for the top file
	for i, path := range r.paths {
		rank[path] = i + 1
	}
	slices.SortStableFunc(r.errs, func(a, b *plan.Error) int {
		return cmp.Or(cmp.Compare(rank[a.Place.File], rank[b.Place.File]), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	return slices.CompactFunc(r.errs, func(a, b *plan.Error) bool {
		return a.Place.File == b.Place.File && a.Place.Line == b.Place.Line && strings.EqualFold(a.Text, b.Text)
	})
}
