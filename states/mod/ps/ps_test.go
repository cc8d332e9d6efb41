package ps_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/ps"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, ps.Module, moduletest.Options{}) }

func call(ctx context.Context, t *testing.T, h *host.Host, name string, args ...string) (any, string) {
	t.Helper()
	f, err := module.NewIndex(ps.Module).Func("ps." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(ctx, h, module.Words(args...))
	if err != nil {
		return err, err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return r.Value, string(json)
}

// recorded is a host whose /proc was written down.
func recorded(t *testing.T) *hosttest.Host {
	t.Helper()
	h := hosttest.New(t)
	h.Write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
	stat := func(pid int, name, state string, user, system, start int) string {
		return fmt.Sprintf("%d (%s) %s 1 7 7 0 -1 4194560 1 0 0 0 %d %d 0 0 20 0 3 0 %d 8192 2 18446744073709551615 1 1\n",
			pid, name, state, user, system, start)
	}
	status := func(uid int) string { return fmt.Sprintf("Name:\tx\nUid:\t%d\t0\t0\t0\nGid:\t%d\t0\t0\t0\n", uid, uid) }
	for name, content := range map[string]string{
		"7/stat": stat(7, "nginx", "S", 150, 50, 1000), "7/status": status(0), "7/cmdline": "nginx:\x00master\x00-g daemon\x00",
		"80/stat": stat(80, "a (b) c", "R", 300, 0, 2000), "80/status": status(1000), "80/cmdline": "",
		"99/stat": stat(99, "nginx", "Z", 1, 1, 3000), "99/status": status(4711), "99/cmdline": "nginx:\x00worker\x00",
		"stat": "cpu  1000 0 500 8500 0 0 0 0 0 0\ncpu0 400 0 300 4300 0 0 0 0 0 0\ncpu1 600 0 200 4200 0 0 0 0 0 0\nbtime 1700000000\n",
		"meminfo": "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 500 kB\nBuffers: 50 kB\nCached: 300 kB\nActive: 400 kB\nInactive: 150 kB\n" +
			"Shmem: 10 kB\nSlab: 40 kB\nSReclaimable: 30 kB\nSwapTotal: 400 kB\nSwapFree: 300 kB\n",
		"vmstat":      "pswpin 1\npswpout 0\n",
		"filesystems": "nodev\tproc\n\text4\nnodev\ttmpfs\n",
		"mounts":      "/dev/sda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n/dev/sdb1 /mnt/my\\040disk ext4 ro 0 0\n",
		"net/dev": "Inter-| Receive | Transmit\n face |bytes packets|bytes packets\n" +
			"    lo: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n  eth0:100 5 1 2 0 0 0 0 200 6 3 4 0 0 0 0\n",
		"diskstats": "8 0 sda 10 0 4 5 20 0 8 6 0 0 0 0 0 0\n8 1 sda1 9 0 2 4 19 0 6 5 0 0 0 0 0 0\n",
	} {
		h.Write("/proc/"+name, content)
	}
	h.Write("/sys/class/block/sda1/partition", "1\n")
	if err := os.Symlink("/usr/sbin/nginx", h.Path("/proc/7/exe")); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRecordedHost(t *testing.T) {
	h := recorded(t)
	h.Answer("ps aux", host.Output{Stdout: []byte("USER PID COMMAND\nroot 7 nginx: master\nann 80 x\n")})
	const nginx = `{"cmdline":["nginx:","master","-g daemon"],"cpu_times":{"user":1.5,"system":0.5},"create_time":1700000010.0,` +
		`"gids":{"real":0,"effective":0,"saved":0},"memory_info":{"rss":PAGES,"vms":8192},"name":"nginx","nice":0,` +
		`"num_threads":3,"pid":7,"ppid":1,"status":"sleeping","uids":{"real":0,"effective":0,"saved":0},"username":"root",` +
		`"cwd":null,"exe":"/usr/sbin/nginx"}`
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"get_pid_list", nil, "[7,80,99]"},
		{"proc_info", []string{"7"}, strings.Replace(nginx, "PAGES", strconv.Itoa(2*os.Getpagesize()), 1)},
		{"proc_info", []string{"80", "[name, username, cmdline, status]"}, `{"name":"a (b) c","username":"ann","cmdline":[],"status":"running"}`},
		{"proc_info", []string{"80", "nmae"}, `cannot tell "nmae" of a process (did you mean "name"?): known are cmdline, cpu_times, ` +
			`create_time, gids, memory_info, name, nice, num_threads, pid, ppid, status, uids, username, cwd, exe`},
		{"proc_info", []string{"5"}, "cannot find process 5: no such process"},
		{"pgrep", []string{"ngin"}, "[7,99]"},
		{"pgrep", []string{"nginx", "user=root"}, "[7]"},
		{"pgrep", []string{"worker"}, "null"},
		{"pgrep", []string{"worker", "full=True"}, "[99]"},
		{"pgrep", []string{"^(n|a)", "pattern_is_regex=True"}, "[7,80,99]"},
		{"pgrep", []string{"(", "pattern_is_regex=True"}, "cannot look for processes: error parsing regexp: missing closing ): `(`"},
		{"pgrep", []string{""}, "cannot look for processes: the pattern is empty"},
		{"pkill", []string{"nosuch"}, "null"},
		{"pkill", []string{"nginx"}, "cannot signal process 7: cannot signal a process: the root directory is not the machine's own"},
		{"pkill", []string{"nginx", "signal=TERM"}, `cannot call ps.pkill: argument "signal": want the number of a signal, got "TERM"`},
		{"kill_pid", []string{"1"}, "cannot signal process 1"},
		{"kill_pid", []string{"-5"}, "cannot signal process -5"},
		{"num_cpus", nil, "2"},
		{"cpu_times", nil, `{"user":10.0,"nice":0.0,"system":5.0,"idle":85.0,"iowait":0.0,"irq":0.0,"softirq":0.0,"steal":0.0,` +
			`"guest":0.0,"guest_nice":0.0}`},
		{"cpu_percent", []string{"interval=0"}, "0.0"},
		{"cpu_percent", []string{"interval=0", "per_cpu=True"}, "[0.0,0.0]"},
		{"virtual_memory", nil, `{"total":1024000,"available":512000,"percent":50.0,"used":430080,"free":204800,"active":409600,` +
			`"inactive":153600,"buffers":51200,"cached":337920,"shared":10240,"slab":40960}`},
		{"total_physical_memory", nil, "1024000"},
		{"swap_memory", nil, fmt.Sprintf(`{"total":409600,"used":102400,"free":307200,"percent":25.0,"sin":%d,"sout":0}`, os.Getpagesize())},
		{"disk_partitions", nil, `[{"device":"/dev/sda1","mountpoint":"/","fstype":"ext4","opts":"rw,relatime"},` +
			`{"device":"/dev/sdb1","mountpoint":"/mnt/my disk","fstype":"ext4","opts":"ro"}]`},
		{"disk_usage", []string{"/nosuch"}, `cannot ask for the usage of "/nosuch": no such file or directory`},
		{"boot_time", nil, "1700000000"},
		{"boot_time", []string{"%c"}, `cannot write a time as "%c": there is iso`},
		{"network_io_counters", nil, `{"bytes_sent":220,"bytes_recv":110,"packets_sent":8,"packets_recv":6,"errin":1,"errout":3,"dropin":2,"dropout":4}`},
		{"network_io_counters", []string{"lo"}, `{"bytes_sent":20,"bytes_recv":10,"packets_sent":2,"packets_recv":1,"errin":0,"errout":0,"dropin":0,"dropout":0}`},
		{"network_io_counters", []string{"eth1"}, `cannot find the interface "eth1" (did you mean "eth0"?)`},
		{"disk_io_counters", nil, `{"read_count":10,"write_count":20,"read_bytes":2048,"write_bytes":4096,"read_time":5,"write_time":6}`},
		{"disk_io_counters", []string{"sda1"}, `{"read_count":9,"write_count":19,"read_bytes":1024,"write_bytes":3072,"read_time":4,"write_time":5}`},
		{"psaux", []string{"ngi.x"}, `["ngi.x",["root 7 nginx: master"],"1 occurrence(s)."]`},
	} {
		if _, got := call(t.Context(), t, h.Host, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
	v, text := call(t.Context(), t, h.Host, "top", "num_processes=2", "interval=0")
	if l, ok := v.(*value.List); !ok || len(l.Items) != 2 || !strings.HasPrefix(text, `[{"cmd":["nginx:","master","-g daemon"],"user":"root"`) {
		t.Errorf("top: got %s", text)
	}
	v, _ = call(t.Context(), t, h.Host, "disk_usage", "/")
	if total, _ := v.(*value.Dict).Get("total"); total.(int64) <= 0 {
		t.Errorf("disk_usage: got %v", total)
	}
}

func TestWithoutProc(t *testing.T) {
	for name, want := range map[string]string{
		"virtual_memory": "cannot tell of memory: there is no /proc/meminfo",
		"num_cpus":       "cannot tell the times of the processors: there is no /proc/stat",
		"boot_time":      "cannot tell when the host was booted: there is no /proc/stat",
		"get_pid_list":   "[]",
	} {
		if _, got := call(t.Context(), t, hosttest.New(t).Host, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestTopEndsWithItsJob(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("cancelled by ann")
	cancel(why)
	for _, name := range []string{"top", "cpu_percent"} {
		if got, _ := call(ctx, t, recorded(t).Host, name, "interval=600"); !errors.Is(got.(error), why) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// The only test that signals: a child of its own, by a name that nothing else has.
func TestPkill(t *testing.T) {
	mark := fmt.Sprintf("brine-ps-test-%d", os.Getpid())
	child := exec.Command("/bin/sh", "-c", "echo ready; read line", mark)
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	h := &host.Host{}
	if _, got := call(t.Context(), t, h, "pkill", mark, "full=True"); got != fmt.Sprintf(`{"killed":[%d]}`, child.Process.Pid) {
		t.Errorf("got %s", got)
	}
	if err := child.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("the child ended with %v", err)
	}
	if _, got := call(t.Context(), t, h, "pkill", mark, "full=True"); got != "null" {
		t.Errorf("again: got %s", got)
	}
}
