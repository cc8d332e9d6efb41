package beacon_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brine/minion/beacon"
	"brine/states/host"
	"brine/states/value"
)

// child has each command of a name write lines as they come, until it is ended; "exit" ends it.
func child(h *host.Host, name string, lines <-chan string) *[]string {
	var ran []string
	h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		if c.Argv[0] != name {
			return host.Output{}, errors.New("not scripted")
		}
		ran = append(ran, strings.Join(c.Argv, " "))
		for {
			select {
			case line := <-lines:
				if line == "exit" {
					return host.Output{Code: 1, Stderr: []byte("it broke")}, nil
				}
				c.Tee([]byte(line))
			case <-ctx.Done():
				return host.Output{}, context.Cause(ctx)
			}
		}
	}
	return &ran
}

func TestJournald(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "journald: [{services: {sshd: {SYSLOG_IDENTIFIER: sshd, PRIORITY: 6}, cron: {_COMM: cron}}}]")
		lines := make(chan string)
		ran := child(w.h.Host, "journalctl", lines)
		w.start()
		w.want(time.Second)
		lines <- `{"SYSLOG_IDENTIFIER":"sshd","PRIORITY":"6","MESSAGE":"hi","_PID":"7","RAW":[1,2]}` + "\n" + `{"SYSLOG_ID`
		lines <- `ENTIFIER":"sshd","PRIORITY":"5"}` + "\n"
		w.want(100*time.Millisecond, `journald/sshd {"SYSLOG_IDENTIFIER":"sshd","PRIORITY":6,"MESSAGE":"hi","_PID":7,"id":"web1"}`)
		lines <- `{"_COMM":"cron","PRIORITY":"5","__CURSOR":"s=1;i=2"}` + "\n"
		w.want(100*time.Millisecond, `journald/cron {"_COMM":"cron","PRIORITY":5,"__CURSOR":"s=1;i=2","id":"web1"}`)

		// one that ends is told, and begun again where it was
		lines <- "exit"
		w.want(6*time.Second, `salt/minion/web1/beacon_error/journald {"id":"web1","beacon":"journald","place":"minion.toml:7 journald","errors":["journalctl ended with 1: it broke"]}`)
		lines <- `{"_COMM":"cron"}` + "\n"
		w.want(100*time.Millisecond, `journald/cron {"_COMM":"cron","id":"web1"}`)
		lines <- "exit"
		w.want(6*time.Second, `salt/minion/web1/beacon_error/journald {"id":"web1","beacon":"journald","place":"minion.toml:7 journald","errors":["journalctl ended with 1: it broke"]}`)
		const begin, end = "journalctl --follow --lines=0", " --output=json --no-pager --quiet"
		const fields = " SYSLOG_IDENTIFIER=sshd PRIORITY=6 + _COMM=cron"
		want := []string{begin + end + fields, "journalctl --follow --no-tail" + end + " --after-cursor=s=1;i=2" + fields, begin + end + fields}
		if !slices.Equal(*ran, want) {
			t.Errorf("ran %q, want %q", *ran, want)
		}
	})
}

func TestShells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "sh: []")
		lines := make(chan string)
		ran := child(w.h.Host, "strace", lines)
		w.h.Write("/proc/12/stat", "12 (bash) S 1 12 12 34816 12 0")
		w.h.Write("/proc/13/stat", "13 (bash) S 1 13 13 0 -1 0") // without a terminal
		w.h.Write("/proc/14/stat", "14 (vim) S 1 14 14 34816 14 0")
		w.start()
		w.want(time.Second)
		lines <- "13    execve(\"/bin/ls\", [\"ls\", \"-l\", \"a \\\"b\\\"\"], 0x7ffd /* 9 vars */) = 0\n" + "13 execve(\"/nosuch\", [\"nosuch\"]) = -1 ENOENT\n"
		w.want(time.Second, `sh/12 {"args":["ls","-l","a \"b\""],"cmd":"/bin/ls","user":"`+w.me()+`","id":"web1"}`)
		if len(*ran) != 1 || !strings.HasSuffix((*ran)[0], "-p 12") {
			t.Errorf("ran %q", *ran)
		}
	})
}

// me is the user of this process, as the host knows it.
func (w *world) me() string {
	u, err := w.h.User(w.t.Context(), strconv.Itoa(os.Getuid()))
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Name
}

func record(kind int16, line, user string) []byte {
	var b bytes.Buffer
	text := func(s string, n int) { b.Write(append([]byte(s), make([]byte, n-len(s))...)) }
	number := func(v any) { _ = binary.Write(&b, binary.NativeEndian, v) }
	number([]int16{kind, 0})
	number(int32(4711))
	text(line, 32)
	text("id", 4)
	text(user, 32)
	text("10.0.0.9", 256)
	number([]int16{1, 2})
	if runtime.GOARCH == "arm64" {
		number([]int64{3, 1795767315, 5})
		number([]int32{6, 0, 0, 0})
		text("", 24)
	} else {
		number([]int32{3, 1795767315, 5, 6, 0, 0, 0})
		text("", 20)
	}
	return b.Bytes()
}

func TestLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "wtmp: [{users: {ada: {time_range: {start: 8am, end: '16:30'}}, bob: }}, {groups: {ops: }}, {defaults: {time_range: {start: 11pm, end: 1am}}}]\nbtmp: []")
		w.h.Write("/etc/group", "ops:x:7:cleo,dan\n")
		file := string(record(7, "tty0", "bob"))
		w.h.Write("/var/log/wtmp", file)
		w.start() // the fake clock begins at midnight
		w.want(time.Second)
		file += string(record(7, "tty1", "ada")) + string(record(7, "tty2", "bob")) + string(record(7, "tty3", "eve")) + string(record(7, "tty4", "dan"))
		w.h.Write("/var/log/wtmp", file+"half of one")
		common := `"inittab":"id","user":"%u","hostname":"10.0.0.9","exit_status":1,"session":3,"time":1795767315,"addr":6`
		event := func(kind, line, user, action string) string {
			return `wtmp/ {"type":` + kind + `,"PID":4711,"line":"` + line + `",` + strings.Replace(common, "%u", user, 1) + `,"action":"` + action + `","id":"web1"}`
		}
		w.want(time.Second, event("7", "tty2", "bob", "login"), event("7", "tty4", "dan", "login"))
		w.want(12 * time.Hour)
		file += string(record(7, "tty1", "ada")) + string(record(8, "tty1", ""))
		w.h.Write("/var/log/wtmp", file)
		w.want(time.Second, event("7", "tty1", "ada", "login"), event("8", "tty1", "ada", "logout"))
		w.h.Write("/var/log/btmp", string(record(6, "ssh", "root")))
		w.want(time.Second, `btmp/ {"type":6,"PID":4711,"line":"ssh",`+strings.Replace(common, "%u", "root", 1)+`,"id":"web1"}`)
	})
}

func TestConsequencesOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `
log: [{file: /log}, {tags: {a: {regex: .}}}]
quiet: [{file: /log}, {tags: {a: {regex: .}}}, {beacon_module: log}, {disable_during_state_run: true}]
service: [{services: {nginx: {onchangeonly: true, emitatstartup: false}}}, {disable_during_state_run: true}]`)
		job := func(j beacon.Job) {
			w.mu.Lock()
			w.job = j
			w.mu.Unlock()
		}
		w.h.Write("/log", "")
		w.start()
		w.want(time.Second)
		line := `log/a {"match":"yes","raw":"x","error":"","id":"web1"}`
		quiet := strings.Replace(line, "log", "quiet", 1)
		service := `service/nginx {"nginx":{"running":true},"service_name":"nginx","id":"web1"}`

		job(beacon.Job{JID: "20260131120000000123", States: true})
		w.h.Write("/log", "x\n")
		w.h.Write("/fake/nginx", "")
		w.want(10*time.Second, line+" 20260131120000000123")

		now := time.Now()
		job(beacon.Job{JID: "20260131120000000123", Ended: now, Last: now})
		w.h.Write("/log", "x\nx\n")
		w.want(time.Second, line+" 20260131120000000123")
		w.want(5*time.Second, service+" 20260131120000000123")
		w.h.Write("/log", "x\nx\nx\n")
		got := strings.Join(w.took(2*time.Second), "\n")
		if got != line+"\n"+quiet && got != quiet+"\n"+line {
			t.Errorf("long after the job: got\n%s", got)
		}
	})
}

func TestALookThatHangsKeepsNoOtherFromItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "nagios: [{command: [hang]}, {timeout: 5}]\nservice: [{services: {nginx: {}}}, {interval: 20}]")
		release := make(chan struct{})
		w.h.Exec = func(context.Context, host.Command) (host.Output, error) {
			<-release // whatever becomes of ctx
			return host.Output{Stdout: []byte("OK")}, nil
		}
		w.start()
		running := `service/nginx {"nginx":{"running":false},"service_name":"nginx","id":"web1"}`
		w.want(time.Second, running)
		w.want(10*time.Second, `salt/minion/web1/beacon_error/nagios {"id":"web1","beacon":"nagios","place":"minion.toml:7 nagios","errors":["a look takes more than 5s, and does not end"]}`)
		w.want(10*time.Second, running)
		close(release)
		w.want(time.Second)
	})
}

// answers is a network with one answer for each URL.
type answers struct{ sync.Map }

func (a *answers) Do(req *http.Request) (*http.Response, error) {
	got, ok := a.Load(req.URL.String())
	text, _ := got.(string)
	if !ok {
		return nil, &url.Error{Op: "Get", URL: req.URL.Redacted(), Err: errors.New("no route to host")}
	}
	code := http.StatusOK
	if text == "gone" {
		code = http.StatusGone
	}
	if text == "slow" {
		time.Sleep(3 * time.Second)
	}
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `
http:
  - urls:
      http://x/a: {}
      shop: {url: http://x/b, status: [200], latency: 2, content: 'wel+come'}
      http://x/c: {status: 410}
      http://ada:s3cret@x/d?token=s3cret: {}
      http://ada:s3cret@x/d?token=other: {}`)
		site := &answers{}
		site.Store("http://x/a", "gone")
		site.Store("http://x/b", "welcome")
		site.Store("http://x/c", "gone")
		site.Store("http://ada:s3cret@x/d?token=other", "")
		w.h.HTTP = site
		w.start()
		w.want(time.Second,
			`http/http://x/a {"url":"http://x/a","status":410,"latency":0.0,"error":"the status is 410","ok":false,"id":"web1"}`,
			`http/http://ada:xxxxx@x/d?*** {"url":"http://ada:xxxxx@x/d?***","latency":0.0,"error":"no route to host","ok":false,"id":"web1"}`)
		site.Store("http://x/a", "fine")
		site.Store("http://x/b", "slow")
		w.want(time.Minute+3*time.Second,
			`http/http://x/a {"url":"http://x/a","status":200,"latency":0.0,"ok":true,"id":"web1"}`,
			`http/shop {"url":"http://x/b","status":200,"latency":3.0,"error":"it took more than 2s; the body is not as it should be","ok":false,"id":"web1"}`)
	})
}

func TestFunctionsAndPillarChangeWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "service: [{services: {a: {onchangeonly: true}}}]\nother: [{services: {o: {}}}, {beacon_module: service}, {interval: 3600}]")
		running := func(beacon, name string) string {
			return beacon + "/" + name + ` {"` + name + `":{"running":false},"service_name":"` + name + `","id":"web1"}`
		}
		w.start()
		if got := w.took(time.Second); len(got) != 2 {
			t.Fatalf("got %q", got)
		}
		w.set.SetPillar(parse(t, "pp: [{services: {p: {}}}, {beacon_module: service}, {interval: 3600}]\nservice: [{services: {never: {}}}]"))
		w.want(time.Second, running("pp", "p")) // that of the minion itself counts, and goes on as it was
		w.set.Edit(func(own *value.Dict) {
			own.Delete("other")
			own.Put("new", parse(t, "[{services: {n: {}}}, {beacon_module: service}, {interval: 3600}]"))
		})
		w.want(time.Second, running("new", "n"))
		if text, _ := value.MarshalJSON(w.set.List(false, true)); !strings.HasPrefix(string(text), `{"service":`) || strings.Contains(string(text), "other") {
			t.Errorf("the minion's own: %s", text)
		}
		saved, err := w.set.Save()
		if err != nil || !strings.Contains(saved, `"other":null`) || strings.Contains(saved, "service\":[{\"services\":{\"a") {
			t.Errorf("saved %s, %v", saved, err)
		}
		if got := w.took(time.Hour); len(got) != 2 || !slices.Contains(got, running("new", "n")) || !slices.Contains(got, running("pp", "p")) {
			t.Errorf("got %q", got)
		}
	})
}

// One that hangs, or is not there, has the state UNKNOWN, and the others are told.
func TestCheckPluginsThatDoNotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "nagios: [{checks: {a: [hang], b: [full], c: [none], d: [weird]}}, {timeout: 5}, {interval: 20}]")
		w.h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
			switch c.Argv[0] {
			case "hang":
				<-ctx.Done()
				return host.Output{Code: 143}, context.Cause(ctx)
			case "full":
				return host.Output{Code: 2, Stdout: []byte("full")}, nil
			case "weird":
				return host.Output{Code: 1, Stdout: []byte("x|a=1\ny|b=2\n[... 99 bytes left out ...]\nc=3")}, nil
			}
			return host.Output{}, errors.New("cannot run \"none\": no such file or directory")
		}
		w.start()
		w.want(6*time.Second,
			`nagios/a {"check":"a","state":"UNKNOWN","retcode":3,"output":"it took more than 5s, and was ended","perfdata":{},"id":"web1"}`,
			`nagios/b {"check":"b","state":"CRITICAL","retcode":2,"output":"full","perfdata":{},"id":"web1"}`,
			`nagios/c {"check":"c","state":"UNKNOWN","retcode":127,"output":"cannot run \"none\": no such file or directory","perfdata":{},"id":"web1"}`,
			`nagios/d {"check":"d","state":"WARNING","retcode":1,"output":"x","perfdata":{"a":{"value":1.0},"b":{"value":2.0},"c":{"value":3.0}},"long_output":"y","id":"web1"}`)
		w.want(time.Minute)
	})
}

func TestCheckPlugins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, `
nagios:
  - checks:
      disk: check_disk -p /
      mail: {command: [check_mail, -w, '5'], user: nobody}
  - interval: 10`)
		var out sync.Map
		out.Store("/bin/sh -c check_disk -p / ", host.Output{Code: 1, Stdout: []byte("DISK WARNING|/=88%;80;95;0;100\nmore of it|'in use'=3;@1:5\n/x=U")})
		out.Store("check_mail -w 5 nobody", host.Output{Stdout: []byte("fine")})
		w.h.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
			user := ""
			if c.User != nil {
				user = c.User.Name
			}
			o, ok := out.Load(strings.Join(c.Argv, " ") + " " + user)
			if !ok {
				t.Errorf("ran %q as %q", c.Argv, user)
				return host.Output{}, nil
			}
			return o.(host.Output), nil
		}
		w.start()
		w.want(25*time.Second, `nagios/disk {"check":"disk","state":"WARNING","retcode":1,"output":"DISK WARNING","perfdata":{`+
			`"/":{"value":88.0,"unit":"%","warn":80.0,"crit":95.0,"min":0.0,"max":100.0},"in use":{"value":3.0,"warn":"@1:5"}},"long_output":"more of it","id":"web1"}`)
		out.Store("/bin/sh -c check_disk -p / ", host.Output{Code: 127, Stderr: []byte("sh: not found")})
		out.Store("check_mail -w 5 nobody", host.Output{Code: 2, Stdout: []byte("full")})
		w.want(10*time.Second, `nagios/disk {"check":"disk","state":"UNKNOWN","retcode":127,"output":"sh: not found","perfdata":{},"id":"web1"}`,
			`nagios/mail {"check":"mail","state":"CRITICAL","retcode":2,"output":"full","perfdata":{},"id":"web1"}`)
		out.Store("check_mail -w 5 nobody", host.Output{})
		w.want(10*time.Second, `nagios/mail {"check":"mail","state":"OK","retcode":0,"output":"","perfdata":{},"id":"web1"}`)
	})
}
