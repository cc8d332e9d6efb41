package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
)

// A checker checks one tree.
type checker struct {
	ctx   context.Context
	opts  Options
	files *forest
	hosts []*subject

	findings *findings
	compiled map[string]bool  // files that a run of any host opened
	told     map[string]bool  // files of which an error is told
	sources  map[string]bool  // files that states take as templates
	brought  []custom.Problem // what is wrong with the tree's own modules

	declared map[declaration]string // the first SLS that has a state, of all runs
	unread   bool                   // what some file declares is not known
}

// A declaration is what a requisite may name: of a module, or "" for any.
type declaration struct{ module, target string }

// A subject is one of the hosts that the tree is checked for.
type subject struct {
	Host
	modules *functions
	covered map[sls.Mod]bool // SLS that a run from the top file gave it
	broken  bool             // its pillar has mistakes: nothing is compiled for it
}

func newChecker(ctx context.Context, roots Roots, o Options) (*checker, error) {
	o.Env = cmp.Or(o.Env, "base")
	if len(o.Hosts) == 0 {
		h, err := Named(Default)
		if err != nil {
			return nil, err
		}
		o.Hosts = []Host{h}
	}
	c := &checker{
		ctx: ctx, opts: o, files: newForest(o.Env, roots), findings: newFindings(),
		compiled: map[string]bool{}, told: map[string]bool{}, sources: map[string]bool{}, declared: map[declaration]string{},
	}
	if err := c.bring(); err != nil {
		return nil, err
	}
	o.Index = c.opts.Index
	seen := map[string]bool{}
	for _, h := range o.Hosts {
		if seen[h.Name] {
			return nil, fmt.Errorf("cannot check: two hosts have the id %q", h.Name)
		}
		seen[h.Name] = true
		c.hosts = append(c.hosts, &subject{
			Host: h, modules: &functions{Index: o.Index, answers: o.Answers}, covered: map[sls.Mod]bool{},
		})
	}
	if len(c.files.trees[o.Env].paths) == 0 {
		return nil, errors.New("cannot check: there are no files")
	}
	return c, nil
}

// host is what templates see of a subject. It has no commands, and no files but those of the tree: what is beneath its
// root is nowhere.
func (c *checker) host(s *subject) *host.Host {
	h := &host.Host{
		Root: "/dev/null", Grains: s.Grains, Pillar: s.Pillar, Files: c.files, Modules: s.modules,
		Config: value.NewDict("id", s.Name, "master", value.NewList(), "saltenv", c.opts.Env, "test", false),
	}
	if c.opts.Nodegroups != nil {
		h.Config.Put("nodegroups", c.opts.Nodegroups)
	}
	h.Render = render.New(h, c.opts.Env, c.open)
	return h
}

func (c *checker) open(ctx context.Context, env, path string) ([]byte, error) {
	src, err := c.files.Source(env)
	if err != nil {
		return nil, err
	}
	return src.Open(ctx, path)
}

// pillar makes the pillar of a subject. It returns false when that has mistakes.
func (c *checker) pillar(s *subject) bool {
	own := s.Pillar
	if s.Pillar == nil {
		s.Pillar = &value.Dict{}
	}
	if c.opts.PillarRoots == nil {
		return true
	}
	h := c.host(s)
	files := newForest(c.opts.Env, c.opts.PillarRoots)
	d, errs := pillar.Compile(c.ctx, files, pillar.Options{
		Own: c.opts.Env, Match: match.Targets(c.ctx, h), Host: h,
		Decrypt: func(_ context.Context, block string) (string, error) { return block, nil }, // there are no keys, and that is well
		Grains:  match.ByGrains(c.ctx, h),
		Exposed: func(x pillar.Exposure) {
			x.At.File = "pillar:" + x.At.File
			c.findings.add(s.Name, Finding{Severity: Warning, Message: x.String()}, x.At)
		},
		Watch: render.Watcher{Called: func(at plan.Place, _ string) { s.modules.at = at }},
	})
	for _, call := range s.modules.unknown {
		call.at.File = "pillar:" + call.at.File
		c.findings.add(s.Name, Finding{Severity: Warning, Message: call.text()}, call.at)
	}
	s.modules.unknown = nil
	for _, e := range errs {
		if e.Place.File != "" {
			e.Place.File = "pillar:" + e.Place.File
		}
		c.findings.add(s.Name, mistake(e, Error), e.Place)
	}
	s.broken = len(errs) > 0
	s.Pillar = pillar.Merge(d, own)
	return !s.broken
}
