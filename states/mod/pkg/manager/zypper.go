package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// zypper is ZYpp over rpm.
type zypper struct{ rpm }

func newZypper(s *System) driver { return zypper{rpm{s}} }

func (zypper) Name() string         { return "zypper" }
func (zypper) RefreshesApart() bool { return true }

const zyppLocks = "/etc/zypp/locks"

func (z zypper) database() []string { return append(z.rpm.database(), zyppLocks) }

func (z zypper) read(ctx context.Context) (*List, error) {
	l, err := z.installedRPMs(ctx)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(z.host.Path(zyppLocks))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "solvable_name: "); ok {
			l.at(name).Held = true
		}
	}
	return l, nil
}

// global are the options before the verb.
func (z zypper) global(o Options, more ...string) []string {
	argv := append([]string{"zypper", "--non-interactive"}, more...)
	if o.SkipVerify {
		argv = append(argv, "--no-gpg-checks")
	}
	return argv
}

func (z zypper) options(o Options) (argv []string) {
	argv = append(argv, "--auto-agree-with-licenses")
	if o.Recommends != nil {
		argv = append(argv, map[bool]string{true: "--recommends", false: "--no-recommends"}[*o.Recommends])
	}
	if o.DownloadOnly {
		argv = append(argv, "--download-only")
	}
	if o.FromRepo != "" {
		argv = append(argv, "--from", o.FromRepo)
	}
	if o.SkipVerify {
		argv = append(argv, "--allow-unsigned-rpm")
	}
	return argv
}

// commands are what has to be done one after another. How stands before the verb, dry behind it.
func (z zypper) commands(t Transaction, how []string, dry ...string) (all [][]string) {
	argv := z.global(t.Options, how...)
	verb := func(name string, more ...string) []string {
		return slices.Concat(argv, []string{name}, dry, z.options(t.Options), more)
	}
	switch {
	case t.Upgrade && t.Full:
		return [][]string{verb("dist-upgrade")}
	case t.Upgrade:
		return [][]string{verb("update")}
	case len(t.Remove) > 0:
		return [][]string{slices.Concat(argv, []string{"remove"}, dry, t.Remove)}
	}
	if len(t.Install)+len(t.Downgrade) > 0 {
		all = append(all, verb("install", append([]string{"--oldpackage"}, zypperWants(t.Install, t.Downgrade)...)...))
	}
	if len(t.Reinstall) > 0 {
		all = append(all, verb("install", append([]string{"--force"}, zypperWants(t.Reinstall)...)...))
	}
	return all
}

func zypperWants(lists ...[]Want) (all []string) {
	for _, w := range slices.Concat(lists...) {
		switch {
		case w.File != "":
			all = append(all, w.File)
		case w.Version != "":
			all = append(all, w.Name+"="+w.Version)
		default:
			all = append(all, w.Name)
		}
	}
	return all
}

func (z zypper) change(t Transaction) (orders []order, err error) {
	if t.Unneeded {
		return nil, fmt.Errorf("cannot remove what is no longer needed: zypper has no such command")
	}
	for _, argv := range z.commands(t, []string{"--no-refresh"}) {
		orders = append(orders, z.order(t.LockTimeout, argv...))
	}
	return orders, nil
}

// order waits for the lock by itself. That the machine or services should be restarted is no failure.
func (zypper) order(limit time.Duration, argv ...string) order {
	limit = Options{LockTimeout: limit}.lockTimeout()
	return order{
		argv: argv, env: []string{fmt.Sprintf("ZYPP_LOCK_TIMEOUT=%d", int(limit.Seconds()))}, fine: []int{100, 101, 102, 103},
	}
}

func (z zypper) foresee(ctx context.Context, t Transaction, l *List) (changes Changes, err error) {
	if t.DownloadOnly || t.Unneeded {
		return nil, nil
	}
	for _, argv := range z.commands(t, []string{"--no-refresh", "--xmlout"}, "--dry-run") {
		out, code, complaint, err := z.ask(ctx, argv...)
		if err != nil {
			return nil, err
		}
		if code != 0 && (code < 100 || code > 103) {
			return nil, &Failure{argv, code, tail(zypperSaid(out) + complaint)}
		}
		for _, c := range zypperSummary(out, l) {
			changes = changes.With(c)
		}
	}
	return changes, nil
}

func (z zypper) upgrades(ctx context.Context, o Options, full bool) (Changes, error) {
	l, err := z.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return z.foresee(ctx, Transaction{Upgrade: true, Full: full, Options: o}, l)
}

// zypperSaid are the errors and the problem among what zypper writes as XML.
func zypperSaid(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, `<message type="error">`) || strings.HasPrefix(line, "<description>") || strings.HasPrefix(line, " Solution") {
			b.WriteString(unescape(untagged(line)))
		}
	}
	return b.String()
}

// untagged leaves tags out of a line.
func untagged(line string) string {
	var b strings.Builder
	in := false
	for _, c := range line {
		switch {
		case c == '<':
			in = true
		case c == '>' && in:
			in = false
		case !in:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func unescape(s string) string {
	return strings.NewReplacer("&apos;", "'", "&quot;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// attribute is that of a tag.
func attribute(tag, name string) string {
	_, rest, ok := strings.Cut(tag, " "+name+`="`)
	if !ok {
		return ""
	}
	val, _, _ := strings.Cut(rest, `"`)
	return unescape(val)
}

// zypperSummary reads <solvable> tags below <to-install>, <to-upgrade> and their like.
func zypperSummary(out string, l *List) (changes Changes) {
	section := ""
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "<to-"):
			section = line
		case strings.HasPrefix(line, "</to-"):
			section = ""
		case section == "" || !strings.HasPrefix(line, "<solvable ") || attribute(line, "type") != "package":
		default:
			name := rpmName(attribute(line, "name"), attribute(line, "arch"), l)
			c := Change{name, l.Get(name).Version(), attribute(line, "edition")}
			if strings.HasPrefix(section, "<to-remove") {
				c.New = ""
			}
			if c.Old != c.New {
				changes = changes.With(c)
			}
		}
	}
	return changes
}

// versions searches packages. What is no package's name may be something that packages provide.
func (z zypper) versions(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	l, err := z.Installed(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]Versions{}
	out, err := z.search(ctx, o, names...)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "<solvable ") || attribute(line, "repository") == "(System Packages)" {
			continue
		}
		name, version := rpmName(attribute(line, "name"), attribute(line, "arch"), l), attribute(line, "edition")
		v := all[name]
		v.Known = true
		if !slices.Contains(v.All, version) {
			v.All = append(v.All, version)
		}
		all[name] = v
	}
	for name, v := range all {
		sortVersions(v.All, z.Compare)
		slices.Reverse(v.All)
		v.Candidate = v.All[0]
		all[name] = v
	}
	for _, name := range names {
		if _, ok := all[name]; !ok {
			out, err := z.search(ctx, o, "--provides", name)
			if err != nil {
				return nil, err
			}
			if strings.Contains(out, "<solvable ") {
				all[name] = Versions{Known: true}
			}
		}
	}
	return all, nil
}

func (z zypper) search(ctx context.Context, o Options, what ...string) (string, error) {
	argv := append(z.global(o, "--no-refresh", "--xmlout"), "search", "-s", "--match-exact", "--type", "package")
	if o.FromRepo != "" {
		argv = append(argv, "--repo", o.FromRepo)
	}
	argv = append(argv, what...)
	out, code, complaint, err := z.ask(ctx, argv...)
	const nothing = 104
	if err == nil && code != 0 && code != nothing {
		err = &Failure{argv, code, tail(zypperSaid(out) + complaint)}
	}
	return out, err
}

func (z zypper) refresh(r Refresh) []order {
	argv := []string{"zypper", "--non-interactive"}
	if r.ImportKeys {
		argv = append(argv, "--gpg-auto-import-keys")
	}
	argv = append(argv, "refresh")
	if r.Force {
		argv = append(argv, "--force")
	}
	return []order{z.order(0, argv...)}
}

func (z zypper) refreshedAt() time.Time { return newest(z.host.Path("/var/cache/zypp/solv/*/*")) }

// Downloaded looks into the cache.
func (z zypper) Downloaded(name, version string) bool {
	_, version, _ = cutLast(version, ":")
	for _, dir := range []string{"*", "*/*", "*/*/*"} {
		names, _ := filepath.Glob(z.host.Path("/var/cache/zypp/packages/" + dir + "/" + name + "-" + version + ".*rpm"))
		if len(names) > 0 {
			return true
		}
	}
	return false
}

func (z zypper) repositories() string {
	return "zypper has " + enabledIn(z.host.Path("/etc/zypp/repos.d"))
}

func (z zypper) hold(names []string, on bool) []order {
	verb := "removelock"
	if on {
		verb = "addlock"
	}
	return []order{z.order(0, append([]string{"zypper", "--non-interactive", verb}, names...)...)}
}

func (zypper) locked(text string) string {
	return lineWith(text, "System management is locked", "Could not get the lock", "ZYpp is locked")
}

func (zypper) group(context.Context, string, Options) (Group, error) {
	return Group{}, errNoGroups("zypper")
}
