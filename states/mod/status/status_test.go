package status_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/status"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, status.Module, moduletest.Options{}) }

func call(t *testing.T, h *host.Host, name string, args ...string) (any, string) {
	t.Helper()
	f, err := module.NewIndex(status.Module).Func("status." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Words(args...))
	if err != nil {
		return nil, err.Error()
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
	for name, content := range map[string]string{
		"loadavg":     "0.52 1.00 2.25 3/456 7890\n",
		"meminfo":     "MemTotal:       24674868 kB\nHugePages_Total:       0\n",
		"cpuinfo":     "processor\t: 0\nmodel name\t: Old: one\n\nprocessor\t: 1\nmodel name\t: Fast: one\nflags\t\t: fpu vme\npower management:\n",
		"stat":        "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 9 0 3\nctxt 10\nbtime 1700000000\nsoftirq 5 1 4\n",
		"diskstats":   "   8       0 sda 10 1 100 5 20 2 200 6 0 7 11 0 0 0 0 1 1\n   8       1 short 1\n",
		"vmstat":      "nr_free_pages 12345\npgfault 99\n",
		"net/netstat": "TcpExt: SyncookiesSent SyncookiesRecv\nTcpExt: 1 2\nIpExt: InOctets\nIpExt: 300\n",
		"net/dev": "Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
			"  eth0:100 2 3 4 5 6 7 8 900 10 11 12 13 14 15 16\n",
		"uptime":       "93784.25 1000.00\n",
		"version":      "Linux version 6.1.0 (gcc) #1\n",
		"mounts":       "/dev/sda1 / ext4 rw 0 0\ntmpfs /tmp\\040dir tmpfs rw 0 0\nnone /gone fuse rw 0 0\n",
		"1/status":     "Name:\tsystemd\nUid:\t0\t0\t0\t0\n",
		"1/cmdline":    "/sbin/init\x00splash\x00",
		"2/status":     "Name:\tkthreadd\nUid:\t0\t0\t0\t0\n",
		"2/cmdline":    "",
		"70/status":    "Name:\tvim\nUid:\t1000\t1000\t1000\t1000\n",
		"70/cmdline":   "vim\x00a file\x00",
		"80/status":    "Name:\tx\nUid:\t4711\t0\t0\t0\n",
		"80/cmdline":   "x\x00",
		"sys/whatever": "",
	} {
		h.Write("/proc/"+name, content)
	}
	h.Write("/tmp dir/x", "")
	return h
}

func TestRecordedHost(t *testing.T) {
	h := recorded(t)
	h.Answer("w", host.Output{Stdout: []byte(` 10:01:02 up 1 day,  2:03,  1 user,  load average: 0.52, 1.00, 2.25
USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT
ann      pts/0    192.0.2.7        10:00    1.00s  0.05s  0.01s vim a file
`)})
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"loadavg", nil, `{"1-min":0.52,"5-min":1.0,"15-min":2.25}`},
		{"meminfo", nil, `{"MemTotal":{"value":"24674868","unit":"kB"},"HugePages_Total":{"value":"0"}}`},
		{"cpuinfo", nil, `{"processor":"1","model name":"Fast: one","flags":["fpu","vme"],"power management":""}`},
		{"cpustats", nil, `{"cpu":{"user":1,"nice":2,"system":3,"idle":4,"iowait":5,"irq":6,"softirq":7,"steal":8},"cpu0":1,` +
			`"intr":{"total":9,"irqs":[0,3]},"ctxt":10,"btime":1700000000,"softirq":{"total":5,"softirqs":[1,4]}}`},
		{"diskstats", nil, `{"sda":{"major":8,"minor":0,"device":"sda","reads_issued":10,"reads_merged":1,"sectors_read":100,` +
			`"ms_spent_reading":5,"writes_completed":20,"writes_merged":2,"sectors_written":200,"ms_spent_writing":6,` +
			`"io_in_progress":0,"ms_spent_in_io":7,"weighted_ms_spent_in_io":11}}`},
		{"vmstats", nil, `{"nr_free_pages":12345,"pgfault":99}`},
		{"netstats", nil, `{"TcpExt":{"SyncookiesSent":1,"SyncookiesRecv":2},"IpExt":{"InOctets":300}}`},
		{"netdev", nil, `{"eth0":{"iface":"eth0","rx_bytes":100,"rx_packets":2,"rx_errs":3,"rx_drop":4,"rx_fifo":5,"rx_frame":6,` +
			`"rx_compressed":7,"rx_multicast":8,"tx_bytes":900,"tx_packets":10,"tx_errs":11,"tx_drop":12,"tx_fifo":13,` +
			`"tx_colls":14,"tx_carrier":15,"tx_compressed":16}}`},
		{"version", nil, `"Linux version 6.1.0 (gcc) #1"`},
		{"procs", nil, `{"1":{"user":"root","cmd":"/sbin/init splash"},"2":{"user":"root","cmd":"[kthreadd]"},` +
			`"70":{"user":"ann","cmd":"vim a file"},"80":{"user":"4711","cmd":"x"}}`},
		{"pid", []string{"^ann.*file"}, `"70"`},
		{"pid", []string{"root"}, `"1\n2"`},
		{"pid", []string{"nosuch"}, `""`},
		{"pid", []string{"("}, "cannot look for processes: error parsing regexp: missing closing ): `(`"},
		{"w", nil, `[{"user":"ann","tty":"pts/0","from":"192.0.2.7","login":"10:00","idle":"1.00s","jcpu":"0.05s","pcpu":"0.01s",` +
			`"what":"vim a file"}]`},
		{"diskusage", []string{"/nosuch"}, `cannot ask for the usage of "/nosuch": no such file or directory`},
		{"diskusage", []string{"["}, `cannot look for file systems of kind "[": it is no pattern`},
		{"diskusage", []string{"nosuch?"}, "{}"},
		{"time", []string{"%Q"}, "cannot write the time: %Q is not known"},
		{"time", []string{"100%%"}, `"100%"`},
	} {
		if _, got := call(t, h.Host, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}

func TestDiskUsage(t *testing.T) {
	h := recorded(t)
	for _, tt := range []struct{ args, want string }{
		{"", "/,/tmp dir"},
		{"ext?", "/"},
		{"/proc tmpfs", "/proc,/tmp dir"},
	} {
		v, text := call(t, h.Host, "diskusage", strings.Fields(tt.args)...)
		var paths []string
		d, ok := v.(*value.Dict)
		if !ok {
			t.Fatal(text)
		}
		for k, item := range d.All() {
			paths = append(paths, k.(string))
			total, _ := item.(*value.Dict).Get("total")
			if free, _ := item.(*value.Dict).Get("available"); free.(int64) > total.(int64) {
				t.Errorf("%s: %d of %d are free", k, free, total)
			}
		}
		if got := strings.Join(paths, ","); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestUptime(t *testing.T) {
	h := recorded(t)
	h.Answer("w", host.Output{Stdout: []byte("up\nUSER TTY LOGIN@ IDLE JCPU PCPU WHAT\na b c d e f g\na b c d e f g\n")})
	v, text := call(t, h.Host, "uptime")
	d, ok := v.(*value.Dict)
	if !ok {
		t.Fatal(text)
	}
	since, _ := d.Get("since_t")
	if age := time.Now().Unix() - since.(int64); age < 93784 || age > 93784+60 {
		t.Errorf("up since %v", since)
	}
	for k, want := range map[string]any{"seconds": int64(93784), "days": int64(1), "time": "2:3", "users": int64(2)} {
		if got, _ := d.Get(k); got != want {
			t.Errorf("%s: got %v, want %v", k, got, want)
		}
	}
	if _, text := call(t, h.Host, "all_status"); !strings.Contains(text, `"vmstats":{"nr_free_pages"`) {
		t.Errorf("got %s", text)
	}
}

func TestTime(t *testing.T) {
	now := time.Now()
	if _, got := call(t, nil, "time", "%Y %B"); got != `"`+now.Format("2006 January")+`"` {
		t.Errorf("got %s", got)
	}
	if _, got := call(t, nil, "nproc"); got == "0" {
		t.Error("there is no processor")
	}
}

func TestPingMaster(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, got := call(t, nil, "ping_master", l.Addr().String()); got != "true" {
		t.Errorf("got %s", got)
	}
	l.Close()
	if _, got := call(t, nil, "ping_master", l.Addr().String()); got != "false" {
		t.Errorf("got %s", got)
	}
}
