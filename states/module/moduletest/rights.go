package moduletest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// nobody is whom a test of root gives its rights away to.
const nobody = 65534

// withoutRights runs f as a user who may read the host and change nothing of it. Root becomes nobody, anyone else takes
// the right to write from the directories.
func withoutRights(t testing.TB, h *hosttest.Host, f func()) {
	if os.Geteuid() != 0 {
		defer locked(t, h.Root)()
		f()
		return
	}
	run := h.Exec
	defer func() { h.Exec = run }()
	h.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		become(t, 0) // scripts of commands may note what they were asked
		defer become(t, nobody)
		return run(ctx, c)
	}
	for dir := h.Root; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	become(t, nobody)
	defer become(t, 0)
	f()
}

// become makes the whole process another user; root stays as the saved one, to come back.
func become(t testing.TB, uid int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	groups := []int{}
	if uid == 0 {
		if err := syscall.Setresuid(uid, uid, 0); err != nil {
			t.Fatal(err)
		}
	}
	err := syscall.Setgroups(groups)
	if err == nil {
		err = syscall.Setresgid(uid, uid, 0)
	}
	if err == nil && uid != 0 {
		err = syscall.Setresuid(uid, uid, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// locked takes the right to write from the directories below root, and returns what gives it back.
func locked(t testing.TB, root string) (unlock func()) {
	modes := map[string]fs.FileMode{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			modes[path] = info.Mode().Perm()
		}
		return err
	})
	for path, mode := range modes {
		err = errors.Join(err, os.Chmod(path, mode&^0o222))
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		for path, mode := range modes {
			_ = os.Chmod(path, mode) // it may have gone
		}
	}
}
