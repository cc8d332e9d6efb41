package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/value"
)

const showEnvironment = `echo "$USER $LOGNAME $HOME $SHELL"; echo "$FROM_ETC|$QUOTED|$FROM_PROFILE|$FROM_DAEMON|$LC_TIME"; ` +
	`case $PATH in /opt/*) echo ${PATH%%mine:*};; *) echo $PATH;; esac`

// home gives a host a user of its own home, with a profile, and a shell that reads none.
func home(t *testing.T, profile string) *hosttest.Host {
	t.Helper()
	h := hosttest.New(t).Real()
	h.Write("/etc/passwd", fmt.Sprintf("ann:x:%d:%d::%s/home:/usr/sbin/nologin\n", os.Getuid(), os.Getgid(), h.Root))
	h.Write("/etc/environment", "# all users\nexport FROM_ETC=a b\nQUOTED=\"c d\"\nbad-name=x\nnothing\n")
	h.Write("/etc/login.defs", "# paths\nENV_SUPATH\tPATH=/defs:/bin:/usr/bin\nENV_PATH\tPATH=/defs:/bin:/usr/bin\n")
	h.Write("/home/.profile", profile)
	if err := os.Symlink("/bin/sh", h.Path("/plain")); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRunsWithTheEnvironmentOfALogin(t *testing.T) {
	t.Setenv("FROM_DAEMON", "daemon")
	h := home(t, "echo hello\nexport FROM_PROFILE=mine HOME=/elsewhere PATH=\"/opt/mine:$PATH\" LC_TIME=de\n")
	user := fmt.Sprintf("ann ann %s/home /usr/sbin/nologin\n", h.Root)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"runas=ann"}, user + "a b|c d|mine|daemon|de\n/opt/"},
		{[]string{fmt.Sprintf("user=%d", os.Getuid())}, user + "a b|c d|mine|daemon|de\n/opt/"},
		{[]string{"runas=ann", "clean_env=True", "env={FROM_ETC: x, LC_TIME: C}"}, user + "x|c d|mine||C\n/opt/"},
		{[]string{"runas=ann", "prepend_path=/opt/first"}, user + "a b|c d|mine|daemon|de\n/opt/first:/opt/"},
		{[]string{"runas=ann", "env={HOME: /tmp}"}, "ann ann /tmp /usr/sbin/nologin\na b|c d|mine|daemon|de\n/opt/"},
		{[]string{"runas=ann", "shell=" + h.Path("/plain")}, user + "a b|c d||daemon|C\n/defs:/bin:/usr/bin"},
	} {
		got, err := call(t.Context(), t, h.Host, "run", typed(append(tt.args, "cmd="+showEnvironment)...)...)
		if err != nil || got.Value != tt.want {
			t.Errorf("%q: got %v, %v, want %s", tt.args, got.Value, err, tt.want)
		}
	}
}

func TestProfileThatEndsTheShellIsNoFailure(t *testing.T) {
	got, err := call(t.Context(), t, home(t, "exit 3\n").Host, "run", typed("echo $USER $FROM_ETC", "runas=ann")...)
	if err != nil || got.Value != "ann a b" {
		t.Errorf("got %v, %v", got.Value, err)
	}
}

func TestRunsAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run as another user")
	}
	h := hosttest.New(t)
	local := &host.Local{}
	t.Cleanup(local.Close)
	h.Host = &host.Host{Exec: local.Run, Files: h.Host.Files}
	h.Files.Serve("salt://who.sh", "#!/bin/sh\nid -un; echo $HOME $1\n", 0o644)
	for _, arg := range []string{"runas=nobody", "user=nobody"} {
		got, err := call(t.Context(), t, h.Host, "run", typed("id -un; echo $USER $LOGNAME", arg, "cwd=/")...)
		if err != nil || got.Value != "nobody\nnobody nobody" {
			t.Errorf("%s: got %q, %v", arg, got.Value, err)
		}
	}
	for name, args := range map[string][]string{
		"script":        {"salt://who.sh", "runas=nobody", "cwd=/", "args='a b'"},
		"exec_code_all": {"sh", "id -un", "runas=nobody"},
		"run_all":       {"id -un; echo x >/dev/stdout", "runas=nobody", "use_vt=True"},
	} {
		got, err := call(t.Context(), t, h.Host, name, typed(args...)...)
		if err != nil || got.Retcode != 0 {
			t.Errorf("%s: got %v, %v", name, got, err)
			continue
		}
		if out, _ := got.Value.(*value.Dict).Get("stdout"); !strings.HasPrefix(fmt.Sprint(out), "nobody") {
			t.Errorf("%s: got stdout %q", name, out)
		}
	}
}

// A jail of the machine's own programs: its mounts and processes are its own.
func TestRunsInAJail(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the root")
	}
	root := t.TempDir()
	h := hosttest.New(t)
	h.Root = root
	h.Write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:4711:4712::/home/ann:/bin/sh\n")
	h.Write("/etc/group", "root:x:0:\nann:x:4712:\nweb:x:4713:ann\n")
	for _, dir := range []string{"usr", "proc", "srv", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	local := &host.Local{}
	t.Cleanup(local.Close)
	machine := &host.Host{Exec: local.Run}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"pwd; ls -d /srv /nowhere 2>/dev/null; [ -c /dev/null ] && [ -d /proc/1 ] && echo fine"}, "/\n/srv\nfine"},
		{[]string{"pwd; id -u; id -G; echo $HOME $USER", "runas=ann", "cwd=/srv"}, "/srv\n4711\n4712 4713\n/home/ann ann"},
		{[]string{"id -u; id -g; umask", "group=web", "umask=077"}, "0\n4713\n0077"},
		{[]string{"echo $A$0", "env={A: b}", "shell=/bin/dash"}, "b/bin/dash"},
	} {
		args := append([]string{root}, append(tt.args, "binds=[/usr]")...)
		got, err := call(t.Context(), t, machine, "run_chroot", typed(args...)...)
		if err != nil || got.Retcode != 0 {
			t.Errorf("%q: got %v, %v", tt.args, got, err)
			continue
		}
		if out, _ := got.Value.(*value.Dict).Get("stdout"); out != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, out, tt.want)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(root, "usr")); len(left) != 0 {
		t.Errorf("still mounted: %v", left)
	}
}

func TestADirectoryThatTheUserMayNotEnterIsNamed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root runs commands as others")
	}
	h := hosttest.New(t).Real()
	h.Write("/etc/passwd", "eve:x:54321:54321::/:/bin/sh\n")
	h.Write("/closed/x", "")
	if err := os.Chmod(h.Path("/closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name := h.Root; name != "/"; name = filepath.Dir(name) {
		if st, err := os.Stat(name); err != nil || st.Mode()&0o005 != 0o005 {
			if err := os.Chmod(name, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	arg := func(name, text string) module.Arg { return module.Arg{Name: name, Value: module.Data(text)} }
	_, err := call(t.Context(), t, h.Host, "run", arg("cmd", "true"), arg("runas", "eve"), arg("cwd", "/closed"))
	if want := `in "/closed": permission denied: the user may not enter that directory`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
