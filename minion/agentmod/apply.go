package agentmod

import (
	"cmp"
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/plan"
	"brine/states/render"
	"brine/states/run"
	"brine/states/value"
)

// Apply compiles what was asked for and runs its states. With a mistake anywhere nothing is touched, and
// the value lists all mistakes.
func (a *Agent) Apply(ctx context.Context, r host.StateRun) (v any, retcode int, err error) {
	s, err := a.open(r)
	if err != nil {
		return nil, 0, err
	}
	program, errs, err := s.compile(ctx)
	switch {
	case err != nil:
		return nil, 0, err
	case len(errs) > 0:
		return s.mask.Value(mistakes(errs)), run.RetcodeNotCompiled, nil
	case program == nil:
		return s.nothing(), run.RetcodeFailed, nil
	}
	results, retcode := run.Run(ctx, program.Plan, s.host, run.Options{
		Test: r.Test, Progress: s.progress(), Fire: s.fire(), Reload: s.reload, Wait: s.wait, Stop: s.stop(),
		Ended: s.ended(r.Events), In: s.in,
	})
	return s.mask.Results(results), retcode, nil
}

// in is the host as states of an environment see it: salt:// means its files, as in Salt.
func (s *stateRun) in(env string) *host.Host {
	if env == "" || env == s.options.Env {
		return s.host
	}
	own := *s.host
	if files, ok := own.Files.(interface {
		In(env string) (host.Files, error)
	}); ok {
		var err error
		if own.Files, err = files.In(env); err != nil {
			own.Files = nil // its SLS was read: this can't be
		}
	}
	own.Render = render.New(&own, env, s.file)
	return &own
}

// progress tells which state runs.
func (s *stateRun) progress() func(done, total int, current string) {
	if s.Progress == nil {
		return nil
	}
	return func(done, total int, current string) { s.Progress(done, total, s.mask.Text(current)) }
}

// stop tells before which states the run ends, where someone may ask for that.
func (s *stateRun) stop() func(*plan.Node) bool {
	if s.Stop == nil {
		return nil
	}
	return func(n *plan.Node) bool { return s.Stop(n.ID) }
}

// nothing is the one result of a minion that no target of the top file means, as in Salt.
func (s *stateRun) nothing() *value.Dict {
	id, _ := s.host.Grains.Get("id")
	return value.NewDict("no_|-states_|-states_|-None", value.NewDict(
		"name", "No States", "changes", &value.Dict{}, "result", false,
		"comment", fmt.Sprintf("No Top file or master_tops data matches found: no target of top.sls in environment %q means %q",
			s.options.Env, id),
		"__run_num__", int64(0), "__id__", "states",
	))
}

// fire sends how a state with fire_event ended, where someone listens.
func (s *stateRun) fire() func(context.Context, *plan.Node, *value.Dict) error {
	if s.host.Event == nil {
		return nil
	}
	return func(ctx context.Context, n *plan.Node, result *value.Dict) error {
		id, _ := s.host.Grains.Get("id")
		tag := fmt.Sprintf("salt/state_result/%s/%v/%s", cmp.Or(s.JID, "req"), id, n.FireEvent)
		if err := s.host.Event(ctx, s.mask.Text(tag), value.NewDict("ret", s.mask.Result(result))); err != nil {
			return fmt.Errorf("cannot send the event %q: %w", tag, err)
		}
		return nil
	}
}

// ended tells masters how each state ended, under Salt's tag of the job's progress. What can't be told is in the result.
func (s *stateRun) ended(events *bool) func(context.Context, *value.Dict, int) {
	wanted := s.Events
	if events != nil {
		wanted = *events
	}
	if !wanted || s.host.Event == nil || s.JID == "" {
		return nil
	}
	return func(ctx context.Context, result *value.Dict, total int) {
		id, _ := s.host.Grains.Get("id")
		number, _ := result.Get("__run_num__")
		tag := fmt.Sprintf("salt/job/%s/prog/%v/%v", s.JID, id, number)
		data := value.NewDict("ret", s.mask.Result(result), "len", int64(total))
		err := s.host.Event(ctx, tag, value.NewDict("cmd", "_minion_event", "id", id, "jid", s.JID, "tag", tag, "data", data))
		if err != nil && s.host.Log != nil {
			s.host.Log("error", err.Error())
		}
	}
}

// reload collects grains or pillar anew. What was collected before stays where that fails.
func (s *stateRun) reload(ctx context.Context, what string) error {
	collect := s.Grains
	if what == "pillar" {
		collect = s.Pillar
	}
	if collect == nil {
		return nil
	}
	d, err := collect(ctx)
	if err != nil {
		return fmt.Errorf("cannot reload %s: %w", what, err)
	}
	if what == "pillar" {
		s.host.Pillar = s.overlaid(d)
		if s.Secrets != nil {
			s.mask.Add(s.host.Pillar)
		}
	} else {
		s.host.Grains = d
	}
	return nil
}
