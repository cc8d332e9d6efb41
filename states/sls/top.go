package sls

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sort"
	"strconv"
	"strings"

	"brine/proto/spell"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/value"
	"brine/states/yaml"
)

// How the top files of several environments are brought together.
const (
	TopMerge    = "merge"     // what base says of an environment counts, else what its own top file says
	TopSame     = "same"      // each environment has its own top file alone
	TopMergeAll = "merge_all" // everything that any of them says
)

// TopOptions say how the top file is read.
type TopOptions struct {
	File     string // "" is top.sls
	Strategy string // "" is TopMerge
	Default  string // with TopSame the environment whose top file counts where one is missing

	// Match says whether this minion is meant by a target; kind is what "match" says, "compound" where it says nothing.
	Match func(kind, target string) (bool, error)
	// Told is told each target of the top files that count; nil for nobody.
	Told func(Target)
	// Only restricts the answer to the run's environment.
	Only bool
	// Pillar has targets know the option ignore_missing.
	Pillar bool
	// Cache keeps the data of top files; nil for none.
	Cache *render.Cache
}

// A Target of a top file.
type Target struct {
	Kind, Text string // as TopOptions.Match is asked
	At         plan.Place
	Mods       []Mod // what it gives
	Means      bool  // this minion

	IgnoreMissing bool // of its SLS those that are not there
	order         int  // among the targets of the environment
}

// Top returns the SLS that top files give this minion, in their order, one as often as it is given. Beside mistakes
// it returns those that are known all the same, so that their mistakes can be told too.
func Top(ctx context.Context, src Source, o Options, t TopOptions) ([]Mod, []*plan.Error) {
	o.Env = cmp.Or(o.Env, "base")
	r := &topReader{loader: newLoader(ctx, src, o), opts: t}
	tops := r.readAll()
	var mods []Mod
	for _, env := range r.environments(tops) {
		var targets []Target
		for _, section := range r.sections(tops, env) {
			targets = append(targets, r.section(section)...)
		}
		sort.SliceStable(targets, func(i, j int) bool { return targets[i].order < targets[j].order })
		for _, t := range targets {
			mods = append(mods, t.Mods...)
		}
	}
	return mods, r.loader.sorted(r.loader.errs)
}

type topReader struct {
	loader *loader
	opts   TopOptions
}

// A topFile is the top file of one environment.
type topFile struct {
	*file
	sections []yaml.Pair
}

// A section is what a top file says of an environment.
type section struct {
	file *file
	env  string
	body *yaml.Node
}

// readAll reads the top files of all environments, that of base first.
func (r *topReader) readAll() []*topFile {
	own := r.loader.opts.Env
	envs := []string{own}
	if trees := r.loader.opts.Trees; trees != nil && !r.opts.Only {
		envs = slices.DeleteFunc(trees.Environments(), func(env string) bool { return env == own })
		envs = append([]string{own}, envs...)
		slices.SortStableFunc(envs, func(a, b string) int { return rank(a) - rank(b) })
	}
	var tops []*topFile
	for _, env := range envs {
		if top := r.read(env); top != nil {
			tops = append(tops, top)
		}
	}
	if len(tops) == 0 && len(r.loader.errs) == 0 {
		r.loader.fail(plan.Place{}, "cannot find %s in environment %q: name the SLS to apply, or write it",
			cmp.Or(r.opts.File, "top.sls"), own)
	}
	return tops
}

func rank(env string) int {
	if env == "base" {
		return 0
	}
	return 1
}

func (r *topReader) read(env string) *topFile {
	t, err := r.loader.tree(env)
	if err != nil {
		r.loader.fail(plan.Place{}, "cannot read the top file of environment %q: %v", env, err)
		return nil
	}
	name := cmp.Or(r.opts.File, "top.sls")
	text, err := t.Open(r.loader.ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f := &file{Mod: Mod{Env: env}, path: name, inTree: name}
	if env != r.loader.opts.Env {
		f.path = env + ":" + name
	}
	if err != nil {
		r.loader.fail(plan.Place{}, "cannot read %s: %v", f.path, err)
		return nil
	}
	r.loader.paths = append(r.loader.paths, f.path)
	top, errs := render.Render(r.loader.ctx, render.File{
		Name: f.path, Text: text, Path: f.inTree, Env: env, Templates: r.loader.templates, Cache: r.opts.Cache, Secret: r.opts.Pillar,
	})
	r.loader.errs = append(r.loader.errs, errs...)
	switch {
	case len(errs) > 0 || top.IsNull():
		return nil
	case top.Kind != yaml.MappingNode:
		r.loader.fail(f.at(top), "the top file is not a dictionary: want environments with their targets, got %s", top.TypeName())
		return nil
	}
	return &topFile{f, top.Pairs}
}

// environments returns the environments that the top files speak of, in their order.
func (r *topReader) environments(tops []*topFile) []string {
	var envs []string
	for _, top := range tops {
		for _, p := range top.sections {
			env := p.Key.Text
			if r.opts.Only && env != r.loader.opts.Env || slices.Contains(envs, env) {
				continue
			}
			envs = append(envs, env)
		}
	}
	return envs
}

// sections returns what counts of what the top files say of an environment.
func (r *topReader) sections(tops []*topFile, env string) []section {
	var all []section
	from := map[string]bool{}
	for _, top := range tops {
		for _, p := range top.sections {
			if p.Key.Text == env {
				all = append(all, section{top.file, env, p.Value})
				from[top.Env] = true
			}
		}
	}
	keep := func(s section) bool { return true }
	switch strategy := cmp.Or(r.opts.Strategy, TopMerge); {
	case r.opts.Only || len(tops) == 1 || strategy == TopMergeAll:
	case strategy == TopSame:
		has := slices.ContainsFunc(tops, func(t *topFile) bool { return t.Env == env })
		keep = func(s section) bool { return s.file.Env == env || !has && s.file.Env == r.opts.Default }
	case from["base"]:
		keep = func(s section) bool { return s.file.Env == "base" }
	default:
		keep = func(s section) bool { return s.file.Env == env }
	}
	return slices.DeleteFunc(all, func(s section) bool { return !keep(s) })
}

// section returns the targets of a section that mean this minion.
func (r *topReader) section(s section) []Target {
	if s.body.Kind != yaml.MappingNode {
		if !s.body.IsNull() {
			r.loader.fail(s.file.at(s.body), "environment %q of the top file is not a dictionary: want targets with lists of SLS, got %s",
				s.env, s.body.TypeName())
		}
		return nil
	}
	var all []Target
	for _, p := range s.body.Pairs {
		if t, ok := r.target(s, p); ok && r.means(&t) {
			all = append(all, t)
		}
	}
	return all
}

// target reads one target; false for one that is no list.
func (r *topReader) target(s section, p yaml.Pair) (Target, bool) {
	t := Target{Kind: "compound", Text: p.Key.Text, At: s.file.at(p.Key)}
	if p.Value.Kind != yaml.SequenceNode {
		r.loader.fail(t.At, "target %q of the top file is malformed: state declarations are not formed as a list", t.Text)
		return t, false
	}
	for _, item := range p.Value.Items {
		switch {
		case item.Kind == yaml.MappingNode:
			r.options(&t, s.file, item)
		case item.Kind == yaml.ScalarNode && item.Value != nil:
			t.Mods = append(t.Mods, Mod{s.env, item.Text, s.file.at(item)})
		default:
			r.loader.fail(s.file.at(item), "target %q of the top file: want the name of an SLS, got %s", t.Text, item.TypeName())
		}
	}
	return t, true
}

// options reads a dict among the SLS of a target.
func (r *topReader) options(t *Target, f *file, item *yaml.Node) {
	known := []string{"match", "order"}
	if r.opts.Pillar {
		known = []string{"ignore_missing", "match", "order"}
	}
	for _, option := range item.Pairs {
		switch name := option.Key.Text; {
		case !slices.Contains(known, name):
			r.loader.fail(f.at(option.Key), "target %q of the top file: unknown option %q%s", t.Text, name,
				spell.DidYouMean(name, known))
		case name == "match":
			t.Kind = option.Value.Text
		case name == "ignore_missing":
			t.IgnoreMissing = value.Truth(option.Value.Value)
		default:
			order, err := strconv.Atoi(option.Value.Text)
			if err != nil {
				r.loader.fail(f.at(option.Key), "target %q of the top file: order: want a number, got %q", t.Text, option.Value.Text)
			}
			t.order = order
		}
	}
}

// means asks whether a target means this minion, and tells who wants to know.
func (r *topReader) means(t *Target) bool {
	ok, err := r.opts.Match(t.Kind, t.Text)
	if err != nil {
		r.loader.fail(t.At, "%s", strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	t.Means = ok
	if r.opts.Told != nil && err == nil {
		r.opts.Told(*t)
	}
	return ok
}

// TopDict maps environments to the names of their SLS.
func TopDict(mods []Mod) *value.Dict {
	d := &value.Dict{}
	for _, m := range mods {
		put(d, m.Env, value.NewList(m.Name))
	}
	return d
}
