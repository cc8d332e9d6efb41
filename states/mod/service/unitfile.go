package service

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"brine/states/host"
)

// unitDirs are where systemd looks for unit files; the first that has one counts.
func unitDirs() []string {
	return []string{
		"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
		"/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached",
		"/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
		"/run/systemd/generator.late",
	}
}

// unitFiles looks at unit files as they are on the disk.
type unitFiles struct {
	h *host.Host

	read *time.Time // when systemd read them last
}

// look fills in what files tell of a unit: the name it goes by, whether it is there and masked, and whether its
// files changed.
func (u *unitFiles) look(f *facts) {
	for range 5 { // links to links
		dir, to := u.find(f.unit)
		alias := path.Base(to)
		if dir == "" || to == "" || to == "/dev/null" || alias == f.unit || alias == template(f.unit) {
			f.known = dir != ""
			break
		}
		f.unit = aliased(f.unit, alias)
	}
	u.masks(f)
	f.stale = u.changed(f.unit)
}

// aliased is the unit that a link stands for: of one to a template the instance.
func aliased(unit, to string) string {
	if isTemplate(to) && template(unit) != "" {
		_, instance, _ := strings.Cut(unit, "@")
		return strings.TrimSuffix(to, "@"+path.Ext(to)) + "@" + instance
	}
	return to
}

// find returns the directory of a unit's file, or of its template's, and what the file links to if it does.
func (u *unitFiles) find(unit string) (dir, to string) {
	for _, name := range []string{unit, template(unit)} {
		if name == "" {
			continue
		}
		for _, dir := range unitDirs() {
			if st, err := os.Lstat(u.h.Path(dir + "/" + name)); err == nil {
				if st.Mode()&os.ModeSymlink != 0 {
					return dir, readlink(u.h, dir+"/"+name)
				}
				return dir, ""
			}
		}
	}
	return "", ""
}

func (unitFiles) link(h *host.Host, dir, unit string) bool {
	return readlink(h, dir+"/"+unit) == "/dev/null"
}

func (u unitFiles) masks(f *facts) {
	f.masked = u.link(u.h, "/etc/systemd/system", f.unit)
	f.maskedRuntime = u.link(u.h, "/run/systemd/system", f.unit)
}

// changed says whether files of a unit are newer than what systemd has read. A time that is still to come tells nothing.
func (u *unitFiles) changed(unit string) bool {
	read := u.lastRead()
	if read.IsZero() {
		return false
	}
	now := time.Now()
	newer := func(name string) bool {
		st, err := os.Stat(u.h.Path(name))
		return err == nil && st.ModTime().After(read) && !st.ModTime().After(now)
	}
	for _, name := range []string{unit, template(unit)} {
		if name == "" {
			continue
		}
		for _, dir := range unitDirs() {
			file := dir + "/" + name
			if newer(file) || newer(file+".d") {
				return true
			}
			drops, _ := filepath.Glob(globQuote(u.h.Path(file+".d")) + "/*.conf") // the pattern is a good one
			for _, drop := range drops {
				if st, err := os.Stat(drop); err == nil && st.ModTime().After(read) && !st.ModTime().After(now) {
					return true
				}
			}
		}
	}
	return false
}

func globQuote(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// lastRead is when systemd read unit files; zero where it does not tell, as before version 250.
func (u *unitFiles) lastRead() time.Time {
	if u.read == nil {
		u.read = &time.Time{}
		if st, err := os.Stat(u.h.Path("/run/systemd/systemd-units-load")); err == nil {
			*u.read = st.ModTime()
		}
	}
	return *u.read
}

// wanted are the units that are linked into what a target or another unit starts at every boot.
func wanted(h *host.Host) map[string]bool {
	units := map[string]bool{}
	const dir = "/etc/systemd/system"
	entries, _ := os.ReadDir(h.Path(dir)) // without it nothing is linked
	for _, e := range entries {
		switch path.Ext(e.Name()) {
		case ".wants", ".requires", ".upholds":
		default:
			continue
		}
		links, _ := os.ReadDir(h.Path(dir + "/" + e.Name())) // removed meanwhile
		for _, l := range links {
			if l.Type()&os.ModeSymlink != 0 {
				units[l.Name()] = true
			}
		}
	}
	return units
}
