package service_test

import (
	gocontext "context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host/hosttest"
	"brine/states/mod/service"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

type context = gocontext.Context

func TestModule(t *testing.T) {
	moduletest.Run(t, service.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		f := newFake(t, "web.service+", "idle.service", "job.timer")
		f.enable("web.service", true)
		f.link("/dev/null", "/etc/systemd/system/hidden.service")
		return f.Host
	}, Bare: func(t testing.TB) *hosttest.Host { return newFake(t).Host }, Idle: []string{"dead"}})
}

func bind(t testing.TB, name string, words ...string) *module.Bound {
	t.Helper()
	s, err := module.NewIndex(service.Module).State("service." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

// TestStates has each state tried on a host: what test mode says, what is done, and what a second run says.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		units, state string // the units of the host: up+ runs, on is enabled, masked and gone are
		want         [3]string
	}{
		{"up.service+", "running name=up", [3]string{"true {} The service up is already running"}},
		{"down.service", "running name=down", [3]string{
			`would {"down":true} Service down is set to start`, `true {"down":true} Started service down`,
			"true {} The service down is already running"}},
		{"down.service", "running name=down enable=True", [3]string{
			"would {\"down\":true} Service down is set to start\nService down set to be enabled",
			`true {"down":true} Service down has been enabled, and is running`, "true {} The service down is already running"}},
		{"up.service+", "running name=up enable=True", [3]string{
			`would {"up":true} Service up set to be enabled`, `true {"up":true} Service up has been enabled, and is in the desired state`,
			"true {} The service up is already running"}},
		{"on.service", "running name=on enable=True", [3]string{`would {"on":true} Service on is set to start`,
			`true {"on":true} Service on is already enabled, and is running`, "true {} The service on is already running"}},
		{"on.service+", "running name=on enable=False", [3]string{`would {"on":true} Service on set to be disabled`,
			`true {"on":true} Service on has been disabled, and is in the desired state`, "true {} The service on is already running"}},
		{"up.service+", "running name=gone", [3]string{"false {} The named service gone is not available"}},
		{"nginx.service+", "running name=nginxx", [3]string{`false {} The named service nginxx is not available (did you mean "nginx"?)`}},
		{"masked.service", "running name=masked", [3]string{"false {} cannot start masked: it is masked; unmask: true unmasks it first"}},
		{"tmpl@.service", "running name=tmpl@", [3]string{
			"false {} cannot start tmpl@: it is a template, name an instance such as tmpl@NAME.service"}},
		{"b.timer", "running name=b.timer", [3]string{`would {"b.timer":true} Service b.timer is set to start`,
			`true {"b.timer":true} Started service b.timer`, "true {} The service b.timer is already running"}},
		{"", "running name=/srv/data", [3]string{
			`false {} "/srv/data" is a path and no name of a unit: take the one that systemd-escape --path --suffix=mount prints`}},
		{"", "running 'name=a b'", [3]string{`false {} "a b" can't be the name of a unit`}},
		{"up.service+", "dead name=up", [3]string{`would {"up":false} Service up is set to be killed`,
			`true {"up":false} Service up was killed`, "true {} The service up is already dead"}},
		{"on.service+", "dead name=on enable=False", [3]string{
			"would {\"on\":true} Service on is set to be killed\nService on set to be disabled",
			`true {"on":true} Service on has been disabled, and is dead`, "true {} The service on is already dead"}},
		{"down.service", "dead name=down enable=True", [3]string{`would {"down":true} Service down set to be enabled`,
			`true {"down":true} Service down has been enabled, and is in the desired state`, "true {} The service down is already dead"}},
		{"", "dead name=gone", [3]string{"true {} The named service gone is not available"}},
		{"down.service", "enabled name=down", [3]string{`would {"down":true} Service down set to be enabled`,
			`true {"down":true} Service down has been enabled, and is in the desired state`,
			"true {} Service down is already enabled, and is in the desired state"}},
		{"on.service", "disabled name=on", [3]string{`would {"on":true} Service on set to be disabled`,
			`true {"on":true} Service on has been disabled, and is in the desired state`,
			"true {} Service on is already disabled, and is in the desired state"}},
		{"", "enabled name=gone", [3]string{"false {} The named service gone is not available"}},
		{"", "disabled name=gone", [3]string{"true {} The named service gone is not available"}},
		{"static.service", "disabled name=static", [3]string{"true {} Service static is static: nothing enables or disables it"}},
		{"static.service", "enabled name=static", [3]string{"true {} Service static is already enabled, and is in the desired state"}},
		{"", "masked name=any", [3]string{`would {"masked":{"old":false,"new":true}} Service any would be masked`,
			`true {"masked":{"old":false,"new":true}} Service any was masked`, "true {} Service any is already masked"}},
		{"up.service", "masked name=up runtime=True", [3]string{
			`would {"runtime masked":{"old":false,"new":true}} Service up would be runtime masked`,
			`true {"runtime masked":{"old":false,"new":true}} Service up was runtime masked`, "true {} Service up is already runtime masked"}},
		{"up.service", "masked name=up", [3]string{`would {"masked":{"old":false,"new":true}} Service up would be masked`,
			"false {} cannot mask service up: Failed to mask unit: File /etc/systemd/system/up.service already exists."}},
		{"masked.service", "unmasked name=masked", [3]string{`would {"masked":{"old":true,"new":false}} Service masked would be unmasked`,
			`true {"masked":{"old":true,"new":false}} Service masked was unmasked`, "true {} Service masked was already unmasked"}},
	} {
		f := hostWith(t, c.units)
		b := bind(t, strings.Fields(c.state)[0], split(c.state)[1:]...)
		got := []string{
			told(b.Run(t.Context(), f.Host.Host, true)), told(b.Run(t.Context(), f.Host.Host, false)), told(b.Run(t.Context(), f.Host.Host, false)),
		}
		for i, want := range c.want {
			if want == "" {
				want = c.want[0] // as test mode said
			}
			if i == 2 && strings.HasPrefix(got[1], "false") {
				break
			}
			if got[i] != want {
				t.Errorf("%s, %s, run %d: got %s, want %s", c.units, c.state, i, got[i], want)
			}
		}
	}
}

func split(line string) []string {
	if name, rest, ok := strings.Cut(line, " '"); ok {
		return []string{name, strings.TrimSuffix(rest, "'")}
	}
	return strings.Fields(line)
}

// hostWith makes a host of one unit, whose name says how it is.
func hostWith(t testing.TB, unit string) *fake {
	switch name := strings.TrimSuffix(unit, "+"); name {
	case "":
		return newFake(t)
	case "masked.service":
		f := newFake(t)
		f.link("/dev/null", "/etc/systemd/system/masked.service")
		return f
	case "static.service":
		f := newFake(t)
		f.unit(name, "[Service]\n")
		return f
	case "on.service":
		f := newFake(t, unit)
		f.enable(name, true)
		return f
	}
	return newFake(t, unit)
}

func TestAServiceThatDiesIsAFailureWithItsJournal(t *testing.T) {
	f := newFake(t)
	f.unit("bad.service", "dies [Install]")
	f.unit("refuses.service", "refuses [Install]")
	f.unit("once.service", "oneshot [Install]")
	f.Write("/fake/journal", "opening the door\n"+strings.Repeat("x", 400))
	const journal = "\nits journal:\n    opening the door\n    "
	for _, c := range []struct{ name, want string }{
		{"bad", "cannot start service bad: it is failed (exit status 3)" + journal + strings.Repeat("x", 300) + "..."},
		{"refuses", "cannot start service refuses: Job for refuses.service failed because the control process exited with error code." +
			journal + strings.Repeat("x", 300) + "..."},
		{"once", "cannot start service once: it ran to its end: a oneshot without RemainAfterExit=yes does not count as running" +
			journal + strings.Repeat("x", 300) + "..."},
	} {
		if got := told(bind(t, "running", "name="+c.name).Run(t.Context(), f.Host.Host, false)); got != "false {} "+c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestAServiceThatDiesWithinInitDelayIsAFailure(t *testing.T) {
	f := newFake(t)
	f.unit("late.service", "lasts [Install]")
	late := bind(t, "running", "name=late", "init_delay=0.01")
	const want = "cannot %s service late: it is failed (exit status 3)"
	if got := told(late.Run(t.Context(), f.Host.Host, false)); got != "false {} "+fmt.Sprintf(want, "start") {
		t.Errorf("got %s", got)
	}
	f.remove("/fake/looks/late.service")
	f.Write("/fake/active/late.service", "")
	if got := told(late.RunWatch(t.Context(), f.Host.Host, []string{"file: x"}, false)); got != "false {} "+fmt.Sprintf(want, "restart") {
		t.Errorf("got %s", got)
	}
	f.remove("/fake/looks/late.service")
	if got := told(bind(t, "running", "name=late").Run(t.Context(), f.Host.Host, false)); !strings.HasPrefix(got, "true") {
		t.Errorf("without a delay: got %s", got)
	}
}

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		unit, state string
		want        [2]string // in test mode, and done
		verb        string
	}{
		{"up.service+", "running name=up", [2]string{`would {"up":true} Service is set to be restarted`, `true {"up":true} Service restarted`}, "restart"},
		{"up.service+", "running name=up reload=True", [2]string{`would {"up":true} Service is set to be reloaded`, `true {"up":true} Service reloaded`}, "reload"},
		{"up.service+", "running name=up reload=True force=True", [2]string{`would {"up":true} Service is set to be forcefully reloaded`,
			`true {"up":true} Service forcefully reloaded`}, "force-reload"},
		{"up.service+", "running name=up full_restart=True", [2]string{`would {"up":true} Service is set to be restarted`, `true {"up":true} Service restarted`}, "restart"},
		{"down.service", "running name=down", [2]string{`would {"down":true} Service is set to be started`, `true {"down":true} Service started`}, "start"},
		{"up.service+", "dead name=up", [2]string{`would {"up":true} Service is set to be stopped`, `true {"up":true} Service stopped`}, "stop"},
		{"down.service", "dead name=down", [2]string{"true {} Service is already stopped", "true {} Service is already stopped"}, ""},
	} {
		f := newFake(t, c.unit)
		b := bind(t, strings.Fields(c.state)[0], strings.Fields(c.state)[1:]...)
		test := told(b.RunWatch(t.Context(), f.Host.Host, []string{"file: x"}, true))
		f.ran = nil
		done := told(b.RunWatch(t.Context(), f.Host.Host, []string{"file: x"}, false))
		unit := strings.TrimSuffix(c.unit, "+")
		acted := c.verb == "" || slices.Contains(f.ran, "systemctl --no-ask-password "+c.verb+" -- "+unit)
		if test != c.want[0] || done != c.want[1] || !acted {
			t.Errorf("%s, %s: got %s and %s (ran %q), want %s and %s", c.unit, c.state, test, done, f.ran, c.want[0], c.want[1])
		}
	}
}

func TestTheServiceOfTheMinionItselfEndsAfterTheJob(t *testing.T) {
	f := newFake(t, "brine-minion.service+")
	f.Write("/proc/self/cgroup", "0::/system.slice/brine-minion.service/jobs/1\n")
	var left []func(context) error
	f.Host.Last = func(do func(context) error) { left = append(left, do) }
	for _, c := range []struct{ got, want string }{
		{told(bind(t, "running", "name=brine-minion").RunWatch(t.Context(), f.Host.Host, []string{"file: x"}, false)),
			`true {"brine-minion":true} Service is restarted when the job has ended`},
		{told(bind(t, "dead", "name=brine-minion").Run(t.Context(), f.Host.Host, false)),
			`true {"brine-minion":false} Service brine-minion was killed`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if slices.ContainsFunc(f.ran, func(line string) bool { return strings.Contains(line, "restart") }) || len(left) != 2 {
		t.Fatalf("ran %q before the end, left %d for then", f.ran, len(left))
	}
	if err := left[0](t.Context()); err != nil || !slices.Contains(f.ran, "systemctl --no-ask-password restart --no-block -- brine-minion.service") {
		t.Errorf("at the end: %v, ran %q", err, f.ran)
	}
}

func TestChangedUnitFilesAreReadBeforeAnythingIsDone(t *testing.T) {
	const reload = "systemctl --no-ask-password daemon-reload"
	for _, c := range []struct {
		changed string
		unit    string
		want    string
		reloads bool
	}{
		{"", "up.service+", "true {} The service up is already running", false},
		{"up.service", "up.service+", "true {} The service up is already running\nsystemd has read its changed unit files again", true},
		{"up.service.d/limits.conf", "up.service+", "true {} The service up is already running\nsystemd has read its changed unit files again", true},
		{"up.service", "up.service", `true {"up":true} Started service up`, true},
	} {
		f := newFake(t, c.unit)
		if c.changed != "" {
			f.Write("/etc/systemd/system/"+c.changed, "[Service]\n[Install]\n")
			soon := time.Now().Add(-time.Minute)
			if err := os.Chtimes(f.Path("/run/systemd/systemd-units-load"), soon, soon); err != nil {
				t.Fatal(err)
			}
		}
		b := bind(t, "running", "name=up")
		if test := told(b.Run(t.Context(), f.Host.Host, true)); strings.Contains(test, "again") || slices.Contains(f.ran, reload) {
			t.Errorf("%s: test mode said %s and ran %q", c.changed, test, f.ran)
		}
		got := told(b.Run(t.Context(), f.Host.Host, false))
		if got != c.want || slices.Contains(f.ran, reload) != c.reloads {
			t.Errorf("%s: got %s, ran %q, want %s", c.changed, got, f.ran, c.want)
		}
		if got := told(b.Run(t.Context(), f.Host.Host, false)); got != "true {} The service up is already running" {
			t.Errorf("%s: the second run said %s", c.changed, got)
		}
	}
}

func TestUnmask(t *testing.T) {
	f := newFake(t, "web.service")
	f.link("/dev/null", "/run/systemd/system/web.service")
	b := bind(t, "running", "name=web", "unmask_runtime=True", "unmask=True")
	for i, want := range []string{
		`would {"runtime masked":{"old":true,"new":false},"web":true} Service web is set to start` +
			"\nService web would be runtime unmasked",
		`true {"runtime masked":{"old":true,"new":false},"web":true} Started service web` + "\nService web was runtime unmasked",
		"true {} The service web is already running",
	} {
		if got := told(b.Run(t.Context(), f.Host.Host, i == 0)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNoSystemdIsAnError(t *testing.T) {
	h := hosttest.New(t)
	for _, c := range []struct{ file, want string }{
		{"", "false {} cannot manage services: this host runs neither systemd nor OpenRC and has no /etc/init.d"},
		{"/lib/systemd/systemd", "false {} cannot manage services: systemd is installed but does not run on this host (there is no /run/systemd/system)"},
	} {
		if c.file != "" {
			h.Write(c.file, "")
		}
		for _, state := range []string{"running", "dead", "enabled", "disabled", "masked", "unmasked"} {
			if got := told(bind(t, state, "name=x").Run(t.Context(), h.Host, false)); got != c.want {
				t.Errorf("%s: got %s, want %s", state, got, c.want)
			}
		}
	}
}
