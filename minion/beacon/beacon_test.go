package beacon_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/beacon"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/ps"
	"brine/states/mod/status"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

// A world is a minion with beacons, as far as they see it.
type world struct {
	t   testing.TB
	h   *hosttest.Host
	set *beacon.Set

	mu     sync.Mutex // guards the fields below
	events []string
	job    beacon.Job
}

// fakeServices has a service run when there is a file /fake/NAME; /fake/NAME.ended says when it last ended.
var fakeServices = module.Module{Name: "service", Doc: "fake", Funcs: []module.Func{
	{Name: "status", Doc: "fake", Do: module.Call(func(_ context.Context, h *host.Host, a struct {
		Name string `arg:"name,required" doc:"fake"`
	}) (bool, error) {
		_, err := os.Stat(h.Path("/fake/" + a.Name))
		return err == nil, nil
	})},
	{Name: "show", Doc: "fake", Do: module.Call(func(_ context.Context, h *host.Host, a struct {
		Name string `arg:"name,required" doc:"fake"`
	}) (*value.Dict, error) {
		ended, err := os.ReadFile(h.Path("/fake/" + a.Name + ".ended"))
		return value.NewDict("ActiveExitTimestampMonotonic", string(ended)), err
	})},
}}

// fakePackages knows of the packages in /fake/packages, a line each: NAME VERSION LATEST.
var fakePackages = module.Module{Name: "pkg", Doc: "fake", Funcs: []module.Func{
	{Name: "version", Doc: "fake", Do: module.Call(func(_ context.Context, h *host.Host, a struct {
		Name string `arg:"name,required" doc:"fake"`
	}) (string, error) {
		return packageField(h, a.Name, 1), nil
	})},
	{Name: "latest_version", Doc: "fake", Do: module.Call(func(_ context.Context, h *host.Host, a struct {
		Name    string `arg:"name,required" doc:"fake"`
		Refresh bool   `arg:"refresh" doc:"fake"`
	}) (string, error) {
		return packageField(h, a.Name, 2), nil
	})},
}}

func packageField(h *host.Host, name string, n int) string {
	data, _ := os.ReadFile(h.Path("/fake/packages"))
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > n && f[0] == name {
			return f[n]
		}
	}
	return ""
}

// parse reads YAML.
func parse(t testing.TB, text string) any {
	t.Helper()
	doc, err := yaml.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Data()
}

func parseDict(t testing.TB, text string) *value.Dict {
	t.Helper()
	d, _ := parse(t, text).(*value.Dict)
	return d
}

// newWorld makes one with beacons in YAML. Call start in its bubble.
func newWorld(t testing.TB, fixed string) *world {
	w := &world{t: t, h: hosttest.New(t)}
	w.h.Modules = module.NewIndex(status.Module, ps.Module, fakeServices, fakePackages)
	w.set = beacon.New(beacon.Options{
		ID: "web1", Fixed: parseDict(t, fixed), Log: hclog.NewNullLogger(),
		Host: func(context.Context) *host.Host { return w.h.Host },
		Send: w.send,
		Job: func() beacon.Job {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.job
		},
		Where: func(key ...string) string { return strings.Join(append([]string{"minion.toml:7"}, key...), " ") },
		Write: func(own *value.Dict) (string, error) {
			text, err := value.MarshalJSON(own)
			return string(text), err
		},
	})
	return w
}

func (w *world) send(tag string, data *value.Dict, cause string) error {
	text, err := value.MarshalJSON(data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, strings.TrimSpace(strings.TrimPrefix(tag, "salt/beacon/web1/")+" "+string(text)+" "+cause))
	return err
}

// start has the beacons looked at until the test ends.
func (w *world) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.set.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// took is what was told until the fake clock has advanced.
func (w *world) took(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.events
	w.events = nil
	return got
}

func (w *world) want(d time.Duration, want ...string) {
	w.t.Helper()
	if got := w.took(d); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// A step is something that happens, and what is told in the seconds after it.
type step struct {
	write   [2]string // a file and its content
	also    [2]string // likewise
	remove  string
	append  [2]string
	rename  [2]string // after what is appended
	then    [2]string // a file and its content, after what is renamed
	seconds float64
	want    []string
}

func (w *world) do(s step) {
	w.t.Helper()
	for _, f := range [][2]string{s.write, s.also} {
		if f[0] != "" {
			w.h.Write(f[0], f[1])
		}
	}
	if s.append[0] != "" {
		w.h.Write(s.append[0], w.h.Read(s.append[0])+s.append[1])
	}
	if s.rename[0] != "" {
		if err := os.Rename(w.h.Path(s.rename[0]), w.h.Path(s.rename[1])); err != nil {
			w.t.Fatal(err)
		}
	}
	if s.then[0] != "" {
		w.h.Write(s.then[0], s.then[1])
	}
	if s.remove != "" {
		if err := os.Remove(w.h.Path(s.remove)); err != nil {
			w.t.Fatal(err)
		}
	}
	w.want(time.Duration(s.seconds*float64(time.Second)), s.want...)
}

const memory = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: %s kB\n"

func mem(available string) [2]string {
	return [2]string{"/proc/meminfo", strings.ReplaceAll(memory, "%s", available)}
}

func TestBeacons(t *testing.T) {
	for _, c := range []struct {
		name, config string
		steps        []step
	}{
		{
			"a service is told each time", "service: [{services: {nginx: {}}}, {interval: 10}]", []step{
				{write: [2]string{"/fake/nginx", ""}, seconds: 1, want: []string{`service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`}},
				{seconds: 10, want: []string{`service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`}},
			},
		},
		{
			"a service is told when it changes, with its pid file",
			"service: {services: {nginx: {onchangeonly: true, emitatstartup: false, uncleanshutdown: /run/nginx.pid}}}", []step{
				{write: [2]string{"/fake/nginx", ""}, seconds: 6},
				{write: [2]string{"/run/nginx.pid", "1"}, remove: "/fake/nginx", seconds: 12,
					want: []string{`service/nginx {"nginx":{"running":false,"uncleanshutdown":true},"service_name":"nginx","id":"web1"}`}},
				{write: [2]string{"/fake/nginx", ""}, seconds: 12, want: []string{`service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`}},
			},
		},
		{
			"a service that has run and ended again between two looks is down anew",
			"service: {services: {nginx: {onchangeonly: true, emitatstartup: false}}}", []step{
				{write: [2]string{"/fake/nginx.ended", "0"}, seconds: 10},
				{write: [2]string{"/fake/nginx.ended", "4711"}, seconds: 10, want: []string{`service/nginx {"nginx":{"running":false},"service_name":"nginx","id":"web1"}`}},
				{write: [2]string{"/fake/nginx.ended", "0"}, seconds: 10},
				{write: [2]string{"/fake/nginx.ended", "4712"}, seconds: 10, want: []string{`service/nginx {"nginx":{"running":false},"service_name":"nginx","id":"web1"}`}},
				{write: [2]string{"/fake/nginx", ""}, seconds: 10, want: []string{`service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`}},
			},
		},
		{
			"a delay leaves out what is soon as before", "service: [{services: {nginx: {onchangeonly: true, delay: 12}}}]", []step{
				{write: [2]string{"/fake/nginx", ""}, seconds: 16, want: []string{`service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`}},
				{remove: "/fake/nginx", seconds: 6},
				{write: [2]string{"/fake/nginx", ""}, seconds: 30},
				{remove: "/fake/nginx", seconds: 20, want: []string{`service/nginx {"nginx":{"running":false},"service_name":"nginx","id":"web1"}`}},
			},
		},
		{
			"memory is over until it clears", "memusage: [{percent: 90%}, {clear: 80%}, {onchangeonly: true}]", []step{
				{write: mem("200"), seconds: 6},
				{write: mem("100"), seconds: 11, want: []string{`memusage/ {"memusage":90.0,"exceeded":true,"id":"web1"}`}},
				{write: mem("150"), seconds: 11},
				{write: mem("300"), seconds: 11, want: []string{`memusage/ {"memusage":70.0,"exceeded":false,"id":"web1"}`}},
			},
		},
		{
			"memory is told each time while it is over, for so long", "memusage: {percent: 90, for: 7}", []step{
				{write: mem("50"), seconds: 6},
				{seconds: 10, want: []string{`memusage/ {"memusage":95.0,"exceeded":true,"id":"web1"}`, `memusage/ {"memusage":95.0,"exceeded":true,"id":"web1"}`}},
				{write: mem("500"), seconds: 10},
			},
		},
		{
			"load leaves its band", "load: [{averages: {1m: [0.0, 2.0], 5m: [0.1, 1.5]}}, {onchangeonly: true}]", []step{
				{write: [2]string{"/proc/loadavg", "1.00 1.00 1.00 1/1 1"}, seconds: 6},
				{write: [2]string{"/proc/loadavg", "2.50 1.60 1.00 1/1 1"}, seconds: 11, want: []string{`load/ {"1m":2.5,"5m":1.6,"15m":1.0,"id":"web1"}`}},
				{write: [2]string{"/proc/loadavg", "0.00 0.00 1.00 1/1 1"}, seconds: 11, want: []string{`load/ {"1m":0.0,"5m":0.0,"15m":1.0,"id":"web1"}`}},
				{write: [2]string{"/proc/loadavg", "1.00 1.00 1.00 1/1 1"}, seconds: 11},
			},
		},
		{
			"processes run or not", "ps: [{processes: {nginx: stopped, mysqld: running, a-name-longer-than-15: running, cron: {}}}, {interval: 10}]", []step{
				{write: [2]string{"/proc/7/comm", "nginx\n"}, seconds: 0.5, want: []string{`ps/ {"cron":false,"id":"web1"}`}},
				{write: [2]string{"/proc/8/comm", "mysqld\n"}, remove: "/proc/7/comm", seconds: 10,
					want: []string{`ps/ {"nginx":"Stopped","id":"web1"}`, `ps/ {"mysqld":"Running","id":"web1"}`, `ps/ {"cron":false,"id":"web1"}`}},
			},
		},
		{
			"lines of a file, also when it is rotated", "log: [{file: /var/log/app}, {tags: {bad/news: {regex: '.*error'}}}]", []step{
				{write: [2]string{"/var/log/app", "error before\n"}, seconds: 1},
				{append: [2]string{"/var/log/app", "fine\nan error\nan error\nan error\nan err"}, seconds: 2,
					want: []string{`log/bad/news {"match":"yes","raw":"an error","error":"","id":"web1","count":3}`}},
				{append: [2]string{"/var/log/app", "or again\n"}, seconds: 2,
					want: []string{`log/bad/news {"match":"yes","raw":"an error again","error":"","id":"web1"}`}},
				{append: [2]string{"/var/log/app", "error last\nand error"}, rename: [2]string{"/var/log/app", "/var/log/app.1"},
					seconds: 2,
					want:    []string{`log/bad/news {"match":"yes","raw":"error last","error":"","id":"web1"}`}},
				{append: [2]string{"/var/log/app.1", " of it\nerror there\nthe last error"}, seconds: 2, want: []string{
					`log/bad/news {"match":"yes","raw":"and error of it","error":"","id":"web1"}`,
					`log/bad/news {"match":"yes","raw":"error there","error":"","id":"web1"}`}},
				{write: [2]string{"/var/log/app", "error new\n"}, seconds: 2, want: []string{
					`log/bad/news {"match":"yes","raw":"the last error","error":"","id":"web1"}`,
					`log/bad/news {"match":"yes","raw":"error new","error":"","id":"web1"}`}},
				{append: [2]string{"/var/log/app", "error 2\n"}, rename: [2]string{"/var/log/app", "/var/log/app.1"}, then: [2]string{"/var/log/app", "error 3\n"},
					seconds: 2,
					want:    []string{`log/bad/news {"match":"yes","raw":"error 2","error":"","id":"web1"}`, `log/bad/news {"match":"yes","raw":"error 3","error":"","id":"web1"}`}},
				{append: [2]string{"/var/log/app", "error 4\n"}, remove: "/var/log/app", seconds: 2,
					want: []string{`log/bad/news {"match":"yes","raw":"error 4","error":"","id":"web1"}`}},
			},
		},
		{
			"a log that comes late is new as a whole", "log: [{file: /var/log/late}, {tags: {a: {regex: .}}}]", []step{
				{seconds: 2, want: []string{`salt/minion/web1/beacon_error/log {"id":"web1","beacon":"log","place":"minion.toml:7 log","errors":["cannot follow /var/log/late: no such file or directory"]}`}},
				{write: [2]string{"/var/log/late", "x\n"}, seconds: 2, want: []string{`log/a {"match":"yes","raw":"x","error":"","id":"web1"}`}},
			},
		},
		{
			"packages come, and have upgrades", "pkg: [{pkgs: [zsh, vim]}, {interval: 10}]", []step{
				{write: [2]string{"/fake/packages", "vim 1"}, seconds: 1},
				{write: [2]string{"/fake/packages", "vim 1 2\nzsh 5"}, seconds: 10,
					want: []string{`pkg/ {"pkg":"zsh","version":"5","status":"installed","id":"web1"}`, `pkg/ {"pkg":"vim","version":"2","status":"upgrade","id":"web1"}`}},
				{seconds: 20},
			},
		},
		{
			"settings of the network", "network_settings: [{interfaces: {'eth*': {operstate: , mtu: {onvalue: 9000}}}}]", []step{
				{write: [2]string{"/sys/class/net/eth0/operstate", "up\n"}, seconds: 1},
				{write: [2]string{"/sys/class/net/eth0/mtu", "1500\n"}, seconds: 5},
				{write: [2]string{"/sys/class/net/eth0/mtu", "9000\n"}, seconds: 5, want: []string{`network_settings/eth0 {"interface":"eth0","change":{"mtu":9000},"id":"web1"}`}},
				{write: [2]string{"/sys/class/net/eth0/operstate", "down\n"}, seconds: 5, want: []string{`network_settings/eth0 {"interface":"eth0","change":{"operstate":"DOWN"},"id":"web1"}`}},
			},
		},
		{
			"counters of the network", "network_info: [{interfaces: {eth0: {type: greater, errin: 100}}}, {interval: 10}]", []step{
				{write: [2]string{"/sys/class/net/eth0/x", ""}, also: [2]string{"/proc/net/dev", "eth0: 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n"}, seconds: 1},
				{write: [2]string{"/proc/net/dev", "eth0: 10 1 101 0 0 0 0 0 20 2 0 0 0 0 0 0\n"}, seconds: 10,
					want: []string{`network_info/ {"interface":"eth0","network_info":{"bytes_sent":20,"bytes_recv":10,"packets_sent":2,"packets_recv":1,"errin":101,"errout":0,"dropin":0,"dropout":0},"id":"web1"}`}},
			},
		},
		{
			"status tells what was chosen", "status: [{loadavg: [1-min]}, {interval: 60}]", []step{
				{write: [2]string{"/proc/loadavg", "1.00 2.00 3.00 1/1 1"}, seconds: 1, want: []string{`status/2000-01-01T00:00:00.000000 {"data":{"loadavg":{"1-min":1.0}},"id":"web1"}`}},
			},
		},
		{
			"what runs once", "service: [{services: {nginx: {}}}, {run_once: true}]", []step{
				{seconds: 60, want: []string{`service/nginx {"nginx":{"running":false},"service_name":"nginx","id":"web1"}`}},
			},
		},
		{
			"one that rests, and one under another name", "service: [{services: {nginx: {}}}, {enabled: false}]\nmine: [{services: {db: {}}}, {beacon_module: service}]", []step{
				{seconds: 1, want: []string{`mine/db {"db":{"running":false},"service_name":"db","id":"web1"}`}},
			},
		},
		{
			"all rest", "enabled: false\nservice: [{services: {nginx: {}}}]", []step{{seconds: 60}},
		},
		{
			"what is wrong is told once, and the others go on",
			"service: [{services: {nginx: {onchangeonly: perhaps, dely: 3}}}]\nmemusage: [{percent: 90, clear: 95}]\npps: []\nps: [{processes: {nginx: stopped}}, {interval: 20}]", []step{
				{write: [2]string{"/proc/7/comm", "cron\n"}, seconds: 15, want: []string{
					`salt/minion/web1/beacon_error/service {"id":"web1","beacon":"service","place":"minion.toml:7 service services nginx onchangeonly","errors":["services.nginx.onchangeonly: want true or false, got \"perhaps\"","services.nginx.dely: there is no such key (did you mean \"delay\"?)"]}`,
					`salt/minion/web1/beacon_error/memusage {"id":"web1","beacon":"memusage","place":"minion.toml:7 memusage percent","errors":["percent: clear = 95: want at most the limit, which is 90"]}`,
					`salt/minion/web1/beacon_error/pps {"id":"web1","beacon":"pps","place":"minion.toml:7 pps","errors":["there is no beacon \"pps\" (did you mean \"ps\"?)"]}`,
					`ps/ {"nginx":"Stopped","id":"web1"}`,
				}},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.config)
				first := true
				for _, s := range c.steps {
					if first {
						s0 := s
						s0.seconds, s0.want = 0, nil
						w.do(s0)
						w.start()
						first = false
						w.want(time.Duration(s.seconds*float64(time.Second)), s.want...)
						continue
					}
					w.do(s)
				}
			})
		})
	}
}
