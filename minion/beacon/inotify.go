package beacon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/value"
)

// masks are what may be asked for in a mask, by Salt's names.
func masks() map[string]uint32 {
	return map[string]uint32{
		"access": unix.IN_ACCESS, "attrib": unix.IN_ATTRIB, "close_nowrite": unix.IN_CLOSE_NOWRITE, "close_write": unix.IN_CLOSE_WRITE,
		"create": unix.IN_CREATE, "delete": unix.IN_DELETE, "delete_self": unix.IN_DELETE_SELF, "dont_follow": unix.IN_DONT_FOLLOW,
		"excl_unlink": unix.IN_EXCL_UNLINK, "ignored": unix.IN_IGNORED, "modify": unix.IN_MODIFY, "move_self": unix.IN_MOVE_SELF,
		"moved_from": unix.IN_MOVED_FROM, "moved_to": unix.IN_MOVED_TO, "oneshot": unix.IN_ONESHOT, "onlydir": unix.IN_ONLYDIR,
		"open": unix.IN_OPEN, "unmount": unix.IN_UNMOUNT,
	}
}

const (
	happens = unix.IN_ALL_EVENTS                                                           // of a mask, what is no option
	always  = unix.IN_IGNORED | unix.IN_UNMOUNT                                            // the kernel tells unasked
	ofTree  = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_EXCL_UNLINK // keeps a tree's watches right
	created = unix.IN_CREATE | unix.IN_MOVED_TO
)

// A watchedFile is a file or directory of the configuration.
type watchedFile struct {
	path             string
	mask             uint32
	recurse, autoAdd bool
	excluded         func(string) bool
}

// A watch is one of the kernel.
type watch struct {
	path string
	of   *watchedFile
	ino  uint64
}

// A notifier follows what happens to files, with one descriptor of the kernel.
type notifier struct {
	follower
	files    []*watchedFile
	coalesce bool

	wmu     sync.Mutex // guards the fields below
	fd      int        // -1 when it does not run
	watches map[int]*watch
	byPath  map[string]int
}

// inotify tells what happens to files and directories.
func inotify(s *section, e *env) looker {
	n := &notifier{follower: follower{env: e}, coalesce: s.bool("coalesce", false), fd: -1}
	files := s.sub("files")
	if !s.has("files") {
		s.wrong("", "want files in it")
	}
	files.each(func(name string, v any) { n.files = append(n.files, readWatched(files.under(name, v), name)) })
	return func(_ context.Context, h *host.Host) ([]reading, error) {
		found, err := n.look(h, n.follow)
		err = errors.Join(err, n.refresh(h))
		if n.coalesce {
			found = unique(found)
		}
		return found, err
	}
}

func readWatched(s *section, name string) *watchedFile {
	w := &watchedFile{path: path.Clean(name), recurse: s.bool("recurse", false), autoAdd: s.bool("auto_add", false)}
	if !path.IsAbs(name) {
		s.wrong("", "want an absolute path")
	}
	known := masks()
	for _, m := range s.texts("mask") {
		bit, ok := known[m]
		if !ok {
			s.wrong("mask", "there is no %q: want of %s", m, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		w.mask |= bit
	}
	if w.mask&happens == 0 {
		w.mask |= unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY
	}
	w.excluded = readExcludes(s)
	s.end()
	return w
}

func unique(found []reading) (all []reading) {
	for _, r := range found {
		if !slices.ContainsFunc(all, r.same) {
			r.count = 1
			all = append(all, r)
		}
	}
	return all
}

// follow reads what the kernel tells until ctx ends.
func (n *notifier) follow(ctx context.Context, h *host.Host) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("cannot watch files: %w", err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	n.wmu.Lock()
	n.fd, n.watches, n.byPath = fd, map[int]*watch{}, map[string]int{}
	n.wmu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(longAgo()) })
	defer func() {
		stop()
		n.wmu.Lock()
		n.fd = -1
		n.wmu.Unlock()
		f.Close()
	}()
	if err := n.refresh(h); err != nil {
		n.fail(err)
	}
	buf := make([]byte, 16<<10)
	for {
		got, err := f.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot watch files: %w", err)
		}
		for b := buf[:got]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask, name, rest := kernelEvent(b)
			n.happened(h, wd, mask, name)
			b = rest
		}
	}
}

// refresh watches what is configured and not watched yet, or was replaced by another file.
func (n *notifier) refresh(h *host.Host) error {
	n.wmu.Lock()
	defer n.wmu.Unlock()
	if n.fd < 0 {
		return nil
	}
	var errs []error
	for _, w := range n.files {
		var st unix.Stat_t
		if unix.Stat(h.Path(w.path), &st) != nil {
			continue // it may come
		}
		if wd, ok := n.byPath[w.path]; ok {
			if n.watches[wd].ino == st.Ino {
				continue
			}
			_, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) // which is told as IN_IGNORED
			delete(n.byPath, w.path)
		}
		errs = append(errs, n.watch(h, w, w.path, false))
	}
	return errors.Join(errs...)
}

// watch watches a path, and what is below it where that is wanted. Of what has come meanwhile it tells. Call it with wmu held.
func (n *notifier) watch(h *host.Host, w *watchedFile, name string, come bool) error {
	if w.excluded(name) {
		return nil
	}
	mask := w.mask
	if w.recurse || w.autoAdd {
		mask |= ofTree
	}
	wd, err := unix.InotifyAddWatch(n.fd, h.Path(name), mask)
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("cannot watch %s: the kernel's fs.inotify.max_user_watches is reached", name)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return nil // it has gone
	case err != nil:
		return fmt.Errorf("cannot watch %s: %w", name, err)
	}
	var st unix.Stat_t
	_ = unix.Stat(h.Path(name), &st) // 0 makes it looked at again
	n.watches[wd], n.byPath[name] = &watch{name, w, st.Ino}, wd
	if !w.recurse && !come {
		return nil
	}
	dir, err := os.ReadDir(h.Path(name))
	if err != nil {
		return nil // a file, or one that has gone
	}
	var errs []error
	for _, e := range dir {
		if len(errs) == maxErrors {
			break // of the kernel's limit: it will be the same for all
		}
		below := path.Join(name, e.Name())
		if come {
			n.keep(w, name, below, unix.IN_CREATE|isDir(e))
		}
		if e.IsDir() && w.recurse {
			errs = append(errs, n.watch(h, w, below, come))
		}
	}
	return errors.Join(errs...)
}

const maxErrors = 3 // of one directory

func isDir(e fs.DirEntry) uint32 {
	if e.IsDir() {
		return unix.IN_ISDIR
	}
	return 0
}

// happened takes an event of the kernel.
func (n *notifier) happened(h *host.Host, wd int, mask uint32, name string) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		n.fail(errors.New("events of files are lost: the kernel's fs.inotify.max_queued_events is reached"))
		return
	}
	n.wmu.Lock()
	defer n.wmu.Unlock()
	w := n.watches[wd]
	if w == nil {
		return
	}
	full := w.path
	if name != "" {
		full = path.Join(w.path, name)
	}
	n.keep(w.of, w.path, full, mask)
	switch {
	case mask&unix.IN_IGNORED != 0:
		delete(n.watches, wd)
		if n.byPath[w.path] == wd {
			delete(n.byPath, w.path)
		}
	case mask&unix.IN_ISDIR == 0 || name == "":
	case mask&created != 0 && w.of.autoAdd:
		if err := n.watch(h, w.of, full, true); err != nil {
			n.fail(err)
		}
	case mask&unix.IN_MOVED_FROM != 0:
		n.drop(full)
	}
}

// drop watches nothing any more that is, or lies below, a directory that has gone elsewhere. Call it with wmu held.
func (n *notifier) drop(dir string) {
	for name, wd := range n.byPath {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			delete(n.watches, wd)
			delete(n.byPath, name)
			_, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) // else it is gone already
		}
	}
}

// keep keeps what happened, if that is asked for.
func (n *notifier) keep(w *watchedFile, dir, name string, mask uint32) {
	if mask&(w.mask&happens|always) == 0 || w.excluded(name) {
		return
	}
	n.follower.add(reading{tag: dir, data: value.NewDict("path", name, "change", maskName(mask))})
}

// maskName is what happened, in the kernel's words.
func maskName(mask uint32) string {
	var names []string
	for name, bit := range masks() {
		if mask&bit != 0 && (happens|always)&bit != 0 {
			names = append(names, "IN_"+strings.ToUpper(name))
		}
	}
	slices.Sort(names)
	if mask&unix.IN_ISDIR != 0 {
		names = append(names, "IN_ISDIR")
	}
	return strings.Join(names, "|")
}
