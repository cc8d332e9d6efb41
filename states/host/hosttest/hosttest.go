// Package hosttest gives tests a host of their own: a scratch root directory, scripted commands, served files.
package hosttest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"brine/states/host"
	"brine/states/value"
)

// A Host is a host whose root is a temporary directory with /etc/passwd and /etc/group.
type Host struct {
	*host.Host
	Files *Files
	Facts *Facts

	t        testing.TB
	mu       sync.Mutex
	commands map[string]command
	ran      []string
	changed  []string
}

type command struct {
	run     func(host.Command) (host.Output, error)
	changes bool
}

// New makes a host. Any command that wasn't scripted fails the test.
func New(t testing.TB) *Host {
	t.Helper()
	h := &Host{t: t, commands: make(map[string]command)}
	h.Files = &Files{dir: t.TempDir(), urls: make(map[string]host.File)}
	h.Host = &host.Host{Root: t.TempDir(), Grains: &value.Dict{}, Files: h.Files, Exec: h.exec,
		Memo: &host.Memo{}}
	h.Facts = &Facts{h: h, own: h.Host.Grains, fixed: map[string]string{}}
	h.Host.Facts = h.Facts
	uid, gid := os.Getuid(), os.Getgid()
	h.Write("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\n"+
		"me:x:%d:%d::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", uid, gid))
	h.Write("/etc/group", fmt.Sprintf("root:x:0:\nme:x:%d:\nnogroup:x:65534:\n", gid))
	return h
}

// Real lets the host run real commands of this machine, in its root directory.
func (h *Host) Real() *Host {
	local := &host.Local{Root: h.Root}
	h.t.Cleanup(local.Close)
	h.Exec = local.Run
	return h
}

// Answer scripts a command that only looks. The line is its arguments joined by blanks.
func (h *Host) Answer(line string, out host.Output) {
	h.script(line, command{run: func(host.Command) (host.Output, error) { return out, nil }})
}

// Change scripts a command that changes the host, which no test mode may run.
func (h *Host) Change(line string, run func(host.Command) (host.Output, error)) {
	h.script(line, command{run, true})
}

func (h *Host) script(line string, c command) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commands[line] = c
}

func (h *Host) exec(ctx context.Context, c host.Command) (host.Output, error) {
	line := strings.Join(c.Argv, " ")
	h.mu.Lock()
	known, ok := h.commands[line]
	h.ran = append(h.ran, line)
	if known.changes {
		h.changed = append(h.changed, line)
	}
	h.mu.Unlock()
	if !ok {
		h.t.Errorf("ran %q, which no one scripted", line)
		return host.Output{}, fmt.Errorf("cannot run %q: not scripted", line)
	}
	if err := context.Cause(ctx); err != nil {
		return host.Output{}, err
	}
	return known.run(c)
}

// Ran returns the commands that were run so far.
func (h *Host) Ran() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ran)
}

// Write makes a file under the root, with mode 0644, and the directories above it.
func (h *Host) Write(name, content string) {
	h.t.Helper()
	file := h.Path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// Read returns a file's content; "" when there is none.
func (h *Host) Read(name string) string {
	data, err := os.ReadFile(h.Path(name))
	if err != nil && !os.IsNotExist(err) {
		h.t.Error(err)
	}
	return string(data)
}

// Snapshot describes everything that a state could change: each path under the root with its kind, mode, owner
// and content, when it was written, and the changing commands that were run.
func (h *Host) Snapshot() []string {
	h.t.Helper()
	var all []string
	err := filepath.WalkDir(h.Root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line, err := describe(name, d)
		all = append(all, line)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(all, h.changed...)
}

func describe(name string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	line := fmt.Sprintf("%s %s %d:%d %s", name, info.Mode(), st.Uid, st.Gid, info.ModTime())
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(name)
		return fmt.Sprintf("%s %x", line, sha256.Sum256(data)), err
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		return line + " -> " + to, err
	}
	return line, nil
}

// Files serves files under salt://. It implements host.Files.
type Files struct {
	mu      sync.Mutex
	dir     string
	urls    map[string]host.File
	Empty   []string          // urls of directories without files
	Links   map[string]string // where links lead, by url
	Fetched []string          // each url that was fetched, in order
}

// Serve makes content available under the url given, such as "salt://web/a.conf".
func (f *Files) Serve(url, content string, mode fs.FileMode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	if err := os.WriteFile(filepath.Join(f.dir, sum), []byte(content), 0o444); err != nil && !os.IsPermission(err) {
		panic(err)
	}
	f.urls[url] = host.File{SHA256: sum, Size: int64(len(content)), Mode: mode}
}

// Stat implements host.Files.
func (f *Files) Stat(_ context.Context, url string) (host.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.urls[url]
	if !ok {
		return host.File{}, fmt.Errorf("cannot find %q: %w", url, fs.ErrNotExist)
	}
	return file, nil
}

// List implements host.Files.
func (f *Files) List(_ context.Context, url string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var below []string
	for name := range f.urls {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(url, "/")+"/"); ok {
			below = append(below, rest)
		}
	}
	slices.Sort(below)
	return below, nil
}

// Shape tells of directories without files, and of links, as a minion's files do.
func (f *Files) Shape(_ context.Context, url string) (empty []string, links map[string]string, err error) {
	links = map[string]string{}
	dir := strings.TrimSuffix(url, "/") + "/"
	for _, name := range f.Empty {
		if rest, ok := strings.CutPrefix(name, dir); ok {
			empty = append(empty, rest)
		}
	}
	for name, to := range f.Links {
		if rest, ok := strings.CutPrefix(name, dir); ok {
			links[rest] = to
		}
	}
	return empty, links, nil
}

// Fetch implements host.Files.
func (f *Files) Fetch(ctx context.Context, url string) (string, error) {
	file, err := f.Stat(ctx, url)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Fetched = append(f.Fetched, url)
	return filepath.Join(f.dir, file.SHA256), nil
}

// Corrupt puts other content behind a url than its Stat tells.
func (f *Files) Corrupt(url, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := filepath.Join(f.dir, f.urls[url].SHA256)
	if err := os.Remove(name); err != nil {
		panic(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o400); err != nil {
		panic(err)
	}
}
