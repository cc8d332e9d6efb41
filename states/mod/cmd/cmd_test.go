package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/cmd"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) {
	moduletest.Run(t, cmd.Module, moduletest.Options{
		Repeats: []string{"run", "script"}, Afterwards: []string{"run", "script", "wait", "wait_script", "watch"},
		Host: newHost, Bare: newHost,
	})
}

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t).Real()
	h.Files.Serve("salt://scripts/setup.sh", "echo set up\n", 0o755)
	return h
}

func call(ctx context.Context, t *testing.T, h *host.Host, name string, args ...module.Arg) (module.Returned, error) {
	t.Helper()
	f, err := module.NewIndex(cmd.Module).Func("cmd." + name)
	if err != nil {
		t.Fatal(err)
	}
	return f.Call(ctx, h, module.Input{Args: args})
}

func typed(words ...string) []module.Arg { return module.Words(words...).Args }

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		want    any
		retcode int
	}{
		{"run", []string{"echo hello"}, "hello", 0},
		{"run", []string{"echo out; echo err >&2; echo out"}, "out\nerr\nout", 0},
		{"run", []string{"echo bad; exit 3"}, "bad", 3},
		{"run", []string{"exit 3", "ignore_retcode=True"}, "", 0},
		{"run", []string{"exit 3", "success_retcodes=[2,3]"}, "", 0},
		{"run", []string{"echo fine; exit 3", "success_stdout=fine"}, "fine", 0},
		{"run", []string{"kill -9 $$"}, "", 137},
		{"run", []string{"echo hello  ", "rstrip=False"}, "hello\n", 0},
		{"run", []string{"echo hello", "hide_output=True"}, "", 0},
		{"run", []string{"echo 0644"}, "0644", 0},
		{"run", []string{"[ -d / ] && echo yes"}, "yes", 0},
		{"run", []string{"echo a: b"}, "a: b", 0},
		{"run", []string{"'echo quoted'"}, "quoted", 0},
		{"run", []string{"echo $A$B", "env={A: 0644, B: yes}"}, "0644yes", 0},
		{"run", []string{"echo $A$B", "env=[{A: 1.10}, B=2]"}, "1.102", 0},
		{"run", []string{"echo $A-$HOME", "env={A: b}", "clean_env=True"}, "b-", 0},
		{"run", []string{"umask", "umask=027"}, "0027", 0},
		{"run", []string{"umask", "umask=0"}, "0000", 0},
		{"run", []string{"cat", "stdin=from here"}, "from here", 0},
		{"run", []string{"cat", `stdin=a\nb\n`}, "a\nb", 0},
		{"run", []string{"cat", `stdin=a\nb`, "stdin_raw_newlines=True"}, `a\nb`, 0},
		{"run", []string{"echo $PATH", "env={PATH: /bin}", "prepend_path=/opt/x"}, "/opt/x:/bin", 0},
		{"run", []string{"echo '$HOME' | cat", "python_shell=False"}, "$HOME | cat", 0},
		{"run", []string{"no-such-program-here"}, "/bin/sh: 1: no-such-program-here: not found", 127},
		{"run", []string{"echo $LC_MESSAGES"}, "C", 0},
		{"run", []string{"echo $NOTIFY_SOCKET"}, "", 0},
		{"run", []string{`printf 'a\377b'`}, "a\ufffdb", 0},
		{"run", []string{`printf 'a\377b'`, "output_encoding=latin-1"}, "aÿb", 0},
		{"run", []string{`printf 'a\200\201b'`, "output_encoding=Windows-1252"}, "a€\ufffdb", 0},
		{"run", []string{`printf 'a\244\245b'`, "output_encoding=iso8859_15"}, "a€¥b", 0},
		{"run", []string{`printf 'a\377b'`, "output_encoding=ascii"}, "a\ufffdb", 0},
		{"run", []string{`printf 'a\377\303\244b'`, "output_encoding=utf8"}, "a\ufffdäb", 0},
		{"run", []string{`printf '\377\376\344\000\075\330\000\336x'`, "output_encoding=utf-16"}, "ä😀\ufffd", 0},
		{"run", []string{`printf '\376\377\000\344'`, "output_encoding=utf-16"}, "ä", 0},
		{"run", []string{`printf 'a\000'`, "output_encoding=utf-16-le"}, "a", 0},
		{"run", []string{"[ -t 1 ] && [ -t 2 ] && echo $0", "use_vt=True"}, "/bin/sh", 0},
		{"run", []string{"echo out; echo err >&2; exit 3", "redirect_stderr=False"}, "out", 3},
		{"run", []string{"exit 3", "success_retcodes=2, 3"}, "", 0},
		{"run", []string{"echo is fine here; exit 3", "success_stdout=[x, fine]"}, "is fine here", 0},
		{"run_stderr", []string{"echo is fine here >&2; exit 3", "success_stderr=fine"}, "is fine here", 0},
		{"run", []string{"exit 3", "success_stdout=fine"}, "", 3},
		{"run", []string{"echo a", "raise_err=True"}, "a", 0},
		{"run", []string{`printf 'a \t\v\034\302\240\n'`}, "a", 0},
		{"run", []string{"echo $LC_TIME-$LC_ALL", "env={LC_ALL: C.UTF-8, LC_TIME: x}"}, "x-C.UTF-8", 0},
		{"run", []string{"echo -$LC_TIME", "reset_system_locale=False", "clean_env=True"}, "-", 0},
		{"run", []string{"echo $PATH", "clean_env=True", "prepend_path=/opt/x"}, "/opt/x:" + host.DefaultPath, 0},
		{"run", []string{"a", "password=x", "log_callback=y", "windows_codepage=65001", "output_loglevel=quiet",
			"shell=/bin/echo", "saltenv=dev"}, "-c a", 0},
		{"shell", []string{"echo a | cat", "python_shell=False"}, "a", 0},
		{"run_stdout", []string{"echo out; echo err >&2"}, "out", 0},
		{"run_stderr", []string{"echo out; echo err >&2; exit 2"}, "err", 2},
		{"retcode", []string{"exit 7"}, int64(7), 7},
		{"has_exec", []string{"sh"}, true, 0},
		{"has_exec", []string{"no-such-program-here"}, false, 0},
		{"which", []string{"no-such-program-here"}, nil, 0},
		{"which", []string{"/bin/sh"}, "/bin/sh", 0},
		{"which", []string{"/etc/passwd"}, nil, 0},
		{"which_bin", []string{"[no-such-program-here, /bin/sh, cat]"}, "/bin/sh", 0},
		{"which_bin", []string{"[no-such-program-here]"}, nil, 0},
	} {
		t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
		h := hosttest.New(t).Real()
		got, err := call(t.Context(), t, h.Host, tt.name, typed(tt.args...)...)
		if err != nil || !sameText(got.Value, tt.want) || got.Retcode != tt.retcode {
			t.Errorf("%s %q: got %#v, %d, %v, want %#v, %d",
				tt.name, tt.args, got.Value, got.Retcode, err, tt.want, tt.retcode)
		}
	}
}

// sameText lets shells differ in how they complain of a missing program.
func sameText(got, want any) bool {
	text, ok := got.(string)
	if ok && strings.Contains(text, "not found") {
		return strings.Contains(fmt.Sprint(want), "not found")
	}
	return value.Equal(got, want)
}

func TestRunAll(t *testing.T) {
	h := hosttest.New(t).Real()
	got, err := call(t.Context(), t, h.Host, "run_all", typed("echo out; echo err >&2; exit 4")...)
	if err != nil {
		t.Fatal(err)
	}
	d := got.Value.(*value.Dict)
	pid, _ := d.Get("pid")
	if n, ok := pid.(int64); !ok || n <= 1 {
		t.Errorf("got pid %v", pid)
	}
	d.Put("pid", int64(1))
	if json, _ := value.MarshalJSON(d); string(json) != `{"pid":1,"retcode":4,"stdout":"out","stderr":"err"}` {
		t.Errorf("got %s", json)
	}
	if got.Retcode != 4 {
		t.Errorf("got retcode %d, want 4", got.Retcode)
	}
}

func TestListRunsWithoutShell(t *testing.T) {
	words := module.Arg{Name: "cmd", Value: module.Data(value.NewList("echo", "$HOME", "a  b", int64(7)))}
	got, err := call(t.Context(), t, hosttest.New(t).Real().Host, "run", words)
	if err != nil || got.Value != "$HOME a  b 7" {
		t.Errorf("got %q, %v", got.Value, err)
	}
}

func TestRunsInItsDirectory(t *testing.T) {
	h := hosttest.New(t).Real()
	h.Write("/srv/app/x", "")
	for cwd, want := range map[string]string{"/srv/app": h.Path("/srv/app"), "": h.Root} {
		got, err := call(t.Context(), t, h.Host, "run", typed("pwd", "cwd="+cwd)...)
		if err != nil || got.Value != want {
			t.Errorf("cwd=%q: got %v, %v, want %s", cwd, got.Value, err, want)
		}
	}
}

func TestTimeoutEndsTheWholeTree(t *testing.T) {
	h := hosttest.New(t).Real()
	line := `sh -c 'trap "" TERM; echo $$ > pid; while :; do sleep 1; done' & wait`
	started := time.Now()
	got, err := call(t.Context(), t, h.Host, "run_all", typed(line, "timeout=0.3", "cwd=/")...)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	stdout, _ := got.Value.(*value.Dict).Get("stdout")
	if got.Retcode != 1 || !strings.HasSuffix(fmt.Sprint(stdout), "Timed out after 0.3 seconds") {
		t.Errorf("got %d, stdout %q", got.Retcode, stdout)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(h.Read("/pid")))
	if err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("process %d lives on", pid)
	}
}

// alive says whether a process runs: one that ended and was not buried yet does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && syscall.Kill(pid, 0) == nil && !strings.Contains(string(data), ") Z ")
}

func TestCancelEndsTheCommand(t *testing.T) {
	h := hosttest.New(t).Real()
	ready := h.Path("/ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("cancelled by ann")
	go func() {
		_, _ = os.ReadFile(ready) // until the command has begun
		cancel(why)
	}()
	_, err := call(ctx, t, h.Host, "run", typed("echo $$ > pid; echo > ready; sleep 600", "cwd=/", "timeout=500")...)
	if !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(h.Read("/pid"))); err != nil || alive(pid) {
		t.Errorf("process %d lives on, %v", pid, err)
	}
}

func TestTemplatesUseNoShellUnlessTheySay(t *testing.T) {
	x := module.NewIndex(cmd.Module)
	for _, tt := range []struct {
		function string
		named    *value.Dict
		want     string
	}{
		{"cmd.run", nil, "$HOME | cat"},
		{"cmd.run", value.NewDict("python_shell", true), "/x"},
		{"cmd.shell", nil, "/x"},
	} {
		h := hosttest.New(t).Real()
		t.Setenv("HOME", "/x")
		got, _, err := x.Call(t.Context(), h.Host, tt.function, []any{"echo $HOME | cat"}, tt.named)
		if err != nil || got != tt.want {
			t.Errorf("%s %v: got %q, %v, want %q", tt.function, tt.named.Keys(), got, err, tt.want)
		}
	}
}

func TestShells(t *testing.T) {
	h := hosttest.New(t)
	if got, err := call(t.Context(), t, h.Host, "shells"); err != nil || !value.Equal(got.Value, value.NewList()) {
		t.Errorf("without /etc/shells: got %v, %v", got.Value, err)
	}
	h.Write("/etc/shells", "# login shells\n/bin/sh\n\n /bin/bash \n")
	got, err := call(t.Context(), t, h.Host, "shells")
	if err != nil || !value.Equal(got.Value, value.NewList("/bin/sh", "/bin/bash")) {
		t.Errorf("got %v, %v", got.Value, err)
	}
}

func TestBackground(t *testing.T) {
	h := hosttest.New(t).Real()
	if err := syscall.Mkfifo(h.Path("/done"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := call(t.Context(), t, h.Host, "run_bg", typed("echo $$ > done", "/")...)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := got.Value.(*value.Dict).Get("pid")
	if said := strings.TrimSpace(h.Read("/done")); said != fmt.Sprint(pid) {
		t.Errorf("got pid %v, the command is %s", pid, said)
	}
}
