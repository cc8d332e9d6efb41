package ps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// ticks are how many parts of a second /proc counts in, on every Linux.
const ticks = 100

// A process is what /proc tells of one.
type process struct {
	pid, ppid            int64
	name, status         string
	user                 string
	uids, gids           []int64
	cmdline              []string
	userTime, systemTime float64
	nice, threads        int64
	started              float64 // seconds since 1970
	rss, vms             int64
}

var errGone = errors.New("no such process")

// find reads a process.
func find(h *host.Host, pid int64) (*process, error) {
	dir := h.Path(fmt.Sprintf("/proc/%d", pid))
	stat, err1 := os.ReadFile(dir + "/stat")
	status, err2 := os.ReadFile(dir + "/status")
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("cannot find process %d: %w", pid, errGone)
	}
	p := &process{pid: pid}
	if err := p.readStat(stat, boot(h)); err != nil {
		return nil, fmt.Errorf("cannot read /proc/%d/stat: %w", pid, err)
	}
	for line := range strings.Lines(string(status)) {
		switch f := strings.Fields(line); {
		case len(f) == 5 && f[0] == "Uid:":
			p.uids = ints(f[1:4])
		case len(f) == 5 && f[0] == "Gid:":
			p.gids = ints(f[1:4])
		}
	}
	if len(p.uids) > 0 {
		p.user = username(h, p.uids[0])
	}
	line, _ := os.ReadFile(dir + "/cmdline") // a thread of the kernel has none
	if line = bytes.TrimRight(line, "\x00"); len(line) > 0 {
		p.cmdline = strings.Split(string(line), "\x00")
	}
	return p, nil
}

var statuses = map[byte]string{
	'R': "running", 'S': "sleeping", 'D': "disk-sleep", 'T': "stopped", 't': "tracing-stop", 'Z': "zombie", 'X': "dead",
	'I': "idle", 'W': "waking", 'P': "parked",
}

// readStat reads /proc/PID/stat (see proc_pid_stat(5)); the name in parentheses may hold anything.
func (p *process) readStat(data []byte, boot int64) error {
	i, j := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if i < 0 || j < i {
		return errors.New("it has no name in parentheses")
	}
	f := strings.Fields(string(data[j+1:]))
	if len(f) < 22 {
		return errors.New("it is too short")
	}
	p.name, p.status = string(data[i+1:j]), statuses[f[0][0]]
	n := ints(f)
	p.ppid, p.nice, p.threads = n[1], n[16], n[17]
	p.userTime, p.systemTime = float64(n[11])/ticks, float64(n[12])/ticks
	p.started = float64(boot) + float64(n[19])/ticks
	p.vms, p.rss = n[20], n[21]*int64(os.Getpagesize())
	return nil
}

func ints(texts []string) []int64 {
	out := make([]int64, len(texts))
	for i, t := range texts {
		out[i], _ = strconv.ParseInt(t, 10, 64) // what is no number is not used
	}
	return out
}

// username is the name of an account, or its number when it has none.
func username(h *host.Host, uid int64) string {
	data, _ := os.ReadFile(h.Path("/etc/passwd"))
	want := strconv.FormatInt(uid, 10)
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == want {
			return f[0]
		}
	}
	return want
}

// processes reads all that are there, in order of id. One that ends meanwhile is left out.
func processes(h *host.Host) ([]*process, error) {
	pids, err := pidsOf(h)
	var all []*process
	for _, pid := range pids {
		p, err := find(h, pid)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, err
}

func pidsOf(h *host.Host) ([]int64, error) {
	dir, err := os.ReadDir(h.Path("/proc"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pids := []int64{}
	for _, e := range dir {
		if pid, err := strconv.ParseInt(e.Name(), 10, 64); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

func pidList(_ context.Context, h *host.Host, _ struct{}) ([]int64, error) { return pidsOf(h) }

func list[T any](items []T) *value.List {
	l := value.NewList()
	for _, item := range items {
		l.Items = append(l.Items, any(item))
	}
	return l
}

func (p *process) cpu() *value.Dict { return value.NewDict("user", p.userTime, "system", p.systemTime) }

func (p *process) mem() *value.Dict { return value.NewDict("rss", p.rss, "vms", p.vms) }

type infoArgs struct {
	PID   int64    `arg:"pid,required" doc:"the id of the process"`
	Attrs []string `arg:"attrs" doc:"which things to tell; all when absent"`
}

func procInfo(_ context.Context, h *host.Host, a infoArgs) (*value.Dict, error) {
	p, err := find(h, a.PID)
	if err != nil {
		return nil, err
	}
	triple := func(ids []int64) any {
		if len(ids) != 3 {
			return nil
		}
		return value.NewDict("real", ids[0], "effective", ids[1], "saved", ids[2])
	}
	all := value.NewDict("cmdline", list(p.cmdline), "cpu_times", p.cpu(), "create_time", p.started, "gids", triple(p.gids),
		"memory_info", p.mem(), "name", p.name, "nice", p.nice, "num_threads", p.threads, "pid", p.pid, "ppid", p.ppid,
		"status", p.status, "uids", triple(p.uids), "username", p.user)
	for _, name := range []string{"cwd", "exe"} {
		to, err := os.Readlink(h.Path(fmt.Sprintf("/proc/%d/%s", a.PID, name)))
		all.Put(name, nil)
		if err == nil { // else it may not be known
			all.Put(name, to)
		}
	}
	if len(a.Attrs) == 0 {
		return all, nil
	}
	return chosen(all, a.Attrs)
}

func chosen(all *value.Dict, attrs []string) (*value.Dict, error) {
	d := &value.Dict{}
	var known []string
	for k := range all.All() {
		known = append(known, k.(string))
	}
	for _, name := range attrs {
		v, ok := all.Get(name)
		if !ok {
			return nil, fmt.Errorf("cannot tell %q of a process%s: known are %s",
				name, spell.DidYouMean(name, known), strings.Join(known, ", "))
		}
		d.Put(name, v)
	}
	return d, nil
}

type patternArgs struct {
	Pattern string `arg:"pattern,required" doc:"the text"`
	User    string `arg:"user" doc:"only those of this user"`
}

// matches are the processes whose name, or whole command line, fits. The minion's own is not among them.
func (a patternArgs) matches(h *host.Host, full bool, fits func(string) bool) ([]int64, error) {
	all, err := processes(h)
	var pids []int64
	for _, p := range all {
		text := p.name
		if full {
			text = strings.Join(p.cmdline, " ")
		}
		if p.pid != int64(os.Getpid()) && fits(text) && (a.User == "" || a.User == p.user) {
			pids = append(pids, p.pid)
		}
	}
	return pids, err
}

func (a patternArgs) check() error {
	if a.Pattern == "" {
		return errors.New("cannot look for processes: the pattern is empty")
	}
	return nil
}

type pgrepArgs struct {
	patternArgs
	Full    bool `arg:"full" doc:"look into whole command lines"`
	IsRegex bool `arg:"pattern_is_regex" doc:"the text is a regular expression"`
}

func pgrep(_ context.Context, h *host.Host, a pgrepArgs) (any, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	fits := func(s string) bool { return strings.Contains(s, a.Pattern) }
	if a.IsRegex {
		re, err := regexp.Compile(a.Pattern)
		if err != nil {
			return nil, fmt.Errorf("cannot look for processes: %v", err)
		}
		fits = re.MatchString
	}
	pids, err := a.matches(h, a.Full, fits)
	if len(pids) == 0 {
		return nil, err
	}
	return pids, err
}

type pkillArgs struct {
	patternArgs
	Signal signal `arg:"signal" default:"15" doc:"the number of the signal"`
	Full   bool   `arg:"full" doc:"look into whole command lines"`
}

// signal is the number of one.
type signal int

func (s *signal) ArgType() string { return "signal" }

func (s *signal) ParseArg(v module.Value) error {
	text, _ := v.Str()
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 64 {
		return v.Want("the number of a signal")
	}
	*s = signal(n)
	return nil
}

func (s signal) send(h *host.Host, pid int64) error {
	if !h.Real() {
		return errors.New("cannot signal a process: the root directory is not the machine's own")
	}
	return syscall.Kill(int(pid), syscall.Signal(s))
}

func pkill(_ context.Context, h *host.Host, a pkillArgs) (any, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	pids, err := a.matches(h, a.Full, func(s string) bool { return strings.Contains(s, a.Pattern) })
	if err != nil {
		return nil, err
	}
	killed := value.NewList()
	for _, pid := range pids {
		switch err := a.Signal.send(h, pid); {
		case errors.Is(err, syscall.ESRCH):
		case err != nil:
			return nil, fmt.Errorf("cannot signal process %d: %w", pid, err)
		default:
			killed.Items = append(killed.Items, pid)
		}
	}
	if len(killed.Items) == 0 {
		return nil, nil
	}
	return value.NewDict("killed", killed), nil
}

type killArgs struct {
	PID    int64  `arg:"pid,required" doc:"the id of the process"`
	Signal signal `arg:"signal" default:"15" doc:"the number of the signal"`
}

func killPID(_ context.Context, h *host.Host, a killArgs) (bool, error) {
	if a.PID <= 1 {
		return false, fmt.Errorf("cannot signal process %d", a.PID)
	}
	err := a.Signal.send(h, a.PID)
	if errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

type topArgs struct {
	Number   int           `arg:"num_processes" default:"5" doc:"how many; 0 is all"`
	Interval time.Duration `arg:"interval" default:"3" doc:"for how long they are watched"`
}

func top(ctx context.Context, h *host.Host, a topArgs) (*value.List, error) {
	before, err := processes(h)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, a.Interval); err != nil {
		return nil, err
	}
	after, err := processes(h)
	if err != nil {
		return nil, err
	}
	used := map[int64]float64{}
	for _, p := range before {
		used[p.pid] = p.userTime + p.systemTime
	}
	spent := func(p *process) float64 { return p.userTime + p.systemTime - used[p.pid] }
	slices.SortStableFunc(after, func(x, y *process) int {
		switch d := spent(y) - spent(x); {
		case d > 0:
			return 1
		case d < 0:
			return -1
		}
		return 0
	})
	out := value.NewList()
	for i, p := range after {
		if a.Number > 0 && i == a.Number {
			break
		}
		cmd := list(p.cmdline)
		if len(p.cmdline) == 0 {
			cmd = value.NewList(p.name)
		}
		out.Items = append(out.Items, value.NewDict("cmd", cmd, "user", p.user, "status", p.status, "pid", p.pid,
			"create_time", p.started, "cpu", p.cpu(), "mem", p.mem()))
	}
	return out, nil
}

// wait waits, or returns why it was cut off.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type psauxArgs struct {
	Name string `arg:"name,required" doc:"a regular expression"`
}

func psaux(ctx context.Context, h *host.Host, a psauxArgs) (*value.List, error) {
	re, err := regexp.Compile(a.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot look for processes: %v", err)
	}
	out, err := h.Run(ctx, "ps", "aux")
	if err != nil {
		return nil, err
	}
	found := value.NewList()
	for line := range strings.SplitSeq(out, "\n") {
		if re.MatchString(line) {
			found.Items = append(found.Items, line)
		}
	}
	return value.NewList(a.Name, found, fmt.Sprintf("%d occurrence(s).", len(found.Items))), nil
}

// boot is when the host was booted, in seconds since 1970; 0 when that is not known.
func boot(h *host.Host) int64 {
	data, _ := os.ReadFile(filepath.Join(h.Path("/proc"), "stat"))
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "btime" {
			return ints(f)[1]
		}
	}
	return 0
}
