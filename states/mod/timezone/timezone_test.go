package timezone_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/timezone"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const berlin = "TZif2 Berlin"

// newHost is a Debian host in UTC, without systemd.
func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Grains.Put("os_family", "Debian")
	for name, text := range map[string]string{
		"Arctic/Longyearbyen": berlin, "Europe/Berlin": berlin, "Etc/UTC": "TZif2 UTC", "tzdata.zi": "# rules", "posix/Old": berlin,
	} {
		h.Write("/usr/share/zoneinfo/"+name, text)
	}
	h.Write("/etc/timezone", "Etc/UTC\n")
	link(t, h, "/usr/share/zoneinfo/Etc/UTC")
	return h
}

func link(t testing.TB, h *hosttest.Host, to string) {
	t.Helper()
	name := h.Path("/etc/localtime")
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

// boot has systemd run the host, with what timedatectl does.
func boot(t testing.TB, h *hosttest.Host) {
	h.Write("/run/systemd/system/x", "")
	h.Change("timedatectl set-timezone Europe/Berlin", func(host.Command) (host.Output, error) {
		link(t, h, "../usr/share/zoneinfo/Europe/Berlin")
		return host.Output{}, nil
	})
	h.Change("timedatectl set-local-rtc false", func(host.Command) (host.Output, error) {
		h.Write("/etc/adjtime", "0.0 0 0.0\n0\nUTC\n")
		return host.Output{}, nil
	})
}

func TestModule(t *testing.T) {
	moduletest.Run(t, timezone.Module, moduletest.Options{Host: newHost})
	moduletest.Run(t, timezone.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		h := newHost(t)
		boot(t, h)
		h.Write("/etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n")
		return h
	}})
}

func call(t *testing.T, h *hosttest.Host, line string) string {
	t.Helper()
	words := strings.Fields(line)
	f, err := module.NewIndex(timezone.Module).Func("timezone." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(r.Value)
}

func system(t *testing.T, h *hosttest.Host, test bool, words ...string) string {
	t.Helper()
	s, err := module.NewIndex(timezone.Module).State("timezone.system")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		return err.Error()
	}
	r := b.Run(t.Context(), h.Host, test)
	changes, err := value.MarshalJSON(r.Changes)
	if err != nil {
		t.Fatal(err)
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, changes, r.Comment)
}

func TestSystem(t *testing.T) {
	for _, booted := range []bool{false, true} {
		h := newHost(t)
		if booted {
			boot(t, h)
		}
		h.Write("/etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n")
		for _, c := range []struct {
			test bool
			want string
		}{
			{true, `would {"timezone":"Europe/Berlin","utc":true} Timezone Europe/Berlin needs to be set, UTC needs to be set to True`},
			{false, `true {"timezone":"Europe/Berlin","utc":true} Set timezone Europe/Berlin, Set UTC to True`},
			{false, `true {} Timezone Europe/Berlin already set, UTC already set`},
		} {
			if got := system(t, h, c.test, "name=Europe/Berlin"); got != c.want {
				t.Errorf("with systemd %v: got %s, want %s", booted, got, c.want)
			}
		}
		to, err := os.Readlink(h.Path("/etc/localtime"))
		if err != nil || !strings.HasSuffix(to, "/usr/share/zoneinfo/Europe/Berlin") && !strings.HasPrefix(to, "../usr/share") {
			t.Errorf("got a link to %q (%v)", to, err)
		}
		if tz, adj := h.Read("/etc/timezone"), h.Read("/etc/adjtime"); tz != "Europe/Berlin\n" || adj != "0.0 0 0.0\n0\nUTC\n" {
			t.Errorf("with systemd %v: got /etc/timezone %q and /etc/adjtime %q", booted, tz, adj)
		}
	}
}

func TestSystemLeavesTheClockAlone(t *testing.T) {
	h := newHost(t)
	h.Write("/etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n")
	if got, want := system(t, h, false, "name=Etc/UTC", "utc=False"), "true {} Timezone Etc/UTC already set"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestZonesThatAreNone(t *testing.T) {
	for name, want := range map[string]string{
		"Europe/Atlantis": `false {} cannot find the time zone "Europe/Atlantis": there is no /usr/share/zoneinfo/Europe/Atlantis`,
		"../../../etc/x":  `"../../../etc/x" can't be the name of a time zone`,
		"--help":          `"--help" can't be the name of a time zone`,
		"Europe":          "false {} cannot open /usr/share/zoneinfo/Europe: it is a directory",
	} {
		if got := system(t, newHost(t), true, "name="+name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, want := call(t, newHost(t), "set_zone zone.tab"), `cannot call timezone.set_zone: "zone.tab" can't be the name of a time zone`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatTimedatectlCannotIsDoneByHand(t *testing.T) {
	h := newHost(t)
	h.Write("/run/systemd/system/x", "")
	h.Change("timedatectl set-timezone Europe/Berlin", func(host.Command) (host.Output, error) {
		return host.Output{}, errors.New("no message bus")
	})
	var logged string
	h.Log = func(level, message string) { logged = level + ": " + message }
	if got := call(t, h, "set_zone Europe/Berlin"); got != "true" || call(t, h, "get_zone") != "Europe/Berlin" {
		t.Errorf("got %s and zone %s", got, call(t, h, "get_zone"))
	}
	if want := "warn: time zone is set by hand: no message bus"; logged != want {
		t.Errorf("logged %q, want %q", logged, want)
	}
}

func TestGetZone(t *testing.T) {
	h := newHost(t)
	check := func(want string) {
		t.Helper()
		if got := call(t, h, "get_zone"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	check("Etc/UTC")
	link(t, h, "../usr/share/zoneinfo/Europe/Berlin")
	check("Europe/Berlin")
	if err := os.Remove(h.Path("/etc/localtime")); err != nil {
		t.Fatal(err)
	}
	check("UTC")
	h.Write("/etc/localtime", berlin)
	check("Arctic/Longyearbyen") // the first that is the same
	h.Write("/etc/timezone", "Europe/Berlin\n")
	check("Europe/Berlin")
	h.Write("/etc/localtime", "TZif2 other")
	check("cannot tell the time zone: /etc/localtime is the same as no file below /usr/share/zoneinfo/")
}

func TestOtherFilesOfTheZone(t *testing.T) {
	h := newHost(t)
	h.Grains.Put("os_family", "RedHat")
	if err := os.Remove(filepath.Join(h.Root, "etc/timezone")); err != nil {
		t.Fatal(err)
	}
	h.Write("/etc/sysconfig/clock", "# here\nZONE=\"UTC\"\nARC=false\n")
	call(t, h, "set_zone Europe/Berlin")
	if got, want := h.Read("/etc/sysconfig/clock"), "# here\nZONE=\"Europe/Berlin\"\nARC=false\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := h.Read("/etc/timezone"); got != "" {
		t.Errorf("got a new /etc/timezone %q", got)
	}
}

func TestClock(t *testing.T) {
	h := newHost(t)
	h.Write("/etc/conf.d/hwclock", "clock=\"UTC\"\n")
	h.Answer("date +%z", host.Output{Stdout: []byte("+0100\n")})
	h.Answer("date +%Z", host.Output{Stdout: []byte("CET\n")})
	for _, c := range [][2]string{
		{"get_hwclock", "UTC"}, {"set_hwclock localtime", "true"}, {"get_hwclock", "localtime"}, {"get_offset", "+0100"}, {"get_zonecode", "CET"},
		{"zone_compare Etc/UTC", "true"}, {"zone_compare Europe/Berlin", "false"}, {"set_hwclock mars", `cannot call timezone.set_hwclock: argument "clock": want UTC or localtime`},
	} {
		if got := call(t, h, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	if got := h.Read("/etc/conf.d/hwclock"); got != "clock=\"local\"\n" {
		t.Errorf("got %q", got)
	}
	h.Write("/dev/rtc", "")
	h.Change("hwclock --systohc --utc", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	if got := call(t, h, "set_hwclock utc"); got != "true" {
		t.Errorf("got %s", got)
	}
}
