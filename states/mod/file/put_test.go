package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
)

func TestPutKeepsWhatAFileIs(t *testing.T) {
	h := hosttest.New(t).Host
	for _, text := range []string{"one\n", "two\n"} {
		if err := file.Put(t.Context(), h, "/etc/app/a.conf", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(h.Path("/etc/app/a.conf"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.conf", h.Path("/etc/app/link")); err != nil {
		t.Fatal(err)
	}
	if err := file.Put(t.Context(), h, "/etc/app/link", []byte("three\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := file.Get(h, "/etc/app/a.conf")
	st, _ := os.Stat(h.Path("/etc/app/a.conf"))
	if err != nil || string(data) != "three\n" || st.Mode() != 0o600 {
		t.Errorf("got %q, %v, %v", data, st.Mode(), err)
	}
	if left, _ := filepath.Glob(h.Path("/etc/app") + "/.*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestPutStaysInTheRoot(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(out, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	if err := os.Symlink(out, h.Path("/link")); err != nil {
		t.Fatal(err)
	}
	// the link is followed under the root, where its directory is not
	if err := file.Put(t.Context(), h, "/link", []byte("x"), 0o644); err == nil || !strings.HasPrefix(err.Error(), "cannot write /link: ") {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(out); string(data) != "mine" || err != nil {
		t.Errorf("wrote out of the root: got %q, %v", data, err)
	}
}

func TestGetTellsWhatIsNoFile(t *testing.T) {
	h := hosttest.New(t).Host
	if err := os.Mkdir(h.Path("/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if data, err := file.Get(h, "/none"); data != nil || err != nil {
		t.Errorf("got %q, %v, want nothing", data, err)
	}
	if _, err := file.Get(h, "/dir"); err == nil || !strings.Contains(err.Error(), "/dir: it is a directory") {
		t.Errorf("got %v", err)
	}
}
