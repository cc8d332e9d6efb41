package file_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"golang.org/x/sys/unix"
)

// overlaid mounts an overlay whose layers are on two file systems: files of the lower one have another device than the
// directories that they are in.
func overlaid(t *testing.T, h *hosttest.Host, at string) {
	dir := t.TempDir()
	mount := func(kind, to, options string) {
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(kind, to, kind, 0, options); err != nil {
			t.Skip("only root can mount, and not in every container:", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
	}
	mount("tmpfs", dir+"/low", "")
	mount("tmpfs", dir+"/up", "")
	for _, name := range []string{dir + "/low/d", dir + "/up/up", dir + "/up/work"} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{dir + "/low/f", dir + "/low/d/g"} {
		if err := os.WriteFile(name, []byte("low\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mount("overlay", h.Path(at), "lowerdir="+dir+"/low,upperdir="+dir+"/up/up,workdir="+dir+"/up/work")
}

func TestOverlayWithLayersOnTwoFileSystems(t *testing.T) {
	h := hosttest.New(t)
	overlaid(t, h, "/o")
	h.Write("/o/d/new", "new\n")
	for _, c := range [][2]string{
		{"hardlink name=/o/d/link target=/o/f", `true {"new":"/o/d/link"}`},
		{"hardlink name=/other target=/o/f", "false {} cannot make the hard link /other to /o/f: they are on different file systems"},
		{"tidied name=/o/d matches=[g,new]", `true {"removed":["/o/d/g","/o/d/new"]}`},
	} {
		b := bind(t, c[0])
		for _, test := range []bool{true, false} {
			want := c[1]
			if test {
				want = strings.Replace(want, "true ", "none ", 1)
			}
			if got := show(b.Run(t.Context(), h.Host, test)); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %s, want %s", c[0], got, want)
			}
		}
	}
}
