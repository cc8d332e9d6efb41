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

// apk is that of Alpine. What is installed is read from its database, which is text.
type apk struct{ *System }

func newApk(s *System) driver { return apk{s} }

const apkDatabase = "/lib/apk/db/installed"

func (apk) Name() string                          { return "apk" }
func (apk) Compare(a, b string) int               { return pkgver.APK(a, b) }
func (apk) Canonical(name string, _ *List) string { return name }
func (apk) LeavesConfig() bool                    { return false }
func (apk) RefreshesApart() bool                  { return true }
func (apk) HoldsInstalled() bool                  { return false }
func (apk) mustRelease() bool                     { return false }
func (apk) database() []string                    { return []string{apkDatabase} }
func (apk) hold([]string, bool) []order           { return nil }

// A record is a package of the database: lines of one letter, a colon and a value.
type record map[byte]string

// records reads the database; files are in lines of their own and are given to each.
func (a apk) records(each func(r record, files []string)) error {
	data, err := os.ReadFile(a.host.Path(apkDatabase))
	if err != nil {
		return err
	}
	r, dir := record{}, ""
	var files []string
	for line := range strings.Lines(string(data) + "\n") {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			if r['P'] != "" {
				each(r, files)
			}
			r, dir, files = record{}, "", nil
		case len(line) < 2 || line[1] != ':':
		case line[0] == 'F':
			dir = line[2:]
		case line[0] == 'R':
			files = append(files, filepath.Join("/", dir, line[2:]))
		default:
			r[line[0]] = line[2:]
		}
	}
	return nil
}

func (a apk) read(context.Context) (*List, error) {
	l := newList()
	err := a.records(func(r record, _ []string) { l.add(r['P'], r['V']) })
	return l, err
}

func (a apk) provides(context.Context, string) (map[string]string, bool, error) {
	all := map[string]string{}
	err := a.records(func(r record, _ []string) {
		for what := range strings.FieldsSeq(r['p']) {
			name, _, _ := strings.Cut(what, "=")
			all[name] = r['P']
		}
	})
	return all, true, err
}

func (a apk) owner(_ context.Context, path string) (owner string, err error) {
	err = a.records(func(r record, files []string) {
		if slices.Contains(files, path) {
			owner = r['P']
		}
	})
	return owner, err
}

func (a apk) files(_ context.Context, name string) (all []string, err error) {
	err = a.records(func(r record, files []string) {
		if r['P'] == name {
			all = files
		}
	})
	return all, err
}

func (a apk) info(_ context.Context, names []string) (*value.Dict, error) {
	all := &value.Dict{}
	err := a.records(func(r record, _ []string) {
		if !slices.Contains(names, r['P']) {
			return
		}
		one := &value.Dict{}
		for _, f := range []struct {
			name string
			key  byte
		}{{"version", 'V'}, {"arch", 'A'}, {"summary", 'T'}, {"url", 'U'}, {"license", 'L'}, {"maintainer", 'm'}, {"size", 'I'}} {
			if r[f.key] != "" {
				one.Put(f.name, r[f.key])
			}
		}
		all.Put(r['P'], one)
	})
	return all, err
}

func (a apk) options(o Options, verb string, how ...string) []string {
	argv := []string{"apk", verb, "--no-progress", "--wait", fmt.Sprint(int(o.lockTimeout().Seconds()))}
	argv = append(argv, how...)
	if o.SkipVerify {
		argv = append(argv, "--allow-untrusted")
	}
	if o.FromRepo != "" {
		argv = append(argv, "--repository", o.FromRepo)
	}
	return argv
}

func (a apk) commands(t Transaction, how ...string) (all [][]string) {
	switch {
	case t.Upgrade && t.Full:
		return [][]string{append(a.options(t.Options, "upgrade", how...), "--available")}
	case t.Upgrade:
		return [][]string{a.options(t.Options, "upgrade", how...)}
	case len(t.Remove) > 0 && t.Purge:
		return [][]string{append(append(a.options(t.Options, "del", how...), "--purge"), t.Remove...)}
	case len(t.Remove) > 0:
		return [][]string{append(a.options(t.Options, "del", how...), t.Remove...)}
	}
	if len(t.Install)+len(t.Downgrade) > 0 {
		all = append(all, append(append(a.options(t.Options, "add", how...), "--upgrade"), apkWants(t.Install, t.Downgrade)...))
	}
	if len(t.Reinstall) > 0 {
		argv := a.options(t.Options, "fix", append(how, "--reinstall")...)
		for _, w := range t.Reinstall {
			argv = append(argv, w.Name)
		}
		all = append(all, argv)
	}
	return all
}

func apkWants(lists ...[]Want) (all []string) {
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

func (a apk) change(t Transaction) (orders []order, err error) {
	if t.DownloadOnly || t.Unneeded {
		return nil, errors.New("cannot do that with apk: it has no such command")
	}
	for _, argv := range a.commands(t) {
		orders = append(orders, order{argv: argv})
	}
	return orders, nil
}

func (a apk) foresee(ctx context.Context, t Transaction, l *List) (changes Changes, err error) {
	if t.DownloadOnly || t.Unneeded {
		return nil, nil
	}
	for _, argv := range a.commands(t, "--simulate") {
		out, err := a.tell(ctx, argv...)
		if err != nil {
			return nil, err
		}
		if len(t.Remove) > 0 && strings.Contains(out, " not removed due to:") {
			return nil, errors.New(tail(out)) // others need it: apk ends with 0 all the same
		}
		for _, c := range apkSimulated(out, l) {
			changes = changes.With(c)
		}
	}
	return changes, nil
}

// apkSimulated reads lines such as "(1/2) Upgrading nginx (1.24.0-r1 -> 1.24.0-r2)". Apk 3 has blanks before the first
// number when there are many, and behind a name the tag of the repository that a package is pinned to.
func apkSimulated(out string, l *List) (changes Changes) {
	for line := range strings.Lines(out) {
		count, rest, ok := strings.Cut(line, ")")
		f := strings.Fields(rest)
		if !ok || !strings.HasPrefix(count, "(") || len(f) < 3 {
			continue
		}
		name, _, _ := strings.Cut(f[1], "@")
		c := Change{name, l.Get(name).Version(), strings.Trim(f[len(f)-1], "()")}
		switch f[0] {
		case "Purging", "Deleting":
			c.New = ""
		case "Installing", "Upgrading", "Downgrading", "Replacing", "Reinstalling":
		default:
			continue
		}
		if c.Old != c.New {
			changes = changes.With(c)
		}
	}
	return changes
}

func (a apk) upgrades(ctx context.Context, o Options, full bool) (Changes, error) {
	l, err := a.Installed(ctx)
	if err != nil {
		return nil, err
	}
	return a.foresee(ctx, Transaction{Upgrade: true, Full: full, Options: o}, l)
}

// versions reads what apk policy writes: "nginx policy:", below it versions with colons, and below each where it is.
// What only repositories with a tag have is none: apk takes it when the tag is named, and not otherwise.
func (a apk) versions(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	argv := []string{"apk", "policy"}
	if o.FromRepo != "" {
		argv = append(argv, "--repository", o.FromRepo)
	}
	out, err := a.tell(ctx, append(argv, names...)...)
	if err != nil {
		return nil, err
	}
	return apkPolicy(out), nil
}

func apkPolicy(out string) map[string]Versions {
	all := map[string]Versions{}
	name, version := "", ""
	for line := range strings.Lines(out) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasSuffix(text, " policy:") && !strings.HasPrefix(line, " "):
			name = strings.TrimSuffix(text, " policy:")
			all[name] = Versions{Known: true}
		case name != "" && strings.HasSuffix(text, ":") && !strings.HasPrefix(line, "    "):
			version = strings.TrimSuffix(text, ":")
		case strings.HasPrefix(text, "@"):
		case name != "" && version != "" && text != strings.TrimPrefix(apkDatabase, "/"):
			v := all[name]
			if !slices.Contains(v.All, version) {
				v.All = append(v.All, version)
			}
			all[name] = v
		}
	}
	for name, v := range all {
		sortVersions(v.All, pkgver.APK)
		slices.Reverse(v.All)
		if len(v.All) > 0 {
			v.Candidate = v.All[0]
		}
		all[name] = v
	}
	return all
}

func (a apk) refresh(r Refresh) []order {
	argv := []string{"apk", "update", "--no-progress"}
	if r.Force {
		argv = append(argv, "--force-refresh")
	}
	return []order{{argv: argv}}
}

func (a apk) refreshedAt() time.Time { return newest(a.host.Path("/var/cache/apk/APKINDEX*")) }

func (apk) Downloaded(string, string) bool { return false }

func (a apk) repositories() string {
	data, _ := os.ReadFile(a.host.Path("/etc/apk/repositories"))
	n := 0
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			n++
		}
	}
	return "apk has " + counted(n, "repository", "repositories")
}

func (apk) locked(text string) string {
	return lineWith(text, "Unable to lock database", "Unable to lock apk database")
}

// fileInfo takes name and version from the name of the file: the tool tells neither before the package is installed.
func (apk) fileInfo(_ context.Context, path string) (name, version string, err error) {
	base := strings.TrimSuffix(filepath.Base(path), ".apk")
	before, rev, ok := cutLast(base, "-r")
	name, version, ok2 := cutLast(before, "-")
	if !ok || !ok2 {
		return "", "", fmt.Errorf("cannot tell name and version of %s: want a name such as nginx-1.24.0-r1.apk", path)
	}
	return name, version + "-r" + rev, nil
}

func (apk) group(context.Context, string, Options) (Group, error) { return Group{}, errNoGroups("apk") }
