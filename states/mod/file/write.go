package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"golang.org/x/sys/unix"
)

// newMode is what a file without a stated mode has; newDirMode a directory.
const (
	newMode    = 0o644
	newDirMode = 0o755
)

// put puts new content at the spot in one step: a temporary file beside it gets content, rights and everything else
// that belongs to the file, is brought to the disk, and is renamed over it. Old is what is there, nil when nothing
// is. The spot is entered and its directory is there.
func (s *spot) put(old *info, r rights, write func(io.Writer) error) (err error) {
	tmp, err := s.temporary()
	if err != nil {
		return err
	}
	held, err := keepHeld(int(tmp.Fd()))
	if err != nil {
		return errors.Join(err, tmp.Close(), unix.Unlinkat(s.fd, tmp.Name(), 0))
	}
	defer unix.Close(held) // when it has its name, or is gone
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(s.fd, tmp.Name(), 0) // the first error tells more
		}
	}()
	if err := errors.Join(s.fill(tmp, old, r, write), tmp.Close()); err != nil {
		return err
	}
	err = unix.Renameat(s.fd, tmp.Name(), s.fd, s.base)
	if err == unix.EBUSY { // it is mounted by itself, as /etc/hosts of a container
		return s.pour(tmp.Name(), r)
	}
	if err != nil {
		return &fs.PathError{Op: "cannot rename to", Path: s.path(), Err: locked(s.fd, s.base, s.path(), err)}
	}
	if s.alone {
		return host.SyncDir(s.fd, s.host.Path(s.dir))
	}
	return s.touched()
}

// pour writes what a temporary file holds into the file at the spot, where no other can take its place.
func (s *spot) pour(tmp string, r rights) error {
	from, err := openFileAt(s.fd, tmp, s.path())
	if err != nil {
		return err
	}
	defer from.Close()
	fd, err := unix.Openat(s.fd, s.base, unix.O_WRONLY|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "cannot open", Path: s.path(), Err: err}
	}
	to := os.NewFile(uintptr(fd), s.path())
	_, err = io.Copy(to, from)
	if err == nil {
		err = errors.Join(r.giveTo(fd), s.host.SyncFile(fd))
	}
	return errors.Join(err, to.Close(), unix.Unlinkat(s.fd, tmp, 0))
}

func (s *spot) fill(tmp *os.File, old *info, r rights, write func(io.Writer) error) error {
	if err := write(tmp); err != nil {
		var own *fs.PathError
		if errors.As(err, &own) && own.Path == tmp.Name() {
			return own.Err // no one knows the file by this name
		}
		return err
	}
	if old != nil {
		if r.uid < 0 {
			r.uid = int(old.Uid)
		}
		if r.gid < 0 {
			r.gid = int(old.Gid)
		}
		if !r.mode.set {
			r.mode = modeOf(old.bits())
		}
		if err := s.copyAttributes(tmp); err != nil {
			return err
		}
	} else if !r.mode.set {
		r.mode = modeOf(newMode)
	}
	if err := r.giveTo(int(tmp.Fd())); err != nil {
		return fmt.Errorf("cannot set owner and mode: %w", err)
	}
	if err := s.secure(int(tmp.Fd()), old != nil); err != nil {
		return fmt.Errorf("cannot bring it to the disk: %w", err)
	}
	return nil
}

// secure keeps a power cut from leaving a name without its content. Content that takes the place of other is on the
// disk before it gets the name: one of the two is there at any moment. New content is only on its way then, and
// waited for when the file system is flushed, before anyone is told that the state was done: to wait for each of a
// thousand new files takes a disk longer than all the rest. A state that would take what is there for done is not
// left to find a part of it.
func (s *spot) secure(fd int, replaces bool) error {
	if replaces || s.final {
		return s.host.SyncFile(fd)
	}
	return s.host.BeginSync(fd)
}

// copyAttributes copies the extended attributes of what is at the spot: the SELinux label and access lists are among
// them. What belongs to the old content, such as capabilities and its hashes, stays behind.
func (s *spot) copyAttributes(to *os.File) error {
	from, err := s.openRead()
	if err != nil {
		return err
	}
	defer from.Close()
	return copyAttributes(from.fd, int(to.Fd()))
}

// copyAttributes copies them from one open file or directory to another.
func copyAttributes(fd, to int) error {
	size, err := unix.Flistxattr(fd, nil)
	if err != nil || size == 0 {
		return nil // no such thing on this file system
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(fd, list); err != nil {
		return nil
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		switch name {
		case "security.capability", "security.ima", "security.evm":
			continue
		}
		data := make([]byte, 64<<10) // the kernel's limit
		n, err := unix.Fgetxattr(fd, name, data)
		if err != nil {
			continue // gone, or not ours to read
		}
		err = unix.Fsetxattr(to, name, data[:n], 0)
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("cannot keep the attribute %s: %w", name, err)
		}
	}
	return nil
}

// openRead opens the file at the spot. A link there is not followed, and nothing but a file is opened.
func (s *spot) openRead() (*file, error) {
	if len(s.missing) > 0 {
		return nil, &fs.PathError{Op: "cannot open", Path: s.path(), Err: fs.ErrNotExist}
	}
	return openFileAt(s.fd, s.base, s.path())
}

func openFileAt(dir int, name, full string) (*file, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "cannot open", Path: full, Err: err}
	}
	f := &file{fd: fd, name: full}
	if err = unix.Fstat(fd, &f.info.Stat_t); err == nil && !f.info.isFile() {
		err = fmt.Errorf("it is a %s", f.info.kind())
	}
	if err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "cannot open", Path: full, Err: err}
	}
	return f, nil
}

// A file is a regular file, open for reading. An *os.File would ask the poller about it first.
type file struct {
	fd   int
	name string
	info info
}

func (f *file) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(f.fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, &fs.PathError{Op: "cannot read", Path: f.name, Err: err}
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	n, err := unix.Pread(f.fd, b, at)
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "cannot read", Path: f.name, Err: err}
	case n < len(b):
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Close() error { return unix.Close(f.fd) }

// openFile opens a file of the host, wherever links lead to it under its root.
func openFile(h *host.Host, name string) (*file, error) { return openBy(h, name, seek) }

func openBy(h *host.Host, name string, find seeker) (*file, error) {
	if !path.IsAbs(name) {
		return nil, fmt.Errorf("cannot open %q: it is not an absolute path", name)
	}
	s, err := find(h, name, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	return s.openRead()
}

// read returns the content of the file at the spot.
func (s *spot) read() ([]byte, error) {
	f, err := s.openRead()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, 0, f.info.Size+1) // the one byte more tells the end
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		data = slices.Grow(data, 1)
	}
}

// makeDirs makes the directories that are missing on the way to the spot, each in the one before, with the rights
// given, and mode 0755 when they say none. The spot is entered.
func (s *spot) makeDirs(r rights) error {
	if !r.mode.set {
		r.mode = modeOf(newDirMode)
	}
	for len(s.missing) > 0 {
		name := s.missing[0]
		fd, err := makeDir(s.fd, name, r)
		if errors.Is(err, unix.EEXIST) { // another state made it, or someone else: it is not given rights
			fd, err = unix.Openat(s.fd, name, dirOnly, 0)
		}
		if err != nil {
			return &fs.PathError{Op: "cannot make the directory", Path: path.Join(s.dir, name), Err: err}
		}
		if err := s.touched(); err != nil {
			unix.Close(fd)
			return err
		}
		unix.Close(s.fd)
		s.fd, s.dir, s.missing = fd, path.Join(s.dir, name), s.missing[1:]
	}
	return nil
}

// justMade refuses a directory that took the place of one just made: whoever may write to the one above can move another there.
func justMade(fd int, name string) error {
	names, err := namesIn(fd, name)
	if err == nil && len(names) > 0 {
		err = errReplaced
	}
	return err
}

// makeDir makes a directory in an open one and opens it.
func makeDir(at int, name string, r rights) (int, error) {
	if err := unix.Mkdirat(at, name, 0o700); err != nil {
		return -1, err
	}
	fd, err := unix.Openat(at, name, dirOnly, 0)
	if err != nil {
		return -1, err
	}
	err = justMade(fd, name)
	if err == nil {
		err = r.givePath(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
