package host_test

import (
	"os"
	"path/filepath"
	"testing"

	"brine/states/host"
)

// A command that only looks can't write but to its scratch directory, where the system keeps it from it.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	scratch := filepath.Join(dir, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	var l host.Local
	defer l.Close()
	script := `echo a > "$1/file" && echo wrote; echo b > "$2/own" && cat "$2/own"; true`
	out, err := l.Run(t.Context(), host.Command{
		Argv: []string{"/bin/sh", "-c", script, "sh", dir, scratch}, ReadOnly: true, Scratch: scratch,
	})
	if err != nil || out.Code != 0 {
		t.Fatalf("got %+v, %v", out, err)
	}
	_, left := os.Stat(filepath.Join(dir, "file"))
	switch got := string(out.Stdout); got {
	case "b\n":
		if left == nil {
			t.Error("a file was written all the same")
		}
	case "wrote\nb\n": // not root, or a container: the system does not let anyone keep it from it
		if os.Geteuid() == 0 {
			t.Logf("not kept from writing on this system")
		}
	default:
		t.Errorf("got %q, %s", got, out.Stderr)
	}
	// The daemon itself, and what it runs next, are not shielded.
	if err := os.WriteFile(filepath.Join(dir, "later"), nil, 0o600); err != nil {
		t.Error(err)
	}
	if out, err := l.Run(t.Context(), host.Command{Argv: []string{"/bin/sh", "-c", `echo > "$1/next"`, "sh", dir}}); err != nil || out.Code != 0 {
		t.Errorf("the next command: got %+v, %v", out, err)
	}
}
