package file_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"golang.org/x/sys/unix"
)

func apply(t *testing.T, h *hosttest.Host, line string) string {
	t.Helper()
	return show(bind(t, line).Run(t.Context(), h.Host, false))
}

func TestCopyPreserves(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/src/sub/f", "a")
	old := time.Unix(1_600_000_000, 0)
	if err := os.Symlink("f", h.Path("/src/sub/l")); err != nil {
		t.Fatal(err)
	}
	attributes := unix.Setxattr(h.Path("/src/sub/f"), "user.note", []byte("kept"), 0) == nil
	for name, mode := range map[string]uint32{"/src/sub/f": 0o4751, "/src/sub": 0o2770} {
		if os.Getuid() == 0 {
			if err := os.Chown(h.Path(name), 12345, 54321); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Chmod(h.Path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"/src/sub/f", "/src/sub"} {
		if err := os.Chtimes(h.Path(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"copy name=/dst source=/src preserve=True", "rename name=/moved source=/dst"} {
		if got := apply(t, h, line); !strings.HasPrefix(got, "true") {
			t.Fatal(got)
		}
	}
	for _, name := range []string{"sub", "sub/f", "sub/l"} {
		a, b := stat(t, h, "/src/"+name), stat(t, h, "/moved/"+name)
		if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || a.Mtim != b.Mtim {
			t.Errorf("%s: got %o %d:%d %d, want %o %d:%d %d", name, b.Mode, b.Uid, b.Gid, b.Mtim.Sec, a.Mode, a.Uid, a.Gid, a.Mtim.Sec)
		}
	}
	note := make([]byte, 16)
	if n, err := unix.Getxattr(h.Path("/moved/sub/f"), "user.note", note); attributes && (err != nil || string(note[:n]) != "kept") {
		t.Errorf("attribute: got %q, %v", note[:max(n, 0)], err)
	}
}

// A user who puts a set-user-id program where root copies it from gets none of root's.
func TestCopyDoesNotMakeRootsPrograms(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	h := hosttest.New(t)
	for _, name := range []string{"/src/f", "/src/root"} {
		h.Write(name, "a")
		if name == "/src/f" {
			if err := os.Chown(h.Path(name), 12345, 12345); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Chmod(h.Path(name), 0o6755); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"copy name=/tree source=/src", "copy name=/f source=/src/f", "copy name=/g source=/src/f user=12345",
		"copy name=/h source=/src/f mode=4755"} {
		if got := apply(t, h, line); !strings.HasPrefix(got, "true") {
			t.Fatal(got)
		}
		if again := apply(t, h, line+" force=True"); !strings.HasPrefix(again, "true {}") {
			t.Errorf("%s: again %s", line, again)
		}
	}
	for name, want := range map[string]uint32{"/tree/f": 0o755, "/tree/root": 0o6755, "/f": 0o755, "/g": 0o4755, "/h": 0o4755} {
		if got := stat(t, h, name).Mode & 0o7777; got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

// What fails leaves what was there, and nothing beside it.
func TestFailedCopyLeavesTheOldTree(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/src/f", "new")
	h.Write("/dst/f", "old")
	b := bind(t, "copy name=/dst source=/src force=True")
	h.Disk = &host.Disk{File: func(int) error { return unix.EIO }}
	got := show(b.Run(t.Context(), h.Host, false))
	const want = "false {} cannot copy /src to /dst: cannot copy /src/f: input/output error"
	if got != want || h.Read("/dst/f") != "old" || len(leftovers(t, h, "/")) > 0 {
		t.Errorf("got %s\nwant %s\n%q, %v", got, want, h.Read("/dst/f"), leftovers(t, h, "/"))
	}
}
