package job

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// A disk is one of the journal's two files. Tests put faults between.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error // of all that was written, so that it outlives a power cut
	Size() (int64, error)
	Grow(size int64) error // claims the space below size: writing there needs none any more
	Shrink(size int64) error
}

type osDisk struct{ *os.File }

func (d osDisk) Sync() error {
	for {
		if err := syscall.Fdatasync(int(d.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (d osDisk) Size() (int64, error) {
	info, err := d.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d osDisk) Grow(size int64) error {
	old, err := d.Size()
	if err != nil || old >= size {
		return err
	}
	for {
		err = syscall.Fallocate(int(d.Fd()), 0, old, size-old)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return d.zero(old, size)
	}
	return err
}

func (d osDisk) Shrink(size int64) error { return d.Truncate(size) }

// zero writes the range, so that its blocks are there and initialised: then a
// later fdatasync need not touch the file system's own records.
func (d osDisk) zero(from, to int64) error {
	zeros := make([]byte, 64<<10)
	for from < to {
		n, err := d.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// openDisk opens a file that exists; errors.Is(err, fs.ErrNotExist) otherwise.
func openDisk(path string) (osDisk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return osDisk{f}, err
}

// createDisk makes a preallocated file that begins with head and gives it its
// name only when it is whole.
func createDisk(path string, head []byte) (_ osDisk, err error) {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return osDisk{}, err
	}
	d := osDisk{f}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close(), os.Remove(temp))
		}
	}()
	if err := d.Grow(preallocated); err != nil {
		return d, err
	}
	if err := d.zero(0, preallocated); err != nil {
		return d, err
	}
	if _, err := d.WriteAt(head, 0); err != nil {
		return d, err
	}
	if err := d.File.Sync(); err != nil {
		return d, err
	}
	if err := os.Rename(temp, path); err != nil {
		return d, err
	}
	return d, syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lockFile keeps a second process out until the returned file is closed.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another process uses it")
		}
		return nil, err
	}
	return f, nil
}
