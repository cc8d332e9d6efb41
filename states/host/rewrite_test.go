package host_test

import (
	"os"
	"path/filepath"
	"testing"

	"brine/states/host"
)

func TestRewriteKeepsWhatAFileIs(t *testing.T) {
	h := &host.Host{Root: t.TempDir()}
	for _, text := range []string{"one\n", "two\n"} {
		if err := h.Rewrite("/etc/app/a.conf", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(h.Path("/etc/app/a.conf"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.conf", h.Path("/etc/app/link")); err != nil {
		t.Fatal(err)
	}
	if err := h.Rewrite("/etc/app/link", []byte("three\n")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(h.Path("/etc/app/a.conf"))
	st, _ := os.Stat(h.Path("/etc/app/a.conf"))
	if err != nil || string(data) != "three\n" || st.Mode() != 0o600 {
		t.Errorf("got %q, %v, %v", data, st.Mode(), err)
	}
	if left, _ := filepath.Glob(h.Path("/etc/app") + "/.*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestRewriteStaysInTheRoot(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(out, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := &host.Host{Root: t.TempDir()}
	if err := os.Symlink(out, h.Path("/link")); err != nil {
		t.Fatal(err)
	}
	err := h.Rewrite("/link", []byte("x"))
	if err == nil || err.Error() != "cannot write /link: it leads out of the root directory" {
		t.Errorf("got %v", err)
	}
}
