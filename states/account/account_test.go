package account_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/account"
	"brine/states/account/accounttest"
	"brine/states/host"
)

// TestBrokenEntries leaves out what is no entry.
func TestBrokenEntries(t *testing.T) {
	h := accounttest.New(t)
	h.Write("/etc/passwd", "+nis::::::\nshort:x:1\nbad:x:x:1::/:/bin/sh\n\nok:x:5:6:A,B:/h:\n")
	h.Write("/etc/group", "+:::\nshort:x\nbad:x:x:\nsix:x:6:ok,,other\n")
	users, err := account.Users(t.Context(), h.Host.Host)
	if err != nil || len(users) != 1 || users[0].Name != "ok" || !slices.Equal(users[0].Groups, []string{"six"}) {
		t.Errorf("got %+v, %v", users, err)
	}
	groups, err := account.Groups(t.Context(), h.Host.Host)
	if err != nil || len(groups) != 1 || !slices.Equal(groups[0].Members, []string{"ok", "other"}) {
		t.Errorf("got %+v, %v", groups, err)
	}
	for _, name := range []string{"bad", "short", "+nis", "", "5"} {
		if u, err := account.FindUser(t.Context(), h.Host.Host, name, false); err == nil {
			t.Errorf("found %q: %+v", name, u)
		}
	}
	if u, err := account.FindUser(t.Context(), h.Host.Host, "ok", true); err != nil || u.Gecos.Room != "B" {
		t.Errorf("got %+v, %v", u, err)
	}
}

func TestShadow(t *testing.T) {
	h := accounttest.New(t)
	h.Write("/etc/shadow", "meme:a:1:::::\nme:$6$x:19000:1:90:7:5:21915:\nshort:!\n")
	for name, want := range map[string]account.Shadow{
		"me":     {Passwd: "$6$x", LastChange: 19000, Min: 1, Max: 90, Warn: 7, Inactive: 5, Ends: 21915},
		"short":  {Passwd: "!", LastChange: -1, Min: -1, Max: -1, Warn: -1, Inactive: -1, Ends: -1},
		"nosuch": {LastChange: -1, Min: -1, Max: -1, Warn: -1, Inactive: -1, Ends: -1},
	} {
		if got, err := account.FindShadow(h.Host.Host, name); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if err := os.Remove(h.Path("/etc/shadow")); err != nil {
		t.Fatal(err)
	}
	if _, err := account.FindShadow(h.Host.Host, "me"); err != nil {
		t.Error(err)
	}
}

func TestSetting(t *testing.T) {
	h := accounttest.New(t)
	h.Write("/etc/login.defs", "#UMASK 077\nUMASK\t\t027\nUSERGROUPS_ENAB YES\n")
	h.Write("/etc/default/useradd", "# HOME=/x\nHOME=\"/srv/home/\"\n")
	if got := account.Setting(h.Host.Host, "/etc/login.defs", "UMASK"); got != "027" {
		t.Errorf("got %q", got)
	}
	if !account.OwnGroups(h.Host.Host) || account.HomeBase(h.Host.Host) != "/srv/home" {
		t.Errorf("got %v, %q", account.OwnGroups(h.Host.Host), account.HomeBase(h.Host.Host))
	}
}

// TestTools runs what the host has, in its root, and never shows what the program read.
func TestTools(t *testing.T) {
	h := accounttest.New(t)
	var ran host.Command
	h.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		ran = c
		return host.Output{Code: 3, Stderr: []byte("x: no\n")}, nil
	}
	tools := account.ToolsOf(h.Host.Host)
	err := tools.Feed(t.Context(), "me:geheim\n", "chpasswd", "-e")
	want := `command "chpasswd --root ROOT -e" ended with 3: x: no`
	if err == nil || strings.ReplaceAll(err.Error(), h.Root, "ROOT") != want || string(ran.Stdin) != "me:geheim\n" || tools.BusyBox {
		t.Errorf("got %v, %q", err, ran.Stdin)
	}
	h.Write("/bin/busybox", "")
	tools = account.ToolsOf(h.Host.Host)
	err = tools.Run(t.Context(), "adduser", "-D", "me")
	want = `command "chroot ROOT busybox adduser -D me" ended with 3: x: no`
	if err == nil || strings.ReplaceAll(err.Error(), h.Root, "ROOT") != want || !tools.BusyBox {
		t.Errorf("got %v", err)
	}
	if err := tools.Run(t.Context(), "usermod"); err == nil || !strings.Contains(err.Error(), "install the package shadow") {
		t.Errorf("got %v", err)
	}
	h.Write("/usr/sbin/useradd", "")
	if account.ToolsOf(h.Host.Host).BusyBox {
		t.Error("BusyBox is taken where there are better programs")
	}
	h.Exec = func(context.Context, host.Command) (host.Output, error) { return host.Output{}, os.ErrNotExist }
	if err := account.ToolsOf(h.Host.Host).Run(t.Context(), "usermod"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "install") {
		t.Errorf("got %v", err)
	}
}
