package hosts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

const path = "/etc/hosts"

// A table is /etc/hosts, line by line. Lines that are not changed stay as they are.
type table struct{ lines []line }

// A line is one of an address, or one that says something else.
type line struct {
	raw     string
	ip      string // "" for another line
	names   []string
	comment string
	changed bool
}

func load(h *host.Host) (*table, error) {
	data, err := file.Get(h, path)
	if err != nil {
		return nil, err
	}
	t := &table{}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return t, nil
	}
	for raw := range strings.SplitSeq(text, "\n") {
		before, comment, _ := strings.Cut(raw, "#")
		l := line{raw: raw}
		if words := strings.Fields(before); len(words) > 1 {
			l.ip, l.names, l.comment = words[0], words[1:], strings.TrimSpace(comment)
		}
		t.lines = append(t.lines, l)
	}
	return t, nil
}

func (l *line) text() string {
	if !l.changed {
		return l.raw
	}
	text := l.ip + "\t\t" + strings.Join(l.names, " ")
	if l.comment != "" {
		text += "\t# " + l.comment
	}
	return text
}

func (t *table) save(ctx context.Context, h *host.Host) error {
	var b strings.Builder
	for i := range t.lines {
		b.WriteString(t.lines[i].text() + "\n")
	}
	return file.Put(ctx, h, path, []byte(b.String()), 0o644)
}

// names are all that an address has, in their order.
func (t *table) names(ip string) (names []string) {
	for _, l := range t.lines {
		if same(l.ip, ip) {
			for _, n := range l.names {
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	return names
}

// addresses are all that there are, in their order.
func (t *table) addresses() (ips []string) {
	for _, l := range t.lines {
		if l.ip != "" && !slices.Contains(ips, l.ip) {
			ips = append(ips, l.ip)
		}
	}
	return ips
}

// comment is what stands behind an address.
func (t *table) comment(ip string) string {
	for _, l := range t.lines {
		if same(l.ip, ip) && l.comment != "" {
			return l.comment
		}
	}
	return ""
}

func (t *table) has(ip, name string) bool { return slices.Contains(t.names(ip), name) }

// add gives an address another name.
func (t *table) add(ip, name string) {
	if t.has(ip, name) {
		return
	}
	for i := range t.lines {
		if same(t.lines[i].ip, ip) {
			t.lines[i].names, t.lines[i].changed = append(slices.Clone(t.lines[i].names), name), true
			return
		}
	}
	t.lines = append(t.lines, line{ip: ip, names: []string{name}, changed: true})
}

// remove takes a name off an address. A line without names goes.
func (t *table) remove(ip, name string) {
	for i := range t.lines {
		if l := &t.lines[i]; same(l.ip, ip) && slices.Contains(l.names, name) {
			l.names = slices.DeleteFunc(slices.Clone(l.names), func(n string) bool { return n == name })
			l.changed = true
		}
	}
	t.lines = slices.DeleteFunc(t.lines, func(l line) bool { return l.ip != "" && len(l.names) == 0 })
}

// set gives an address these names and no others, in one line.
func (t *table) set(ip string, names []string) {
	if slices.Equal(t.names(ip), names) {
		return
	}
	placed := len(names) == 0
	var lines []line
	for _, l := range t.lines {
		if same(l.ip, ip) {
			if placed {
				continue
			}
			l.names, l.changed, placed = names, true, true
		}
		lines = append(lines, l)
	}
	if !placed {
		lines = append(lines, line{ip: ip, names: names, changed: true})
	}
	t.lines = lines
}

func (t *table) setComment(ip, comment string) bool {
	found := false
	for i := range t.lines {
		if l := &t.lines[i]; same(l.ip, ip) {
			l.comment, l.changed, found = comment, true, true
		}
	}
	return found
}

// same says whether two texts are one address, however they are written.
func same(a, b string) bool {
	if a == b || a == "" || b == "" {
		return a == b
	}
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err == nil && err2 == nil && x == y
}

func checkAddress(ip string) error {
	if _, err := netip.ParseAddr(ip); err != nil {
		return fmt.Errorf("%q is no IP address", ip)
	}
	return nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, " \t\n#") {
		return fmt.Errorf("%q can't be the name of a host", name)
	}
	return nil
}
