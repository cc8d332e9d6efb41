package mount

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// A mounted is one line of the kernel's table of mounts.
type mounted struct {
	id, parent   string
	major, minor string
	root         string // what of the file system is mounted
	point        string
	opts         []string // of this mount
	fstype       string
	device       string
	super        []string // of the file system
}

// mounts returns the kernel's table, in its order.
func mounts(h *host.Host) ([]mounted, error) {
	data, err := os.ReadFile(h.Path("/proc/self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is mounted: %w", err)
	}
	var all []mounted
	for line := range strings.Lines(string(data)) {
		if m, ok := parseMounted(line); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

// parseMounted reads a line: six fields, any number of others, a dash, and three more.
func parseMounted(line string) (mounted, bool) {
	f := strings.Fields(line)
	sep := 6
	for sep < len(f) && f[sep] != "-" {
		sep++
	}
	if sep+2 >= len(f) {
		return mounted{}, false
	}
	for i := range f {
		f[i] = unescape(f[i])
	}
	m := mounted{id: f[0], parent: f[1], root: f[3], point: f[4], opts: strings.Split(f[5], ","), fstype: f[sep+1], device: f[sep+2]}
	m.major, m.minor, _ = strings.Cut(f[2], ":")
	if sep+3 < len(f) {
		m.super = strings.Split(f[sep+3], ",")
	}
	return m, true
}

// unescape replaces \040 and its like, which stand for what parts fields in tables of mounts.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) bool { return strings.Trim(s, "01234567") == "" && s[0] < '4' }

// escape is the other way round.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(s)
}

// at is what is mounted at a place: the last that was, nil for nothing. What waits to mount something there is nothing.
func at(all []mounted, point string) *mounted {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].point == point && all[i].fstype != "autofs" {
			return &all[i]
		}
	}
	return nil
}

// awaits says whether something would be mounted at a place as soon as someone looks there.
func awaits(all []mounted, point string) bool {
	return slices.ContainsFunc(all, func(m mounted) bool { return m.point == point && m.fstype == "autofs" })
}

// above is the mount that a path lies in.
func above(all []mounted, name string) *mounted {
	for dir := name; ; dir = filepath.Dir(dir) {
		if m := at(all, dir); m != nil || dir == "/" {
			return m
		}
	}
}

// real follows the symbolic links of a path, as far as it is there.
func real(h *host.Host, name string) string {
	full, err := filepath.EvalSymlinks(h.Path(name))
	if err != nil {
		return name
	}
	if h.Real() {
		return full
	}
	rel, err := filepath.Rel(h.Path("/"), full)
	if err != nil || strings.HasPrefix(rel, "..") {
		return name
	}
	return filepath.Join("/", rel)
}

// place finds what is mounted at a path that the operator wrote. The path is not touched where that can be helped: a
// dead server would never answer.
func place(h *host.Host, name string) (point string, m *mounted, all []mounted, err error) {
	if all, err = mounts(h); err != nil {
		return "", nil, nil, err
	}
	if m = at(all, name); m != nil {
		return name, m, all, nil
	}
	point = real(h, name)
	return point, at(all, point), all, nil
}

// dict is how active shows a mount.
func (m *mounted) dict(h *host.Host, extended bool) *value.Dict {
	device := m.device
	if other := m.backing(h); other != "" {
		device = other
	}
	if !extended {
		return value.NewDict("device", m.device, "alt_device", device, "fstype", m.fstype, "opts", texts(m.all()))
	}
	return value.NewDict("mountid", m.id, "parentid", m.parent, "major", m.major, "minor", m.minor, "root", m.root,
		"opts", texts(m.opts), "fstype", m.fstype, "device", m.device, "alt_device", device, "superopts", texts(m.super))
}

// all are the options of the mount and those of its file system, each once.
func (m *mounted) all() []string {
	var all []string
	seen := map[string]bool{}
	for _, list := range [][]string{m.opts, m.super} {
		for _, o := range list {
			if !seen[o] && !(o == "rw" && seen["ro"]) {
				seen[o] = true
				all = append(all, o)
			}
		}
	}
	return all
}

func texts(list []string) *value.List {
	l := &value.List{}
	for _, s := range list {
		l.Items = append(l.Items, s)
	}
	return l
}
