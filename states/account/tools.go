package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
)

// Tools are the programs of a host that change accounts: those of the package shadow, or BusyBox's.
type Tools struct {
	h       *host.Host
	BusyBox bool // only the few that BusyBox has
}

// ToolsOf finds out which programs a host has.
func ToolsOf(h *host.Host) Tools {
	return Tools{h, !there(h, "useradd") && there(h, "busybox")}
}

func there(h *host.Host, program string) bool {
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/usr/local/sbin/", "/usr/local/bin/"} {
		if st, err := os.Stat(h.Path(dir + program)); err == nil && st.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// Run runs a program of the package shadow; on a host whose root is a directory it works on the accounts in there.
func (t Tools) Run(ctx context.Context, argv ...string) error { return t.Feed(ctx, "", argv...) }

// Feed is Run with something to read: that is where secrets go, which no list of processes shows.
func (t Tools) Feed(ctx context.Context, input string, argv ...string) error {
	if t.BusyBox && !inBusyBox(argv[0]) {
		return fmt.Errorf("cannot run %s: this host has BusyBox's programs alone (install the package shadow)", argv[0])
	}
	if !t.h.Real() {
		argv = t.inRoot(argv)
	}
	c := host.Command{Argv: argv, Env: []string{"LC_ALL=C"}}
	if input != "" {
		c.Stdin = []byte(input)
	}
	out, err := t.h.Exec(ctx, c)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w (install the package shadow, or passwd on Debian)", err)
	}
	if err != nil {
		return err
	}
	return out.Failed(argv)
}

// inRoot makes a command work on the accounts of a directory. BusyBox's programs know only the root they run in.
func (t Tools) inRoot(argv []string) []string {
	if t.BusyBox {
		return append([]string{"chroot", t.h.Root, "busybox"}, argv...)
	}
	return append([]string{argv[0], "--root", t.h.Root}, argv[1:]...)
}

func inBusyBox(program string) bool {
	switch program {
	case "adduser", "addgroup", "deluser", "delgroup", "chpasswd", "passwd":
		return true
	}
	return false
}

// Setting reads a setting from a file of them, such as /etc/login.defs; "" when it has none.
func Setting(h *host.Host, file, name string) string {
	data, err := os.ReadFile(h.Path(file))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if file == "/etc/default/useradd" {
			line = strings.Replace(line, "=", " ", 1)
		}
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			return strings.Trim(f[1], `"`)
		}
	}
	return ""
}

// OwnGroups says whether each user gets a group of its own, of the same name, when none is asked for.
func OwnGroups(h *host.Host) bool {
	return strings.EqualFold(Setting(h, "/etc/login.defs", "USERGROUPS_ENAB"), "yes")
}

// HomeBase is the directory below which the system makes home directories.
func HomeBase(h *host.Host) string {
	if dir := Setting(h, "/etc/default/useradd", "HOME"); dir != "" {
		return strings.TrimRight(dir, "/")
	}
	return "/home"
}
