package beacon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// services tells whether services run.
func services(s *section, _ *env) looker {
	type watched struct {
		name, pidFile string
		how           manner
	}
	base := s.manner(manner{atStart: true})
	names := s.sub("services")
	if !s.has("services") {
		s.wrong("", "want services in it")
	}
	var all []watched
	names.each(func(name string, v any) {
		one := names.under(name, v)
		all = append(all, watched{name, one.text("uncleanshutdown", ""), one.manner(base)})
		one.any("oncleanshutdown") // Salt sets it and reads it nowhere
		one.end()
	})
	return func(ctx context.Context, h *host.Host) (found []reading, err error) {
		for _, w := range all {
			runs, e := ask[bool](ctx, h, "service.status", w.name)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			state := value.NewDict("running", runs)
			if !runs && w.pidFile != "" {
				state.Put("uncleanshutdown", exists(h, w.pidFile))
			}
			r := reading{
				about: w.name, tag: w.name, data: value.NewDict(w.name, state, "service_name", w.name),
				state: fmt.Sprint(runs), tell: true, how: &w.how,
			}
			if !runs {
				r.anew = endOf(ctx, h, w.name)
			}
			found = append(found, r)
		}
		return found, err
	}
}

// endOf is when a service last ended, in systemd's words; "" where that does not know, as of a unit that it has unloaded. One that
// was started and has ended again since the last look is down anew: whoever started it must hear of that.
func endOf(ctx context.Context, h *host.Host, name string) string {
	d, err := ask[*value.Dict](ctx, h, "service.show", name)
	if err != nil {
		return "" // not systemd's
	}
	at, _ := d.Get("ActiveExitTimestampMonotonic")
	return strings.TrimPrefix(value.KeyText(at), "0")
}

// processes tells which processes are there.
func processes(s *section, _ *env) looker {
	want := s.sub("processes")
	if !s.has("processes") {
		s.wrong("", "want processes in it")
	}
	type watched struct{ name, state string }
	var all []watched
	want.each(func(name string, v any) {
		text, _ := v.(string)
		all = append(all, watched{name, text})
	})
	return func(_ context.Context, h *host.Host) (found []reading, err error) {
		running, err := processNames(h)
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			state, tell := any("Stopped"), w.state == "stopped"
			switch {
			case running[w.name]:
				state, tell = "Running", w.state == "running"
			case !tell:
				tell = w.state != "running"
				if tell {
					state = false
				}
			}
			is := running[w.name]
			found = append(found, reading{
				about: w.name, data: value.NewDict(w.name, state), state: fmt.Sprint(is), first: fmt.Sprint(is != tell), tell: tell,
			})
		}
		return found, nil
	}
}

// packages tells when packages have come, gone, or have upgrades.
func packages(s *section, e *env) looker {
	how := manner{onChange: true, lasts: e.i.manner.lasts}
	names, refresh := s.texts("pkgs"), s.bool("refresh", false)
	if len(names) == 0 {
		s.wrong("", "want a list of pkgs in it")
	}
	return func(ctx context.Context, h *host.Host) (found []reading, err error) {
		for n, name := range names {
			r, e := packageReading(ctx, h, name, refresh && n == 0)
			r.how = &how
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			found = append(found, r)
		}
		return found, err
	}
}

// packageReading tells of changes alone, as Salt does, and not at the start.
func packageReading(ctx context.Context, h *host.Host, name string, refresh bool) (reading, error) {
	r := reading{about: name, state: "not-installed"}
	version, err := ask[string](ctx, h, "pkg.version", name)
	if err != nil {
		return r, err
	}
	var shown any
	if version != "" {
		r.state, shown = "installed", version
		v, _, err := h.Modules.Call(ctx, h, "pkg.latest_version", []any{name}, value.NewDict("refresh", refresh))
		if err != nil {
			return r, err
		}
		if latest, _ := v.(string); latest != "" {
			r.state, shown = "upgrade", latest
		}
	}
	r.data = value.NewDict("pkg", name, "version", shown, "status", r.state)
	return r, nil
}

// processNames are the names of all processes.
func processNames(h *host.Host) (map[string]bool, error) {
	dir, err := os.ReadDir(h.Path("/proc"))
	if err != nil {
		return nil, fmt.Errorf("cannot look for processes: %w", err)
	}
	names := map[string]bool{}
	for _, e := range dir {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		comm, err := os.ReadFile(h.Path("/proc/" + e.Name() + "/comm"))
		if err != nil {
			continue // it has ended
		}
		name := strings.TrimSuffix(string(comm), "\n")
		if len(name) == 15 { // the kernel keeps no more of it
			line, _ := os.ReadFile(h.Path("/proc/" + e.Name() + "/cmdline"))
			program, _, _ := strings.Cut(string(line), "\x00")
			if whole := filepath.Base(program); strings.HasPrefix(whole, name) {
				name = whole
			}
		}
		names[name] = true
	}
	return names, nil
}

func exists(h *host.Host, name string) bool {
	_, err := os.Stat(h.Path(name))
	return err == nil
}
