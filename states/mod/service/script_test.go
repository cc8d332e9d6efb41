package service_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// script makes an init script of a host.
func script(t *testing.T, h *hosttest.Host, name string) {
	h.Write("/etc/init.d/"+name, "#!/bin/sh\n")
	if err := os.Chmod(h.Path("/etc/init.d/"+name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestInitScripts uses a host whose script says that web runs once it was started.
func TestInitScripts(t *testing.T) {
	h := hosttest.New(t)
	for _, name := range []string{"web", "odd"} {
		script(t, h, name)
	}
	h.Write("/etc/inittab", "id:3:initdefault:\n")
	h.Write("/usr/sbin/update-rc.d", "")
	status := host.Output{Code: 3}
	answer := func() { h.Answer("/etc/init.d/web status", status) }
	answer()
	h.Answer("/etc/init.d/odd status", host.Output{Code: 3})
	h.Change("/etc/init.d/web start", func(host.Command) (host.Output, error) {
		status.Code = 0
		answer()
		return host.Output{}, nil
	})
	h.Change("/etc/init.d/web stop", func(host.Command) (host.Output, error) {
		status.Code = 3
		answer()
		return host.Output{}, nil
	})
	h.Change("/etc/init.d/odd start", func(host.Command) (host.Output, error) {
		return host.Output{Code: 1, Stderr: []byte("no licence\n")}, nil
	})
	h.Change("update-rc.d web defaults", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	h.Change("update-rc.d web enable", func(host.Command) (host.Output, error) {
		h.Write("/etc/rc3.d/S20web", "")
		return host.Output{}, nil
	})
	for _, c := range [][2]string{
		{"running name=web enable=True", `true {"web":true} Service web has been enabled, and is running`},
		{"running name=web enable=True", "true {} The service web is already running"},
		{"dead name=web", `true {"web":false} Service web was killed`},
		{"running name=odd", "false {} cannot start service odd: its init script ended with 1: no licence"},
		{"running name=gone", "false {} The named service gone is not available"},
		{"masked name=web", "false {} cannot mask services: only systemd can"},
		{"dead name=../x", `false {} "../x" can't be the name of a service`},
	} {
		words := strings.Fields(c[0])
		if got := told(bind(t, words[0], words[1:]...).Run(t.Context(), h.Host, false)); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	r := bind(t, "running", "name=web", "no_block=True").Run(t.Context(), h.Host, true)
	if got := strings.Join(r.Warnings, ""); got != "The 'no_block' argument is not supported by this platform" {
		t.Errorf("got warnings %q", got)
	}
}

// TestChkconfig uses a host of Red Hat's, from before it had systemd.
func TestChkconfig(t *testing.T) {
	h := hosttest.New(t)
	script(t, h, "web")
	h.Write("/etc/inittab", "# Default runlevel\nid:3:initdefault:\n")
	h.Write("/sbin/chkconfig", "")
	h.Write("/etc/rc.d/rc3.d/K20web", "")
	h.Answer("/etc/init.d/web status", host.Output{Stdout: []byte("web (pid  1203) is running...\n")})
	h.Change("chkconfig --add web", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	h.Change("chkconfig web on", func(host.Command) (host.Output, error) {
		h.Write("/etc/rc.d/rc3.d/S80web", "")
		return host.Output{}, os.Remove(h.Path("/etc/rc.d/rc3.d/K20web"))
	})
	h.Change("chkconfig web off", func(host.Command) (host.Output, error) {
		return host.Output{}, os.Rename(h.Path("/etc/rc.d/rc3.d/S80web"), h.Path("/etc/rc.d/rc3.d/K20web"))
	})
	for _, c := range [][2]string{
		{"enabled name=web", `true {"web":true} Service web has been enabled, and is in the desired state`},
		{"running name=web enable=True", "true {} The service web is already running"},
		{"disabled name=web", `true {"web":true} Service web has been disabled, and is in the desired state`},
	} {
		words := strings.Fields(c[0])
		if got := told(bind(t, words[0], words[1:]...).Run(t.Context(), h.Host, false)); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

// TestInitBesideSystemd keeps hosts usable that boot with another init while systemd is installed for its tools.
func TestInitBesideSystemd(t *testing.T) {
	const none = "false {} cannot manage services: systemd is installed but does not run on this host (there is no /run/systemd/system)"
	for link, want := range map[string]string{
		"/lib/systemd/systemd": none,
		"/bin/busybox":         "true {} The service web is already running",
		"":                     "true {} The service web is already running",
	} {
		h := hosttest.New(t)
		h.Write("/usr/lib/systemd/systemd", "")
		script(t, h, "web")
		h.Answer("/etc/init.d/web status", host.Output{})
		if h.Write("/sbin/init", ""); link != "" {
			if err := errors.Join(os.Remove(h.Path("/sbin/init")), os.Symlink(link, h.Path("/sbin/init"))); err != nil {
				t.Fatal(err)
			}
		}
		if got := told(bind(t, "running", "name=web").Run(t.Context(), h.Host, false)); got != want {
			t.Errorf("%q: got %s, want %s", link, got, want)
		}
	}
}

// TestOpenRC uses a host that keeps links for what runs, as OpenRC does.
func TestOpenRC(t *testing.T) {
	h := hosttest.New(t)
	for _, name := range []string{"web", "db"} {
		script(t, h, name)
	}
	h.Write("/run/openrc/softlevel", "default\n")
	h.Write("/run/openrc/started/db", "")
	h.Write("/etc/runlevels/boot/db", "")
	h.Write("/etc/runlevels/default/db", "")
	h.Write("/etc/runlevels/sysinit/devfs", "") // which has not got it
	h.Answer("rc-status --all --nocolor", host.Output{Stdout: []byte(
		"Runlevel: default\n db          [  crashed  ]\n web     [  started 00:01:02 (0) ]\n")})
	done := func(run func()) func(host.Command) (host.Output, error) {
		return func(host.Command) (host.Output, error) {
			if run != nil {
				run()
			}
			return host.Output{}, nil
		}
	}
	h.Change("rc-service web start", done(func() { h.Write("/run/openrc/started/web", "") }))
	h.Change("rc-service web restart", done(nil))
	h.Change("rc-service web stop", done(func() { _ = os.Remove(h.Path("/run/openrc/started/web")) }))
	h.Change("rc-service db zap", done(func() { _ = os.Remove(h.Path("/run/openrc/started/db")) }))
	h.Change("rc-service db start", done(nil)) // and it is gone again
	h.Change("rc-update add web default", done(func() { h.Write("/etc/runlevels/default/web", "") }))
	h.Change("rc-update delete db boot default", done(func() {
		_ = os.Remove(h.Path("/etc/runlevels/boot/db"))
		_ = os.Remove(h.Path("/etc/runlevels/default/db"))
	}))
	for _, c := range [][2]string{
		{"running name=web enable=True", `true {"web":true} Service web has been enabled, and is running`},
		{"running name=web enable=True", "true {} The service web is already running"},
		{"dead name=web", `true {"web":false} Service web was killed`},
		{"running name=db", "false {} cannot start service db: it ended at once"},
		{"disabled name=db", `true {"db":true} Service db has been disabled, and is in the desired state`},
		{"running name=dbx", `false {} The named service dbx is not available (did you mean "db"?)`},
	} {
		words := strings.Fields(c[0])
		if got := told(bind(t, words[0], words[1:]...).Run(t.Context(), h.Host, false)); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	r := bind(t, "running", "name=web", "full_restart=True")
	r.Run(t.Context(), h.Host, false)
	if got := told(r.RunWatch(t.Context(), h.Host, []string{"file: x"}, false)); got != `true {"web":true} Service fully restarted` {
		t.Errorf("got %s", got)
	}
}
