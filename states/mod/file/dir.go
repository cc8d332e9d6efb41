package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// namesIn lists an open directory, sorted.
func namesIn(fd int, full string) ([]string, error) {
	own, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) { // only its owner looks without a trace
		own, err = unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "cannot list", Path: full, Err: err}
	}
	d := os.NewFile(uintptr(own), full)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// An entry is something below a directory.
type entry struct {
	dir  int    // the directory that it is in, open while the entry is visited
	name string // in it
	rel  string // below the directory that was walked
	*info
}

// depth is how many levels deep an entry is.
func (e *entry) depth() int {
	n := 1
	for _, c := range e.rel {
		if c == '/' {
			n++
		}
	}
	return n
}

// errSkip keeps walk out of a directory.
var errSkip = fs.SkipDir

// walk visits all below an open directory, each directory before what is in it, in order of name. Symbolic links are
// visited and not followed. With errSkip visit keeps it out of a directory.
func walk(ctx context.Context, fd int, full string, visit func(*entry) error) error {
	return walkIn(ctx, fd, full, "", visit)
}

func walkIn(ctx context.Context, fd int, full, rel string, visit func(*entry) error) error {
	names, err := namesIn(fd, full)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		i, err := infoAt(fd, name, path.Join(full, name))
		if err != nil {
			return err
		}
		if i == nil {
			continue // gone meanwhile
		}
		e := &entry{dir: fd, name: name, rel: path.Join(rel, name), info: i}
		if err := visitOne(ctx, e, full, visit); err != nil {
			return err
		}
	}
	return nil
}

func visitOne(ctx context.Context, e *entry, full string, visit func(*entry) error) error {
	switch err := visit(e); {
	case err == errSkip:
		return nil
	case err != nil || !e.isDir():
		return err
	}
	sub, err := unix.Openat(e.dir, e.name, dirOnly, 0)
	if err != nil {
		return nil // gone, or no directory any more
	}
	defer unix.Close(sub)
	return walkIn(ctx, sub, path.Join(full, e.name), e.rel, visit)
}

// openDir opens the directory at the spot, for its name only.
func (s *spot) openDir() (int, error) {
	fd, err := unix.Openat(s.fd, s.base, dirOnly, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "cannot open", Path: s.path(), Err: err}
	}
	return fd, nil
}
