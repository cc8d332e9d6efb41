package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// replace puts new content at name in one step: a temporary file beside it gets content, rights and everything
// else that belongs to the file, and is renamed over it. Old is what is there, nil when nothing is.
func replace(name string, old os.FileInfo, r rights, write func(io.Writer) error) (err error) {
	tmp, err := temporary(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // the first error tells more
		}
	}()
	err = errors.Join(fill(tmp, name, old, r, write), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func temporary(name string) (*os.File, error) {
	tmp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".brine-%s.tmp", rand.Text()))
	return os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func fill(tmp *os.File, name string, old os.FileInfo, r rights, write func(io.Writer) error) error {
	if err := write(tmp); err != nil {
		return err
	}
	if old != nil {
		was, uid, gid := owned(old)
		if r.uid < 0 {
			r.uid = uid
		}
		if r.gid < 0 {
			r.gid = gid
		}
		if !r.mode.set {
			r.mode = mode{set: true, bits: was}
		}
		if err := copyAttributes(name, tmp); err != nil {
			return err
		}
	} else if !r.mode.set {
		r.mode = mode{set: true, bits: 0o644}
	}
	if err := r.giveTo(int(tmp.Fd())); err != nil {
		return fmt.Errorf("cannot set owner and mode: %w", err)
	}
	return tmp.Sync()
}

// copyAttributes copies extended attributes: the SELinux label and access lists are among them. What
// belongs to the old content, such as capabilities and its hashes, stays behind.
func copyAttributes(from string, to *os.File) error {
	size, err := unix.Listxattr(from, nil)
	if err != nil || size == 0 {
		return nil // no such thing on this file system
	}
	list := make([]byte, size)
	if size, err = unix.Listxattr(from, list); err != nil {
		return nil
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		switch name {
		case "security.capability", "security.ima", "security.evm":
			continue
		}
		data := make([]byte, 64<<10) // the kernel's limit
		n, err := unix.Getxattr(from, name, data)
		if err != nil {
			continue // gone, or not ours to read
		}
		err = unix.Fsetxattr(int(to.Fd()), name, data[:n], 0)
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("cannot keep the attribute %s: %w", name, err)
		}
	}
	return nil
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil // some file systems can't
	}
	return errors.Join(err, d.Close())
}

// missing returns the directories above name that are not there, topmost first. An error says what stands in
// the place of a directory.
func missing(name string) ([]string, error) {
	var dirs []string
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		switch {
		case err == nil && st.IsDir():
			return dirs, nil
		case err == nil, errors.Is(err, unix.ENOTDIR):
			return nil, fmt.Errorf("%s is not a directory", dir)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		if _, err := os.Lstat(dir); err == nil {
			return nil, fmt.Errorf("%s is a symbolic link that leads nowhere", dir)
		}
		dirs = append([]string{dir}, dirs...)
	}
}

// makeDirs makes directories, each in the one before, with the rights given, and mode 0755 when they say none.
func makeDirs(dirs []string, r rights) error {
	if len(dirs) == 0 {
		return nil
	}
	if !r.mode.set {
		r.mode = mode{set: true, bits: 0o755}
	}
	at, err := unix.Open(filepath.Dir(dirs[0]), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: filepath.Dir(dirs[0]), Err: err}
	}
	defer func() { unix.Close(at) }()
	for _, dir := range dirs {
		made, err := makeDir(at, filepath.Base(dir), r)
		if err != nil {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
		}
		unix.Close(at)
		at = made
	}
	return nil
}

// makeDir makes a directory in an open one and opens it.
func makeDir(at int, name string, r rights) (int, error) {
	if err := unix.Mkdirat(at, name, 0o700); err != nil {
		return -1, err
	}
	fd, err := unix.Openat(at, name, nameOnly|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	if err := r.givePath(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
