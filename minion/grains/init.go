package grains

import (
	"cmp"
	"context"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// initSystem tells what runs as process 1.
func initSystem(p *probe) {
	p.put("init", initOf(p.tree))
}

func initOf(t tree) string {
	if t.exists("/run/systemd/system") {
		return "systemd"
	}
	data, err := t.read("/proc/1/cmdline")
	words := strings.Fields(strings.ReplaceAll(string(data), "\x00", " "))
	if err != nil || len(words) == 0 {
		return "unknown"
	}
	program := words[0]
	if !path.IsAbs(program) {
		program = t.program(program)
	}
	if strings.HasSuffix(program, "bin/init") && t.exists(program) {
		return initInside(t, program)
	}
	for _, name := range []string{"supervisord", "dumb-init", "tini"} {
		if found := t.program(name); found != "" && slices.Contains(words, found) {
			return name
		}
	}
	if slices.Equal(words, []string{"runit"}) || slices.Contains(words, "/sbin/my_init") {
		return "runit"
	}
	return "unknown"
}

// initInside looks for the name of an init system in its program; the first that occurs counts.
func initInside(t tree, program string) string {
	name, _ := t.search(program, "upstart", "Upstart", "sysvinit", "SysVinit", "Sysvinit", "systemd", "Systemd")
	return cmp.Or(strings.ToLower(name), "unknown")
}

var (
	sharedLibrary = regexp.MustCompile(`^libsystemd-shared-(\d+)[^/]*\.so$`)
	featureText   = regexp.MustCompile(`[+-]PAM [+-][ -~]+`)
)

// systemd tells systemd's version and what it was built with, where its tools are installed.
func systemd(p *probe) {
	if p.tree.program("systemctl") == "" || p.tree.program("localectl") == "" {
		return
	}
	version, features := systemdLibrary(p.tree)
	if version == "" || features == "" {
		version, features = systemdAsked(p)
	}
	if version != "" {
		p.put("systemd", value.NewDict("version", version, "features", features))
	}
}

// systemdLibrary reads both from the library that all of systemd's programs share.
func systemdLibrary(t tree) (version, features string) {
	dirs := []string{"/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd"}
	for _, name := range t.list("/usr/lib") {
		if strings.Contains(name, "-linux-") {
			dirs = append(dirs, "/usr/lib/"+name+"/systemd")
		}
	}
	for _, dir := range dirs {
		for _, name := range t.list(dir) {
			m := sharedLibrary.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			sign, rest := t.search(dir+"/"+name, "+PAM ", "-PAM ")
			return m[1], featureText.FindString(sign + string(rest))
		}
	}
	return "", ""
}

// systemdAsked runs systemctl, which is slower: for versions before the shared library.
func systemdAsked(p *probe) (version, features string) {
	if p.sys.Exec == nil {
		return "", ""
	}
	ctx, cancel := context.WithTimeoutCause(p.ctx, 2*time.Second, host.ErrKill)
	defer cancel()
	out, err := p.sys.Exec(ctx, host.Command{Argv: []string{"systemctl", "--version"}, Env: []string{"LC_ALL=C"}})
	lines := strings.Split(string(out.Stdout), "\n")
	if f := strings.Fields(lines[0]); err == nil && len(lines) > 1 && len(f) > 1 {
		return f[1], lines[1]
	}
	return "", ""
}

func transactional(p *probe) { p.put("transactional", p.tree.program("transactional-update") != "") }

// selinux is there where its tools are installed.
func selinux(p *probe) {
	if p.tree.program("selinuxenabled") == "" {
		return
	}
	mode := p.tree.text("/sys/fs/selinux/enforce")
	d := value.NewDict("enabled", mode != "")
	if p.tree.program("getenforce") != "" {
		d.Put("enforced", map[string]string{"": "Disabled", "0": "Permissive", "1": "Enforcing"}[mode])
	}
	p.put("selinux", d)
}
