package host_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"golang.org/x/sys/unix"
)

func TestWhereNothingCanBeWritten(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/ro/dir/f", "")
	h.Write("/rw/f", "")
	for name, to := range map[string]string{"/ro/out": "../rw/f", "/ro/in": "dir/f", "/rw/in": "../ro/dir/f", "/ro/lost": "../rw/none"} {
		if err := os.Symlink(to, h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	h.Statfs = func(path string, into *unix.Statfs_t) error {
		if strings.HasPrefix(path, h.Path("/ro")) && !strings.Contains(path, "out") {
			into.Flags = unix.ST_RDONLY
		}
		_, err := os.Stat(path)
		return err
	}
	for name, want := range map[string]bool{
		"/ro": true, "/ro/dir": true, "/ro/dir/f": true, "/ro/new": true, "/ro/new/below/it": true, "/ro/in": true,
		"/": false, "/rw": false, "/rw/f": false, "/rw/new/below": false, "/new": false,
		"/ro/out": false, "/rw/in": false, "/ro/lost": false,
	} {
		if got := h.ReadOnly(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
