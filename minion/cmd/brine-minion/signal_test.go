package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's program be the command itself, where a test starts it so.
func TestMain(m *testing.M) {
	if os.Getenv("BRINE_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// pipe makes a pipe with a name: to read it waits for what a process writes there, and for its end.
func pipe(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) {
	t.Helper()
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
}

// TestTheSecondSignalEndsAtOnce interrupts a command that takes no notice of it.
func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		dir := t.TempDir()
		begun, told, held := pipe(t, dir, "begun"), pipe(t, dir, "told"), pipe(t, dir, "held")
		script := fmt.Sprintf("trap 'echo > %s' TERM; echo > %s; exec 9>%s; while :; do sleep 0.02; done", told, begun, held)
		c := exec.Command(os.Args[0], "call", "cmd.run", script)
		c.Env = append(os.Environ(), "BRINE_TEST_COMMAND=1")
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		read(t, begun)
		gone, err := os.OpenFile(held, os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		read(t, told)
		began := time.Now()
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // its status tells
		if code, took := c.ProcessState.ExitCode(), time.Since(began); code != want || took > 2*time.Second {
			t.Errorf("%v: got %d after %v, want %d at once", sig, code, took, want)
		}
		if _, err := gone.Read(make([]byte, 1)); err != io.EOF { // once the command has gone too
			t.Error(err)
		}
		gone.Close()
	}
}
