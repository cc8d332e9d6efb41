package manager

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"brine/states/pkgver"
)

// apt is APT over dpkg.
type apt struct{ *System }

func newApt(s *System) driver { return apt{s} }

func (apt) Name() string            { return "apt" }
func (apt) Compare(a, b string) int { return pkgver.Deb(a, b) }
func (apt) database() []string      { return []string{"/var/lib/dpkg/status"} }
func (apt) LeavesConfig() bool      { return true }
func (apt) HoldsInstalled() bool    { return false }
func (apt) RefreshesApart() bool    { return true }
func (apt) mustRelease() bool       { return false }

// Downloaded looks into the cache.
func (a apt) Downloaded(name, version string) bool {
	base, arch, _ := strings.Cut(name, ":")
	if arch == "" {
		arch = "*"
	}
	file := fmt.Sprintf("%s_%s_%s.deb", base, strings.ReplaceAll(version, ":", "%3a"), arch)
	matches, _ := filepath.Glob(a.host.Path("/var/cache/apt/archives/" + file))
	return len(matches) > 0
}

// Canonical leaves the architecture out where it is the host's own or there is no other.
func (apt) Canonical(name string, l *List) string {
	base, arch, ok := strings.Cut(name, ":")
	if ok && (arch == l.arch || arch == "all" || arch == "any" || arch == "native") {
		return base
	}
	return name
}

const aptConf = "DPkg::Options::="

// options are what all transactions of apt-get have: no question is ever asked, and configuration files that were
// changed by hand stay.
func (a apt) options(t Transaction, how ...string) []string {
	argv := append([]string{"apt-get", "-q"}, how...)
	argv = append(argv, "-o", "Dpkg::Use-Pty=0")
	if t.NewConf {
		argv = append(argv, "-o", aptConf+"--force-confnew")
	} else {
		argv = append(argv, "-o", aptConf+"--force-confdef", "-o", aptConf+"--force-confold")
	}
	argv = append(argv, "-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", int(t.lockTimeout().Seconds())))
	if len(t.Downgrade) > 0 {
		argv = append(argv, "--allow-downgrades")
	}
	if len(t.Reinstall) > 0 {
		argv = append(argv, "--reinstall")
	}
	for _, o := range []struct {
		on  bool
		arg string
	}{
		{t.Held, "--allow-change-held-packages"},
		{t.SkipVerify, "--allow-unauthenticated"},
		{t.Recommends != nil && *t.Recommends, "--install-recommends"},
		{t.Recommends != nil && !*t.Recommends, "--no-install-recommends"},
		{t.OnlyUpgrade, "--only-upgrade"},
		{t.DownloadOnly, "--download-only"},
	} {
		if o.on {
			argv = append(argv, o.arg)
		}
	}
	if t.FromRepo != "" {
		argv = append(argv, "-t", t.FromRepo)
	}
	return argv
}

// command is the transaction as apt-get takes it.
func (a apt) command(t Transaction, how ...string) []string {
	argv := a.options(t, how...)
	switch {
	case t.Upgrade && t.Full:
		return append(argv, "dist-upgrade")
	case t.Upgrade:
		return append(argv, "upgrade")
	case t.Unneeded && t.Purge:
		return append(argv, "--purge", "autoremove")
	case t.Unneeded:
		return append(argv, "autoremove")
	case len(t.Remove) > 0 && t.Purge:
		return append(append(argv, "purge"), t.Remove...)
	case len(t.Remove) > 0:
		return append(append(argv, "remove"), t.Remove...)
	}
	argv = append(argv, "install")
	for _, wants := range [][]Want{t.Install, t.Downgrade, t.Reinstall} {
		for _, w := range wants {
			argv = append(argv, aptWant(w))
		}
	}
	return argv
}

func aptWant(w Want) string {
	switch {
	case w.File != "":
		return w.File
	case w.Version != "":
		return w.Name + "=" + w.Version
	}
	return w.Name
}

func (a apt) change(t Transaction) ([]order, error) {
	return []order{{argv: a.command(t, "-y")}}, nil
}

// foresee lets apt-get simulate.
func (a apt) foresee(ctx context.Context, t Transaction, l *List) (Changes, error) {
	if t.DownloadOnly {
		return nil, nil
	}
	options := []string{"-s", "-o", "Debug::NoLocking=1"}
	if !t.Upgrade && !t.Unneeded {
		options = append(options, "-y") // it refuses what the transaction will refuse, such as packages on hold
	}
	out, err := a.tell(ctx, a.command(t, options...)...)
	if err != nil {
		return nil, err
	}
	return aptSimulated(out, a, l), nil
}

func (a apt) upgrades(ctx context.Context, o Options, full bool) (Changes, error) {
	l, err := a.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return a.foresee(ctx, Transaction{Upgrade: true, Full: full, Options: o}, l)
}

// aptSimulated reads lines such as "Inst vim [1.0] (2.0 Debian:12 [amd64])" and "Remv vim [1.0]".
func aptSimulated(out string, a apt, l *List) (changes Changes) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		name := a.Canonical(f[1], l)
		old := l.Get(name).Version()
		switch f[0] {
		case "Inst":
			_, new, _ := strings.Cut(line, "(")
			new, _, _ = strings.Cut(new, " ")
			if new != old {
				changes = changes.With(Change{name, old, strings.TrimRight(new, ")\n")})
			}
		case "Remv", "Purg":
			if old != "" {
				changes = changes.With(Change{name, old, ""})
			}
		}
	}
	return changes
}

func (apt) refresh(Refresh) []order { return []order{{argv: []string{"apt-get", "-q", "update"}}} }

func (a apt) refreshedAt() (at time.Time) {
	for _, name := range []string{"/var/lib/apt/lists", "/var/lib/apt/lists/partial"} {
		st, err := os.Stat(a.host.Path(name))
		if err == nil && st.ModTime().After(at) && a.listed() > 0 {
			at = st.ModTime()
		}
	}
	return at
}

// listed is of how many repositories the packages are known.
func (a apt) listed() (n int) {
	entries, _ := os.ReadDir(a.host.Path("/var/lib/apt/lists"))
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".lz4"), ".xz"), ".gz")
		if ok, _ := path.Match("*_Packages", name); ok {
			n++
		}
	}
	return n
}

func (a apt) repositories() string {
	return fmt.Sprintf("apt knows the packages of %s", counted(a.listed(), "list", "lists"))
}

func (apt) hold(names []string, on bool) []order {
	verb := "unhold"
	if on {
		verb = "hold"
	}
	return []order{{argv: append([]string{"apt-mark", verb}, names...)}}
}

// locked finds the line that names the process with the lock, else the one that says that there is one.
func (apt) locked(text string) (line string) {
	for l := range strings.Lines(text) {
		if i := strings.LastIndex(l, "Could not get lock"); i >= 0 && strings.Contains(l, "held by process") {
			return strings.TrimSpace(l[i:])
		}
		if strings.HasPrefix(l, "E: Could not get lock") || strings.HasPrefix(l, "E: Unable to lock") ||
			strings.HasPrefix(l, "E: Unable to acquire the dpkg frontend lock") || strings.Contains(l, "dpkg: error: dpkg frontend lock") {
			line = strings.TrimSpace(strings.TrimPrefix(l, "E: "))
		}
	}
	return line
}

func (apt) group(context.Context, string, Options) (Group, error) { return Group{}, errNoGroups("apt") }
