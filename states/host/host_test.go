package host_test

import (
	"errors"
	"slices"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

func TestPathStaysUnderTheRoot(t *testing.T) {
	for _, tt := range []struct{ root, name, want string }{
		{"", "/etc/motd", "/etc/motd"},
		{"", "/etc/../motd", "/motd"},
		{"/r", "/etc/motd", "/r/etc/motd"},
		{"/r", "/../../etc", "/r/etc"},
		{"/r", "../etc", "/r/etc"},
		{"/r", "/", "/r"},
		{"/", "/etc", "/etc"},
	} {
		if got := (&host.Host{Root: tt.root}).Path(tt.name); got != tt.want {
			t.Errorf("root %q, path %q: got %s, want %s", tt.root, tt.name, got, tt.want)
		}
	}
}

func TestUsers(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nweb:x:33:33::/srv:\n77:x:5:5::/:/bin/sh\nbroken:x:-1:0::/:\n")
	h.Write("/etc/group", "root:x:0:\nweb:x:33:\nadm:x:4:syslog,web\nwww:x:99:web,other\n")
	u, err := h.User(t.Context(), "web")
	if err != nil || u.UID != 33 || u.GID != 33 || u.Home != "/srv" || u.Shell != "/bin/sh" ||
		!slices.Equal(u.Groups, []uint32{33, 4, 99}) {
		t.Errorf("got %+v, %v", u, err)
	}
	for name, want := range map[string]uint32{"web": 33, "33": 33, "77": 5, "0": 0} {
		if got, err := h.UserID(t.Context(), name); err != nil || got != want {
			t.Errorf("user %q: got %d, %v, want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"nosuch", "1234", "", "-x", "web:x", "a\nb"} {
		if _, err := h.User(t.Context(), name); !errors.Is(err, host.ErrNoAccount) {
			t.Errorf("user %q: got %v, want %v", name, err, host.ErrNoAccount)
		}
		if _, err := h.GroupID(t.Context(), name); !errors.Is(err, host.ErrNoAccount) {
			t.Errorf("group %q: got %v, want %v", name, err, host.ErrNoAccount)
		}
	}
	want := `cannot find user "broken": its entry in passwd is broken: strconv.ParseUint: parsing "-1": invalid syntax`
	if _, err := h.User(t.Context(), "broken"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if gid, err := h.GroupID(t.Context(), "adm"); err != nil || gid != 4 {
		t.Errorf("got %d, %v", gid, err)
	}
}

func TestUsersOfTheNameService(t *testing.T) {
	h := hosttest.New(t)
	h.Root = ""
	h.Answer("getent passwd ldap-ann", host.Output{Stdout: []byte("ldap-ann:*:70001:70000:Ann:/home/ann:/bin/zsh\n")})
	h.Answer("id -G ldap-ann", host.Output{Stdout: []byte("70000 70005\n")})
	h.Answer("getent passwd ldap-none", host.Output{Code: 2})
	h.Answer("getent group ldap-broken", host.Output{Code: 1, Stderr: []byte("cannot reach the directory\n")})
	u, err := h.User(t.Context(), "ldap-ann")
	if err != nil || u.UID != 70001 || u.Home != "/home/ann" || !slices.Equal(u.Groups, []uint32{70000, 70005}) {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := h.User(t.Context(), "ldap-none"); !errors.Is(err, host.ErrNoAccount) {
		t.Errorf("got %v", err)
	}
	want := `cannot find group "ldap-broken": command "getent group ldap-broken" ended with 1: cannot reach the directory`
	if _, err := h.GroupID(t.Context(), "ldap-broken"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRun(t *testing.T) {
	h := hosttest.New(t)
	h.Answer("systemctl is-active nginx", host.Output{Stdout: []byte("inactive\n"), Code: 3})
	out, err := h.Run(t.Context(), "systemctl", "is-active", "nginx")
	var exit *host.ExitError
	if out != "inactive" || !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %q, %v", out, err)
	}
	h.Answer("uname", host.Output{Stdout: []byte("Linux\n")})
	if out, err := h.Run(t.Context(), "uname"); out != "Linux" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}
