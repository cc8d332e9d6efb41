package agentmod

import (
	"context"

	"brine/states/host"
	"brine/states/pillar"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// Show compiles what was asked for and returns a view of it.
func (a *Agent) Show(ctx context.Context, view host.View, r host.StateRun) (v any, retcode int, err error) {
	s, err := a.open(r)
	if err != nil {
		return nil, 0, err
	}
	if view == host.ShowTop {
		mods, errs := s.top(ctx)
		if len(errs) > 0 {
			return s.mask.Value(mistakes(errs)), run.RetcodeNotCompiled, nil
		}
		return sls.TopDict(mods), 0, nil
	}
	s.options.Show = true
	program, errs, err := s.compile(ctx)
	switch {
	case err != nil:
		return nil, 0, err
	case len(errs) > 0:
		return s.mask.Value(mistakes(errs)), run.RetcodeNotCompiled, nil
	case program == nil:
		program = &sls.Program{High: &value.Dict{}}
	}
	return s.mask.Value(seen(program, view)), 0, nil
}

func seen(p *sls.Program, view host.View) any {
	list := value.NewList()
	switch {
	case view == host.ShowHigh:
		return p.High
	case view == host.ShowStates:
		for _, m := range p.Files {
			list.Items = append(list.Items, m.Name)
		}
	case p.Plan != nil:
		for _, n := range p.Plan.Nodes {
			list.Items = append(list.Items, n.Low)
		}
	}
	return list
}

// overlaid is a pillar with that of the run over it.
func (s *stateRun) overlaid(d *value.Dict) *value.Dict {
	if s.asked.Pillar.Len() == 0 {
		return d
	}
	return pillar.Merge(d, s.asked.Pillar)
}
