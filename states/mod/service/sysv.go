package service

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"brine/states/host"
)

// sysv runs init scripts. Only a script itself knows whether its service runs: its status ends with 0 then.
type sysv struct{ h *host.Host }

// scriptName says why a name can't be that of an init script.
func scriptName(name string) error {
	if name == "" || name[0] == '.' || name[0] == '-' || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q can't be the name of a service", name)
	}
	return nil
}

func (v sysv) look(ctx context.Context, names []string) (map[string]*facts, error) {
	all := make(map[string]*facts, len(names))
	for _, name := range names {
		f := &facts{name: name, unit: name}
		all[name] = f
		if f.bad = scriptName(name); f.bad != nil {
			continue
		}
		st, err := os.Stat(v.h.Path("/etc/init.d/" + name))
		if f.known = err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0; !f.known {
			continue
		}
		out, err := v.run(ctx, name, "status")
		if err != nil {
			return nil, err
		}
		f.active = out.Code == 0
	}
	return all, nil
}

// run runs an init script as it is run at boot: in / and with nothing of our environment.
func (v sysv) run(ctx context.Context, name, verb string) (host.Output, error) {
	return v.h.Exec(ctx, host.Command{
		Argv: []string{"/etc/init.d/" + name, verb}, Env: []string{"LC_ALL=C", "TERM=dumb"}, Clean: true,
	})
}

func (v sysv) enabled(_ context.Context, services []*facts) error {
	level := runlevel(v.h)
	for _, f := range services {
		f.asked, f.enabled = true, false
		for _, dir := range []string{"/etc/rc" + level + ".d", "/etc/rc.d/rc" + level + ".d"} {
			links, _ := os.ReadDir(v.h.Path(dir)) // one of the two is there
			f.enabled = f.enabled || slices.ContainsFunc(links, func(l os.DirEntry) bool { return startLink(l.Name()) == f.unit })
		}
	}
	return nil
}

// startLink is the service that a link such as S20cron starts; "" when it starts none.
func startLink(link string) string {
	if len(link) < 4 || link[0] != 'S' || !digit(link[1]) || !digit(link[2]) {
		return ""
	}
	return link[3:]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// runlevel is the one that the host boots into.
func runlevel(h *host.Host) string {
	f, err := os.Open(h.Path("/etc/inittab"))
	if err != nil {
		return "2" // Debian's
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) >= 3 && fields[2] == "initdefault" && fields[1] != "" {
			return fields[1][:1]
		}
	}
	return "2"
}

func (v sysv) act(ctx context.Context, f *facts, verb string, o actOptions) error {
	if verb == "full-restart" {
		if err := v.act(ctx, f, "stop", o); err != nil {
			return err
		}
		verb = "start"
	}
	return limited(ctx, o.timeout, func(ctx context.Context) error {
		out, err := v.run(ctx, f.unit, verb)
		if err != nil {
			return err
		}
		if out.Code != 0 {
			return fmt.Errorf("its init script ended with %d: %s", out.Code, said(out))
		}
		return nil
	})
}

// said is what a command wrote last.
func said(out host.Output) string {
	text := cmp.Or(strings.TrimSpace(string(out.Stderr)), strings.TrimSpace(string(out.Stdout)), "it wrote nothing")
	if len(text) > journalLines*journalWidth {
		text = "..." + strings.ToValidUTF8(text[len(text)-journalLines*journalWidth:], "")
	}
	return text
}

func limited(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it took longer than %v", timeout))
		defer cancel()
	}
	return do(ctx)
}

// enable uses the tool that the distribution has.
func (v sysv) enable(ctx context.Context, f *facts, on bool) error {
	var lines [][]string
	switch {
	case v.has("update-rc.d") && on:
		lines = [][]string{{"update-rc.d", f.unit, "defaults"}, {"update-rc.d", f.unit, "enable"}}
	case v.has("update-rc.d"):
		lines = [][]string{{"update-rc.d", f.unit, "disable"}}
	case v.has("chkconfig") && on:
		lines = [][]string{{"chkconfig", "--add", f.unit}, {"chkconfig", f.unit, "on"}}
	case v.has("chkconfig"):
		lines = [][]string{{"chkconfig", f.unit, "off"}}
	default:
		return errors.New("this host has neither update-rc.d nor chkconfig")
	}
	for _, argv := range lines {
		if _, err := v.h.Run(ctx, argv...); err != nil {
			return cause(err)
		}
	}
	return nil
}

func (v sysv) has(program string) bool {
	return slices.ContainsFunc(filepath.SplitList(host.DefaultPath), func(dir string) bool {
		_, err := os.Stat(v.h.Path(dir + "/" + program))
		return err == nil
	})
}

func (v sysv) list(ctx context.Context) ([]listed, error) { return listScripts(ctx, v, scripts(v.h)) }

func (v sysv) names() []string { return scripts(v.h) }

// scripts are the init scripts of the host.
func scripts(h *host.Host) []string {
	entries, _ := os.ReadDir(h.Path("/etc/init.d")) // managerOf saw it
	var names []string
	for _, e := range entries {
		st, err := os.Stat(h.Path("/etc/init.d/" + e.Name()))
		if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && scriptName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// listScripts lists services by name. It asks none how it is: that is slow, and some scripts have no status.
func listScripts(ctx context.Context, m manager, names []string) ([]listed, error) {
	var all []*facts
	for _, name := range names {
		all = append(all, &facts{name: name, unit: name, known: true})
	}
	if err := m.enabled(ctx, all); err != nil {
		return nil, err
	}
	var out []listed
	for _, f := range all {
		state := "disabled"
		if f.enabled {
			state = "enabled"
		}
		out = append(out, listed{name: f.name, state: state})
	}
	return out, nil
}

// hasProcess says whether the command line of a process matches sig, a regular expression, or contains it as it is.
func hasProcess(h *host.Host, sig string) bool {
	matches := func(line string) bool { return strings.Contains(line, sig) }
	if re, err := regexp.Compile(sig); err == nil {
		matches = re.MatchString
	}
	files, _ := filepath.Glob(globQuote(h.Path("/proc")) + "/[0-9]*/cmdline") // the pattern is a good one
	own := fmt.Sprintf("/%d/cmdline", os.Getpid())
	return slices.ContainsFunc(files, func(file string) bool {
		data, err := os.ReadFile(file)
		line := strings.TrimRight(strings.ReplaceAll(string(data), "\x00", " "), " ")
		return err == nil && !strings.HasSuffix(file, own) && line != "" && matches(line)
	})
}
