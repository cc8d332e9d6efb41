package file_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"golang.org/x/sys/unix"
)

// me is an owner whom this process may give files to.
func me(home string) file.Owner {
	return file.Owner{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Home: home}
}

// plus adds a line.
func plus(old []byte) ([]byte, error) { return append(bytes.Clone(old), "more\n"...), nil }

func rightsOf(t *testing.T, name string) string {
	t.Helper()
	st, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(st.Mode())
}

func TestEdit(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/home/u/x", "")
	h.Write("/home/u/open", "old\n")
	if err := os.Chmod(h.Path("/home/u/open"), 0o4664); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][3]string{
		"/home/u/.ssh/keys": {"more\n", "-rw-------", "drwx------"},
		"/home/u/open":      {"old\nmore\n", "-rw-rw-r--", "drwxr-xr-x"},
		"/etc/keys/u":       {"more\n", "-rw-------", "drwxr-xr-x"},
	} {
		if err := file.Edit(t.Context(), h.Host, name, me("/home/u/"), 0o600, plus); err != nil {
			t.Fatal(err)
		}
		got := [3]string{h.Read(name), rightsOf(t, h.Path(name)), rightsOf(t, path.Dir(h.Path(name)))}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	before := h.Snapshot()
	same := func(old []byte) ([]byte, error) { return old, nil }
	if err := file.Edit(t.Context(), h.Host, "/home/u/open", me("/home/u"), 0o600, same); err != nil || fmt.Sprint(before) != fmt.Sprint(h.Snapshot()) {
		t.Errorf("nothing was to be changed, got %v", err)
	}
	err := file.Edit(t.Context(), h.Host, "/home/none/.ssh/keys", me("/home/none"), 0o600, plus)
	if want := "cannot write /home/none/.ssh/keys: there is no home directory /home/none"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is swapped while it is edited is left alone, and what is no file is not waited for.
func TestEditOfWhatIsNoFile(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/home/u/keys", "old\n")
	h.Write("/home/u/other", "other\n")
	err := file.Edit(t.Context(), h.Host, "/home/u/keys", me("/home/u"), 0o600, func(old []byte) ([]byte, error) {
		return []byte("new\n"), os.Rename(h.Path("/home/u/other"), h.Path("/home/u/keys"))
	})
	if want := "cannot write /home/u/keys: it was replaced meanwhile"; err == nil || err.Error() != want || h.Read("/home/u/keys") != "other\n" {
		t.Errorf("got %v, %q, want %s", err, h.Read("/home/u/keys"), want)
	}
	if err := unix.Mkfifo(h.Path("/home/u/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		func() error { return file.Edit(t.Context(), h.Host, "/home/u/fifo", me("/home/u"), 0o600, plus) },
		func() error { _, err := file.GetFor(h.Host, "/home/u/fifo"); return err },
	} {
		if err := do(); err == nil || err.Error() != "cannot open /home/u/fifo: it is a named pipe" {
			t.Errorf("got %v", err)
		}
	}
}

// A user's link leads to what is that user's, wherever it lies, and to nothing else.
func TestLinksOfUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make links of others")
	}
	h := hosttest.New(t)
	const u, v = 1001, 1002
	for _, name := range []string{"/home/u/own/keys", "/home/u/x", "/home/v/ssh/x", "/root/.ssh/keys", "/srv/home/x"} {
		h.Write(name, "old\n")
	}
	own := func(uid int, names ...string) {
		for _, name := range names {
			if err := os.Lchown(h.Path(name), uid, uid); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name, to string, uid int) {
		if err := os.Symlink(to, h.Path(name)); err != nil {
			t.Fatal(err)
		}
		own(uid, name)
	}
	own(u, "/home/u", "/home/u/own", "/home/u/own/keys")
	own(v, "/home/v", "/home/v/ssh")
	link("/home/u/fine", "own", u)
	link("/home/u/file", "own/keys", u)
	link("/home/u/root", "/root/.ssh", u)
	link("/home/u/moved", "/root/.ssh", 0) // a link of root's that the user took there
	link("/home/u/key", "../../root/.ssh/keys", u)
	link("/home/u/v", "/home/v/ssh", u)
	link("/home/v/back", "/home/u/own", v)
	link("/home/u/both", "/home/v/back", u)
	link("/home/w", "/srv/home", 0) // the administrator's
	owner := file.Owner{UID: u, GID: u, Home: "/home/u"}
	refused := func(name, where string) string {
		return fmt.Sprintf("cannot follow a symbolic link on the way to %s: it is of the user with number 1001, and where it leads, %s, is not", name, where)
	}
	for name, want := range map[string]string{
		"/home/u/fine/keys":  "",
		"/home/u/file":       "",
		"/home/u/root/keys":  refused("/home/u/root/keys", "/root/.ssh"),
		"/home/u/moved/keys": refused("/home/u/moved/keys", "/root/.ssh"),
		"/home/u/root/a/b":   refused("/home/u/root/a/b", "/root/.ssh"),
		"/home/u/key":        refused("/home/u/key", "/root/.ssh"),
		"/home/u/v/x":        refused("/home/u/v/x", "/home/v/ssh"),
		"/home/u/both/x":     "cannot follow symbolic links on the way to /home/u/both/x: they are of the users with numbers 1001 and 1002",
		"/home/w/x":          "",
	} {
		_, get := file.GetFor(h.Host, name)
		edit := file.Edit(context.Background(), h.Host, name, owner, 0o600, plus)
		for prefix, err := range map[string]error{"": get, "cannot write " + name + ": ": edit} {
			if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != prefix+want {
				t.Errorf("%s: got %s, want %q", name, got, want)
			}
		}
	}
	if got := h.Read("/root/.ssh/keys") + h.Read("/home/v/ssh/x"); got != "old\nold\n" {
		t.Errorf("got %q", got)
	}
	err := file.MakeDir(h.Host, "/home/u/root/a/b", u, u)
	if want := "cannot make /home/u/root/a/b: " + refused("/home/u/root/a/b", "/root/.ssh"); err == nil || err.Error() != want {
		t.Errorf("MakeDir: got %v, want %s", err, want)
	}
	if _, err := os.Stat(h.Path("/root/.ssh/a")); err == nil {
		t.Error("a directory was made where a user's link led")
	}
}

func TestMakeDir(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "")
	for _, name := range []string{"/mnt/a/b", "/mnt/a/b"} {
		if err := file.MakeDir(h.Host, name, -1, -1); err != nil || rightsOf(t, h.Path(name)) != "drwxr-xr-x" {
			t.Errorf("%s: got %v, %s", name, err, rightsOf(t, h.Path(name)))
		}
	}
	if err := file.MakeDir(h.Host, "/f", -1, -1); err == nil || err.Error() != "cannot make /f: there is a file" {
		t.Errorf("got %v", err)
	}
}
