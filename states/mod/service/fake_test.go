package service_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// A fake is a host with a systemd of its own, which keeps all that it knows in files below the host's root.
type fake struct {
	*hosttest.Host
	t   testing.TB
	ran []string
}

// newFake makes a host with these unit files; a unit named with a + runs.
func newFake(t testing.TB, units ...string) *fake {
	f := &fake{Host: hosttest.New(t), t: t}
	f.Host.Exec = f.exec
	f.Write("/run/systemd/systemd-units-load", "")
	f.mkdir("/run/systemd/system")
	for _, u := range units {
		name, running := strings.CutSuffix(u, "+")
		f.unit(name, "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
		if running {
			f.Write("/fake/active/"+name, "")
		}
	}
	return f
}

// unit writes a unit file that systemd has read.
func (f *fake) unit(name, text string) {
	file := "/etc/systemd/system/" + name
	f.Write(file, text)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(f.Path(file), old, old); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) mkdir(name string) {
	if err := os.MkdirAll(f.Path(name), 0o755); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) has(name string) bool {
	_, err := os.Lstat(f.Path(name))
	return err == nil
}

func (f *fake) remove(name string) { _ = os.Remove(f.Path(name)) }

func (f *fake) link(to, name string) {
	f.mkdir(path.Dir(name))
	if err := os.Symlink(to, f.Path(name)); err != nil && !os.IsExist(err) {
		f.t.Fatal(err)
	}
}

func ok(lines ...string) (host.Output, error) {
	return host.Output{Stdout: []byte(strings.Join(lines, "\n") + "\n")}, nil
}

func bad(code int, format string, args ...any) (host.Output, error) {
	return host.Output{Code: code, Stderr: fmt.Appendf(nil, format+"\n", args...)}, nil
}

func (f *fake) exec(_ context, c host.Command) (host.Output, error) {
	f.ran = append(f.ran, strings.Join(c.Argv, " "))
	if c.Argv[0] == "journalctl" {
		if slices.Contains(c.Argv, "--sync") {
			return ok()
		}
		return ok(strings.Split(f.Read("/fake/journal"), "\n")...)
	}
	args := slices.DeleteFunc(slices.Clone(c.Argv[1:]), func(a string) bool {
		return strings.HasPrefix(a, "--") && a != "--runtime" && !strings.HasPrefix(a, "--property=")
	})
	switch verb, names := args[0], args[1:]; verb {
	case "list-units":
		return ok(f.units(names)...)
	case "show":
		return f.show(names)
	case "is-enabled":
		return f.isEnabled(names)
	case "list-unit-files":
		return ok(f.files()...)
	case "daemon-reload":
		f.Write("/run/systemd/systemd-units-load", time.Now().String())
		return ok()
	case "enable", "disable":
		f.enable(names[0], verb == "enable")
		return ok()
	case "mask", "unmask":
		return f.mask(names, verb == "mask")
	default:
		return f.act(verb, names[0])
	}
}

func (f *fake) act(verb, unit string) (host.Output, error) {
	text := f.Read("/etc/systemd/system/" + unit)
	active := "/fake/active/" + unit
	switch {
	case text == "":
		return bad(5, "Failed to %s %s: Unit %s not found.", verb, unit, unit)
	case verb == "stop":
		f.remove(active)
	case strings.Contains(text, "dies"), strings.Contains(text, "oneshot"):
	case strings.Contains(text, "refuses"):
		return bad(1, "Job for %s failed because the control process exited with error code.", unit)
	default:
		f.Write(active, time.Now().String())
	}
	return ok()
}

// units are those in memory: with files that are linked from nowhere only those that run.
func (f *fake) units(names []string) (lines []string) {
	files, _ := filepath.Glob(f.Path("/fake/active") + "/*")
	for _, file := range files {
		unit := filepath.Base(file)
		sub := "running"
		if path.Ext(unit) != ".service" {
			sub = "waiting"
		}
		if len(names) == 0 || slices.Contains(names, unit) {
			lines = append(lines, unit+" loaded active "+sub+" A unit")
		}
	}
	return lines
}

func (f *fake) show(names []string) (host.Output, error) {
	var blocks []string
	for _, unit := range names {
		if strings.HasPrefix(unit, "--") {
			continue
		}
		text := f.Read("/etc/systemd/system/" + unit)
		load, active, sub, result, typ := "loaded", "inactive", "dead", "success", "simple"
		switch {
		case text == "":
			load = "not-found"
		case f.has("/fake/active/"+unit) && strings.Contains(text, "lasts") && f.looks(unit) > 3: // for the first check
			f.remove("/fake/active/" + unit)
			active, sub, result = "failed", "failed", "exit-code"
		case f.has("/fake/active/" + unit):
			active, sub = "active", "running"
		case strings.Contains(text, "dies"):
			active, sub, result = "failed", "failed", "exit-code"
		}
		if strings.Contains(text, "oneshot") {
			typ = "oneshot"
		}
		blocks = append(blocks, fmt.Sprintf("Id=%s\nType=%s\nLoadState=%s\nActiveState=%s\nSubState=%s\nResult=%s\nExecMainStatus=3\n"+
			"NRestarts=0\nNeedDaemonReload=no\nExecStart={ path=/bin/true ; argv[]=/bin/true a=b ; }\nAfter=a.target b.target\n",
			unit, typ, load, active, sub, result))
	}
	return ok(strings.Join(blocks, "\n"))
}

// looks counts how often someone looked at a unit that runs.
func (f *fake) looks(unit string) int {
	n := f.Read("/fake/looks/"+unit) + "."
	f.Write("/fake/looks/"+unit, n)
	return len(n)
}

func (f *fake) state(unit string) string {
	text := f.Read("/etc/systemd/system/" + unit)
	switch {
	case f.has("/etc/systemd/system/multi-user.target.wants/" + unit):
		return "enabled"
	case !strings.Contains(text, "[Install]"):
		return "static"
	}
	return "disabled"
}

func (f *fake) isEnabled(names []string) (host.Output, error) {
	var lines []string
	for _, unit := range names {
		lines = append(lines, f.state(unit))
	}
	out, err := ok(lines...)
	if !slices.Contains(lines, "enabled") && !slices.Contains(lines, "static") {
		out.Code = 1
	}
	return out, err
}

func (f *fake) files() (lines []string) {
	files, _ := filepath.Glob(f.Path("/etc/systemd/system") + "/*.*")
	for _, file := range files {
		if unit := filepath.Base(file); !strings.HasSuffix(unit, ".wants") {
			lines = append(lines, unit+" "+f.state(unit)+" enabled")
		}
	}
	return lines
}

func (f *fake) enable(unit string, on bool) {
	link := "/etc/systemd/system/multi-user.target.wants/" + unit
	if on {
		f.link("/etc/systemd/system/"+unit, link)
	} else {
		f.remove(link)
	}
}

func (f *fake) mask(names []string, on bool) (host.Output, error) {
	dir, unit := "/etc/systemd/system/", names[len(names)-1]
	if names[0] == "--runtime" {
		dir = "/run/systemd/system/"
	}
	if !on {
		f.remove(dir + unit)
	} else if f.Read(dir+unit) != "" {
		return bad(1, "Failed to mask unit: File %s%s already exists.", dir, unit)
	} else {
		f.link("/dev/null", dir+unit)
	}
	return ok()
}
