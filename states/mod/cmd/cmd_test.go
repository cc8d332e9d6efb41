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
		Repeats: []string{"run", "script"},
		Host: func(t testing.TB) *hosttest.Host {
			h := hosttest.New(t).Real()
			h.Files.Serve("salt://scripts/setup.sh", "echo set up\n", 0o755)
			return h
		},
	})
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
		{"run", []string{"cat", "stdin=from here"}, "from here", 0},
		{"run", []string{"echo $PATH", "env={PATH: /bin}", "prepend_path=/opt/x"}, "/opt/x:/bin", 0},
		{"run", []string{"echo '$HOME' | cat", "python_shell=False"}, "$HOME | cat", 0},
		{"run", []string{"no-such-program-here"}, "/bin/sh: 1: no-such-program-here: not found", 127},
		{"run", []string{"echo $LC_MESSAGES"}, "C", 0},
		{"run", []string{"echo $NOTIFY_SOCKET"}, "", 0},
		{"run", []string{`printf 'a\377b'`}, "a\ufffdb", 0},
		{"shell", []string{"echo a | cat", "python_shell=False"}, "a", 0},
		{"run_stdout", []string{"echo out; echo err >&2"}, "out", 0},
		{"run_stderr", []string{"echo out; echo err >&2; exit 2"}, "err", 2},
		{"retcode", []string{"exit 7"}, int64(7), 7},
		{"has_exec", []string{"sh"}, true, 0},
		{"has_exec", []string{"no-such-program-here"}, false, 0},
		{"which", []string{"no-such-program-here"}, nil, 0},
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

func TestCannotRun(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{""}, "cannot run a command: it is empty"},
		{[]string{"id", "runas=nosuchuser"}, `cannot find user "nosuchuser": no such account`},
		{[]string{"id", "group=nosuchgroup"}, `cannot find group "nosuchgroup": no such account`},
		{[]string{"id", "cwd=/no/such"}, `cannot run in "/no/such": no such directory`},
		{[]string{"id", "shell=/no/shell"}, `cannot run "/no/shell": no such file or directory`},
		{[]string{"id", "bg=True", "timeout=5"},
			`cannot run a command with both "bg" and "timeout": no one waits for its end`},
		{[]string{"echo 'a", "python_shell=False"}, "cannot split the text into words: a quote is not closed"},
		{[]string{"id", "umask=99"}, `cannot call cmd.run: argument "umask": want a umask such as 022, got "99"`},
		{[]string{"id", "runas=a", "user=b"}, `cannot call cmd.run: arguments "runas" and "user" are the same: give one`},
		{[]string{"id", "tiemout=5", "cwdd=/", "umask=x"}, `cannot call cmd.run: 
    unknown argument "cwdd" (did you mean "cwd"?)
    unknown argument "tiemout" (did you mean "timeout"?)
    argument "umask": want a umask such as 022, got "x"`},
		{[]string{"id", "env={A: [1]}"}, `cannot call cmd.run: argument "env": variable "A": want text, got a list`},
	} {
		_, err := call(t.Context(), t, hosttest.New(t).Real().Host, "run", typed(tt.args...)...)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: got error %v, want %s", tt.args, err, tt.want)
		}
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

func TestRunsAsUser(t *testing.T) {
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
	got, err := call(t.Context(), t, h.Host, "script", typed("salt://who.sh", "runas=nobody", "cwd=/", "args='a b'")...)
	if err != nil || got.Retcode != 0 {
		t.Fatalf("got %v, %v", got, err)
	}
	if out, _ := got.Value.(*value.Dict).Get("stdout"); !strings.HasPrefix(fmt.Sprint(out), "nobody\n") {
		t.Errorf("got stdout %q", out)
	}
}

func TestScript(t *testing.T) {
	h := hosttest.New(t).Real()
	if err := os.MkdirAll(h.Path("/tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.Files.Serve("salt://a/s.sh", "#!/bin/sh\necho $0; echo $1 $2; exit 5\n", 0o644)
	got, err := call(t.Context(), t, h.Host, "script", typed("salt://a/s.sh", "args=one 'two'")...)
	if err != nil || got.Retcode != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	out, _ := got.Value.(*value.Dict).Get("stdout")
	lines := strings.Split(out.(string), "\n")
	if !strings.HasPrefix(lines[0], h.Path("/tmp/brine-script-")) || lines[1] != "one two" {
		t.Errorf("got %q", out)
	}
	if left, _ := os.ReadDir(h.Path("/tmp")); len(left) != 0 {
		t.Errorf("left behind %v", left)
	}
	_, err = call(t.Context(), t, h.Host, "script", typed("salt://no/such")...)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "salt://no/such") {
		t.Errorf("missing script: got error %v", err)
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
	stderr, _ := got.Value.(*value.Dict).Get("stderr")
	if got.Retcode != 1 || !strings.Contains(fmt.Sprint(stderr), "Timed out after 0.3 seconds") {
		t.Errorf("got %d, stderr %q", got.Retcode, stderr)
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

func bind(t *testing.T, name string, words ...string) *module.Bound {
	t.Helper()
	s, err := module.NewIndex(cmd.Module).State("cmd." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRunState(t *testing.T) {
	for _, tt := range []struct {
		name             string
		args             []string
		ok               bool
		changes, comment string
	}{
		{"run", []string{"name=echo A"}, true,
			`{"retcode":0,"stdout":"A","stderr":""}`, `Command "echo A" run`},
		{"run", []string{"name=false"}, false,
			`{"retcode":1,"stdout":"","stderr":""}`, `Command "false" run`},
		{"run", []string{"name=echo changed=no comment=same", "stateful=True"}, true, "{}", "same"},
		{"run", []string{"name=true", "stateful=True"}, true, "{}", "already in the wanted state"},
		{"run", []string{"name=echo working; echo changed=yes comment=\\'it did\\' n=1", "stateful=True"}, true,
			`{"changed":"yes","n":"1","retcode":0,"stdout":"working","stderr":""}`, "it did"},
		{"run", []string{`name=echo '{"changed": true, "comment": "c", "n": [1]}'`, "stateful=True"}, true,
			`{"changed":true,"n":[1],"retcode":0,"stdout":"","stderr":""}`, "c"},
		{"run", []string{"name=echo nonsense", "stateful=[{test_name: x}]"}, false,
			`{"retcode":0,"stdout":"nonsense","stderr":""}`, "cannot read the report of the command: " +
				"its output must be JSON or end with a line of name=value pairs"},
		{"run", []string{"name=sleep 60", "timeout=0.1", "ignore_timeout=True", "hide_output=True"}, true,
			`{"retcode":0,"stdout":"","stderr":""}`, `Command "sleep 60" run`},
		{"run", []string{"name=sleep 60", "timeout=5", "bg=True"}, false, "{}",
			`cannot run a command with both "bg" and "timeout": no one waits for its end`},
		{"script", []string{"name=salt://s.sh one two"}, true,
			`{"retcode":0,"stdout":"one two","stderr":""}`, `Command "salt://s.sh one two" run`},
		{"script", []string{"name=x", "source=salt://s.sh", "args=one"}, true,
			`{"retcode":0,"stdout":"one","stderr":""}`, `Command "x" run`},
		{"script", []string{"name=/no/such"}, false, "{}",
			`cannot run the script "/no/such": there is no such file`},
		{"wait", []string{"name=echo A"}, true, "{}", "nothing that it watches has changed"},
	} {
		h := hosttest.New(t).Real()
		h.Files.Serve("salt://s.sh", "echo $@\n", 0o644)
		r := bind(t, tt.name, tt.args...).Run(t.Context(), h.Host, false)
		r.Changes.Delete("pid")
		json, err := value.MarshalJSON(r.Changes)
		if err != nil || r.Result == nil || *r.Result != tt.ok || string(json) != tt.changes || r.Comment != tt.comment {
			t.Errorf("%s %q: got %v, %s, %q, want %v, %s, %q",
				tt.name, tt.args, *r.Result, json, r.Comment, tt.ok, tt.changes, tt.comment)
		}
	}
}

func TestWaitRunsWhenWatchedStatesChange(t *testing.T) {
	h := hosttest.New(t).Real()
	r := bind(t, "wait", "name=echo A").RunWatch(t.Context(), h.Host, []string{"file: x"}, false)
	if out, _ := r.Changes.Get("stdout"); out != "A" {
		t.Errorf("got %v, %s", out, r.Comment)
	}
	r = bind(t, "wait", "name=touch made").RunWatch(t.Context(), h.Host, []string{"file: x"}, true)
	if r.Result != nil || h.Read("/made") != "" {
		t.Errorf("test mode: got %v", r.Result)
	}
}

func TestTestModeFindsWhatTheRunWouldMiss(t *testing.T) {
	for _, name := range []string{"run", "script"} {
		for arg, want := range map[string]string{
			"runas=nosuchuser":  `cannot find user "nosuchuser": no such account`,
			"group=nosuchgroup": `cannot find group "nosuchgroup": no such account`,
			"cwd=/nowhere":      `cannot run in "/nowhere": no such directory`,
		} {
			h := hosttest.New(t).Real()
			h.Write("/s.sh", "")
			b := bind(t, name, "name=/s.sh", arg)
			for _, test := range []bool{true, false} {
				r := b.Run(t.Context(), h.Host, test)
				if r.Result == nil || *r.Result || r.Comment != want || !r.Unknown {
					t.Errorf("%s %s, test %v: got %+v, want %s", name, arg, test, r, want)
				}
			}
		}
	}
}
