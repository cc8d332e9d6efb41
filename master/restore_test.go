package master

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// madeMaster makes a master under a new root and returns that and a backup of it.
func madeMaster(t *testing.T, name string) (root string, entries map[string][]byte) {
	t.Helper()
	root = t.TempDir()
	_, err := Init(t.Context(), InitOptions{Root: root, Name: name, Listen: "127.0.0.1:0", Passphrase: "test"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup")
	if err := Backup(t.Context(), root, file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries = map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			delete(entries, sumsEntry) // a test changes what it is of
			return root, entries
		}
		if err == nil {
			entries[head.Name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// packed writes a backup of entries.
func packed(t *testing.T, entries map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range append(slices.Clone(backupFiles), slices.DeleteFunc(slices.Sorted(maps.Keys(entries)), func(n string) bool {
		return slices.Contains(backupFiles, n)
	})...) {
		data, ok := entries[name]
		if !ok {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents is every file under root but the locks, which hold nothing.
func contents(t *testing.T, root string) string {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".lock" || d.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %x\n", path, sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestABadBackupChangesNothing(t *testing.T) {
	_, other := madeMaster(t, "m1")
	root, _ := madeMaster(t, "m1")
	_, good := madeMaster(t, "m1")
	with := func(name string, data []byte) map[string][]byte {
		e := maps.Clone(good)
		if e[name] = data; data == nil {
			delete(e, name)
		}
		return e
	}
	spoiltStore := slices.Clone(good[storeEntry])
	for i := range spoiltStore[4096:] {
		spoiltStore[4096+i] ^= 0x5a
	}
	bad := map[string]map[string][]byte{
		"store garbled":    with(storeEntry, spoiltStore),
		"store cut":        with(storeEntry, good[storeEntry][:5000]),
		"store empty":      with(storeEntry, []byte{}),
		"no store":         with(storeEntry, nil),
		"other key":        with("master.key", other["master.key"]),
		"other site's CA":  with("ca.crt", other["ca.crt"]),
		"other bundle":     with("bundle", other["bundle"]),
		"bundle garbled":   with("bundle", []byte("x")),
		"site key garbled": with("site.key", good["site.key"][:80]),
		"config garbled":   with(configEntry, []byte("name =")),
		"other's config":   with(configEntry, []byte(`name = "m2"`)),
		"no config":        with(configEntry, nil),
		"something more":   with("../../etc/passwd", []byte("x")),
	}
	before := contents(t, root)
	for name, entries := range bad {
		if _, err := Restore(t.Context(), root, packed(t, entries)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if after := contents(t, root); after != before {
			t.Fatalf("%s: it changed\n%s\nto\n%s", name, before, after)
		}
		empty := t.TempDir()
		if _, err := Restore(t.Context(), empty, packed(t, entries)); err == nil {
			t.Errorf("%s: it was taken where nothing was", name)
		}
		if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
	for _, at := range []string{root, t.TempDir()} {
		if _, err := Restore(t.Context(), at, packed(t, good)); err != nil {
			t.Fatal(err)
		}
		for _, name := range backupFiles {
			data, err := os.ReadFile(filepath.Join(Layout{at}.State(), name))
			if err != nil || !bytes.Equal(data, good[name]) {
				t.Errorf("%s: it is not that of the backup (%v)", name, err)
			}
		}
		if left, err := filepath.Glob(filepath.Join(Layout{at}.State(), "restore-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestABackupThatCameToHarmWhereItLayIsRefused(t *testing.T) {
	root, _ := madeMaster(t, "m1")
	file := filepath.Join(t.TempDir(), "backup")
	if err := Backup(t.Context(), root, file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(good, []byte("admin")) // the operator in the store: SQLite itself finds nothing wrong there
	bad := slices.Clone(good)
	bad[at] ^= 1
	before := contents(t, root)
	for text, data := range map[string][]byte{"damaged": bad, "EOF": good[:len(good)/2]} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), root, file); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	if contents(t, root) != before {
		t.Error("it changed something")
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	aside, err := Restore(t.Context(), root, file)
	if err != nil || aside == "" {
		t.Errorf("the good one: got %q, %v, want where the old store is", aside, err)
	}
}
