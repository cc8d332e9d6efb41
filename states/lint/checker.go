package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	sources  map[string]bool // files that states take as templates

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
		c.findings.add(s.Name, mistake(e, Error), e.Place)
	}
	s.broken = len(errs) > 0
	s.Pillar = pillar.Merge(d, own)
	return !s.broken
}

// A result is what one compilation of a run gave.
type result struct {
	program *sls.Program
	chunks  []*plan.Chunk
	errs    []*plan.Error
	unknown []call
	marked  map[plan.Place]bool // lines that an unknown result is printed on
	opened  map[string]bool
}

// run compiles SLS together, takes in what it finds, and returns the files that it opened.
func (c *checker) run(s *subject, list []sls.Mod, partial bool) map[string]bool {
	yes, no := c.both(s, list, partial)
	c.take(s, nil, yes, no)
	if no != yes {
		c.take(s, nil, no, yes)
	}
	return c.opened(yes, no)
}

// both compiles twice if there are results that are unknown: once they are true, once false.
func (c *checker) both(s *subject, list []sls.Mod, partial bool) (yes, no *result) {
	yes = c.compile(s, list, partial, true)
	if len(yes.unknown) == 0 {
		return yes, yes
	}
	return yes, c.compile(s, list, partial, false)
}

// opened is the files that compilations opened, which are compiled now.
func (c *checker) opened(of ...*result) map[string]bool {
	files := map[string]bool{}
	for _, r := range of {
		for file := range r.opened {
			files[file], c.compiled[file] = true, true
		}
	}
	return files
}

func (c *checker) compile(s *subject, list []sls.Mod, partial, yes bool) *result {
	return c.compileWith(s, list, partial, yes, nil)
}

// compileWith compiles, and tells what each file renders to.
func (c *checker) compileWith(s *subject, list []sls.Mod, partial, yes bool, told func(file string, text []byte)) *result {
	r := newResult()
	o := c.options(s, r)
	if told != nil {
		note := o.Watch.Rendered
		o.Watch.Rendered = func(file string, text []byte, from func(int) int) {
			told(file, text)
			note(file, text, from)
		}
	}
	s.modules.yes, s.modules.unknown, c.files.opened = yes, nil, r.opened
	r.program, r.errs = sls.Build(c.ctx, c.files.trees[c.opts.Env], sls.Input{Mods: list, Partial: partial}, o)
	r.unknown, s.modules.unknown, c.files.opened = s.modules.unknown, nil, nil
	c.unread = c.unread || slices.ContainsFunc(r.errs, func(e *plan.Error) bool { return strings.HasPrefix(e.Text, "cannot render: ") })
	return r
}

func newResult() *result {
	return &result{marked: map[plan.Place]bool{}, opened: map[string]bool{}}
}

func (c *checker) options(s *subject, r *result) sls.Options {
	return sls.Options{
		Env: c.opts.Env, Trees: c.files, Index: c.opts.Index, Host: c.host(s), Lenient: c.opts.Lenient, Show: true,
		Watch: render.Watcher{
			Called:   func(at plan.Place, _ string) { s.modules.at = at },
			Rendered: r.rendered,
		},
		Chunk: func(n *plan.Chunk) {
			r.chunks = append(r.chunks, n)
			c.declare(n)
		},
	}
}

// declare notes what SLS has a state.
func (c *checker) declare(n *plan.Chunk) {
	for _, d := range []declaration{{n.Module, n.ID}, {n.Module, n.Name}, {"", n.ID}, {"", n.Name}, {"sls", n.SLS}} {
		if c.declared[d] == "" {
			c.declared[d] = n.SLS
		}
	}
}

// elsewhere names the SLS that has what a run lacks; "" when none has.
func (c *checker) elsewhere(e *plan.Error) string {
	if e.Lacks == nil {
		return ""
	}
	mod := e.Lacks.Module
	if mod == "id" {
		mod = ""
	}
	return c.declared[declaration{mod, e.Lacks.Target}]
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
	if e.Unknown {
		return false
	}
	at := plan.Place{File: e.Place.File, Line: e.Place.Line}
	if r.marked[at] || strings.Contains(e.Text, "templates may not ") { // read files, fetch pages: not here, but on a minion
		return true
	}
	if len(r.unknown) == 0 || e.Lacks == nil && !strings.HasPrefix(e.Text, "cannot r") { // render, read YAML
		return false
	}
	for _, o := range other.errs {
		if o.Place == e.Place && o.Text == e.Text {
			return false
		}
	}
	return true
}

// take takes in what a compilation found. What an SLS lacks that is compiled by itself, and another has, may be there
// where it is applied: that is a warning.
func (c *checker) take(s *subject, by *sls.Mod, r, other *result) {
	for _, call := range r.unknown {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: call.text()}, call.at)
	}
	for _, e := range r.errs {
		if !e.Unknown && strings.Contains(strings.ToLower(e.Text), python.UnknownMark) {
			continue // the call is told
		}
		f := mistake(e, Error)
		if by != nil && e.Lacks != nil && c.unread && f.Hint == "" {
			f.Severity = Warning // what cannot be read may have it, and nothing like it is here
		}
		if has := c.elsewhere(e); has != "" && has != c.modOf(e.Place.File).Name {
			f.Hint = fmt.Sprintf("SLS %q has it: include it", has)
			if by != nil {
				f.Severity = Warning
			}
		}
		if r.doubtful(e, other) {
			f.Severity = Warning
		}
		if f.Severity == Error {
			c.told[e.Place.File] = true
		}
		c.ofPillar(s, &f)
		c.findings.add(s.Name, f, e.Place)
	}
	for _, n := range r.chunks {
		c.chunk(s, n)
	}
}

// ofPillar adds to a mistake what an empty pillar has to do with it.
func (c *checker) ofPillar(s *subject, f *Finding) {
	if s.Pillar.Len() > 0 || f.Hint != "" || !strings.Contains(f.Message, "Jinja variable") || !strings.Contains(f.Detail, "pillar") {
		return
	}
	f.Hint = "no pillar was given"
	if c.opts.PillarRoots != nil {
		f.Hint = "the pillar gives this host nothing"
	}
}

// chunk takes in the warnings of a state, and the files that it names and the tree lacks.
func (c *checker) chunk(s *subject, n *plan.Chunk) {
	for _, text := range n.Warnings {
		c.findings.add(s.Name, mistake(plan.Errorf(n.Place, "state %q: %s", n.ID, text), Warning), n.Place)
	}
	for _, url := range c.lacking(n) {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: fmt.Sprintf("state %q: there is no file %s in the tree", n.ID, url),
			Hint: c.files.near(url)}, n.Place)
	}
}

// lacking returns the sources of a state that are not in the tree; none when one of several is.
func (c *checker) lacking(n *plan.Chunk) []string {
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

func (c *checker) has(n *plan.Chunk, url string) bool {
	if n.Env != "" && n.Env != c.opts.Env && !strings.Contains(url, "?") {
		url += "?saltenv=" + n.Env
	}
	if t, path, err := c.files.find(url); err == nil && t.paths[path] != "" {
		if engine, _ := n.Low.Get("template"); engine == "jinja" {
			c.sources[t.prefix+path] = true
		}
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
