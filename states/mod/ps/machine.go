package ps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

// rows returns the lines of a file of /proc as fields; a file that isn't there has none.
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

func percentOf(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return math.Round(1000*part/whole) / 10
}

var timeNames = []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"}

// A cpu is what one processor, or all, spent its time for, in seconds.
type cpu []float64

// cpus are all together, and each.
func cpus(h *host.Host) (all cpu, each []cpu, err error) {
	lines, err := rows(h, "stat")
	for _, f := range lines {
		if !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		c := make(cpu, len(timeNames))
		for i, n := range ints(f[1:min(len(f), len(timeNames)+1)]) {
			c[i] = float64(n) / ticks
		}
		if f[0] == "cpu" {
			all = c
		} else {
			each = append(each, c)
		}
	}
	if err == nil && all == nil {
		err = errors.New("cannot tell the times of the processors: there is no /proc/stat")
	}
	return all, each, err
}

func (c cpu) dict() *value.Dict {
	d := &value.Dict{}
	for i, name := range timeNames {
		d.Put(name, c[i])
	}
	return d
}

// busy is how busy it was since before, in percent.
func (c cpu) busy(before cpu) float64 {
	total, idle := 0.0, 0.0
	for i, name := range timeNames {
		d := max(c[i]-before[i], 0)
		switch name {
		case "guest", "guest_nice": // counted in user and nice
			continue
		case "idle", "iowait":
			idle += d
		}
		total += d
	}
	return percentOf(total-idle, total)
}

type timesArgs struct {
	PerCPU bool `arg:"per_cpu" doc:"return a list, one for each processor"`
}

func cpuTimes(_ context.Context, h *host.Host, a timesArgs) (any, error) {
	all, each, err := cpus(h)
	if err != nil {
		return nil, err
	}
	if !a.PerCPU {
		return all.dict(), nil
	}
	l := value.NewList()
	for _, c := range each {
		l.Items = append(l.Items, c.dict())
	}
	return l, nil
}

type percentArgs struct {
	Interval time.Duration `arg:"interval" default:"0.1" doc:"for how long they are watched"`
	PerCPU   bool          `arg:"per_cpu" doc:"return a list, one for each processor"`
}

func cpuPercent(ctx context.Context, h *host.Host, a percentArgs) (any, error) {
	before, eachBefore, err := cpus(h)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, a.Interval); err != nil {
		return nil, err
	}
	all, each, err := cpus(h)
	if err != nil || !a.PerCPU {
		return all.busy(before), err
	}
	l := value.NewList()
	for i, c := range each {
		if i < len(eachBefore) {
			l.Items = append(l.Items, c.busy(eachBefore[i]))
		}
	}
	return l, nil
}

func numCPUs(_ context.Context, h *host.Host, _ struct{}) (int, error) {
	_, each, err := cpus(h)
	return len(each), err
}

// meminfo is /proc/meminfo in bytes.
func meminfo(h *host.Host) (map[string]int64, error) {
	lines, err := rows(h, "meminfo")
	m := map[string]int64{}
	for _, f := range lines {
		if len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64) // the kernel writes numbers
			m[strings.TrimSuffix(f[0], ":")] = n * 1024
		}
	}
	if err == nil && m["MemTotal"] == 0 {
		err = errors.New("cannot tell of memory: there is no /proc/meminfo")
	}
	return m, err
}

func memory(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	m, err := meminfo(h)
	if err != nil {
		return nil, err
	}
	total, cached := m["MemTotal"], m["Cached"]+m["SReclaimable"]
	used := total - m["MemFree"] - cached - m["Buffers"]
	if used < 0 {
		used = total - m["MemFree"]
	}
	return value.NewDict("total", total, "available", m["MemAvailable"],
		"percent", percentOf(float64(total-m["MemAvailable"]), float64(total)), "used", used, "free", m["MemFree"],
		"active", m["Active"], "inactive", m["Inactive"], "buffers", m["Buffers"], "cached", cached,
		"shared", m["Shmem"], "slab", m["Slab"]), nil
}

func totalMemory(_ context.Context, h *host.Host, _ struct{}) (int64, error) {
	m, err := meminfo(h)
	return m["MemTotal"], err
}

func swap(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	m, err := meminfo(h)
	if err != nil {
		return nil, err
	}
	lines, err := rows(h, "vmstat")
	pages := map[string]int64{}
	for _, f := range lines {
		if len(f) == 2 {
			pages[f[0]] = ints(f)[1] * int64(os.Getpagesize())
		}
	}
	used := m["SwapTotal"] - m["SwapFree"]
	return value.NewDict("total", m["SwapTotal"], "used", used, "free", m["SwapFree"],
		"percent", percentOf(float64(used), float64(m["SwapTotal"])), "sin", pages["pswpin"], "sout", pages["pswpout"]), err
}

type partitionArgs struct {
	All bool `arg:"all" doc:"take those of the kernel's own kinds too, such as proc"`
}

func partitions(_ context.Context, h *host.Host, a partitionArgs) (*value.List, error) {
	kinds, err := rows(h, "filesystems")
	if err != nil {
		return nil, err
	}
	physical := map[string]bool{"zfs": true}
	for _, f := range kinds {
		if len(f) == 1 { // others have "nodev" before
			physical[f[0]] = true
		}
	}
	mounts, err := rows(h, "mounts")
	l := value.NewList()
	for _, f := range mounts {
		if len(f) < 4 || !a.All && !physical[f[2]] {
			continue
		}
		l.Items = append(l.Items, value.NewDict("device", unescape(f[0]), "mountpoint", unescape(f[1]), "fstype", f[2], "opts", f[3]))
	}
	return l, err
}

// unescape reads the octal escapes of blanks in /proc/mounts.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

type pathArgs struct {
	Path string `arg:"path,required" doc:"a path on the file system"`
}

func diskUsage(_ context.Context, h *host.Host, a pathArgs) (*value.Dict, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(h.Path(a.Path), &st); err != nil {
		return nil, fmt.Errorf("cannot ask for the usage of %q: %w", a.Path, err)
	}
	size := int64(st.Bsize)
	total, free, left := int64(st.Blocks)*size, int64(st.Bavail)*size, int64(st.Bfree)*size
	used := total - left
	return value.NewDict("total", total, "used", used, "free", free,
		"percent", percentOf(float64(used), float64(used+free))), nil
}

type timeArgs struct {
	Format string `arg:"time_format" doc:"iso for a time as in ISO 8601; seconds since 1970 when absent"`
}

func bootTime(_ context.Context, h *host.Host, a timeArgs) (any, error) {
	at := boot(h)
	switch {
	case at == 0:
		return nil, errors.New("cannot tell when the host was booted: there is no /proc/stat")
	case a.Format == "":
		return at, nil
	case a.Format == "iso":
		return time.Unix(at, 0).Format(time.RFC3339), nil
	}
	return nil, fmt.Errorf("cannot write a time as %q: there is iso", a.Format)
}

type interfaceArgs struct {
	Interface string `arg:"interface" doc:"the name of an interface; all together when absent"`
}

// netColumns are those of /proc/net/dev behind the name.
var netColumns = map[string]int{
	"bytes_sent": 8, "bytes_recv": 0, "packets_sent": 9, "packets_recv": 1, "errin": 2, "errout": 10, "dropin": 3, "dropout": 11,
}

var netNames = []string{"bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "errin", "errout", "dropin", "dropout"}

func netCounters(_ context.Context, h *host.Host, a interfaceArgs) (*value.Dict, error) {
	lines, err := rows(h, "net/dev")
	if err != nil {
		return nil, err
	}
	sums, names := make([]int64, len(netNames)), []string{}
	for _, f := range lines {
		name, rest, ok := strings.Cut(strings.Join(f, " "), ":")
		n := ints(strings.Fields(rest))
		if !ok || len(n) < 12 {
			continue
		}
		names = append(names, name)
		if a.Interface == "" || a.Interface == name {
			for i, key := range netNames {
				sums[i] += n[netColumns[key]]
			}
		}
	}
	return summed("interface", a.Interface, names, netNames, sums)
}

type deviceArgs struct {
	Device string `arg:"device" doc:"the name of a disk or partition; all disks together when absent"`
}

var diskNames = []string{"read_count", "write_count", "read_bytes", "write_bytes", "read_time", "write_time"}

func diskCounters(_ context.Context, h *host.Host, a deviceArgs) (*value.Dict, error) {
	lines, err := rows(h, "diskstats")
	if err != nil {
		return nil, err
	}
	sums, names := make([]int64, len(diskNames)), []string{}
	for _, f := range lines {
		if len(f) < 14 {
			continue
		}
		n := ints(f)
		names = append(names, f[2])
		whole := a.Device == "" && isDisk(h, f[2])
		if whole || a.Device == f[2] {
			for i, v := range []int64{n[3], n[7], n[5] * 512, n[9] * 512, n[6], n[10]} {
				sums[i] += v
			}
		}
	}
	return summed("device", a.Device, names, diskNames, sums)
}

// isDisk says whether a block device is none of the partitions of another.
func isDisk(h *host.Host, name string) bool {
	_, err := os.Stat(h.Path("/sys/class/block/" + name + "/partition"))
	return errors.Is(err, fs.ErrNotExist)
}

// summed names the sums, unless what was asked for isn't there.
func summed(what, asked string, there, names []string, sums []int64) (*value.Dict, error) {
	if asked != "" {
		found := false
		for _, name := range there {
			found = found || name == asked
		}
		if !found {
			return nil, fmt.Errorf("cannot find the %s %q%s", what, asked, spell.DidYouMean(asked, there))
		}
	}
	d := &value.Dict{}
	for i, name := range names {
		d.Put(name, sums[i])
	}
	return d, nil
}
