package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// recorder notes what is brought to the disk, and what is in the file then.
func recorder(h *hosttest.Host, name string) (disk *host.Disk, log *[]string) {
	log = &[]string{}
	return &host.Disk{
		Begin: func(int) error {
			_, err := os.Stat(h.Path(name))
			*log = append(*log, fmt.Sprintf("begin, %s is there: %v", name, err == nil))
			return nil
		},
		File: func(fd int) error {
			is, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			*log = append(*log, fmt.Sprintf("file %v, %s holds %q", filepath.Dir(is) == filepath.Dir(h.Path(name)), name, h.Read(name)))
			return err
		},
		Flush: func(fd int) error {
			*log = append(*log, fmt.Sprintf("file system, %s holds %q", name, h.Read(name)))
			return nil
		},
	}, log
}

// The content is on the disk before it has its name, and one flush brings all names of a run there.
func TestOrderOnTheDisk(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	disk, log := recorder(h, "/d/f")
	h.Disk = disk
	for _, line := range []string{"managed name=/d/f contents=new", "directory name=/d/sub", "absent name=/etc/group",
		"symlink name=/d/l target=f", "managed name=/d/f contents=new"} {
		if r := bind(t, line).Run(t.Context(), h.Host, false); !*r.Result {
			t.Fatal(show(r))
		}
	}
	if err := disk.Sync(); err != nil {
		t.Fatal(err)
	}
	want := `file true, /d/f holds "old\n"` + "\n" + `file system, /d/f holds "new\n"`
	if got := strings.Join(*log, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := disk.Sync(); err != nil || len(*log) != 2 {
		t.Errorf("nothing was touched since, got %v, %v", (*log)[2:], err)
	}
}

// New content is on its way to the disk before it has a name, and there before the run's return is kept; what no state
// looks at again is there at once.
func TestOrderOnTheDiskOfNewFiles(t *testing.T) {
	const begun, whole = `begin, /d/f is there: false`, `file true, /d/f holds ""`
	for _, tt := range []struct {
		line    string
		guarded bool
		want    string
	}{
		{"managed name=/d/f contents=new", false, begun},
		{"append name=/d/f text=new", false, begun},
		{"managed name=/d/f contents=new replace=False", false, whole},
		{"managed name=/d/f contents=new", true, whole},
		{"append name=/d/f text=new", true, whole},
	} {
		h := hosttest.New(t)
		h.Write("/d/other", "")
		disk, log := recorder(h, "/d/f")
		h.Disk = disk
		ctx := module.WithAround(t.Context(), module.Around{Needs: slices.Values([]*module.Bound{}), Guarded: tt.guarded})
		if r := bind(t, tt.line).Run(ctx, h.Host, false); !*r.Result {
			t.Fatal(show(r))
		}
		if err := disk.Sync(); err != nil {
			t.Fatal(err)
		}
		want := tt.want + "\n" + `file system, /d/f holds "new\n"`
		if got := strings.Join(*log, "\n"); got != want {
			t.Errorf("%s, guarded %v: got\n%s\nwant\n%s", tt.line, tt.guarded, got, want)
		}
	}
}

// A copy of what is replaced is on the disk before that goes.
func TestOrderOnTheDiskOfBackups(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	disk, log := recorder(h, "/d/f")
	h.Disk = disk
	if r := bind(t, "managed name=/d/f contents=new backup=minion").Run(t.Context(), h.Host, false); !*r.Result {
		t.Fatal(show(r))
	}
	want := `file false, /d/f holds "old\n"` + "\n" + `file true, /d/f holds "old\n"`
	if got := strings.Join(*log, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUnchangedStatesTouchNoDisk(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "a\n")
	disk, log := recorder(h, "/f")
	h.Disk = disk
	bind(t, "managed name=/f contents=a").Run(t.Context(), h.Host, false)
	bind(t, "managed name=/f contents=b").Run(t.Context(), h.Host, true)
	if err := disk.Sync(); err != nil || len(*log) > 0 {
		t.Errorf("got %v, %v", *log, err)
	}
}

func TestAFileThatDoesNotReachTheDiskKeepsItsOldContent(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	h.Disk = &host.Disk{File: func(int) error { return unix.EIO }}
	r := bind(t, "managed name=/d/f contents=new").Run(t.Context(), h.Host, false)
	const want = "false {} cannot write /d/f: cannot bring it to the disk: input/output error"
	left, err := os.ReadDir(h.Path("/d"))
	if show(r) != want || h.Read("/d/f") != "old\n" || len(left) != 1 || err != nil {
		t.Errorf("got %s\nwant %s, %q, %v, %v", show(r), want, h.Read("/d/f"), left, err)
	}
}
