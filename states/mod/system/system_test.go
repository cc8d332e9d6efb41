package system_test

import (
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/system"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, system.Module, moduletest.Options{}) }

func call(t *testing.T, h *host.Host, name string, args ...string) string {
	t.Helper()
	f, err := module.NewIndex(system.Module).Func("system." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Words(args...))
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		name      string
		args      []string
		ran, want string
	}{
		{"halt", nil, "halt", `""`},
		{"poweroff", nil, "poweroff", `""`},
		{"init", []string{"3"}, "init 3", `""`},
		{"reboot", nil, "shutdown -r now", `""`},
		{"reboot", []string{"5"}, "shutdown -r 5", `""`},
		{"shutdown", []string{"at_time=23:05"}, "shutdown -h 23:05", `""`},
		{"init", []string{"9"}, "", `cannot change to the runlevel "9": there are 0 to 6 and s`},
		{"shutdown", []string{"at_time=tomorrow"}, "", `cannot shut down at "tomorrow": want minutes from now, or HH:MM`},
		{"shutdown", []string{"at_time=-c"}, "", `cannot shut down at "-c": want minutes from now, or HH:MM`},
	} {
		h := hosttest.New(t)
		h.Answer(tt.ran, host.Output{})
		got := call(t, h.Host, tt.name, tt.args...)
		if ran := strings.Join(h.Ran(), "; "); got != tt.want || ran != tt.ran {
			t.Errorf("%s %q: got %s and ran %q, want %s and %q", tt.name, tt.args, got, ran, tt.want, tt.ran)
		}
	}
}

func TestDescription(t *testing.T) {
	h := hosttest.New(t)
	if got := call(t, h.Host, "get_computer_desc"); got != `""` {
		t.Errorf("without a file: got %s", got)
	}
	h.Write("/etc/machine-info", "CHASSIS=server\nPRETTY_HOSTNAME='old one'\nLOCATION=x")
	if got := call(t, h.Host, "get_computer_desc"); got != `"old one"` {
		t.Errorf("got %s", got)
	}
	for _, desc := range []string{`the "new" $one \ with ` + "`ticks`", "plain"} {
		h := hosttest.New(t)
		h.Write("/etc/machine-info", "CHASSIS=server\nPRETTY_HOSTNAME='old one'\nLOCATION=x")
		if got := call(t, h.Host, "set_computer_desc", "desc="+desc); got != "true" {
			t.Errorf("got %s", got)
		}
		want, _ := value.MarshalJSON(desc)
		if got := call(t, h.Host, "get_computer_desc"); got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if !strings.HasPrefix(h.Read("/etc/machine-info"), "CHASSIS=server\nLOCATION=x\nPRETTY_HOSTNAME=") {
			t.Errorf("got %q", h.Read("/etc/machine-info"))
		}
	}
	call(t, h.Host, "set_computer_desc", "")
	if got := h.Read("/etc/machine-info"); got != "CHASSIS=server\nLOCATION=x\n" {
		t.Errorf("got %q", got)
	}
	if got := call(t, h.Host, "set_computer_desc", "a\nb"); got != "cannot set the description: it must be one line" {
		t.Errorf("got %s", got)
	}
}

func TestName(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/proc/sys/kernel/hostname", "web1\n")
	h.Write("/etc/hostname", "web1\n")
	h.Answer("hostname web2", host.Output{})
	if got := call(t, h.Host, "get_computer_name"); got != `"web1"` {
		t.Errorf("got %s", got)
	}
	if got := call(t, h.Host, "set_computer_name", "web2"); got != "true" || h.Read("/etc/hostname") != "web2\n" {
		t.Errorf("got %s and %q", got, h.Read("/etc/hostname"))
	}
	if got := call(t, h.Host, "set_computer_name", "-x"); !strings.HasPrefix(got, `cannot set the name "-x"`) {
		t.Errorf("got %s", got)
	}
}

func TestRebootRequired(t *testing.T) {
	h := hosttest.New(t)
	for _, want := range []string{"get:false", "set:true", "get:true", "set:true"} {
		verb, value, _ := strings.Cut(want, ":")
		if got := call(t, h.Host, verb+"_reboot_required_witnessed"); got != value {
			t.Errorf("%s: got %s", want, got)
		}
	}
}

func TestTime(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for name, layout := range map[string]string{
		"get_system_date": "Mon 01/02/2006", "get_system_date_time": "2006-01-02 15:04", "get_system_time": "03:04",
	} {
		before := time.Now().In(zone).Format(layout)
		got := call(t, nil, name, "utc_offset='+0100'")
		after := time.Now().In(zone).Format(layout)
		if !strings.HasPrefix(got, `"`+before) && !strings.HasPrefix(got, `"`+after) {
			t.Errorf("%s: got %s, want %s", name, got, after)
		}
	}
}

func TestSetTime(t *testing.T) {
	const all = "years=2026 months=11 days=26 hours=17 minutes=30 seconds=5 utc_offset='+0000'"
	for _, rtc := range []bool{false, true} {
		h := hosttest.New(t)
		command := "date --set @1795714205"
		h.Answer(command, host.Output{})
		h.Answer("hwclock --systohc", host.Output{})
		if rtc {
			h.Write("/dev/rtc", "")
			command += "; hwclock --systohc"
		}
		got := call(t, h.Host, "set_system_date_time", strings.Fields(all)...)
		if ran := strings.Join(h.Ran(), "; "); got != "true" || ran != command {
			t.Errorf("got %s and ran %q, want %q", got, ran, command)
		}
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"set_system_date_time", []string{"years=2026", "months=2", "days=30", "hours=0", "minutes=0", "seconds=0"},
			"cannot set the time to 2026-02-30 00:00:00: there is no such one"},
		{"set_system_date_time", []string{"years=1960", "months=2", "days=1", "hours=24", "minutes=0", "seconds=0"},
			"cannot set the time to 1960-02-01 24:00:00: there is no such one"},
		{"set_system_date", []string{"26.11.2026"}, `cannot read the date "26.11.2026": want it as 2006-01-02`},
		{"set_system_time", []string{"25:00"}, `cannot read the time "25:00": want it as 15:04:05`},
		{"get_system_time", []string{"utc_offset=CET"}, `cannot call system.get_system_time: argument "utc_offset": want an offset such as +0100, got "CET"`},
	} {
		if got := call(t, hosttest.New(t).Host, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}
