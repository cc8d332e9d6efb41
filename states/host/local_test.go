package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/states/host"
)

func local(t *testing.T) *host.Local {
	t.Helper()
	l := &host.Local{Root: t.TempDir()}
	t.Cleanup(l.Close)
	return l
}

func sh(script string) host.Command { return host.Command{Argv: []string{"/bin/sh", "-c", script}} }

func TestCommand(t *testing.T) {
	l := local(t)
	if err := os.Mkdir(filepath.Join(l.Root, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(c host.Command, change func(*host.Command)) host.Command { change(&c); return c }
	for _, tt := range []struct {
		c              host.Command
		stdout, stderr string
		code           int
	}{
		{sh("echo out; echo err >&2; exit 3"), "out\n", "err\n", 3},
		{sh("kill -TERM $$"), "", "", 143},
		{with(sh("echo out; echo err >&2"), func(c *host.Command) { c.Merge = true }), "out\nerr\n", "", 0},
		{with(sh("cat"), func(c *host.Command) { c.Stdin = []byte("in") }), "in", "", 0},
		{sh("cat"), "", "", 0},
		{with(sh("pwd"), func(c *host.Command) { c.Dir = "/sub" }), l.Root + "/sub\n", "", 0},
		{with(sh("pwd"), func(c *host.Command) { c.Dir = "../../sub" }), l.Root + "/sub\n", "", 0},
		{with(sh("umask"), func(c *host.Command) { c.Umask = "0077" }), "0077\n", "", 0},
		{with(sh("echo $A-$HOME-$PATH"), func(c *host.Command) { c.Env, c.Clean = []string{"A=b"}, true }),
			"b--" + host.DefaultPath + "\n", "", 0},
		{with(sh("echo $A"), func(c *host.Command) { c.Env = []string{"A=1", "A=2"} }), "2\n", "", 0},
		{with(sh("printf 0123456789abcdef"), func(c *host.Command) { c.Limit = 8 }),
			"0123\n[... 8 bytes left out ...]\ncdef", "", 0},
		{with(sh("printf 01234567"), func(c *host.Command) { c.Limit = 8 }), "01234567", "", 0},
		{with(sh(`printf 'a\377b'`), func(*host.Command) {}), "a\ufffdb", "", 0},
		{with(sh(`printf 'a\377b'`), func(c *host.Command) { c.Bytes = true }), "a\xffb", "", 0},
		{with(sh("[ -t 1 ] && [ -t 2 ] && echo out && echo err >&2; stty size <&1"), func(c *host.Command) { c.Terminal = true }),
			"out\n24 80\n", "err\n", 0},
		{with(sh("[ -t 0 ] || cat; read a </dev/tty; echo $?"), func(c *host.Command) {
			c.Terminal, c.Merge, c.Stdin = true, true, []byte("in\n")
		}), "in\n1\n", "", 0},
		{with(sh("printf %5000s x; exit 3"), func(c *host.Command) { c.Terminal = true }),
			strings.Repeat(" ", 4999) + "x", "", 3},
		{sh("ps -o tty= -p $$ 2>/dev/null || echo '?'"), "?\n", "", 0},
	} {
		out, err := l.Run(t.Context(), tt.c)
		if tt.c.Argv[2][:2] == "ps" {
			out.Stdout = []byte(strings.TrimRight(string(out.Stdout), " \n") + "\n")
		}
		if err != nil || string(out.Stdout) != tt.stdout || string(out.Stderr) != tt.stderr || out.Code != tt.code {
			t.Errorf("%q: got %q, %q, %d, %v, want %q, %q, %d",
				tt.c.Argv, out.Stdout, out.Stderr, out.Code, err, tt.stdout, tt.stderr, tt.code)
		}
		if out.PID <= 1 {
			t.Errorf("%q: got pid %d", tt.c.Argv, out.PID)
		}
	}
}

func TestLargeOutputKeepsItsEnds(t *testing.T) {
	c := sh("echo first; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo last")
	c.Limit = 1 << 10
	out, err := local(t).Run(t.Context(), c)
	text := string(out.Stdout)
	if err != nil || !strings.HasPrefix(text, "first\nline 0\n") || !strings.HasSuffix(text, "line 19999\nlast\n") ||
		len(text) > 1100 {
		t.Errorf("got %d bytes, %v: %.40q ... %q", len(text), err, text, text[max(0, len(text)-40):])
	}
}

func TestCannotStart(t *testing.T) {
	l := local(t)
	plain := filepath.Join(l.Root, "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c    host.Command
		want string
		is   error
	}{
		{host.Command{}, "cannot run a command: it is empty", nil},
		{host.Command{Argv: []string{"no-such-program"}}, `cannot run "no-such-program": no such program in `, fs.ErrNotExist},
		{host.Command{Argv: []string{"/no/such"}}, `cannot run "/no/such": no such file or directory`, fs.ErrNotExist},
		{host.Command{Argv: []string{plain}}, fmt.Sprintf("cannot run %q: permission denied", plain), fs.ErrPermission},
		{host.Command{Argv: []string{"/bin/true"}, Dir: "/none"}, `cannot run "/bin/true" in "/none": no such file`, fs.ErrNotExist},
	} {
		for _, background := range []bool{false, true} {
			tt.c.Background = background
			_, err := l.Run(t.Context(), tt.c)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%q: got %v, want %s", tt.c.Argv, err, tt.want)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("cancelled by ann")
	cancel(why)
	if _, err := l.Run(ctx, sh("true")); !errors.Is(err, why) {
		t.Errorf("ended context: got %v, want %v", err, why)
	}
}

// started runs a command in the background of the test and returns when the script made the file ready.
func started(t *testing.T, ctx context.Context, l *host.Local, c host.Command) <-chan error {
	t.Helper()
	ready := filepath.Join(l.Root, "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Run(ctx, c)
		done <- err
	}()
	if _, err := os.ReadFile(ready); err != nil { // blocks until the script has written
		t.Fatal(err)
	}
	return done
}

func pids(t *testing.T, l *host.Local) []int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Root, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, f := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

// alive says whether a process runs: one that ended and was not buried yet does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(data), ") Z ")
}

// family starts a child, a grandchild, two in sessions of their own, one of them without
// its parent, and one that ignores SIGTERM.
const family = `
echo $$ >> pids
sh -c 'echo $$ >> pids; sh -c "echo \$\$ >> pids; sleep 600; true"; true' &
setsid sh -c 'echo $$ >> pids; sleep 600; true' &
(setsid sh -c 'echo $$ >> pids; sleep 600; true' &)
sh -c 'trap "" TERM; echo $$ >> pids; while :; do sleep 600; done' &
while [ $(wc -l < pids) -lt 6 ]; do sleep 0.01; done
echo > ready
wait; wait; sleep 600`

func TestCancelEndsTheWholeFamily(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		grace time.Duration
		most  time.Duration
	}{
		"at once":    {host.ErrKill, time.Hour, 20 * time.Second},
		"with grace": {errors.New("cancelled by ann"), 300 * time.Millisecond, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			l := local(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c := sh(family)
			c.Grace = tt.grace
			done := started(t, ctx, l, c)
			family := pids(t, l)
			if len(family) != 6 {
				t.Fatalf("got %d processes, want 6", len(family))
			}
			from := time.Now()
			cancel(tt.cause)
			if err := <-done; !errors.Is(err, tt.cause) {
				t.Errorf("got %v, want %v", err, tt.cause)
			}
			if took := time.Since(from); took > tt.most {
				t.Errorf("took %v", took)
			}
			for _, pid := range family {
				if alive(pid) {
					t.Errorf("process %d lives on", pid)
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		})
	}
}

func TestCommandMayCleanUp(t *testing.T) {
	l := local(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := sh(`trap 'echo cleaned > clean; exit 0' TERM; echo > ready; while :; do sleep 0.05; done`)
	c.Grace = time.Minute
	done := started(t, ctx, l, c)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(l.Root, "clean")); err != nil || string(data) != "cleaned\n" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestNothingMoreBeginsAfterACancel(t *testing.T) {
	for _, cause := range []error{context.Canceled, host.ErrKill} {
		for range 10 {
			l := local(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			// Many, so that there is time for the shell to go on before its own turn comes.
			c := sh(`(for i in $(seq 60); do sleep 600 & done; echo > ready; wait); echo > after`)
			c.Grace = time.Minute
			done := started(t, ctx, l, c)
			cancel(cause)
			<-done
			if _, err := os.Stat(filepath.Join(l.Root, "after")); err == nil {
				t.Fatalf("%v: the command after the one that was ended was begun", cause)
			}
		}
	}
}

func TestStoppedCommandEndsToo(t *testing.T) {
	l := local(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := sh(`echo $$ > pids; (sleep 0.1; kill -STOP $$; echo > ready) & wait; sleep 600`)
	c.Grace = time.Minute
	done := started(t, ctx, l, c)
	cancel()
	<-done
	if pid := pids(t, l)[0]; alive(pid) {
		t.Errorf("process %d lives on", pid)
	}
}

func TestChildLeftBehindLivesOn(t *testing.T) {
	l := local(t)
	// The child writes after its parent has ended: with its pipe closed it would die of SIGPIPE.
	out, err := l.Run(t.Context(), sh(`(while [ ! -e go ]; do sleep 0.01; done; echo late; echo done > done) & echo early`))
	if err != nil || string(out.Stdout) != "early\n" {
		t.Fatalf("got %q, %v", out.Stdout, err)
	}
	if err := os.WriteFile(filepath.Join(l.Root, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if data, _ := os.ReadFile(filepath.Join(l.Root, "done")); string(data) == "done\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the child did not come to its end")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestBackground(t *testing.T) {
	l := local(t)
	ready := filepath.Join(l.Root, "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	c := sh("cat > ready")
	c.Stdin, c.Background = []byte("hello"), true
	out, err := l.Run(t.Context(), c)
	if err != nil || out.PID <= 1 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if data, err := os.ReadFile(ready); err != nil || string(data) != "hello" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestSignalToAJobsCommands(t *testing.T) {
	l := local(t)
	var p host.Processes
	ctx := host.WithProcesses(t.Context(), &p)
	done := started(t, ctx, l, sh(`trap 'exit 7' USR1; echo $$ > pids; echo > ready; while :; do sleep 0.05; done`))
	if got := p.PIDs(); len(got) != 1 || got[0] != pids(t, l)[0] {
		t.Fatalf("got %v, want %v", got, pids(t, l))
	}
	if n := p.Signal(syscall.SIGUSR1); n != 1 {
		t.Errorf("got %d commands, want 1", n)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := p.Signal(syscall.SIGUSR1); n != 0 || len(p.PIDs()) != 0 {
		t.Errorf("got %d commands after the end, want none", n)
	}
}

// escape starts a process that has left its session, its parent and its environment.
const escape = `
env -i PATH=$PATH setsid sh -c '(setsid sh -c "echo \$\$ > pids; echo > ready; exec sleep 600" &)'
sleep 600
`

func TestNothingEscapesItsCgroup(t *testing.T) {
	l := local(t)
	base := host.GroupOf(l)
	if base == "" {
		t.Skip("this process may not make a cgroup below its own")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	c := sh(escape)
	c.Grace = 100 * time.Millisecond
	done := started(t, ctx, l, c)
	escaped := pids(t, l)[0]
	if !alive(escaped) {
		t.Fatal("it did not begin")
	}
	cancel(host.ErrKill)
	if err := <-done; !errors.Is(err, host.ErrKill) {
		t.Errorf("got %v", err)
	}
	if alive(escaped) {
		t.Errorf("process %d lives on", escaped)
		_ = syscall.Kill(escaped, syscall.SIGKILL)
	}
	left, err := filepath.Glob(filepath.Join(base, "brine-command-*", "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range left {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), strconv.Itoa(escaped)) {
			t.Errorf("%s still holds it", file)
		}
	}
}
