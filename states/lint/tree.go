package lint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/jinja"
	"brine/states/mod/match"
	"brine/states/plan"
	"brine/states/sls"
)

// top compiles what the top file gives each host, and with each of its targets that means none of them.
func (c *checker) top() {
	if !c.hasTop() {
		return
	}
	t := newTargets()
	for _, s := range c.hosts {
		c.topRun(s, match.Targets(c.ctx, c.host(s)), t.take)
	}
	for _, k := range t.order {
		switch target := t.all[k]; {
		case target.Means:
		case byID(target):
			c.standIn(target)
		default:
			c.unmatched(target)
		}
	}
}

// targets are those of top files, each with whether it means any of the hosts.
type targets struct {
	order []plan.Place
	all   map[plan.Place]sls.Target
}

func newTargets() *targets { return &targets{all: map[plan.Place]sls.Target{}} }

func (t *targets) take(target sls.Target) {
	old, seen := t.all[target.At]
	if !seen {
		t.order = append(t.order, target.At)
	}
	target.Means = target.Means || old.Means
	t.all[target.At] = target
}

// standIn compiles what a target gives for each of the hosts, as if it meant them too.
func (c *checker) standIn(target sls.Target) {
	for _, s := range c.hosts {
		real := match.Targets(c.ctx, c.host(s))
		c.topRun(s, func(kind, text string) (bool, error) {
			ok, err := real(kind, text)
			return ok || kind == target.Kind && text == target.Text, err
		}, nil)
	}
}

// unmatched tells of a target that none of the hosts can stand for.
func (c *checker) unmatched(target sls.Target) {
	c.findings.add("", Finding{
		Severity: Warning, Hint: "check the tree for such a host too",
		Message: fmt.Sprintf("target %q means none of the hosts that the tree is checked for: what it gives is not compiled", target.Text),
	}, target.At)
	for _, s := range c.hosts {
		for _, m := range target.Mods {
			s.covered[sls.Mod{Env: m.Env, Name: strings.ReplaceAll(m.Name, "/", ".")}] = true
		}
	}
}

// byID says whether a target asks for nothing but the id, so that any host may stand for one that it means.
func byID(t sls.Target) bool {
	switch t.Kind {
	case "glob", "list", "pcre":
		return true
	case "compound":
		return !strings.Contains(t.Text, "@")
	}
	return false
}

func (c *checker) hasTop() bool {
	for _, t := range c.files.trees {
		if t.paths["top.sls"] != "" {
			return true
		}
	}
	return false
}

// topRun compiles what the top file gives a host.
func (c *checker) topRun(s *subject, means func(kind, text string) (bool, error), told func(sls.Target)) {
	if s.broken {
		return
	}
	mods, errs := c.topOf(s, means, told)
	for _, e := range errs {
		c.told[e.Place.File] = true
		c.findings.add(s.Name, mistake(e, Error), e.Place)
	}
	if len(mods) == 0 {
		return
	}
	for file := range c.run(s, mods, len(errs) > 0) {
		s.covered[c.modOf(file)] = true
	}
}

func (c *checker) topOf(s *subject, means func(kind, text string) (bool, error), told func(sls.Target)) ([]sls.Mod, []*plan.Error) {
	r := newResult()
	c.files.opened = c.compiled
	defer func() { c.files.opened = nil }()
	mods, errs := sls.Top(c.ctx, c.files.trees[c.opts.Env], c.options(s, r),
		sls.TopOptions{Strategy: c.opts.Strategy, Match: means, Told: told})
	for _, call := range s.modules.unknown {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: call.text()}, call.at)
	}
	s.modules.unknown = nil
	return mods, errs
}

// checked is the files of an environment that are checked also where nothing leads to them.
func (c *checker) checked(env string) *tree {
	return c.files.trees[env].without(c.opts.Exclude, c.opts.PillarRoots)
}

// modOf names the SLS of a file; the zero Mod for what is none.
func (c *checker) modOf(file string) sls.Mod {
	env, path := c.opts.Env, file
	if name, rest, ok := strings.Cut(file, ":"); ok && c.files.trees[name] != nil {
		env, path = name, rest
	}
	name, ok := strings.CutSuffix(path, ".sls")
	if !ok || path == "top.sls" {
		return sls.Mod{}
	}
	return sls.Mod{Env: env, Name: strings.ReplaceAll(strings.TrimSuffix(name, "/init"), "/", ".")}
}

// rest compiles each SLS that the top file gives no host, by itself.
func (c *checker) rest() {
	given := map[sls.Mod]bool{}
	for _, s := range c.hosts {
		for m := range s.covered {
			given[m] = true
		}
	}
	var alone []sls.Mod
	for _, env := range c.files.Environments() {
		for _, name := range sls.Names(c.checked(env)) {
			if m := (sls.Mod{Env: env, Name: name}); !given[m] {
				alone = append(alone, m)
			}
		}
	}
	for _, s := range c.hosts {
		if !s.broken {
			c.alone(s, alone)
		}
	}
}

// alone compiles SLS by themselves. What one lacks that others include is a mistake only if it is lacking there too.
func (c *checker) alone(s *subject, list []sls.Mod) {
	opened := map[sls.Mod]map[sls.Mod]bool{}
	runs := map[sls.Mod][]*result{}
	for _, m := range list {
		yes, no := c.both(s, []sls.Mod{m}, false)
		runs[m], opened[m] = []*result{yes, no}, map[sls.Mod]bool{}
		for file := range c.opened(yes, no) {
			opened[m][c.modOf(file)] = true
		}
	}
	for _, m := range list {
		yes, no := runs[m][0], runs[m][1]
		if slices.ContainsFunc(list, func(o sls.Mod) bool { return o != m && opened[o][m] && !opened[m][o] }) {
			yes.errs, no.errs = present(yes.errs), present(no.errs)
		}
		c.take(s, &m, yes, no)
		if no != yes {
			c.take(s, &m, no, yes)
		}
	}
}

// present is the mistakes but those of something that a run lacks.
func present(errs []*plan.Error) []*plan.Error {
	return slices.DeleteFunc(slices.Clone(errs), func(e *plan.Error) bool { return e.Lacks != nil })
}

// templates reads the templates of which no run told a mistake: what no SLS imports must be one all the same.
func (c *checker) templates() {
	var engine jinja.Engine
	for _, env := range c.files.Environments() {
		t := c.checked(env)
		for _, path := range t.Paths() {
			name := t.prefix + path
			if c.told[name] || !isTemplate(path) && !c.sources[name] {
				continue
			}
			text, err := t.Open(context.Background(), path)
			if err != nil {
				c.findings.add("", Finding{Severity: Error, Message: fmt.Sprintf("cannot read: %v", err)}, plan.Place{File: name})
				continue
			}
			c.parse(&engine, name, string(text))
		}
	}
}

func isTemplate(path string) bool {
	for _, ext := range []string{".jinja", ".jinja2", ".j2", ".sls"} {
		if strings.HasSuffix(path, ext) {
			return true
		}
	}
	return false
}

func (c *checker) parse(engine *jinja.Engine, name, text string) {
	if strings.HasPrefix(text, "#!") && !strings.Contains(strings.SplitN(text, "\n", 2)[0], "jinja") {
		return
	}
	_, err := engine.Parse(name, text, jinja.Settings{})
	var e *jinja.Error
	if !errors.As(err, &e) {
		return
	}
	place := plan.Place{File: e.Template, Line: e.Line, Column: e.Column}
	text = strings.TrimPrefix(e.Error(), fmt.Sprintf("%s:%d:%d: ", e.Template, e.Line, e.Column))
	c.findings.add("", mistake(plan.Errorf(place, "cannot render: %s", text), Error), place)
}
