package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
)

// openRC tells OpenRC, as on Alpine and Gentoo, and reads how services are from the links that it keeps.
type openRC struct{ h *host.Host }

func (o openRC) look(ctx context.Context, names []string) (map[string]*facts, error) {
	all := make(map[string]*facts, len(names))
	var started bool
	for _, name := range names {
		f := &facts{name: name, unit: name}
		all[name] = f
		if f.bad = scriptName(name); f.bad != nil {
			continue
		}
		f.known = o.has("/etc/init.d/" + name)
		f.active = o.has("/run/openrc/started/" + name)
		f.changing = o.has("/run/openrc/starting/"+name) || o.has("/run/openrc/stopping/"+name)
		started = started || f.active
	}
	if !started {
		return all, nil
	}
	return all, o.crashed(ctx, all)
}

func (o openRC) has(name string) bool {
	_, err := os.Lstat(o.h.Path(name))
	return err == nil
}

// crashed finds those that were started and whose daemon has died since: only rc-status looks at processes.
func (o openRC) crashed(ctx context.Context, all map[string]*facts) error {
	out, err := o.h.Run(ctx, "rc-status", "--all", "--nocolor")
	if err != nil {
		return fmt.Errorf("cannot ask OpenRC for its services: %w", err)
	}
	for line := range strings.Lines(out) {
		name, state, ok := strings.Cut(strings.TrimSpace(line), " ")
		if f := all[name]; ok && f != nil && strings.Contains(state, "crashed") {
			f.active = false
		}
	}
	return nil
}

// enabled says of those in a runlevel that they start with the host.
func (o openRC) enabled(_ context.Context, services []*facts) error {
	levels, err := os.ReadDir(o.h.Path("/etc/runlevels"))
	if err != nil {
		return fmt.Errorf("cannot tell which services are enabled: %w", err)
	}
	for _, f := range services {
		f.asked = true
		f.enabled = len(o.in(levels, f)) > 0
	}
	return nil
}

// in names the runlevels that a service is in.
func (o openRC) in(levels []os.DirEntry, f *facts) (names []string) {
	for _, l := range levels {
		if o.has("/etc/runlevels/" + l.Name() + "/" + f.unit) {
			names = append(names, l.Name())
		}
	}
	return names
}

func (o openRC) act(ctx context.Context, f *facts, verb string, opts actOptions) error {
	switch verb {
	case "full-restart":
		if err := o.act(ctx, f, "stop", actOptions{timeout: opts.timeout}); err != nil {
			return err
		}
		verb = "start"
	case "force-reload":
		verb = "restart"
	case "start", "stop": // one that crashed is neither
		if f.known && o.has("/run/openrc/started/"+f.unit) && !f.active {
			if _, err := o.h.Run(ctx, "rc-service", f.unit, "zap"); err != nil {
				return cause(err)
			}
		}
	}
	return limited(ctx, opts.timeout, func(ctx context.Context) error {
		if _, err := o.h.Run(ctx, "rc-service", f.unit, verb); err != nil {
			return cause(err)
		}
		if opts.check {
			return o.check(ctx, f)
		}
		return nil
	})
}

// check waits a moment and says when a service that was started is not up.
func (o openRC) check(ctx context.Context, f *facts) error {
	for _, wait := range settling() {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		all, err := o.look(ctx, []string{f.name})
		if err != nil {
			return err
		}
		if again := all[f.name]; !again.active && !again.changing {
			return errors.New("it ended at once")
		}
	}
	return nil
}

func (o openRC) enable(ctx context.Context, f *facts, on bool) error {
	argv := []string{"rc-update", "add", f.unit, "default"}
	if !on { // with --all it fails for each runlevel that the service is not in
		levels, err := os.ReadDir(o.h.Path("/etc/runlevels"))
		if err != nil {
			return fmt.Errorf("cannot tell in which runlevels it is: %w", err)
		}
		names := o.in(levels, f)
		if len(names) == 0 {
			return nil
		}
		argv = append([]string{"rc-update", "delete", f.unit}, names...)
	}
	if _, err := o.h.Run(ctx, argv...); err != nil {
		return cause(err)
	}
	return nil
}

func (o openRC) list(ctx context.Context) ([]listed, error) {
	return listScripts(ctx, o, scripts(o.h))
}

func (o openRC) names() []string { return scripts(o.h) }
