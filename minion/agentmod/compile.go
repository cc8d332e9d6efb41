package agentmod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
)

// A stateRun is a run that was asked for, with what it stands on.
type stateRun struct {
	*Agent
	host    *host.Host // with the pillar of the run
	mask    *pillar.Mask
	asked   host.StateRun
	source  sls.Source
	options sls.Options
}

// open finds the environment of a run and lays its pillar over the host's.
func (a *Agent) open(r host.StateRun) (*stateRun, error) {
	env := cmp.Or(a.Environment, "base")
	own := *a.Host // its pillar is the run's, and may be collected anew
	s := &stateRun{Agent: a, host: &own, asked: r, source: a.Source}
	if r.Environment != "" && r.Environment != env {
		src, err := a.tree(r.Environment, env)
		if err != nil {
			return nil, err
		}
		env, s.source = r.Environment, src
	}
	s.options = sls.Options{Env: env, Trees: a.Trees, Index: a.Index, Host: &own, Lenient: a.Lenient}
	for _, e := range r.Exclude {
		s.options.Exclude = append(s.options.Exclude, exclusion(e))
	}
	own.Pillar, s.mask = s.overlaid(own.Pillar), a.Secrets
	if s.mask == nil {
		s.mask = &pillar.Mask{}
	} else {
		s.mask.Add(own.Pillar)
	}
	own.Config = configOf(own.Config, env, r.Test)
	own.Render = render.New(&own, env, s.file)
	return s, nil
}

// configOf is a configuration with what a run sets.
func configOf(config *value.Dict, env string, test bool) *value.Dict {
	c := &value.Dict{}
	for k, v := range config.All() {
		_ = c.Set(k, v) // it was a key already
	}
	c.Put("saltenv", env)
	c.Put("test", test)
	return c
}

// file reads a file of an environment.
func (s *stateRun) file(ctx context.Context, env, path string) ([]byte, error) {
	src := s.source
	if env != s.options.Env {
		var err error
		if src, err = s.tree(env, s.options.Env); err != nil {
			return nil, err
		}
	}
	return src.Open(ctx, path)
}

func (a *Agent) tree(env, own string) (sls.Source, error) {
	if a.Trees == nil {
		return nil, fmt.Errorf("cannot apply states of environment %q: the job was sent for %q (brine apply --saltenv %s)",
			env, own, env)
	}
	src, err := a.Trees.Source(env)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot apply states of environment %q: there is none of that name%s",
			env, spell.DidYouMean(env, a.Trees.Environments()))
	}
	return src, err
}

// exclusion reads "id: ID", "sls: GLOB" and a bare GLOB of SLS names.
func exclusion(text string) sls.Exclusion {
	if id, ok := strings.CutPrefix(text, "id:"); ok {
		return sls.Exclusion{ID: strings.TrimSpace(id)}
	}
	return sls.Exclusion{SLS: strings.TrimSpace(strings.TrimPrefix(text, "sls:"))}
}

// compile makes the program of a run. No program and no mistakes: the top file gives this minion nothing.
func (s *stateRun) compile(ctx context.Context) (*sls.Program, []*plan.Error, error) {
	in, errs, err := s.input(ctx)
	if err != nil || len(in.Mods) == 0 && in.Text == nil && in.Single == nil {
		return nil, errs, err
	}
	in.Partial = len(errs) > 0
	program, more := sls.Build(ctx, s.source, in, s.options)
	switch errs = append(errs, more...); {
	case len(errs) > 0:
		return nil, errs, nil
	case s.asked.ID == "":
		return program, nil, nil
	}
	return s.only(program)
}

// only takes the states of one ID and what they need.
func (s *stateRun) only(p *sls.Program) (*sls.Program, []*plan.Error, error) {
	var ids []string
	for _, n := range p.Plan.Nodes {
		ids = append(ids, n.ID)
	}
	p.Plan = p.Plan.Only(s.asked.ID)
	if len(p.Plan.Nodes) == 0 {
		return nil, []*plan.Error{plan.Errorf(plan.Place{}, "no state of SLS %s in environment %q has the ID %q%s",
			strings.Join(s.asked.Mods, ", "), s.options.Env, s.asked.ID, spell.DidYouMean(s.asked.ID, ids))}, nil
	}
	return p, nil, nil
}

func (s *stateRun) input(ctx context.Context) (sls.Input, []*plan.Error, error) {
	switch r := s.asked; {
	case r.Single != nil:
		one := &sls.Single{State: r.Single.State}
		for _, a := range r.Single.Args {
			v, ok := a.Value.(*module.Value)
			if !ok {
				plain := module.Data(a.Value)
				v = &plain
			}
			one.Args = append(one.Args, module.Arg{Name: a.Name, Value: *v})
		}
		return sls.Input{Single: one}, nil, nil
	case r.Path != "":
		text, err := os.ReadFile(s.host.Path(r.Path))
		if err != nil {
			return sls.Input{}, nil, fmt.Errorf("cannot apply %s: %w", r.Path, err)
		}
		return sls.Input{Text: &sls.Text{Name: r.Path, Text: text}}, nil, nil
	case r.Text != "":
		return sls.Input{Text: &sls.Text{Text: []byte(r.Text)}}, nil, nil
	case len(r.Mods) > 0:
		var in sls.Input
		for _, name := range r.Mods {
			in.Mods = append(in.Mods, sls.Mod{Name: name})
		}
		return in, nil, nil
	}
	mods, errs := s.top(ctx)
	return sls.Input{Mods: mods}, errs, nil
}

// top returns what top files give this minion. Asked for one environment by name it is that alone.
func (s *stateRun) top(ctx context.Context) ([]sls.Mod, []*plan.Error) {
	return sls.Top(ctx, s.source, s.options, sls.TopOptions{
		File: s.asked.Top, Strategy: s.Strategy, Match: match.Targets(ctx, s.host), Only: s.Pinned || s.asked.Environment != "",
	})
}
