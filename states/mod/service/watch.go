package service

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

// watchRunning restarts or reloads a service that runs, and starts one that does not.
func watchRunning(ctx context.Context, h *host.Host, a runningArgs, _ []string) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	if err != nil {
		return module.Plan{}, err
	}
	if !s.known {
		return module.Plan{}, absent(s)
	}
	if s, err = s.settled(ctx, a.Wait); err != nil {
		return module.Plan{}, err
	}
	verb, word := a.verb(s)
	return reaction(s, word, word+"ed", func(ctx context.Context) error {
		o := actOptions{noBlock: a.NoBlock, timeout: a.Timeout, check: verb != "reload"}
		if verb == "start" {
			// As in Salt: an init script may have left parts of it running.
			if err := s.act(ctx, "stop", actOptions{timeout: a.Timeout}); err != nil {
				return err
			}
		}
		if err := s.act(ctx, verb, o); err != nil {
			return err
		}
		return s.outlasts(ctx, a)
	}), nil
}

// verb is what is done to the service when a watched state changed, and how Salt calls it.
func (a *runningArgs) verb(s service) (verb, word string) {
	_, isSystemd := s.manager.(systemd)
	switch {
	case !s.runs(a.Sig):
		return "start", "start"
	case a.Reload && a.Force:
		return "force-reload", "forcefully reload"
	case a.Reload:
		return "reload", "reload"
	case a.FullRestart && !isSystemd:
		return "full-restart", "fully restart"
	}
	return "restart", "restart"
}

// watchDead stops a service that runs.
func watchDead(ctx context.Context, h *host.Host, a deadArgs, _ []string) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	if err != nil {
		return module.Plan{}, err
	}
	if !s.known || !s.runs(a.Sig) {
		return module.Plan{Same: "Service is already stopped"}, nil
	}
	return reaction(s, "stop", "stopped", func(ctx context.Context) error { return s.stop(ctx, a) }), nil
}

func reaction(s service, verb, past string, do func(context.Context) error) module.Plan {
	did := "Service " + past
	if s.waits() && verb != "reload" {
		did = fmt.Sprintf("Service is %s when the job has ended", past)
	}
	return module.Plan{
		Steps: []module.Step{module.Change(s.name, true, func(ctx context.Context) error {
			if err := do(ctx); err != nil {
				return fmt.Errorf("cannot %s service %s: %w", verb, s.name, err)
			}
			return nil
		})},
		Would: "Service is set to be " + past,
		Did:   did,
	}
}
