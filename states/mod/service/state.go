package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
)

type runningArgs struct {
	Name          string        `arg:"name,required" doc:"the service; another kind of unit with its ending, such as backup.timer"`
	Enable        *bool         `arg:"enable" doc:"whether it starts with the host; absent leaves that as it is"`
	Sig           string        `arg:"sig" doc:"where the init system does not know what runs (sysv): what the command line of its process contains"`
	InitDelay     time.Duration `arg:"init_delay" doc:"how long to wait after it was started or restarted, before it is looked at once more"`
	NoBlock       bool          `arg:"no_block" doc:"do not wait until it has started (systemd)"`
	Unmask        bool          `arg:"unmask" doc:"unmask it first when it is masked (systemd)"`
	UnmaskRuntime bool          `arg:"unmask_runtime" doc:"unmask it first when it is masked until the next boot (systemd)"`
	Wait          time.Duration `arg:"wait" default:"3" doc:"how long one that is just starting or stopping is waited for before it counts as stopped"`
	Timeout       time.Duration `arg:"timeout" doc:"how long starting it may take; absent is the init system's own limit"`
	Reload        bool          `arg:"reload" doc:"when a watched state changed, reload instead of restart"`
	Force         bool          `arg:"force" doc:"with reload: restart it when it can't be reloaded"`
	Restart       bool          `arg:"restart" default:"true" doc:"taken for Salt's sake: restarting is what happens when nothing else is said"`
	FullRestart   bool          `arg:"full_restart" doc:"when a watched state changed, stop and start; systemd's restart is that"`
}

func (a *runningArgs) service() (string, bool) { return a.Name, a.Enable != nil }

// CheckArgs implements module.Checker.
func (a *runningArgs) CheckArgs() error {
	if a.Reload && a.FullRestart {
		return errors.New(`arguments "reload" and "full_restart" exclude each other: give one`)
	}
	return nil
}

func planRunning(ctx context.Context, h *host.Host, a runningArgs) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, a.Enable != nil)
	if err != nil {
		return module.Plan{}, err
	}
	if !s.known {
		return module.Plan{}, absent(s)
	}
	if s, err = s.settled(ctx, a.Wait); err != nil {
		return module.Plan{}, err
	}
	c := course{service: s}
	c.unmask(a.Unmask, a.UnmaskRuntime)
	c.systemdOnly(a.NoBlock, "no_block")
	up := s.runs(a.Sig)
	if !up {
		if err := c.startable(); err != nil {
			return module.Plan{}, err
		}
		c.step(s.name, true, func(ctx context.Context) error {
			err := s.act(ctx, "start", actOptions{noBlock: a.NoBlock, timeout: a.Timeout, check: true})
			if err == nil {
				err = s.outlasts(ctx, a)
			}
			if err != nil {
				return fmt.Errorf("cannot start service %s: %w", s.name, err)
			}
			return nil
		})
	}
	if err := c.enable(a.Enable); err != nil {
		return module.Plan{}, err
	}
	c.toldRunning(up, a)
	return c.done(), nil
}

// outlasts waits for init_delay, and says why the service is not up then.
func (s service) outlasts(ctx context.Context, a runningArgs) error {
	from := journalStart()
	if err := pause(ctx, a.InitDelay); err != nil || a.InitDelay <= 0 || s.waits() {
		return err
	}
	if sd, ok := s.manager.(systemd); ok {
		_, err := sd.up(ctx, s.facts, from, a.NoBlock)
		return err
	}
	again, err := s.now(ctx)
	if err == nil && !again.runs(a.Sig) && !again.changing {
		err = fmt.Errorf("it is not up any more after the %v seconds of init_delay", a.InitDelay.Seconds())
	}
	return err
}

// absent is the failure of a state whose service is not there: perhaps not yet.
func absent(s service) error {
	return module.Unknown("The named service %s is not available%s", s.name, s.near())
}

// runs says whether the service runs, by its process where sig names one and the init system can't tell.
func (s service) runs(sig string) bool {
	if _, knows := s.manager.(systemd); sig == "" || knows {
		return s.active
	}
	return hasProcess(s.h, sig)
}

// act does something to the service. What would end this process itself waits until the job has ended.
func (s service) act(ctx context.Context, verb string, o actOptions) error {
	if verb == "start" || verb == "reload" || !s.waits() {
		return s.manager.act(ctx, s.facts, verb, o)
	}
	s.h.Last(func(ctx context.Context) error {
		return s.manager.act(ctx, s.facts, verb, actOptions{noBlock: true})
	})
	return nil
}

// waits says whether to end the service would end this process, and with it a job that can end before.
func (s service) waits() bool { return s.h.Last != nil && s.unit == ownUnit(s.h) }

// ownUnit is the unit that this process runs in; "" when it is in none.
func ownUnit(h *host.Host) string {
	data, _ := os.ReadFile(h.Path("/proc/self/cgroup")) // without it there is none
	for line := range strings.Lines(string(data)) {
		parts := strings.Split(strings.TrimSpace(line), "/")
		for _, part := range slices.Backward(parts) {
			if strings.HasSuffix(part, ".service") {
				return part
			}
		}
	}
	return ""
}

func (c *course) toldRunning(up bool, a runningArgs) {
	c.told(!up, fmt.Sprintf("The service %s is already running", c.name), fmt.Sprintf("Service %s is set to start", c.name),
		fmt.Sprintf("Started service %s", c.name), "is running")
	if !up && a.InitDelay > 0 {
		c.plan.Did += fmt.Sprintf("\nDelayed return for %v seconds", a.InitDelay.Seconds())
	}
}

type deadArgs struct {
	Name      string        `arg:"name,required" doc:"the service; another kind of unit with its ending, such as backup.timer"`
	Enable    *bool         `arg:"enable" doc:"whether it starts with the host; absent leaves that as it is"`
	Sig       string        `arg:"sig" doc:"where the init system does not know what runs (sysv): what the command line of its process contains"`
	InitDelay time.Duration `arg:"init_delay" doc:"how long to wait before it is looked at again"`
	NoBlock   bool          `arg:"no_block" doc:"do not wait until it has stopped (systemd)"`
	Wait      time.Duration `arg:"wait" default:"3" doc:"how long one that is just starting or stopping is waited for"`
	Timeout   time.Duration `arg:"timeout" doc:"how long stopping it may take; absent is the init system's own limit"`
}

func (a *deadArgs) service() (string, bool) { return a.Name, a.Enable != nil }

func planDead(ctx context.Context, h *host.Host, a deadArgs) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, a.Enable != nil)
	if err != nil {
		return module.Plan{}, err
	}
	if !s.known {
		return module.Plan{Same: fmt.Sprintf("The named service %s is not available", s.name)}, nil
	}
	if s, err = s.settled(ctx, a.Wait); err != nil {
		return module.Plan{}, err
	}
	c := course{service: s}
	c.systemdOnly(a.NoBlock, "no_block")
	up := s.runs(a.Sig) || s.changing
	if up {
		c.step(s.name, false, func(ctx context.Context) error { return s.stop(ctx, a) })
	}
	if err := c.enable(a.Enable); err != nil {
		return module.Plan{}, err
	}
	c.told(up, fmt.Sprintf("The service %s is already dead", s.name), fmt.Sprintf("Service %s is set to be killed", s.name),
		fmt.Sprintf("Service %s was killed", s.name), "is dead")
	return c.done(), nil
}

// stop stops the service and makes sure that it did.
func (s service) stop(ctx context.Context, a deadArgs) error {
	err := s.act(ctx, "stop", actOptions{noBlock: a.NoBlock, timeout: a.Timeout})
	if err == nil {
		err = pause(ctx, a.InitDelay)
	}
	if err == nil && !a.NoBlock && !s.waits() {
		var again service
		if again, err = s.now(ctx); err == nil && again.runs(a.Sig) {
			err = errors.New("it still runs, or something started it again")
		}
	}
	if err != nil {
		return fmt.Errorf("cannot stop service %s: %w", s.name, err)
	}
	return nil
}
