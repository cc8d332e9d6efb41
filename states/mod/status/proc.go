package status

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/value"
)

type none = struct{}

// rows returns the lines of a file of /proc as fields, without empty ones; a file that isn't there has none.
func rows(h *host.Host, name string) ([][]string, error) {
	data, err := os.ReadFile(h.Path("/proc/" + name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all [][]string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 0 {
			all = append(all, f)
		}
	}
	return all, nil
}

// number makes a number of text that is one.
func number(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return text
}

func numbers(texts []string) *value.List {
	list := value.NewList()
	for _, t := range texts {
		list.Items = append(list.Items, number(t))
	}
	return list
}

// counters puts numbers under names, as far as there are any.
func counters(names, texts []string) *value.Dict {
	d := &value.Dict{}
	for i, name := range names {
		if i < len(texts) && name != "" {
			d.Put(name, number(texts[i]))
		}
	}
	return d
}

func loadavg(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "loadavg")
	if err != nil || len(all) == 0 {
		return &value.Dict{}, err
	}
	return counters([]string{"1-min", "5-min", "15-min"}, all[0]), nil
}

func meminfo(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "meminfo")
	d := &value.Dict{}
	for _, f := range all {
		if len(f) < 2 {
			continue
		}
		item := value.NewDict("value", f[1])
		if len(f) > 2 {
			item.Put("unit", f[2])
		}
		d.Put(strings.ReplaceAll(f[0], ":", ""), item)
	}
	return d, err
}

func cpuinfo(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "cpuinfo")
	d := &value.Dict{}
	for _, f := range all {
		name, val, ok := strings.Cut(strings.Join(f, " "), ":")
		name, val = strings.TrimSpace(name), strings.TrimSpace(val)
		switch {
		case !ok:
		case name == "flags" || name == "Features":
			list := value.NewList()
			for word := range strings.FieldsSeq(val) {
				list.Items = append(list.Items, word)
			}
			d.Put(name, list)
		default:
			d.Put(name, val)
		}
	}
	return d, err
}

var cpuTimes = []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}

func cpustats(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "stat")
	d := &value.Dict{}
	for _, f := range all {
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "cpu":
			d.Put(f[0], counters(cpuTimes, f[1:]))
		case "intr":
			d.Put(f[0], value.NewDict("total", number(f[1]), "irqs", numbers(f[2:])))
		case "softirq":
			d.Put(f[0], value.NewDict("total", number(f[1]), "softirqs", numbers(f[2:])))
		default:
			d.Put(f[0], number(f[1]))
		}
	}
	return d, err
}

var diskCounters = []string{"major", "minor", "device", "reads_issued", "reads_merged", "sectors_read", "ms_spent_reading",
	"writes_completed", "writes_merged", "sectors_written", "ms_spent_writing", "io_in_progress", "ms_spent_in_io",
	"weighted_ms_spent_in_io"}

func diskstats(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "diskstats")
	d := &value.Dict{}
	for _, f := range all {
		if len(f) >= len(diskCounters) {
			d.Put(f[2], counters(diskCounters, f))
		}
	}
	return d, err
}

func vmstats(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "vmstat")
	d := &value.Dict{}
	for _, f := range all {
		if len(f) == 2 {
			d.Put(f[0], number(f[1]))
		}
	}
	return d, err
}

// netstats reads pairs of lines: names, then numbers.
func netstats(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "net/netstat")
	d := &value.Dict{}
	for i := 0; i+1 < len(all); i += 2 {
		names, values := all[i], all[i+1]
		if names[0] == values[0] {
			d.Put(strings.TrimSuffix(names[0], ":"), counters(names[1:], values[1:]))
		}
	}
	return d, err
}

var deviceCounters = []string{"rx_bytes", "rx_packets", "rx_errs", "rx_drop", "rx_fifo", "rx_frame", "rx_compressed",
	"rx_multicast", "tx_bytes", "tx_packets", "tx_errs", "tx_drop", "tx_fifo", "tx_colls", "tx_carrier", "tx_compressed"}

func netdev(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "net/dev")
	d := &value.Dict{}
	for _, f := range all {
		name, rest, ok := strings.Cut(strings.Join(f, " "), ":")
		if !ok {
			continue
		}
		item := value.NewDict("iface", name)
		for k, v := range counters(deviceCounters, strings.Fields(rest)).All() {
			item.Put(k.(string), v)
		}
		d.Put(name, item)
	}
	return d, err
}

func nproc(context.Context, *host.Host, none) (int, error) { return runtime.NumCPU(), nil }

func version(_ context.Context, h *host.Host, _ none) (any, error) {
	data, err := os.ReadFile(h.Path("/proc/version"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

type usageArgs struct {
	Args []string `arg:"args,rest" doc:"paths, or kinds of file systems as globs; all when absent"`
}

func diskusage(_ context.Context, h *host.Host, a usageArgs) (*value.Dict, error) {
	mounts, err := rows(h, "mounts")
	if err != nil {
		return nil, err
	}
	var paths, kinds []string
	for _, arg := range a.Args {
		if strings.HasPrefix(arg, "/") {
			paths = append(paths, arg)
		} else {
			kinds = append(kinds, arg)
		}
	}
	if len(a.Args) == 0 {
		kinds = []string{"*"}
	}
	for _, f := range mounts {
		for _, kind := range kinds {
			ok, err := path.Match(kind, f[min(2, len(f)-1)])
			if err != nil {
				return nil, fmt.Errorf("cannot look for file systems of kind %q: it is no pattern", kind)
			}
			if at := unescape(f[min(1, len(f)-1)]); ok && !slices.Contains(paths, at) {
				paths = append(paths, at)
			}
		}
	}
	d := &value.Dict{}
	for _, p := range paths {
		var st unix.Statfs_t
		if err := unix.Statfs(h.Path(p), &st); err != nil {
			if slices.Contains(a.Args, p) {
				return nil, fmt.Errorf("cannot ask for the usage of %q: %w", p, err)
			}
			continue // one that may not be asked, such as another user's FUSE
		}
		size := uint64(st.Bsize)
		d.Put(p, value.NewDict("available", int64(st.Bavail*size), "total", int64(st.Blocks*size)))
	}
	return d, nil
}

// unescape reads the octal escapes of blanks in /proc/mounts.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
