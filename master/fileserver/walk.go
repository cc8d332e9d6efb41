package fileserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"brine/proto"
)

const (
	maxFiles = 200_000 // of an environment; links can make a few into very many
	maxDepth = 100     // directories in one another
)

// identity changes whenever a file does.
type identity struct {
	dev, ino uint64
	size     int64
	modified syscall.Timespec
	changed  syscall.Timespec
}

// found is a file of an environment.
type found struct {
	full string // on this machine
	mode uint32
	id   identity
}

// walker collects the files under some directories.
type walker struct {
	ctx   context.Context
	files map[string]found // by path in the tree
	dirs  map[string]bool
	links map[string]string // where they lead
	skip  func(path, why string)
	above []identity // directories on the way down, to see a link that leads back up
	seen  int        // files and directories
}

// walk finds the files of an environment: of several with the same path that
// in the first directory. Symbolic links are followed, also out of the
// directory, as Salt does. A directory that is not there has no files.
func walk(ctx context.Context, roots []string, skip func(path, why string)) (*walker, error) {
	w := &walker{ctx: ctx, files: map[string]found{}, dirs: map[string]bool{}, links: map[string]string{}, skip: skip}
	for _, root := range roots {
		info, err := os.Stat(root)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a directory", root)
		}
		if err == nil {
			err = w.dir(root, "", info)
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *walker) dir(full, rel string, info os.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	id := identify(info)
	for _, a := range w.above {
		if a.dev == id.dev && a.ino == id.ino {
			w.skip(full, "the link leads back to a directory above it")
			return nil
		}
	}
	if len(w.above) >= maxDepth {
		return fmt.Errorf("%s is more than %d directories deep", full, maxDepth)
	}
	if rel != "" {
		w.dirs[rel] = true
	}
	w.above = append(w.above, id)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	entries, err := os.ReadDir(full)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return readable(err)
	}
	for _, e := range entries {
		if err := w.entry(filepath.Join(full, e.Name()), path.Join(rel, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(full, rel string, e fs.DirEntry) error {
	if !utf8.ValidString(e.Name()) {
		w.skip(full, "its name is not UTF-8")
		return nil
	}
	w.link(full, rel, e)
	info, err := os.Stat(full) // of what a link leads to
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		if e.Type()&fs.ModeSymlink != 0 {
			w.skip(full, "the link leads nowhere")
		}
		return nil
	}
	if err != nil {
		return readable(err)
	}
	if w.seen++; w.seen > maxFiles {
		return fmt.Errorf("there are more than %d files", maxFiles)
	}
	if info.IsDir() {
		if ofVersionControl(e.Name()) {
			return nil
		}
		return w.dir(full, rel, info)
	}
	if _, first := w.files[rel]; first || !info.Mode().IsRegular() {
		return nil // sockets and the like have no content
	}
	st := info.Sys().(*syscall.Stat_t)
	w.files[rel] = found{full: full, mode: st.Mode & 0o7777, id: identify(info)}
	return nil
}

// link notes where a link leads, unless a directory before has something in its place.
func (w *walker) link(full, rel string, e fs.DirEntry) {
	if _, first := w.files[rel]; first || w.dirs[rel] || e.Type()&fs.ModeSymlink == 0 {
		return
	}
	if _, first := w.links[rel]; first {
		return
	}
	if to, err := os.Readlink(full); err == nil && utf8.ValidString(to) { // else it has just gone
		w.links[rel] = to
	}
}

// empty are the directories that no file is below of.
func (w *walker) empty(files []*proto.File) (dirs []string) {
	filled := map[string]bool{}
	fill := func(name string) {
		for dir := path.Dir(name); !filled[dir] && dir != "."; dir = path.Dir(dir) {
			filled[dir] = true
		}
	}
	for _, f := range files {
		fill(f.GetPath())
	}
	for dir := range w.dirs {
		fill(dir) // the one below stands for it
	}
	for dir := range w.dirs {
		if !filled[dir] {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func ofVersionControl(name string) bool { return name == ".git" || name == ".svn" || name == ".hg" }

func identify(info os.FileInfo) identity {
	st := info.Sys().(*syscall.Stat_t) // what os.Stat gives on Linux
	return identity{
		dev: st.Dev, ino: st.Ino, size: st.Size, modified: st.Mtim, changed: st.Ctim,
	}
}

// settled tells whether a file that changed again after now would look
// different: its time stamp is not as young as a clock's tick may be wide.
func (id identity) settled(now time.Time) bool {
	const tick = 2 * time.Second // of the coarsest file systems
	return now.Sub(time.Unix(id.changed.Unix())) > tick
}

// readable adds what to do to an error about a file that the master may not read.
func readable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: let the user that runs brine-master read it", err)
	}
	return err
}

// quiet tells about each skipped path once.
type quiet map[string]bool

func (q quiet) first(path string) bool {
	if q[path] || len(q) > 1000 {
		return false
	}
	q[strings.Clone(path)] = true
	return true
}
