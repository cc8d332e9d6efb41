package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// run asks the agent to apply states.
func run(ctx context.Context, h *host.Host, r host.StateRun) (module.Returned, error) {
	if h.Agent == nil {
		return module.Returned{}, errNoAgent
	}
	v, retcode, err := h.Agent.Apply(ctx, r)
	return module.Returned{Value: v, Retcode: retcode}, err
}

func (e environment) run(test bool) host.StateRun {
	return host.StateRun{Environment: e.Saltenv, Pillar: e.Pillar, Test: test}
}

func (o options) run() host.StateRun {
	r := o.environment.run(o.Test)
	r.Exclude, r.Events = o.Exclude, o.Events
	return r
}

func apply(ctx context.Context, h *host.Host, a applyArgs) (module.Returned, error) {
	r := a.run()
	r.Mods = a.Mods
	return run(ctx, h, r)
}

func highstate(ctx context.Context, h *host.Host, a highstateArgs) (module.Returned, error) {
	return run(ctx, h, a.run())
}

func test(ctx context.Context, h *host.Host, a testArgs) (module.Returned, error) {
	return apply(ctx, h, applyArgs{a.Mods, options{true, a.environment, a.Exclude, a.turn}})
}

func sls(ctx context.Context, h *host.Host, a slsArgs) (module.Returned, error) {
	if len(a.Mods) == 0 {
		return module.Returned{}, errors.New("cannot apply states: mods names no SLS file")
	}
	return apply(ctx, h, applyArgs(a))
}

func slsID(ctx context.Context, h *host.Host, a idArgs) (module.Returned, error) {
	if len(a.Mods) == 0 || a.ID == "" {
		return module.Returned{}, errors.New("cannot apply states: name an ID and the SLS files that it is in")
	}
	r := a.run()
	r.ID, r.Mods = a.ID, a.Mods
	return run(ctx, h, r)
}

func top(ctx context.Context, h *host.Host, a topArgs) (module.Returned, error) {
	r := a.run()
	r.Top = a.File
	return run(ctx, h, r)
}

func template(ctx context.Context, h *host.Host, a templateArgs) (module.Returned, error) {
	if a.Path == "" {
		return module.Returned{}, errors.New("cannot apply states: the path of the file is empty")
	}
	r := a.run(a.Test)
	r.Path, r.Events = a.Path, a.Events
	return run(ctx, h, r)
}

func templateStr(ctx context.Context, h *host.Host, a templateStrArgs) (module.Returned, error) {
	if a.Text == "" {
		return module.Returned{}, errors.New("cannot apply states: the text is empty")
	}
	r := a.run(a.Test)
	r.Text, r.Events = a.Text, a.Events
	return run(ctx, h, r)
}

func single(ctx context.Context, h *host.Host, a singleArgs) (module.Returned, error) {
	one := &host.Single{State: a.Fun, Args: []host.SingleArg{{Name: "name", Value: a.Name}}}
	for _, arg := range a.More {
		one.Args = append(one.Args, host.SingleArg{Name: arg.Name, Value: &arg.Value})
	}
	r := a.run(a.Test)
	r.Single, r.Events = one, a.Events
	return run(ctx, h, r)
}

// showTop makes a function that returns a view of what the top file gives.
func showTop(view host.View) func(context.Context, *host.Host, environment) (module.Returned, error) {
	return func(ctx context.Context, h *host.Host, a environment) (module.Returned, error) {
		return show(ctx, h, view, host.StateRun{Environment: a.Saltenv, Pillar: a.Pillar})
	}
}

// showMods makes a function that returns a view of SLS files.
func showMods(view host.View) func(context.Context, *host.Host, showArgs) (module.Returned, error) {
	return func(ctx context.Context, h *host.Host, a showArgs) (module.Returned, error) {
		if len(a.Mods) == 0 {
			return module.Returned{}, errors.New("cannot show states: mods names no SLS file")
		}
		return show(ctx, h, view, host.StateRun{Mods: a.Mods, Environment: a.Saltenv, Pillar: a.Pillar})
	}
}

func show(ctx context.Context, h *host.Host, view host.View, r host.StateRun) (module.Returned, error) {
	if h.Agent == nil {
		return module.Returned{}, errors.New("cannot show states: no minion runs here")
	}
	v, retcode, err := h.Agent.Show(ctx, view, r)
	return module.Returned{Value: v, Retcode: retcode}, err
}

func softKill(_ context.Context, h *host.Host, a softKillArgs) (bool, error) {
	if h.Agent == nil {
		return false, errNoAgent
	}
	return true, h.Agent.SoftStop(a.JID, a.ID)
}

type noArgs struct{}

func running(_ context.Context, h *host.Host, _ noArgs) (*value.List, error) {
	list := value.NewList()
	if h.Agent == nil {
		return list, nil
	}
	for _, j := range h.Agent.Running() {
		if !slices.Contains(Functions, j.Function) {
			continue
		}
		line := fmt.Sprintf("The function %q is waiting with jid %s", j.Function, j.JID)
		if !j.Started.IsZero() {
			line = fmt.Sprintf("The function %q is running and was started at %s with jid %s",
				j.Function, j.Started.Format("2006, Jan 02 15:04:05.000000"), j.JID)
		}
		list.Items = append(list.Items, line)
	}
	return list, nil
}
