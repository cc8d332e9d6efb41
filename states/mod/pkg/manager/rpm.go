package manager

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"brine/states/pkgver"
	"brine/states/value"
)

// rpm is what the package managers over rpm have in common: the database of what is installed.
type rpm struct{ *System }

func (rpm) Compare(a, b string) int { return pkgver.RPM(a, b) }
func (rpm) LeavesConfig() bool      { return false }
func (rpm) HoldsInstalled() bool    { return false }
func (rpm) RefreshesApart() bool    { return false }
func (rpm) mustRelease() bool       { return true }

func (rpm) database() []string {
	var files []string
	for _, dir := range []string{"/var/lib/rpm/", "/usr/lib/sysimage/rpm/"} {
		for _, file := range []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages", "Packages.db"} {
			files = append(files, dir+file)
		}
	}
	return files
}

// Canonical leaves the architecture out where it is the host's own.
func (rpm) Canonical(name string, l *List) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && (name[i+1:] == l.arch || name[i+1:] == "noarch") {
		return name[:i]
	}
	return name
}

const rpmFormat = "%{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"

// installedRPMs asks rpm for what is installed.
func (r rpm) installedRPMs(ctx context.Context) (*List, error) {
	out, err := r.tell(ctx, "rpm", "-qa", "--queryformat", rpmFormat)
	if err != nil {
		return nil, err
	}
	return rpmList(out), nil
}

// rpmList reads lines of name, epoch, version and architecture. The host's own architecture is that of most packages.
func rpmList(out string) *List {
	l := newList()
	counts := map[string]int{}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimRight(line, "\n"), "\t"); len(f) == 4 && f[3] != "noarch" && f[3] != "(none)" {
			if counts[f[3]]++; counts[f[3]] > counts[l.arch] {
				l.arch = f[3]
			}
		}
	}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimRight(line, "\n"), "\t"); len(f) == 4 {
			l.add(rpmName(f[0], f[3], l), rpmVersion(f[1], f[2]))
		}
	}
	for _, p := range l.packages {
		sortVersions(p.Versions, pkgver.RPM)
	}
	return l
}

func rpmName(name, arch string, l *List) string {
	if arch == l.arch || arch == "noarch" || arch == "(none)" {
		return name
	}
	return name + "." + arch
}

// rpmVersion is a version with its epoch when that counts.
func rpmVersion(epoch, version string) string {
	if epoch == "" || epoch == "(none)" || epoch == "0" {
		return version
	}
	return epoch + ":" + version
}

func (r rpm) provides(ctx context.Context, name string) (map[string]string, bool, error) {
	if strings.HasPrefix(name, "@") || strings.HasPrefix(name, "-") {
		return nil, false, nil
	}
	out, _, _, err := r.ask(ctx, "rpm", "-q", "--whatprovides", "--queryformat", "%{NAME}\t%{ARCH}\n", "--", name)
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(out) {
		if by, arch, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t"); ok {
			return map[string]string{name: rpmName(by, arch, r.list)}, false, nil
		}
	}
	return nil, false, nil
}

func (r rpm) owner(ctx context.Context, path string) (string, error) {
	out, code, complaint, err := r.ask(ctx, "rpm", "-qf", "--queryformat", "%{NAME}\t%{ARCH}\n", "--", path)
	if err != nil {
		return "", err
	}
	name, arch, ok := strings.Cut(strings.TrimSpace(out), "\t")
	if code == 0 && ok {
		l, err := r.Installed(ctx)
		if err != nil {
			return "", err
		}
		arch, _, _ = strings.Cut(arch, "\n")
		return rpmName(name, arch, l), nil
	}
	if strings.Contains(out+complaint, "not owned by") || strings.Contains(out+complaint, "No such file") {
		return "", nil
	}
	return "", errors.New(tail(out + complaint))
}

func (r rpm) files(ctx context.Context, name string) ([]string, error) {
	out, err := r.tell(ctx, "rpm", "-ql", "--", name)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); path.IsAbs(line) {
			all = append(all, line)
		}
	}
	return all, nil
}

func rpmFields() [][2]string {
	return [][2]string{
		{"arch", "ARCH"}, {"epoch", "EPOCH"}, {"release", "RELEASE"}, {"version", "VERSION"}, {"license", "LICENSE"},
		{"packager", "PACKAGER"}, {"vendor", "VENDOR"}, {"group", "GROUP"}, {"source", "SOURCERPM"}, {"summary", "SUMMARY"},
		{"url", "URL"}, {"build_date_time_t", "BUILDTIME"}, {"install_date_time_t", "INSTALLTIME"}, {"size", "SIZE"},
	}
}

func (r rpm) info(ctx context.Context, names []string) (*value.Dict, error) {
	format := "%{NAME}"
	for _, f := range rpmFields() {
		format += "\t%{" + f[1] + "}"
	}
	out, err := r.tell(ctx, append([]string{"rpm", "-q", "--queryformat", format + "\n", "--"}, names...)...)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimRight(line, "\n"), "\t"); len(f) == len(rpmFields())+1 {
			all.Put(f[0], rpmInfo(f[1:]))
		}
	}
	return all, nil
}

func rpmInfo(f []string) *value.Dict {
	d := &value.Dict{}
	for i, field := range rpmFields() {
		if f[i] == "" || f[i] == "(none)" {
			continue
		}
		n, err := strconv.ParseInt(f[i], 10, 64)
		stamp, isTime := strings.CutSuffix(field[0], "_time_t")
		switch {
		case isTime && err == nil:
			d.Put(field[0], n)
			d.Put(stamp, time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05Z"))
		case field[0] == "size" && err == nil:
			d.Put("size", n)
		default:
			d.Put(field[0], f[i])
		}
	}
	return d
}

func (r rpm) fileInfo(ctx context.Context, file string) (name, version string, err error) {
	out, err := r.about(ctx, "rpm", "-qp", "--nosignature", "--queryformat", rpmFormat, file)
	if err != nil {
		return "", "", err
	}
	f := strings.Split(strings.TrimSpace(out), "\t")
	if len(f) != 4 {
		return "", "", fmt.Errorf("cannot read %s: it is no package of rpm", file)
	}
	return f[0], rpmVersion(f[1], f[2]), nil
}
