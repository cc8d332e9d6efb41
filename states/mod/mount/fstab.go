package mount

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/value"
)

const standardTable = "/etc/fstab"

// An entry is a line of fstab that says what to mount.
type entry struct{ device, name, fstype, opts, dump, pass string }

// parseEntry reads a line; false when it is none.
func parseEntry(line string) (entry, bool) {
	f := strings.Fields(line)
	if len(f) < 3 || f[0][0] == '#' {
		return entry{}, false
	}
	f = append(f, []string{"defaults", "0", "0"}[min(len(f)-3, 3):]...)
	for i := range f {
		f[i] = unescape(f[i])
	}
	return entry{f[0], f[1], f[2], f[3], f[4], f[5]}, true
}

// line writes an entry as Salt does.
func (e *entry) line() string {
	return fmt.Sprintf("%s\t\t%s\t%s\t%s\t%s %s", escape(e.device), escape(e.name), escape(e.fstype), escape(e.opts), e.dump, e.pass)
}

func (e *entry) options() []string { return strings.Split(e.opts, ",") }

// isAt says whether an entry mounts at a place.
func (e *entry) isAt(name string) bool {
	return e.name == name || strings.HasPrefix(e.name, "/") && path.Clean(e.name) == name
}

// fields are what entries can be told by.
func fields() []string { return []string{"device", "name", "fstype", "opts", "dump", "pass_num"} }

// alike says whether two entries are the same in some fields. The order of options says nothing.
func (e *entry) alike(o *entry, by []string) bool {
	for _, field := range by {
		same := true
		switch field {
		case "device":
			same = e.device == o.device
		case "name":
			same = e.isAt(o.name)
		case "fstype":
			same = e.fstype == o.fstype
		case "opts":
			a, b := e.options(), o.options()
			slices.Sort(a)
			slices.Sort(b)
			same = slices.Equal(a, b)
		case "dump":
			same = e.dump == o.dump
		case "pass_num":
			same = e.pass == o.pass
		}
		if !same {
			return false
		}
	}
	return true
}

// An fstab is a file of entries, line by line.
type fstab struct{ lines []string }

func load(h *host.Host, config string) (*fstab, error) {
	data, err := file.Get(h, config)
	if err != nil {
		return nil, err
	}
	t := &fstab{}
	for line := range strings.Lines(string(data)) {
		t.lines = append(t.lines, strings.TrimSuffix(line, "\n"))
	}
	return t, nil
}

func (t *fstab) save(ctx context.Context, h *host.Host, config string) error {
	text := strings.Join(append(slices.Clone(t.lines), ""), "\n")
	if err := file.Put(ctx, h, config, []byte(text), 0o644); err != nil {
		return err
	}
	return reread(ctx, h, config)
}

func (t *fstab) find(is func(*entry) bool) []int {
	var all []int
	for i, line := range t.lines {
		if e, ok := parseEntry(line); ok && is(&e) {
			all = append(all, i)
		}
	}
	return all
}

// A match is how the entry of a state is told from others: by some fields, or automatically.
type match []string

// special are kinds of file systems whose device tells nothing.
func special(fstype string) bool {
	return slices.Contains(strings.Fields("none tmpfs sysfs proc fusectl debugfs securityfs devtmpfs cgroup cgroup2 nfs nfs4 glusterfs "+
		"btrfs overlay ramfs"), fstype)
}

// of finds the lines that stand for an entry. Automatically that is the line with its device and place; else the one
// with its device, where that tells something; else the one with its place.
func (by match) of(t *fstab, want *entry) []int {
	if len(by) != 1 || by[0] != "auto" {
		return t.find(func(e *entry) bool { return e.alike(want, by) })
	}
	ways := [][]string{{"device", "name"}, {"device"}, {"name"}}
	if special(want.fstype) {
		ways = [][]string{{"name"}}
	}
	for _, way := range ways {
		if slices.Equal(way, []string{"name"}) && !strings.HasPrefix(want.name, "/") {
			continue // swap is at no place
		}
		if at := t.find(func(e *entry) bool { return e.alike(want, way) }); len(at) > 0 {
			return at
		}
	}
	return nil
}

// status is what had to be done to an fstab, in Salt's words.
type status string

const (
	present status = "present"
	added   status = "new"
	changed status = "change"
)

// put has an entry in the table. With keep one that is there stays as it is.
func (t *fstab) put(want *entry, by match, keep bool) status {
	at := by.of(t, want)
	if len(at) == 0 {
		t.lines = append(t.lines, want.line())
		return added
	}
	s := present
	for _, i := range at {
		if e, _ := parseEntry(t.lines[i]); !keep && !e.alike(want, fields()) {
			t.lines[i] = want.line()
			s = changed
		}
	}
	return s
}

// remove takes the entries of a place away, or only those of a device there; false when there is none.
func (t *fstab) remove(name, device string) bool {
	at := t.find(func(e *entry) bool { return e.isAt(name) && (device == "" || e.device == device) })
	for _, i := range slices.Backward(at) {
		t.lines = slices.Delete(t.lines, i, i+1)
	}
	return len(at) > 0
}

// dict is the table as Salt shows it: by place, which gets a _ when it is another's already. It has secrets only when they are asked for.
func (t *fstab) dict(private bool) *value.Dict {
	d := &value.Dict{}
	for _, line := range t.lines {
		e, ok := parseEntry(line)
		if !ok {
			continue
		}
		for _, taken := d.Get(e.name); taken; _, taken = d.Get(e.name) {
			e.name += "_"
		}
		opts := e.options()
		if !private {
			opts = shown(opts)
		}
		d.Put(e.name, value.NewDict("device", e.device, "fstype", e.fstype, "opts", texts(opts), "dump", e.dump, "pass", e.pass))
	}
	return d
}
