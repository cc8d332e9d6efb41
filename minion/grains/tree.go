package grains

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A tree is where a machine's files are read. What lies under /proc, /sys and
// /run comes from kernel, everything else from system. Each is a directory, or
// "" for the real root directory.
type tree struct{ system, kernel string }

// newTree makes the tree of the host whose root directory is root. A root
// without an operating system of its own, as that of a minion that was only
// moved aside for a trial, is on the machine it runs on.
func newTree(root string) tree {
	t := tree{system: root, kernel: root}
	if root == "" {
		return t
	}
	if !slices.ContainsFunc(releaseFiles, t.exists) {
		t.system = ""
	}
	if !t.exists("/proc") {
		t.kernel = ""
	}
	return t
}

// releaseFiles are those of which every operating system has one.
var releaseFiles = []string{
	"/etc/os-release", "/usr/lib/os-release", "/etc/redhat-release", "/etc/SuSE-release", "/etc/debian_version",
}

// maxFile is how much of a file is read.
const maxFile = 8 << 20

// path is where the file called name lies. Links are followed inside the tree:
// an absolute one begins at its root.
func (t tree) path(name string) string {
	root := t.system
	for _, dir := range []string{"/proc/", "/sys/", "/run/"} {
		if strings.HasPrefix(name+"/", dir) {
			root = t.kernel
		}
	}
	if root == "" {
		return name
	}
	return follow(root, name)
}

// follow resolves name inside root. A name that leads nowhere comes back as far as it could be followed.
func follow(root, name string) string {
	const maxLinks = 40
	at, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0 && links < maxLinks; {
		part := rest[0]
		rest = rest[1:]
		next := filepath.Join(at, part) // ".." stops at the root
		to, err := os.Readlink(filepath.Join(root, next))
		if err != nil {
			at = next
			continue
		}
		links++
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return filepath.Join(root, at)
}

func (t tree) read(name string) ([]byte, error) {
	f, err := os.Open(t.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// search returns which of some words occurs first in a file, and what follows there, up to 4 KiB. It
// reads in small pieces: programs are large.
func (t tree) search(name string, words ...string) (word string, rest []byte) {
	const piece, keep, follow = 64 << 10, 64, 4 << 10
	f, err := os.Open(t.path(name))
	if err != nil {
		return "", nil
	}
	defer f.Close()
	buf := make([]byte, keep+piece)
	for have, at := 0, int64(0); at < maxProgram; {
		n, err := f.Read(buf[have:])
		have += n
		if i, w := firstOf(buf[:have], words); i >= 0 {
			rest := make([]byte, follow)
			n, _ := f.ReadAt(rest, at+int64(i+len(w)))
			return w, rest[:n]
		}
		if err != nil {
			return "", nil
		}
		if have > keep { // a word may lie across the edge
			at += int64(have - keep)
			copy(buf, buf[have-keep:have])
			have = keep
		}
	}
	return "", nil
}

// maxProgram is how much of a program is searched.
const maxProgram = 64 << 20

func firstOf(text []byte, words []string) (at int, word string) {
	at = -1
	for _, w := range words {
		if i := bytes.Index(text, []byte(w)); i >= 0 && (at < 0 || i < at) {
			at, word = i, w
		}
	}
	return at, word
}

// text is a file's content without blanks around it; "" when it can't be read.
func (t tree) text(name string) string {
	data, _ := t.read(name)
	return strings.ToValidUTF8(strings.TrimSpace(string(data)), "\ufffd")
}

// lines are a file's lines; none when it can't be read.
func (t tree) lines(name string) []string {
	text := t.text(name)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (t tree) exists(name string) bool {
	_, err := os.Stat(t.path(name))
	return err == nil
}

func (t tree) isDir(name string) bool {
	st, err := os.Stat(t.path(name))
	return err == nil && st.IsDir()
}

// list names what is in a directory, in order; nothing when it can't be read.
func (t tree) list(dir string) []string {
	entries, _ := os.ReadDir(t.path(dir))
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// program finds an installed program; "" when there is none.
func (t tree) program(name string) string {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		path := dir + "/" + name
		if st, err := os.Stat(t.path(path)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
