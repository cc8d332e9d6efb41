package manager

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// dnf is DNF 4, DNF 5 or yum, which take the same words but for a few.
type dnf struct {
	rpm
	program string
}

func newDnf(s *System) driver  { return dnf{rpm{s}, "dnf"} }
func newDnf5(s *System) driver { return dnf{rpm{s}, "dnf5"} }
func newYum(s *System) driver  { return dnf{rpm{s}, "yum"} }

func (d dnf) Name() string { return d.program }

func (d dnf) database() []string { return append(d.rpm.database(), d.locks()...) }

// locks are the files that list packages on hold.
func (d dnf) locks() []string {
	switch d.program {
	case "dnf5":
		return []string{"/etc/dnf/versionlock.toml"}
	case "yum":
		return []string{"/etc/yum/pluginconf.d/versionlock.list"}
	}
	return []string{"/etc/dnf/plugins/versionlock.list", "/etc/yum/pluginconf.d/versionlock.list"}
}

func (d dnf) read(ctx context.Context) (*List, error) {
	l, err := d.installedRPMs(ctx)
	if err != nil {
		return nil, err
	}
	for _, file := range d.locks() {
		data, err := os.ReadFile(d.host.Path(file))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if name := lockedName(strings.TrimSpace(line)); name != "" {
				l.at(name).Held = true
			}
		}
	}
	return l, nil
}

// lockedName reads a line such as "bash-0:4.4-1.el8.*", or of dnf5 `name = "bash"`.
func lockedName(line string) string {
	if name, ok := strings.CutPrefix(line, "name = "); ok {
		return strings.Trim(name, `"'`)
	}
	if line == "" || strings.ContainsAny(line[:1], "#![") {
		return ""
	}
	before, rest, _ := strings.Cut(line, ":")
	if name, _, ok := cutLast(before, "-"); ok {
		return name
	}
	rest, _, _ = cutLast(rest, "-") // yum writes "0:bash-4.4-1.el7.*"
	name, _, _ := cutLast(rest, "-")
	return name
}

// cutLast splits at the last separator; before is "" when there is none.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

func (d dnf) options(o Options, how ...string) []string {
	argv := append([]string{d.program}, how...)
	argv = append(argv, "--setopt=exit_on_lock=True")
	if o.FromRepo != "" {
		argv = append(argv, "--disablerepo=*")
		o.Enable = append(slices.Clone(o.Enable), o.FromRepo)
	}
	for _, repo := range o.Disable {
		argv = append(argv, "--disablerepo="+repo)
	}
	for _, repo := range o.Enable {
		argv = append(argv, "--enablerepo="+repo)
	}
	if o.DisableExcludes != "" {
		argv = append(argv, "--disableexcludes="+o.DisableExcludes)
	}
	for _, set := range o.SetOpt {
		argv = append(argv, "--setopt="+set)
	}
	if o.SkipVerify {
		argv = append(argv, "--nogpgcheck")
	}
	if o.Recommends != nil && d.program != "yum" {
		argv = append(argv, "--setopt=install_weak_deps="+map[bool]string{true: "True", false: "False"}[*o.Recommends])
	}
	if o.DownloadOnly {
		argv = append(argv, "--downloadonly")
	}
	return argv
}

// commands are what has to be done one after another.
func (d dnf) commands(t Transaction, how ...string) (all [][]string) {
	argv := d.options(t.Options, how...)
	switch {
	case t.Upgrade:
		return [][]string{append(argv, "upgrade")}
	case t.Unneeded:
		return [][]string{append(argv, "autoremove")}
	case len(t.Remove) > 0:
		return [][]string{append(append(argv, "remove"), t.Remove...)}
	}
	for _, part := range []struct {
		verb  string
		wants []Want
	}{{"install", t.Install}, {"downgrade", t.Downgrade}, {"reinstall", t.Reinstall}} {
		if len(part.wants) == 0 {
			continue
		}
		one := append(slices.Clone(argv), part.verb)
		for _, w := range part.wants {
			one = append(one, rpmWant(w))
		}
		all = append(all, one)
	}
	return all
}

// rpmWant is a package as dnf takes it: name-version.arch.
func rpmWant(w Want) string {
	if w.File != "" {
		return w.File
	}
	if w.Version == "" {
		return w.Name
	}
	if i := strings.LastIndexByte(w.Name, '.'); i > 0 && isArch(w.Name[i+1:]) {
		return w.Name[:i] + "-" + w.Version + w.Name[i:]
	}
	return w.Name + "-" + w.Version
}

func isArch(s string) bool {
	return slices.Contains([]string{"x86_64", "i386", "i486", "i586", "i686", "aarch64", "armv7hl", "ppc64le", "s390x", "noarch"}, s)
}

func (d dnf) change(t Transaction) (orders []order, err error) {
	for _, argv := range d.commands(t, "-y") {
		orders = append(orders, order{argv: argv})
	}
	return orders, nil
}

// foresee lets dnf answer its own question with no.
func (d dnf) foresee(ctx context.Context, t Transaction, l *List) (changes Changes, err error) {
	if t.DownloadOnly {
		return nil, nil
	}
	for _, argv := range d.commands(t, "--assumeno") {
		out, code, complaint, err := d.ask(ctx, argv...)
		if err != nil {
			return nil, err
		}
		if code != 0 && !strings.Contains(out+complaint, "Operation aborted") && !strings.Contains(out+complaint, "Exiting on user command") {
			return nil, &Failure{argv, code, tail(out + complaint)}
		}
		for _, c := range dnfTable(out, l) {
			changes = changes.With(c)
		}
	}
	return changes, nil
}

func (d dnf) upgrades(ctx context.Context, o Options, full bool) (Changes, error) {
	l, err := d.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return d.foresee(ctx, Transaction{Upgrade: true, Full: full, Options: o}, l)
}

// dnfTable reads the table of a transaction: headings that end with a colon, and below each lines that begin with one
// blank, of name, architecture, version and more. A line that does not fit goes on in the next, which begins with more,
// and so do the packages that go because this one takes their place.
func dnfTable(out string, l *List) (changes Changes) {
	heading := ""
	var row []string
	end := func() {
		for _, c := range dnfChanges(heading, row, l) {
			changes = changes.With(c)
		}
		row = nil
	}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "  "):
			row = append(row, strings.Fields(line)...)
			continue
		case strings.HasPrefix(line, " "):
			end()
			row = strings.Fields(line)
			continue
		}
		end()
		heading = ""
		if strings.HasSuffix(line, ":") {
			heading = line
		}
	}
	end()
	return changes
}

// dnfChanges are the changes that a row tells of. What is replaced stands as name.arch, or of dnf5 as name and arch.
func dnfChanges(heading string, row []string, l *List) (all []Change) {
	if len(row) < 3 {
		return nil
	}
	c, ok := dnfChange(heading, row, l)
	if !ok {
		return nil
	}
	all = append(all, c)
	for i, word := range row {
		if word != "replacing" || i+2 >= len(row) {
			continue
		}
		name, arch := row[i+1], row[i+2]
		if before, after, found := cutLast(name, "."); found && isArch(after) {
			name, arch = before, after
		}
		if name = rpmName(name, arch, l); name != c.Name && l.Has(name) {
			all = append(all, Change{name, l.Get(name).Version(), ""})
		}
	}
	return all
}

func dnfChange(heading string, row []string, l *List) (Change, bool) {
	name, version := rpmName(row[0], row[1], l), rpmVersion("", strings.TrimPrefix(row[2], "0:"))
	old := l.Get(name).Version()
	switch {
	case strings.HasPrefix(heading, "Removing"):
		return Change{name, old, ""}, true
	case strings.HasPrefix(heading, "Installing") && old != "":
		p := l.Get(name)
		p.Versions = append(slices.Clone(p.Versions), version)
		return Change{name, old, p.Version()}, true
	case strings.HasPrefix(heading, "Installing"), strings.HasPrefix(heading, "Upgrading"),
		heading == "Updating:", heading == "Updating for dependencies:", strings.HasPrefix(heading, "Downgrading"):
		return Change{name, old, version}, true
	}
	return Change{}, false
}

// versions asks for all versions of packages. What is no package's name may be something that packages provide.
func (d dnf) versions(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	l, err := d.Installed(ctx)
	if err != nil {
		return nil, err
	}
	argv := append(d.options(o, "-q"), "list", "--showduplicates")
	out, code, complaint, err := d.ask(ctx, append(argv, names...)...)
	if err != nil {
		return nil, err
	}
	if none := strings.ToLower(out + complaint); code != 0 && none != "" && !strings.Contains(none, "no matching packages to list") {
		return nil, &Failure{argv, code, tail(complaint)}
	}
	all := dnfList(out, l)
	for _, name := range names {
		if _, ok := all[name]; ok {
			continue
		}
		known, err := d.capability(ctx, name, o)
		if err != nil {
			return nil, err
		}
		if known {
			all[name] = Versions{Known: true}
		}
	}
	return all, nil
}

// capability says whether something that is no package's name can be installed.
func (d dnf) capability(ctx context.Context, name string, o Options) (bool, error) {
	if d.program == "yum" || strings.HasPrefix(name, "@") {
		return true, nil
	}
	out, err := d.tell(ctx, append(d.options(o, "-q"), "repoquery", "--whatprovides", name)...)
	return strings.TrimSpace(out) != "", err
}

// dnfList reads triples of name.arch, version and repository below "Available Packages"; a long name stands on a line of
// its own.
func dnfList(out string, l *List) map[string]Versions {
	all := map[string]Versions{}
	available := false
	var row []string
	for line := range strings.Lines(out) {
		if lower := strings.ToLower(strings.TrimSpace(line)); strings.HasSuffix(lower, " packages") {
			available, row = lower == "available packages", nil
			continue
		}
		if row = append(row, strings.Fields(line)...); len(row) < 3 {
			continue
		}
		if name, arch, ok := cutLast(row[0], "."); ok {
			name = rpmName(name, arch, l)
			v := all[name]
			v.Known = true
			if version := strings.TrimPrefix(row[1], "0:"); available && !slices.Contains(v.All, version) {
				v.All = append(v.All, version)
			}
			all[name] = v
		}
		row = nil
	}
	for name, v := range all {
		sortVersions(v.All, rpm{}.Compare)
		slices.Reverse(v.All)
		if len(v.All) > 0 {
			v.Candidate = v.All[0]
		}
		all[name] = v
	}
	return all
}

// sortVersions sorts with the newest last.
func sortVersions(versions []string, compare func(a, b string) int) {
	if len(versions) > 1 {
		slices.SortStableFunc(versions, compare)
	}
}

func (d dnf) refresh(Refresh) []order {
	if d.program == "yum" {
		return []order{{argv: []string{"yum", "-q", "clean", "expire-cache"}}, {argv: []string{"yum", "-q", "-y", "makecache", "fast"}}}
	}
	return []order{{argv: []string{d.program, "-q", "-y", "--refresh", "makecache"}}}
}

func (d dnf) caches() string {
	switch d.program {
	case "dnf5":
		return "/var/cache/libdnf5/*"
	case "yum":
		return "/var/cache/yum/*/*/*"
	}
	return "/var/cache/dnf/*"
}

func (d dnf) refreshedAt() time.Time { return newest(d.host.Path(d.caches())) }

// newest is when the newest file that a pattern matches was changed.
func newest(pattern string) (at time.Time) {
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		if st, err := os.Stat(name); err == nil && st.ModTime().After(at) {
			at = st.ModTime()
		}
	}
	return at
}

// Downloaded looks into the cache.
func (d dnf) Downloaded(name, version string) bool {
	_, version, _ = cutLast(version, ":")
	names, _ := filepath.Glob(d.host.Path(d.caches() + "/packages/" + name + "-" + version + ".*rpm"))
	return len(names) > 0
}

func (d dnf) repositories() string {
	return d.program + " has " + enabledIn(d.host.Path("/etc/yum.repos.d"))
}

// enabledIn counts the repositories of a directory that are in use.
func enabledIn(dir string) string {
	files, _ := filepath.Glob(dir + "/*.repo")
	n := 0
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for section := range strings.SplitSeq("\n"+string(data), "\n[") {
			if _, body, ok := strings.Cut(section, "]"); ok && !strings.Contains(strings.ReplaceAll(body, " ", ""), "\nenabled=0") {
				n++
			}
		}
	}
	return counted(n, "enabled repository", "enabled repositories")
}

func (d dnf) hold(names []string, on bool) []order {
	verb := "delete"
	if on {
		verb = "add"
	}
	return []order{{argv: append([]string{d.program, "-q", "-y", "versionlock", verb}, names...)}}
}

// holdless says what is missing to put packages on hold; "" for nothing.
func (d dnf) holdless() string {
	settings := "/etc/dnf/plugins/versionlock.conf"
	switch d.program {
	case "dnf5":
		return ""
	case "yum":
		settings = "/etc/yum/pluginconf.d/versionlock.conf"
	}
	for _, name := range append(d.locks(), settings) {
		if _, err := os.Stat(d.host.Path(name)); err == nil {
			return ""
		}
	}
	return d.program + " has no plugin versionlock"
}

func (dnf) locked(text string) string {
	return lineWith(text, "Failed to obtain the transaction lock", "Failed to obtain rpm transaction lock",
		"another copy is running", "Another app is currently holding", "Failed to acquire lock")
}
