package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/states/pkgver"
	"brine/states/value"
)

// pacman is that of Arch.
type pacman struct{ *System }

func newPacman(s *System) driver { return pacman{s} }

func (pacman) Name() string                          { return "pacman" }
func (pacman) Compare(a, b string) int               { return pkgver.Pacman(a, b) }
func (pacman) Canonical(name string, _ *List) string { return name }
func (pacman) LeavesConfig() bool                    { return false }
func (pacman) RefreshesApart() bool                  { return true }
func (pacman) HoldsInstalled() bool                  { return false }
func (pacman) mustRelease() bool                     { return false }
func (pacman) database() []string                    { return []string{"/var/lib/pacman/local", "/etc/pacman.conf"} }

func (p pacman) read(ctx context.Context) (*List, error) {
	out, err := p.local(ctx, "-Q")
	if err != nil {
		return nil, err
	}
	l := newList()
	for line := range strings.Lines(out) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			l.add(name, version)
		}
	}
	conf, err := os.ReadFile(p.host.Path("/etc/pacman.conf"))
	for line := range strings.Lines(string(conf)) {
		if key, names, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "IgnorePkg" {
			for name := range strings.FieldsSeq(names) {
				l.at(name).Held = true
			}
		}
	}
	if os.IsNotExist(err) {
		err = nil
	}
	return l, err
}

// local asks for all that is installed. That nothing is ends with 1, too.
func (p pacman) local(ctx context.Context, what string) (string, error) {
	out, code, complaint, err := p.ask(ctx, "pacman", what)
	if err == nil && code != 0 && strings.Contains(complaint, "error:") {
		err = &Failure{[]string{"pacman", what}, code, tail(complaint)}
	}
	return out, err
}

// provides reads what all installed packages provide.
func (p pacman) provides(ctx context.Context, _ string) (map[string]string, bool, error) {
	out, err := p.local(ctx, "-Qi")
	if err != nil {
		return nil, false, err
	}
	all := map[string]string{}
	for _, d := range pacmanInfo(out) {
		for what := range strings.FieldsSeq(d["Provides"]) {
			what, _, _ = strings.Cut(what, "=")
			all[what] = d["Name"]
		}
	}
	delete(all, "None")
	return all, true, nil
}

// pacmanInfo reads "Name : value" lines, one package after another.
func pacmanInfo(out string) (all []map[string]string) {
	for line := range strings.Lines(out) {
		key, val, ok := strings.Cut(line, ":")
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		switch {
		case !ok || strings.HasPrefix(line, " "):
		case key == "Name":
			all = append(all, map[string]string{"Name": val})
		case len(all) > 0:
			all[len(all)-1][key] = val
		}
	}
	return all
}

func pacmanOptions(o Options) (argv []string) {
	if o.DownloadOnly {
		argv = append(argv, "--downloadonly")
	}
	return argv
}

// commands are what has to be done one after another. Repositories have one version of each package.
func (p pacman) commands(t Transaction, how ...string) (all [][]string) {
	argv := func(verb string, more ...string) []string {
		return slices.Concat([]string{"pacman", verb, "--noconfirm"}, how, more)
	}
	switch {
	case t.Upgrade:
		return [][]string{argv("-Su", pacmanOptions(t.Options)...)}
	case len(t.Remove) > 0 && t.Purge && len(how) == 0: // a simulation does not take the n
		return [][]string{argv("-Rn", t.Remove...)}
	case len(t.Remove) > 0:
		return [][]string{argv("-R", t.Remove...)}
	}
	var names, files []string
	for _, w := range slices.Concat(t.Install, t.Downgrade, t.Reinstall) {
		switch {
		case w.File != "":
			files = append(files, w.File)
		case t.FromRepo != "":
			names = append(names, t.FromRepo+"/"+w.Name)
		default:
			names = append(names, w.Name)
		}
	}
	if len(names) > 0 {
		all = append(all, argv("-S", append(pacmanOptions(t.Options), names...)...))
	}
	if len(files) > 0 {
		all = append(all, argv("-U", files...))
	}
	return all
}

func (p pacman) change(t Transaction) (orders []order, err error) {
	if t.Unneeded {
		return nil, errors.New("cannot remove what is no longer needed: pacman has no such command")
	}
	for _, argv := range p.commands(t) {
		orders = append(orders, order{argv: argv})
	}
	return orders, nil
}

func (p pacman) foresee(ctx context.Context, t Transaction, l *List) (changes Changes, err error) {
	if t.DownloadOnly || t.Unneeded {
		return nil, nil
	}
	for _, argv := range p.commands(t, "--print", "--print-format", "%n %v") {
		out, err := p.tell(ctx, argv...)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			name, version, ok := strings.Cut(strings.TrimSpace(line), " ")
			c := Change{name, l.Get(name).Version(), version}
			if len(t.Remove) > 0 {
				c.New = ""
			}
			if ok && !strings.Contains(version, " ") && c.Old != c.New {
				changes = changes.With(c)
			}
		}
	}
	return changes, nil
}

func (p pacman) upgrades(ctx context.Context, o Options, _ bool) (Changes, error) {
	l, err := p.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return p.foresee(ctx, Transaction{Upgrade: true, Options: o}, l)
}

func (p pacman) versions(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	asked := slices.Clone(names)
	for i := range asked {
		if o.FromRepo != "" {
			asked[i] = o.FromRepo + "/" + asked[i]
		}
	}
	out, _, _, err := p.ask(ctx, append([]string{"pacman", "-Si"}, asked...)...)
	if err != nil {
		return nil, err
	}
	all := map[string]Versions{}
	for _, d := range pacmanInfo(out) {
		v := all[d["Name"]]
		v.Known = true
		if v.Candidate == "" {
			v.Candidate = d["Version"]
		}
		v.All = append(v.All, d["Version"])
		all[d["Name"]] = v
	}
	for i, name := range names {
		if _, ok := all[name]; ok {
			continue
		}
		// A group, or what packages provide.
		out, code, _, err := p.ask(ctx, "pacman", "-Sp", "--print-format", "%n", asked[i])
		if err != nil {
			return nil, err
		}
		if code == 0 && strings.TrimSpace(out) != "" {
			all[name] = Versions{Known: true}
		}
	}
	return all, nil
}

func (p pacman) refresh(r Refresh) []order {
	argv := []string{"pacman", "-Sy", "--noconfirm"}
	if r.Force {
		argv[1] = "-Syy"
	}
	return []order{{argv: argv}}
}

func (p pacman) refreshedAt() time.Time { return newest(p.host.Path("/var/lib/pacman/sync/*")) }

// Downloaded looks into the cache.
func (p pacman) Downloaded(name, version string) bool {
	names, _ := filepath.Glob(p.host.Path("/var/cache/pacman/pkg/" + name + "-" + version + "-*.pkg.tar*"))
	return len(names) > 0
}

func (p pacman) repositories() string {
	names, _ := filepath.Glob(p.host.Path("/var/lib/pacman/sync/*.db"))
	return "pacman knows " + counted(len(names), "repository", "repositories")
}

func (pacman) hold([]string, bool) []order { return nil }

func (pacman) locked(text string) string {
	if strings.Contains(text, "unable to lock database") {
		return "the file /var/lib/pacman/db.lck is there; when no package manager runs, remove it"
	}
	return ""
}

func (p pacman) owner(ctx context.Context, path string) (string, error) {
	out, code, complaint, err := p.ask(ctx, "pacman", "-Qoq", path)
	if err == nil && code != 0 && !strings.Contains(complaint, "No package owns") {
		err = errors.New(complaint)
	}
	return strings.TrimSpace(out), err
}

func (p pacman) files(ctx context.Context, name string) ([]string, error) {
	out, err := p.tell(ctx, "pacman", "-Qlq", name)
	if err != nil {
		return nil, err
	}
	return slices.Collect(strings.FieldsFuncSeq(out, func(c rune) bool { return c == '\n' })), nil
}

func (p pacman) info(ctx context.Context, names []string) (*value.Dict, error) {
	out, err := p.tell(ctx, append([]string{"pacman", "-Qi"}, names...)...)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, d := range pacmanInfo(out) {
		one := &value.Dict{}
		for _, f := range [][2]string{
			{"version", "Version"}, {"arch", "Architecture"}, {"url", "URL"}, {"license", "Licenses"}, {"summary", "Description"},
			{"packager", "Packager"}, {"install_date", "Install Date"}, {"size", "Installed Size"},
		} {
			if d[f[1]] != "" && d[f[1]] != "None" {
				one.Put(f[0], d[f[1]])
			}
		}
		all.Put(d["Name"], one)
	}
	return all, nil
}

func (p pacman) fileInfo(ctx context.Context, path string) (name, version string, err error) {
	out, err := p.about(ctx, "pacman", "-Qp", path)
	name, version, ok := strings.Cut(strings.TrimSpace(out), " ")
	if err == nil && !ok {
		err = fmt.Errorf("cannot read %s: it is no package of pacman", path)
	}
	return name, version, err
}

// group reads lines of a group and one of its packages.
func (p pacman) group(ctx context.Context, name string, _ Options) (g Group, err error) {
	out, err := p.tell(ctx, "pacman", "-Sg", name)
	for line := range strings.Lines(out) {
		if _, member, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			g.Mandatory = append(g.Mandatory, member)
		}
	}
	return g, err
}
