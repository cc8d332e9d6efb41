package cp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/cp"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, cp.Module, moduletest.Options{}) }

func sent(name, content, mode string) *value.Dict {
	sum := sha256.Sum256([]byte(content))
	return value.NewDict("path", name, "content", base64.StdEncoding.EncodeToString([]byte(content)),
		"sha256", hex.EncodeToString(sum[:]), "mode", mode)
}

func recv(t *testing.T, h *hosttest.Host, dest string, named map[string]any, files ...any) (module.Returned, error) {
	t.Helper()
	f, err := module.NewIndex(cp.Module).Func("cp.recv")
	if err != nil {
		t.Fatal(err)
	}
	in := module.Input{Args: []module.Arg{
		{Name: "files", Value: module.Data(value.NewList(files...))}, {Name: "dest", Value: module.Data(dest)},
	}}
	for name, v := range named {
		in.Args = append(in.Args, module.Arg{Name: name, Value: module.Data(v)})
	}
	return f.Call(t.Context(), h.Host, in)
}

func want(t *testing.T, h *hosttest.Host, name, content string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(h.Path(name))
	if err != nil || string(data) != content {
		t.Errorf("%s: got %q, %v, want %q", name, data, err, content)
		return
	}
	if st, err := os.Stat(h.Path(name)); err != nil || st.Mode() != mode {
		t.Errorf("%s: got mode %v, %v, want %v", name, st.Mode(), err, mode)
	}
}

func TestFilesGoWhereTheyAreMeant(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/old", "old")
	if err := os.Chmod(h.Path("/etc/old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dest, name, content string
		named               map[string]any
		at                  string
		mode                os.FileMode
	}{
		{"/etc/new", "motd", "a", nil, "/etc/new", 0o755},
		{"/etc", "motd", "b", nil, "/etc/motd", 0o755},
		{"/etc/", "motd", "\x00\xff", nil, "/etc/motd", 0o755},
		{"/etc/old", "motd", "new", nil, "/etc/old", 0o600},
		{"/etc/old", "motd", "newer", map[string]any{"mode": "4750"}, "/etc/old", 0o750 | os.ModeSetuid},
		{"/a/b/c", "motd", "c", map[string]any{"makedirs": true}, "/a/b/c", 0o755},
		{"/a/b/d/", "motd", "d", map[string]any{"makedirs": true}, "/a/b/d/motd", 0o755},
		{"/etc/tree", "x/y", "e", map[string]any{"tree": true}, "/etc/tree/x/y", 0o755},
		{"/etc/tree", "z", "", map[string]any{"tree": true}, "/etc/tree/z", 0o755},
	} {
		r, err := recv(t, h, c.dest, c.named, sent(c.name, c.content, "0755"))
		if err != nil {
			t.Errorf("%s: %v", c.dest, err)
			continue
		}
		if d, ok := r.Value.(*value.Dict); !ok || d.Len() != 1 || d.Keys()[0] != c.at {
			t.Errorf("%s: got %v, want %s", c.dest, r.Value, c.at)
		}
		want(t, h, c.at, c.content, c.mode)
	}
	left, err := filepath.Glob(h.Path("/etc/.brine-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLinksStayAndLeadNowhereElse(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/real", "old")
	if err := os.Symlink("real", h.Path("/etc/link")); err != nil {
		t.Fatal(err)
	}
	if _, err := recv(t, h, "/etc/link", nil, sent("f", "new", "0644")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(h.Path("/etc/real")); err != nil || string(data) != "new" {
		t.Errorf("got %q, %v", data, err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, h.Path("/etc/out")); err != nil {
		t.Fatal(err)
	}
	if _, err := recv(t, h, "/etc/out/f", nil, sent("f", "new", "0644")); err == nil || !strings.Contains(err.Error(), "leads out of the host's root") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("got %v outside", left)
	}
}

func TestNothingIsWrittenWithAMistake(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/file", "old")
	before, err := os.ReadDir(h.Path("/etc"))
	if err != nil {
		t.Fatal(err)
	}
	bad := sent("f", "new", "0644")
	bad.Put("content", base64.StdEncoding.EncodeToString([]byte("other")))
	for text, call := range map[string]func() error{
		"it was changed on its way": func() error {
			_, err := recv(t, h, "/etc/", nil, sent("a", "1", "0644"), bad)
			return err
		},
		`path "../a" is no clean relative path`: func() error { _, err := recv(t, h, "/etc/", nil, sent("../a", "1", "0644")); return err },
		`path "/a" is no clean relative path`:   func() error { _, err := recv(t, h, "/etc/", nil, sent("/a", "1", "0644")); return err },
		`want an absolute path`:                 func() error { _, err := recv(t, h, "etc", nil, sent("a", "1", "0644")); return err },
		`no mode such as 0644`:                  func() error { _, err := recv(t, h, "/etc/", nil, sent("a", "1", "0999")); return err },
		"the directory /no is not there (makedirs makes it)": func() error {
			_, err := recv(t, h, "/no/such/f", nil, sent("a", "1", "0644"))
			return err
		},
		"the directory /nope is not there": func() error {
			_, err := recv(t, h, "/nope/such", map[string]any{"tree": true}, sent("a", "1", "0644"))
			return err
		},
		"/etc/file is no directory": func() error { _, err := recv(t, h, "/etc/file/f", nil, sent("a", "1", "0644")); return err },
		"nobody-like-this": func() error {
			_, err := recv(t, h, "/etc/", map[string]any{"user": "nobody-like-this"}, sent("a", "1", "0644"))
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	entries, err := os.ReadDir(h.Path("/etc"))
	if err != nil || len(entries) != len(before) {
		t.Errorf("got %v, %v: something was written", entries, err)
	}
}
