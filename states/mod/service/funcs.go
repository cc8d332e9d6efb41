package service

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// find looks at a service that must be there.
func find(ctx context.Context, h *host.Host, name string, enabled bool) (service, error) {
	s, err := lookAt(ctx, h, name, enabled)
	if err == nil && !s.known {
		err = s.missing()
	}
	return s, err
}

// ask is find for questions: from a template, where Salt's answer is a plain no, a missing service is not an error.
func ask(ctx context.Context, h *host.Host, name string, enabled bool) (service, error) {
	if module.Nested(ctx) {
		return lookAt(ctx, h, name, enabled)
	}
	return find(ctx, h, name, enabled)
}

type statusArgs struct {
	Name string        `arg:"name,required" doc:"the service, or a glob over all"`
	Sig  string        `arg:"sig" doc:"where the init system does not know what runs (sysv): what the command line of its process contains"`
	Wait time.Duration `arg:"wait" default:"3" doc:"how long one that is just starting or stopping is waited for"`
}

func status(ctx context.Context, h *host.Host, a statusArgs) (any, error) {
	if strings.ContainsAny(a.Name, "*?[") {
		return statuses(ctx, h, a.Name)
	}
	s, err := ask(ctx, h, a.Name, false)
	if err != nil || !s.known {
		return false, err
	}
	if s, err = s.settled(ctx, a.Wait); err != nil {
		return nil, err
	}
	return s.runs(a.Sig), nil
}

func statuses(ctx context.Context, h *host.Host, glob string) (any, error) {
	m, err := managerOf(h)
	if err != nil {
		return nil, err
	}
	names, err := namesOf(ctx, m, func(l listed) bool {
		ok, err := path.Match(glob, l.name)
		return ok && err == nil && !strings.HasSuffix(l.name, "@") && !strings.Contains(l.name, "@.")
	})
	if err != nil {
		return nil, err
	}
	all, err := m.look(ctx, names)
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for _, name := range names {
		d.Put(name, all[name].active)
	}
	return d, nil
}

func namesOf(ctx context.Context, m manager, wanted func(listed) bool) ([]string, error) {
	all, err := m.list(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, l := range all {
		if wanted(l) {
			names = append(names, l.name)
		}
	}
	return unique(names), nil
}

type startArgs struct {
	Name          string        `arg:"name,required" doc:"the service"`
	NoBlock       bool          `arg:"no_block" doc:"do not wait until it is done (systemd)"`
	Unmask        bool          `arg:"unmask" doc:"unmask it first (systemd)"`
	UnmaskRuntime bool          `arg:"unmask_runtime" doc:"take off the mask until the next boot first (systemd)"`
	Timeout       time.Duration `arg:"timeout" doc:"how long it may take; absent is the init system's own limit"`
}

// do makes the function that does what a verb says.
func do(verb string) func(context.Context, *host.Host, startArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a startArgs) (bool, error) {
		s, err := find(ctx, h, a.Name, false)
		if err != nil {
			return false, fmt.Errorf("cannot %s: %w", words(verb), err)
		}
		if err := s.takeOff(ctx, a.Unmask, a.UnmaskRuntime); err != nil {
			return false, fmt.Errorf("cannot %s service %s: %w", words(verb), s.name, err)
		}
		if _, is := s.manager.(systemd); is && verb == "full-restart" {
			verb = "restart"
		}
		check := verb == "start" || verb == "restart" || verb == "full-restart"
		if err := s.act(ctx, verb, actOptions{noBlock: a.NoBlock, timeout: a.Timeout, check: check}); err != nil {
			return false, fmt.Errorf("cannot %s service %s: %w", words(verb), s.name, err)
		}
		return true, nil
	}
}

func words(verb string) string { return strings.ReplaceAll(verb, "-", " ") }

func (s service) takeOff(ctx context.Context, forGood, runtime bool) error {
	m, ok := s.manager.(masker)
	if !ok {
		return nil
	}
	if forGood && s.masked {
		if err := m.mask(ctx, s.facts, false, false); err != nil {
			return err
		}
	}
	if runtime && s.maskedRuntime {
		return m.mask(ctx, s.facts, false, true)
	}
	return nil
}

type stopArgs struct {
	Name    string        `arg:"name,required" doc:"the service"`
	NoBlock bool          `arg:"no_block" doc:"do not wait until it has stopped (systemd)"`
	Timeout time.Duration `arg:"timeout" doc:"how long it may take; absent is the init system's own limit"`
}

func stop(ctx context.Context, h *host.Host, a stopArgs) (bool, error) {
	s, err := find(ctx, h, a.Name, false)
	if err != nil {
		return false, fmt.Errorf("cannot stop: %w", err)
	}
	if err := s.act(ctx, "stop", actOptions{noBlock: a.NoBlock, timeout: a.Timeout}); err != nil {
		return false, fmt.Errorf("cannot stop service %s: %w", s.name, err)
	}
	return true, nil
}

type enableArgs struct {
	Name          string `arg:"name,required" doc:"the service"`
	NoBlock       bool   `arg:"no_block" doc:"taken for Salt's sake: enabling never waits"`
	Unmask        bool   `arg:"unmask" doc:"unmask it first (systemd)"`
	UnmaskRuntime bool   `arg:"unmask_runtime" doc:"take off the mask until the next boot first (systemd)"`
}

func enable(ctx context.Context, h *host.Host, a enableArgs) (bool, error) {
	s, err := find(ctx, h, a.Name, false)
	if err != nil {
		return false, fmt.Errorf("cannot enable: %w", err)
	}
	if err = s.takeOff(ctx, a.Unmask, a.UnmaskRuntime); err == nil {
		err = s.manager.enable(ctx, s.facts, true)
	}
	if err != nil {
		return false, fmt.Errorf("cannot enable service %s: %w", s.name, err)
	}
	return true, nil
}

type nameArgs struct {
	Name string `arg:"name,required" doc:"the service"`
}

func disable(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	s, err := find(ctx, h, a.Name, false)
	if err != nil {
		return false, fmt.Errorf("cannot disable: %w", err)
	}
	if err := s.manager.enable(ctx, s.facts, false); err != nil {
		return false, fmt.Errorf("cannot disable service %s: %w", s.name, err)
	}
	return true, nil
}

func enabled(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	s, err := ask(ctx, h, a.Name, true)
	return err == nil && s.enabled, err
}

func disabled(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	s, err := ask(ctx, h, a.Name, true)
	return err == nil && !s.enabled, err
}

func available(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	return err == nil && s.known, err
}

func missing(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	return err == nil && !s.known, err
}

// lister makes the function that returns the names of some of all services.
func lister(wanted func(listed) bool) func(context.Context, *host.Host, struct{}) ([]string, error) {
	return func(ctx context.Context, h *host.Host, _ struct{}) ([]string, error) {
		m, err := managerOf(h)
		if err != nil {
			return nil, err
		}
		return namesOf(ctx, m, wanted)
	}
}

func getRunning(ctx context.Context, h *host.Host, _ struct{}) ([]string, error) {
	m, err := managerOf(h)
	if err != nil {
		return nil, err
	}
	if _, ok := m.(systemd); ok {
		return namesOf(ctx, m, func(l listed) bool { return l.running })
	}
	all, err := namesOf(ctx, m, func(listed) bool { return true })
	if err != nil {
		return nil, err
	}
	looked, err := m.look(ctx, all)
	if err != nil {
		return nil, err
	}
	running := []string{}
	for _, name := range all {
		if looked[name].active {
			running = append(running, name)
		}
	}
	return running, nil
}
