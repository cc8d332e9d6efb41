//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// background is what a script started and has not ended.
type background struct{ running map[string]*process }

type backgroundKey struct{}

// A process of a script; both of its streams are kept.
type process struct {
	cmd      *exec.Cmd
	out, err stream
	ended    chan struct{}
	result   error
}

// A stream may be written and read at the same time.
type stream struct {
	mu sync.Mutex // guards the field below
	b  bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *stream) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}

// end kills what the script left.
func (b *background) end() {
	for _, p := range b.running {
		_ = p.cmd.Process.Kill() // it may have ended by itself
		<-p.ended
	}
}

func begin(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "begin NAME PROGRAM ARG...")
	words := line(ts, args[1:])
	p := &process{cmd: exec.Command(program(words[0]), words[1:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = ts.MkAbs("."), &p.out, &p.err
	ts.Check(p.cmd.Start())
	go func() {
		p.result = p.cmd.Wait()
		close(p.ended)
	}()
	ts.Value(backgroundKey{}).(*background).running[args[0]] = p
}

func named(ts *testscript.TestScript, name string) *process {
	p := ts.Value(backgroundKey{}).(*background).running[name]
	if p == nil {
		ts.Fatalf("nothing called %q runs in the background", name)
	}
	return p
}

func shows(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "shows NAME RE")
	p, re := named(ts, args[0]), pattern(ts, args[1])
	all := func() []byte { return append(p.out.Bytes(), p.err.Bytes()...) }
	if !wait(func() bool { return re.Match(all()) }) {
		ts.Fatalf("%s: no %q within %v in\n%s", args[0], re, patience, all())
	}
}

func connects(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "connects NAME")
	p := named(ts, args[0])
	if !wait(func() bool {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.cmd.Process.Pid))
		return slices.ContainsFunc(files, func(name string) bool {
			to, _ := os.Readlink(name)
			return strings.HasPrefix(to, "socket:")
		})
	}) {
		ts.Fatalf("%s connects to nothing within %v", args[0], patience)
	}
}

func signal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "signal NAME SIGNAL")
	sig := unix.SignalNum("SIG" + args[1])
	if sig == 0 {
		ts.Fatalf("unknown signal %q", args[1])
	}
	ts.Check(named(ts, args[0]).cmd.Process.Signal(sig))
}

func ends(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "ends NAME N")
	p := named(ts, args[0])
	if !wait(func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	}) {
		ts.Fatalf("%s does not end within %v; so far:\n%s%s", args[0], patience, p.out.Bytes(), p.err.Bytes())
	}
	_, _ = ts.Stdout().Write(p.out.Bytes())
	_, _ = ts.Stderr().Write(p.err.Bytes())
	delete(ts.Value(backgroundKey{}).(*background).running, args[0])
	if got := exitCode(ts, p.result); got != number(ts, args[1]) {
		ts.Fatalf("%s: exit code %d, want %s\n%s%s", args[0], got, args[1], p.out.Bytes(), p.err.Bytes())
	}
}
