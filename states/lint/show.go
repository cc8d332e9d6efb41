package lint

import (
	"context"
	"fmt"
	"slices"

	"brine/states/mod/match"
	"brine/states/plan"
	"brine/states/sls"
	"brine/states/value"
)

// Shown is what SLS compile to for one host.
type Shown struct {
	Host     string
	Rendered []Rendered    // the files that were read, in the order in which they were
	High     *value.Dict   // the IDs with their states after extend and exclude; nil with mistakes
	Low      []*value.Dict // the states in the order in which they run
	Report   *Report
}

// Rendered is the text that a file rendered to before it was read as data.
type Rendered struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// Show compiles SLS in one run for the first host, as state.apply does with them; without names what the top file gives it.
func Show(ctx context.Context, roots Roots, names []string, o Options) (*Shown, error) {
	c, err := newChecker(ctx, roots, o)
	if err != nil {
		return nil, err
	}
	s := c.hosts[0]
	c.hosts = c.hosts[:1]
	shown := &Shown{Host: s.Name}
	if c.pillar(s) {
		list, ok := mods(names), true
		if len(names) == 0 {
			list, ok = c.given(s)
		}
		if ok {
			c.show(s, list, shown)
		}
	}
	shown.Report = c.report()
	return shown, ctx.Err()
}

// given is what the top file gives a host; false with mistakes in it.
func (c *checker) given(s *subject) ([]sls.Mod, bool) {
	list, errs := c.topOf(s, match.Targets(c.ctx, c.host(s)), nil)
	for _, e := range errs {
		c.findings.add(s.Name, mistake(e, Error), e.Place)
	}
	return list, len(errs) == 0
}

func (c *checker) show(s *subject, list []sls.Mod, shown *Shown) {
	r := c.compileWith(s, list, false, true, func(file string, text []byte) {
		shown.Rendered = append(shown.Rendered, Rendered{file, string(text)})
	})
	c.take(s, nil, r, r)
	c.opened(r)
	if r.program == nil {
		return
	}
	shown.High = r.program.High
	for _, n := range r.program.Plan.Nodes {
		shown.Low = append(shown.Low, n.Low)
	}
}

// An SLS of a tree, with what it includes for any host.
type SLS struct {
	Name     string    `json:"sls"`
	Env      string    `json:"env"`
	File     string    `json:"file"`
	Includes []Include `json:"includes"`
}

// An Include is one item of an include list.
type Include struct {
	SLS   string   `json:"sls"`
	Env   string   `json:"env"`
	Line  int      `json:"line"`
	Found bool     `json:"found"` // there is such an SLS
	Hosts []string `json:"hosts"` // for which it is included
}

// Includes compiles each SLS of a tree by itself for each host, and returns them all in order of environment and name.
func Includes(ctx context.Context, roots Roots, o Options) ([]SLS, *Report, error) {
	c, err := newChecker(ctx, roots, o)
	if err != nil {
		return nil, nil, err
	}
	var all []SLS
	for _, env := range c.files.Environments() {
		for _, name := range sls.Names(c.checked(env)) {
			path, _, _ := sls.Open(ctx, c.files.trees[env], name)
			node := SLS{Name: name, Env: env, File: c.files.trees[env].prefix + path, Includes: []Include{}}
			for _, s := range c.hosts {
				c.includes(s, &node)
			}
			all = append(all, node)
		}
	}
	return all, c.report(), ctx.Err()
}

// includes adds what an SLS includes for a host.
func (c *checker) includes(s *subject, node *SLS) {
	of := sls.Mod{Env: node.Env, Name: node.Name}
	o := c.options(s, newResult())
	o.Include = func(by, included sls.Mod) {
		if by != of {
			return
		}
		inc := Include{SLS: included.Name, Env: included.Env, Line: included.At.Line}
		i := slices.IndexFunc(node.Includes, func(old Include) bool {
			return old.SLS == inc.SLS && old.Env == inc.Env && old.Line == inc.Line
		})
		if i < 0 {
			if src, err := c.files.Source(included.Env); err == nil {
				_, _, err = sls.Open(c.ctx, src, included.Name)
				inc.Found = err == nil
			}
			i = len(node.Includes)
			node.Includes = append(node.Includes, inc)
		}
		if old := &node.Includes[i]; !slices.Contains(old.Hosts, s.Name) {
			old.Hosts = append(old.Hosts, s.Name)
		}
	}
	_, errs := sls.Build(c.ctx, c.files.trees[c.opts.Env], sls.Input{Mods: []sls.Mod{of}}, o)
	for _, e := range errs {
		// What keeps a file from being read keeps its includes from being seen.
		if e.Place.File == node.File && e.Lacks == nil && !e.Unknown {
			c.findings.add(s.Name, mistake(e, Error), e.Place)
		}
	}
	s.modules.unknown = nil
}

// Given is what the top file of a tree gives.
type Given struct {
	Hosts   []HostGiven `json:"hosts"`
	Targets []Target    `json:"targets"` // in the order in which they stand
	Report  *Report     `json:"-"`
}

// HostGiven is what a host gets, in order.
type HostGiven struct {
	Host string    `json:"host"`
	SLS  []NamedIn `json:"sls"`
}

// NamedIn is the name of an SLS and its environment.
type NamedIn struct {
	Env  string `json:"env"`
	Name string `json:"name"`
}

// A Target is one of the top file.
type Target struct {
	Target string    `json:"target"`
	Match  string    `json:"match"` // how it is read: compound, glob ...
	File   string    `json:"file"`
	Line   int       `json:"line"`
	SLS    []NamedIn `json:"sls"`
	Hosts  []string  `json:"hosts"` // that it means
}

// Top reads the top file for each host.
func Top(ctx context.Context, roots Roots, o Options) (*Given, error) {
	c, err := newChecker(ctx, roots, o)
	if err != nil {
		return nil, err
	}
	if !c.hasTop() {
		return nil, fmt.Errorf("cannot read top.sls: there is none in environment %q", c.opts.Env)
	}
	g := &Given{Hosts: []HostGiven{}, Targets: []Target{}}
	at := map[plan.Place]int{}
	for _, s := range c.hosts {
		if !c.pillar(s) {
			continue
		}
		mods, errs := c.topOf(s, match.Targets(ctx, c.host(s)), func(t sls.Target) { g.take(at, s.Name, t) })
		for _, e := range errs {
			c.findings.add(s.Name, mistake(e, Error), e.Place)
		}
		g.Hosts = append(g.Hosts, HostGiven{s.Name, namesIn(mods)})
	}
	slices.SortStableFunc(g.Targets, func(a, b Target) int { return a.Line - b.Line })
	g.Report = c.report()
	return g, ctx.Err()
}

func (g *Given) take(at map[plan.Place]int, host string, t sls.Target) {
	i, seen := at[t.At]
	if !seen {
		i = len(g.Targets)
		at[t.At] = i
		g.Targets = append(g.Targets, Target{t.Text, t.Kind, t.At.File, t.At.Line, namesIn(t.Mods), []string{}})
	}
	if t.Means {
		g.Targets[i].Hosts = append(g.Targets[i].Hosts, host)
	}
}

func namesIn(mods []sls.Mod) []NamedIn {
	names := []NamedIn{}
	for _, m := range mods {
		if n := (NamedIn{m.Env, m.Name}); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
