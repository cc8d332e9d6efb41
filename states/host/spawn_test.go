package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"brine/states/host"
)

func TestCommandsDoNotInheritTheDaemonsUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
	l := local(t)
	for range 20 {
		out, err := l.Run(t.Context(), sh("umask"))
		if err != nil || string(out.Stdout) != "0022\n" {
			t.Fatalf("got umask %q, %v", out.Stdout, err)
		}
	}
	file := filepath.Join(l.Root, "own")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode() != 0o600 {
		t.Errorf("the daemon's own umask changed: got %v, %v", st.Mode(), err)
	}
	c := sh("umask > mask")
	c.Background = true
	if err := syscall.Mkfifo(filepath.Join(l.Root, "mask"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(l.Root, "mask")); err != nil || string(got) != "0022\n" {
		t.Errorf("background: got %q, %v", got, err)
	}
}

func TestCommandsAreNotExemptFromTheOOMKiller(t *testing.T) {
	const own = "/proc/self/oom_score_adj"
	old, err := os.ReadFile(own)
	if err != nil || os.WriteFile(own, []byte("-500"), 0) != nil {
		t.Skip("cannot lower the OOM score")
	}
	t.Cleanup(func() { _ = os.WriteFile(own, []byte(strings.TrimSpace(string(old))), 0) })
	l := local(t)
	// The score is set just after the start.
	c := host.Command{Argv: []string{"/bin/sh", "-c",
		"for i in $(seq 2000); do read n < " + own + "; [ $n = 0 ] && exit 0; done; exit 1"}}
	if out, err := l.Run(t.Context(), c); err != nil || out.Code != 0 {
		t.Errorf("got %d, %v", out.Code, err)
	}
}
