// Package sls compiles SLS files: it reads the files named and all that they include,
// makes chunks of their declarations, checks every argument and orders the chunks. Nothing of
// the host is touched, and every mistake is found at once.
package sls

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/value"
)

// Options say how SLS files are compiled.
type Options struct {
	Env   string        // the environment's name; "" is base
	Trees Trees         // the environments that there are beside it; nil for none
	Index *module.Index // the states and functions there are
	Host  *host.Host    // what templates see; nil for nothing

	Exclude []Exclusion // what is left out beside what the files exclude
	Lenient bool        // unknown arguments are warnings of the results, as trees written for Salt may need it
	Watch   render.Watcher
	Chunk   func(*plan.Chunk)      // is told of each state, also of those with mistakes; nil for nobody
	Include func(by, included Mod) // is told of each include, also of what cannot be read; nil for nobody
	Show    bool                   // fill in Plan's Low and Program.High
}

// Input is what is compiled: exactly one of Mods, Text and Single is set.
type Input struct {
	Mods   []Mod
	Text   *Text
	Single *Single

	Partial bool // other SLS belong to the run and aren't known: what is missing here is no mistake
}

// A Mod names an SLS of an environment, such as "web.config".
type Mod struct {
	Env  string // "" is that of the run
	Name string
	At   plan.Place // where it stands; none for one that was asked for by name
}

// Text is an SLS that stands by itself: it may not include or exclude others.
type Text struct {
	Name string // its results have it as their SLS; "" for none
	Text []byte
}

// Single is one state, such as pkg.installed, with its arguments.
type Single struct {
	State string
	Args  []module.Arg // name among them
}

// A Program is what compiling gives.
type Program struct {
	Plan  *plan.Plan
	Files []Mod       // the SLS that were read, in the order in which their states are numbered
	High  *value.Dict // the IDs with their states after extend and exclude; with Options.Show
}

// Compile reads the SLS named, such as "web" or "web.config", in their order. With any error there
// is no plan. The errors are ordered by file, as files are read, and line.
func Compile(ctx context.Context, src Source, mods []string, o Options) (*plan.Plan, []*plan.Error) {
	var in Input
	for _, name := range mods {
		in.Mods = append(in.Mods, Mod{Name: name})
	}
	p, errs := Build(ctx, src, in, o)
	if len(errs) > 0 {
		return nil, errs
	}
	return p.Plan, nil
}

// Build compiles any input. The source is that of the run's environment. With any error there is no program.
func Build(ctx context.Context, src Source, in Input, o Options) (*Program, []*plan.Error) {
	o.Env = cmp.Or(o.Env, "base")
	l := newLoader(ctx, src, o)
	l.unread = in.Partial
	switch {
	case in.Text != nil:
		l.text(in.Text)
	case in.Single != nil:
		l.single(in.Single)
	}
	for _, m := range in.Mods {
		l.request(m)
	}
	c := newCompiler(o, l.files())
	c.extend()
	c.requisitesIn()
	c.use()
	c.exclude(l.exclusions())
	chunks := c.chunks()
	p, errs := plan.New(chunks, l.read)
	if l.unread {
		// What a file declares that can't be read is not known, so that nothing is missing for sure.
		errs, c.missing = nil, nil
	}
	if all := slices.Concat(l.errs, c.errs, c.missing, errs); len(all) > 0 {
		return nil, l.sorted(all)
	}
	program := &Program{Plan: p, Files: l.mods()}
	if o.Show {
		program.High = c.high()
	}
	return program, nil
}

// sorted orders errors by file and line; the same mistake is told once, also when several files import what has it.
func (l *loader) sorted(errs []*plan.Error) []*plan.Error {
	rank := map[string]int{} // 0 for what stands in none of the files, such as a name on the command line
	for i, path := range l.paths {
		rank[path] = i + 1
	}
	slices.SortStableFunc(errs, func(a, b *plan.Error) int {
		return cmp.Or(cmp.Compare(rank[a.Place.File], rank[b.Place.File]), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	seen := map[plan.Error]bool{}
	return slices.DeleteFunc(errs, func(e *plan.Error) bool {
		first, _, _ := strings.Cut(e.Text, "\n")
		key := plan.Error{Place: plan.Place{File: e.Place.File, Line: e.Place.Line}, Text: first}
		twice := seen[key]
		seen[key] = true
		return twice
	})
}
