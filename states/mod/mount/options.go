package mount

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
)

// A comparison tells which wanted options a mount does not have.
type comparison struct {
	fstype    string
	bind      bool
	invisible []string            // the kernel does not show them
	keys      []string            // nor these, which have values
	ignored   map[string][]string // nor do these matter, by the kind of file system
	translate map[string]string   // it shows others for them

	number func(file, name string) string // of an account
	memory func() float64                 // bytes of the machine
}

func standardComparison(ctx context.Context, h *host.Host, fstype string) *comparison {
	return &comparison{
		fstype: fstype,
		invisible: strings.Fields("_netdev actimeo acl async auto backup-volfile-servers barrier barrier=1 bg bind comment data=ordered defaults delay_connect direct-io-mode fg " +
			"group guest intr iversion loop loud nobootwait nofail nointr nolazytime noauto nogroup noiversion nomand nonempty noowner norelatime nouser nousers owner " +
			"password port rbind reconnect remount retry silent soft transform_symlinks user user_xattr users"),
		keys: strings.Fields("actimeo comment credentials cred direct-io-mode helper loop offset pass pass2 password password2 passwd port retry secret secretfile " +
			"sizelimit uhelper user helper"),
		ignored:   map[string][]string{"ramfs": {"size"}, "swap": {"pri", "sw"}},
		translate: map[string]string{"tcp": "proto=tcp", "udp": "proto=udp"},
		number: func(file, name string) string {
			lookup := h.UserID
			if file == "group" {
				lookup = h.GroupID
			}
			if id, err := lookup(ctx, name); err == nil {
				return strconv.FormatUint(uint64(id), 10)
			}
			return name
		},
		memory: func() float64 { return memory(h) },
	}
}

// missing are the options that a mount lacks, sorted, each once.
func (c *comparison) missing(m *mounted, wanted []string) []string {
	have := map[string]bool{}
	for _, list := range [][]string{m.opts, m.super} {
		for _, o := range list {
			have[c.canonical(o)] = true
		}
	}
	var lacks []string
	for _, opt := range wanted {
		if !c.hidden(m, opt) && !c.has(m, have, c.canonical(opt)) {
			lacks = append(lacks, opt)
		}
	}
	slices.Sort(lacks)
	return slices.Compact(lacks)
}

// hidden says whether the kernel would not show the option, so that nobody can tell whether it is in force.
func (c *comparison) hidden(m *mounted, opt string) bool {
	key, val, _ := strings.Cut(opt, "=")
	switch {
	case strings.HasPrefix(m.fstype, "fuse") && !isFlag(opt) && !slices.Contains(strings.Fields("allow_other default_permissions max_read blksize"), key):
		return true
	case opt == "", strings.HasPrefix(opt, "x-"), strings.HasPrefix(opt, "X-"):
		return true
	case c.fstype == "cifs" && key == "user" && val != "":
		return false
	}
	return slices.Contains(c.invisible, opt) || slices.Contains(c.keys, key) || slices.Contains(c.ignored[c.fstype], key) ||
		slices.Contains(c.ignored[c.fstype], opt)
}

// negative are the flags that a mount shows, and what says that it must not have them.
func negative() map[string]string {
	return map[string]string{"ro": "rw", "noexec": "exec", "nosuid": "suid", "nodev": "dev", "noatime": "atime",
		"nodiratime": "diratime", "sync": "async", "lazytime": "nolazytime"}
}

// isFlag says whether an option is a flag of mounts of every kind, or says that it is off.
func isFlag(opt string) bool {
	for flag, off := range negative() {
		if opt == flag || opt == off {
			return true
		}
	}
	return false
}

// has says whether a mount has an option, or what the option says is shown in another way.
func (c *comparison) has(m *mounted, have map[string]bool, opt string) bool {
	if opt == "rw" {
		return !slices.Contains(m.opts, "ro") && (c.bind || !slices.Contains(m.super, "ro"))
	}
	if have[opt] {
		return true
	}
	for flag, off := range negative() {
		if opt == off {
			return !have[flag]
		}
	}
	key, val, _ := strings.Cut(opt, "=")
	switch {
	case opt == "strictatime":
		return !have["relatime"] && !have["noatime"]
	case key == "vers" && !strings.Contains(val, "."): // 4 is any of version 4
		return some(have, func(o string) bool { return strings.HasPrefix(o, opt+".") })
	case key == "compress" || key == "compress-force": // the kernel adds the level
		return some(have, func(o string) bool { return strings.HasPrefix(o, opt+":") })
	case (key == "rsize" || key == "wsize") && strings.HasPrefix(c.fstype, "nfs"): // the server may want less
		return some(have, func(o string) bool { return strings.HasPrefix(o, key+"=") && less(o, opt) })
	case key == "umask":
		return have["fmask="+val] && have["dmask="+val]
	case c.fstype == "tmpfs" && (opt == "mode=1777" || opt == "uid=0" || opt == "gid=0"):
		return !some(have, func(o string) bool { return strings.HasPrefix(o, key+"=") })
	case key == "size" && strings.HasSuffix(val, "%"):
		return some(have, func(o string) bool { return c.nearly(o, val) })
	}
	return false
}

func some(have map[string]bool, is func(string) bool) bool {
	for o := range have {
		if is(o) {
			return true
		}
	}
	return false
}

// less compares the numbers of two options.
func less(a, b string) bool {
	_, a, _ = strings.Cut(a, "=")
	_, b, _ = strings.Cut(b, "=")
	x, err1 := strconv.ParseUint(a, 10, 64)
	y, err2 := strconv.ParseUint(b, 10, 64)
	return err1 == nil && err2 == nil && x < y
}

// nearly says whether a size in bytes is a part of the machine's memory, as near as the machine tells how much it has.
func (c *comparison) nearly(opt, percent string) bool {
	p, err1 := strconv.ParseFloat(strings.TrimSuffix(percent, "%"), 64)
	n, err2 := strconv.ParseFloat(strings.TrimPrefix(opt, "size="), 64)
	want := c.memory() * p / 100
	return err1 == nil && err2 == nil && math.Abs(n-want) <= want/100
}

func memory(h *host.Host) float64 {
	data, err := os.ReadFile(h.Path("/proc/meminfo"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb * 1024
		}
	}
	return 0
}

// canonical writes an option the way in which it can be compared.
func (c *comparison) canonical(opt string) string {
	if to, ok := c.translate[opt]; ok {
		opt = to
	}
	key, val, isPair := strings.Cut(opt, "=")
	if !isPair {
		return opt
	}
	val = strings.Trim(val, `"`)
	switch key {
	case "nfsvers":
		key = "vers"
	case "user":
		if c.fstype == "cifs" {
			key = "username"
		}
	case "uid", "gid":
		val = c.number(map[string]string{"uid": "passwd", "gid": "group"}[key], val)
	case "subvol":
		val = strings.TrimLeft(val, "/")
	case "size", "nr_blocks", "nr_inodes":
		val = bytes(val)
	case "mode", "umask", "fmask", "dmask", "file_mode", "dir_mode":
		if val = strings.TrimLeft(val, "0"); val == "" {
			val = "0"
		}
	}
	return key + "=" + val
}

// bytes counts out a number with a unit; others stay.
func bytes(val string) string {
	shift := strings.IndexByte("kmgt", (" " + strings.ToLower(val))[len(val)])
	n, err := strconv.ParseUint(strings.TrimRight(val, "kmgtKMGT"), 10, 63)
	if err != nil || shift >= 0 && n > math.MaxInt64>>(10*(shift+1)) {
		return val
	}
	return fmt.Sprint(n << (10 * (shift + 1)))
}

// taken are flags of before that are in force and no longer wanted.
func taken(m *mounted, before, wanted []string) (off []string) {
	for flag := range negative() {
		if slices.Contains(before, flag) && !slices.Contains(wanted, flag) && slices.Contains(m.opts, flag) {
			off = append(off, flag)
		}
	}
	slices.Sort(off)
	return off
}
