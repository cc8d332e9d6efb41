package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/jinja/python"
	"brine/states/mod/match"
	"brine/states/module"
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
	compiled map[string]bool // files that a run of any host opened
	told     map[string]bool // files of which an error is told
}

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
		compiled: map[string]bool{}, told: map[string]bool{},
	}
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
	d, errs := pillar.Compile(c.ctx, files.trees[c.opts.Env], pillar.Options{
		Env: c.opts.Env, Match: match.Targets(c.ctx, h), Host: h,
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
		c.findings.mistake(s.Name, e, Error, "")
	}
	s.broken = len(errs) > 0
	s.Pillar = pillar.Merge(d, own)
	return !s.broken
}

// A result is what one compilation of a run gave.
type result struct {
	program *sls.Program
	errs    []*plan.Error
	unknown []call
	marked  map[plan.Place]bool // lines that an unknown result is printed on
	opened  map[string]bool
}

// run compiles SLS together and takes in what it finds. With results that are unknown it compiles twice: once they are true,
// once false, and what depends on that is only a warning.
func (c *checker) run(s *subject, from string, list []sls.Mod, more ...*plan.Error) map[string]bool {
	yes := c.compile(s, list, len(more) > 0, true)
	no := yes
	if len(yes.unknown) > 0 {
		no = c.compile(s, list, len(more) > 0, false)
	}
	c.take(s, from, yes, no)
	if no != yes {
		c.take(s, from, no, yes)
	}
	for file := range no.opened {
		yes.opened[file] = true
	}
	for file := range yes.opened {
		c.compiled[file] = true
	}
	return yes.opened
}

func (c *checker) compile(s *subject, list []sls.Mod, partial, yes bool) *result {
	r := &result{marked: map[plan.Place]bool{}, opened: map[string]bool{}}
	s.modules.yes, s.modules.unknown = yes, nil
	c.files.opened = r.opened
	r.program, r.errs = sls.Build(c.ctx, c.files.trees[c.opts.Env], sls.Input{Mods: list, Partial: partial}, c.options(s, r))
	r.unknown, s.modules.unknown = s.modules.unknown, nil
	c.files.opened = nil
	return r
}

func (c *checker) options(s *subject, r *result) sls.Options {
	return sls.Options{
		Env: c.opts.Env, Trees: c.files, Index: c.opts.Index, Host: c.host(s), Lenient: c.opts.Lenient, Show: true,
		Watch: render.Watcher{
			Called:   func(at plan.Place, _ string) { s.modules.at = at },
			Rendered: r.rendered,
		},
	}
}

// rendered notes the lines of a file that print what is unknown.
func (r *result) rendered(file string, text []byte, from func(line int) int) {
	if !strings.Contains(string(text), python.UnknownMark) {
		return
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, python.UnknownMark) {
			r.marked[plan.Place{File: file, Line: from(i + 1)}] = true
		}
	}
}

// doubtful says whether a mistake may be none, since it depends on a result that is unknown.
func (r *result) doubtful(e *plan.Error, other *result) bool {
	at := plan.Place{File: e.Place.File, Line: e.Place.Line}
	if r.marked[at] || strings.Contains(strings.ToLower(e.Text), python.UnknownMark) {
		return true
	}
	if len(r.unknown) == 0 || !e.Missing && !strings.HasPrefix(e.Text, "cannot r") { // render, read YAML
		return false
	}
	for _, o := range other.errs {
		if o.Place == e.Place && o.Text == e.Text {
			return false
		}
	}
	return true
}

// take takes in what a compilation found.
func (c *checker) take(s *subject, from string, r, other *result) {
	for _, call := range r.unknown {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: call.text()}, call.at)
	}
	for _, e := range r.errs {
		if r.doubtful(e, other) {
			c.findings.mistake(s.Name, e, Warning, from)
			continue
		}
		c.told[e.Place.File] = true
		e = c.explained(s, e)
		c.findings.mistake(s.Name, e, Error, from)
	}
	if r.program != nil && r.program.Plan != nil {
		for _, n := range r.program.Plan.Nodes {
			c.node(s, n)
		}
	}
}

// explained adds to a mistake what checking without a pillar has to do with it.
func (c *checker) explained(s *subject, e *plan.Error) *plan.Error {
	if s.Pillar.Len() > 0 || !strings.Contains(e.Text, "Jinja variable") || !strings.Contains(e.Text, "pillar") {
		return e
	}
	return &plan.Error{Place: e.Place, Missing: e.Missing, Text: e.Text + "\n    no pillar was given: it is empty"}
}

// node takes in the warnings of a state, and the files that it names and the tree lacks.
func (c *checker) node(s *subject, n *plan.Node) {
	for _, text := range n.Warnings {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: fmt.Sprintf("state %q: %s", n.ID, text)}, n.Place)
	}
	for _, url := range c.lacking(n) {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: fmt.Sprintf("state %q: there is no file %s in the tree", n.ID, url),
			Hint: c.files.near(url)}, n.Place)
	}
}

// lacking returns the sources of a state that are not in the tree; none when one of several is.
func (c *checker) lacking(n *plan.Node) []string {
	if n.Module != "file" {
		return nil
	}
	v, _ := n.Low.Get("source")
	items := []any{v}
	if list, ok := v.(*value.List); ok {
		items = list.Items
	}
	var lacking []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok || !strings.HasPrefix(text, "salt://") || strings.Contains(text, python.UnknownMark) || c.has(n, text) {
			return nil
		}
		lacking = append(lacking, text)
	}
	return lacking
}

func (c *checker) has(n *plan.Node, url string) bool {
	if n.Env != "" && n.Env != c.opts.Env && !strings.Contains(url, "?") {
		url += "?saltenv=" + n.Env
	}
	if _, err := c.files.Fetch(c.ctx, url); err == nil {
		return true
	}
	below, _ := c.files.List(c.ctx, url)
	return len(below) > 0
}

// near names the file of the tree that is most like the one of a URL.
func (f *forest) near(rawURL string) string {
	t, path, err := f.find(rawURL)
	if err != nil {
		return ""
	}
	if near := module.Nearest(path, t.Paths()); near != "" {
		return fmt.Sprintf("did you mean %q?", "salt://"+near)
	}
	return ""
}
