package manager

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"brine/states/value"
)

const dpkgFormat = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"

func (a apt) read(ctx context.Context) (*List, error) {
	out, err := a.tell(ctx, "dpkg-query", "-W", "-f", dpkgFormat)
	if err != nil {
		return nil, err
	}
	return dpkgList(out), nil
}

// dpkgList reads lines of status, name, version and architecture. The host's own architecture is that of dpkg itself.
func dpkgList(out string) *List {
	l := newList()
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) == 4 && f[1] == "dpkg" {
			l.arch = f[3]
			break
		}
	}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) == 4 && len(f[0]) >= 2 {
			l.dpkg(f[0], f[1], f[2], f[3])
		}
	}
	return l
}

// dpkg adds a package. Of its status the first letter is what is wanted, the second what is there. One whose triggers
// wait is installed; one that was not configured, or only half, isn't.
func (l *List) dpkg(status, name, version, arch string) {
	if arch != l.arch && arch != "all" && arch != "" {
		name += ":" + arch
	}
	switch status[1] {
	case 'i', 'W', 't':
		l.add(name, version)
	case 'c':
		l.at(name).Config = version
	case 'n':
		if status[0] != 'h' {
			return
		}
	default:
		l.at(name).Broken = version
	}
	p := l.at(name)
	p.Held, p.Unwanted = status[0] == 'h', status[0] == 'p'
}

// provides reads "name<TAB>a, b (= 1.0)" of all installed packages.
func (a apt) provides(ctx context.Context, _ string) (map[string]string, bool, error) {
	out, err := a.tell(ctx, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Provides}\n")
	if err != nil {
		return nil, false, err
	}
	all := map[string]string{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 3 || len(f[0]) < 2 || f[0][1] != 'i' || f[2] == "" {
			continue
		}
		for what := range strings.SplitSeq(f[2], ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(what), " ")
			all[name] = f[1]
		}
	}
	return all, true, nil
}

func (a apt) versions(ctx context.Context, names []string, o Options) (map[string]Versions, error) {
	argv := []string{"apt-cache", "-q", "policy"}
	if o.FromRepo != "" {
		argv = []string{"apt-cache", "-q", "-t", o.FromRepo, "policy"}
	}
	out, err := a.tell(ctx, append(argv, names...)...)
	if err != nil {
		return nil, err
	}
	return aptPolicy(out), nil
}

// aptPolicy reads what apt-cache policy writes: a name at the beginning of a line and indented facts below it. A version
// that is only in dpkg's database is available nowhere.
func aptPolicy(out string) map[string]Versions {
	all := map[string]Versions{}
	name, version := "", ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		v := all[name]
		switch text := strings.TrimLeft(line, " *"); {
		case line != "" && line[0] != ' ' && strings.HasSuffix(line, ":"):
			name = strings.TrimSuffix(line, ":")
			all[name] = Versions{Known: true}
			continue
		case name == "":
			continue
		case strings.HasPrefix(text, "Candidate: "):
			if v.Candidate = strings.TrimPrefix(text, "Candidate: "); v.Candidate == "(none)" {
				v.Candidate = ""
			}
		case len(line)-len(text) == 5: // "     1.0 500" or " *** 1.0 500"
			version, _, _ = strings.Cut(text, " ")
		case len(line)-len(text) > 5 && version != "" && !strings.HasSuffix(text, "/var/lib/dpkg/status"):
			v.All = append(v.All, version)
			if _, from, _ := strings.Cut(text, " "); strings.HasPrefix(from, "file:") {
				v.Local = append(v.Local, version)
			}
			version = ""
		}
		all[name] = v
	}
	return all
}

func (a apt) owner(ctx context.Context, path string) (string, error) {
	out, code, complaint, err := a.ask(ctx, "dpkg-query", "-S", path)
	if err != nil || code == 1 {
		return "", err
	}
	if code != 0 {
		return "", errors.New(complaint)
	}
	for line := range strings.Lines(out) {
		if owner, _, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "diversion by") {
			owner, _, _ = strings.Cut(owner, ",")
			l, err := a.Installed(ctx)
			if err != nil {
				return "", err
			}
			return a.Canonical(owner, l), nil
		}
	}
	return "", nil
}

func (a apt) files(ctx context.Context, name string) ([]string, error) {
	out, err := a.tell(ctx, "dpkg-query", "-L", name)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") && line != "/." {
			all = append(all, line)
		}
	}
	return all, nil
}

// fields are what info tells of a package: its name there, and dpkg's.
func dpkgFields() [][2]string {
	return [][2]string{
		{"version", "Version"}, {"arch", "Architecture"}, {"maintainer", "Maintainer"}, {"section", "Section"},
		{"source", "source:Package"}, {"summary", "binary:Summary"}, {"url", "Homepage"}, {"size", "Installed-Size"},
		{"install_date_time_t", "db-fsys:Last-Modified"}, {"status", "db:Status-Status"},
	}
}

func (a apt) info(ctx context.Context, names []string) (*value.Dict, error) {
	format := "${Package}"
	for _, f := range dpkgFields() {
		format += "\t${" + f[1] + "}"
	}
	out, code, complaint, err := a.ask(ctx, append([]string{"dpkg-query", "-W", "-f", format + "\n"}, names...)...)
	if err != nil {
		return nil, err
	}
	if code > 1 {
		return nil, errors.New(complaint)
	}
	all := &value.Dict{}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) == len(dpkgFields())+1 && f[len(f)-1] == "installed" {
			all.Put(f[0], dpkgInfo(f[1:]))
		}
	}
	return all, nil
}

func dpkgInfo(f []string) *value.Dict {
	d := &value.Dict{}
	for i, field := range dpkgFields() {
		switch n, err := strconv.ParseInt(f[i], 10, 64); {
		case f[i] == "" || field[0] == "status":
		case field[0] == "size" && err == nil:
			d.Put("size", n*1024)
		case field[0] == "install_date_time_t" && err == nil:
			d.Put("install_date_time_t", n)
			d.Put("install_date", time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05Z"))
		default:
			d.Put(field[0], f[i])
		}
	}
	return d
}

func (a apt) fileInfo(ctx context.Context, path string) (name, version string, err error) {
	out, err := a.about(ctx, "dpkg-deb", "--show", "--showformat=${Package}\t${Version}\n", path)
	if err != nil {
		return "", "", err
	}
	name, version, ok := strings.Cut(strings.TrimSpace(out), "\t")
	if !ok {
		return "", "", fmt.Errorf("cannot read %s: it is no Debian package", path)
	}
	return name, version, nil
}
