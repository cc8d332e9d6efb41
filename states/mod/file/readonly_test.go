package file_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"golang.org/x/sys/unix"
)

// TestReadOnlyFileSystems: test mode says what the run would meet, and neither touches anything.
func TestReadOnlyFileSystems(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/ro/f", "old\n")
	h.Write("/rw/f", "old\n")
	h.Statfs = func(path string, into *unix.Statfs_t) error {
		if strings.HasPrefix(path, h.Path("/ro")) {
			into.Flags = unix.ST_RDONLY
		}
		return nil
	}
	for line, want := range map[string]string{
		"managed name=/ro/f contents=new":                     "/ro/f",
		"managed name=/ro/sub/new contents=new makedirs=True": "/ro/sub/new",
		"absent name=/ro/f":                                   "/ro/f",
		"symlink name=/ro/link target=/rw/f":                  "/ro/link",
		"directory name=/ro mode=0711":                        "/ro",
		"append name=/ro/f text=more":                         "/ro/f",
		"rename name=/rw/new source=/ro/f":                    "/ro/f",
		"managed name=/ro/f contents=old":                     "",
		"absent name=/ro/none":                                "",
		"managed name=/rw/f contents=old":                     "",
		"managed name=/rw/sub/new contents=new makedirs=True": "",
	} {
		for _, test := range []bool{true, false} {
			r := bind(t, line).Run(t.Context(), h.Host, test)
			said := "cannot write " + want + ": its file system is mounted read-only"
			if failed := r.Result != nil && !*r.Result; want != "" && (!failed || r.Comment != said || !r.Unknown || r.Changes.Len() > 0) {
				t.Errorf("%s, test=%v: got %s, want %s", line, test, show(r), said)
			} else if want == "" && strings.Contains(r.Comment, "read-only") {
				t.Errorf("%s, test=%v: got %s", line, test, show(r))
			}
		}
	}
	if got := h.Read("/ro/f"); got != "old\n" {
		t.Errorf("got %q", got)
	}
}
