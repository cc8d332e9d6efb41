package lint

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/jinja/python"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
)

// A result is what one compilation of a run gave.
type result struct {
	program *sls.Program
	chunks  []*plan.Chunk
	errs    []*plan.Error
	unknown []call
	marked  map[plan.Place]bool // lines that an unknown result is printed on
	opened  map[string]bool
	no      bool // unknown results were taken for false, and for nothing to loop over
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
	r.no = !yes
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
	if len(r.unknown) == 0 || e.Lacks == nil && !strings.HasPrefix(e.Text, "cannot r") && !(r.no && nothingThere(e)) { // render, read YAML
		return false
	}
	for _, o := range other.errs {
		if o.Place == e.Place && o.Text == e.Text {
			return false
		}
	}
	return true
}

// nothingThere tells mistakes that a list or a dictionary is when the loop that makes it has nothing to go through.
func nothingThere(e *plan.Error) bool {
	return strings.Contains(e.Text, "formed as a list") || strings.Contains(e.Text, "trailing colon") || strings.HasSuffix(e.Text, "got nothing")
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
