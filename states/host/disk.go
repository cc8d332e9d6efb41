package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// A Disk notes the file systems on which modules change something, so that all of it is brought to the disk at once
// before anyone is told that it was done. The zero Disk is ready; it is safe for concurrent use.
//
// It holds nothing open between Touched and Sync: a state run may unmount what it wrote to.
type Disk struct {
	// Flush brings the file system of an open directory to the disk; nil is syncfs(2).
	Flush func(fd int) error
	// File brings one open file to the disk; nil is fsync(2).
	File func(fd int) error
	// Begin begins to bring one open file to the disk, and does not wait; nil is sync_file_range(2).
	Begin func(fd int) error

	mu      sync.Mutex
	touched map[uint64]string // by device: a directory on it
}

// Touched notes that something changed in the directory that fd stands for; path is where it is now.
func (d *Disk) Touched(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "cannot stat", Path: path, Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.touched == nil {
		d.touched = make(map[uint64]string)
	}
	d.touched[st.Dev] = path
	return nil
}

// Sync brings every file system that was touched since the last Sync to the disk. An error says that what was done
// may be lost with a power cut.
func (d *Disk) Sync() error {
	d.mu.Lock()
	touched := d.touched
	d.touched = nil
	d.mu.Unlock()
	var errs []error
	for dev, path := range touched {
		if err := d.sync(dev, path); err != nil {
			errs = append(errs, fmt.Errorf("cannot bring the file system of %s to the disk: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// sync flushes a device. The directory that was touched may be gone meanwhile; then one above it will do. Where the
// device is nowhere any more, unmounting has written it out.
func (d *Disk) sync(dev uint64, path string) error {
	for ; ; path = filepath.Dir(path) {
		found, err := d.flush(dev, path)
		if found || err != nil {
			return err
		}
		if path == filepath.Dir(path) {
			unix.Sync() // for a directory that the daemon may not open
			return nil
		}
	}
}

func (d *Disk) flush(dev uint64, path string) (found bool, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Dev != dev {
		return false, nil
	}
	if d.Flush != nil {
		return true, d.Flush(fd)
	}
	return true, unix.Syncfs(fd)
}

// SyncFile brings an open file to the disk: before it is given a name under which others read it, so that after a power
// cut the name stands for all of it or for what was there before.
func (h *Host) SyncFile(fd int) error {
	if h.Disk != nil && h.Disk.File != nil {
		return h.Disk.File(fd)
	}
	return unix.Fsync(fd)
}

// BeginSync begins to bring an open file to the disk and leaves the waiting to the host's Disk. A host without a Disk
// has no one who waits later, so it is waited for at once.
func (h *Host) BeginSync(fd int) error {
	switch {
	case h.Disk == nil:
		return h.SyncFile(fd)
	case h.Disk.Begin != nil:
		return h.Disk.Begin(fd)
	}
	_ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) // a help only; an error of the disk is told by Sync
	return nil
}

// Touched notes for the host's Disk that something changed in a directory that is open as fd and lies at path. A host
// without a Disk has no one who brings it to the disk later, so it is done at once.
func (h *Host) Touched(fd int, path string) error {
	if h.Disk != nil {
		return h.Disk.Touched(fd, path)
	}
	return SyncDir(fd, path)
}

// SyncDir brings to the disk which names there are in a directory that is open as fd and lies at path.
func SyncDir(fd int, path string) error {
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Fsync(dir)
		unix.Close(dir)
	}
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // it can't on some file systems; it was removed
		return nil
	case errors.Is(err, unix.EACCES):
		unix.Sync()
		return nil
	case err != nil:
		return &fs.PathError{Op: "cannot sync", Path: path, Err: err}
	}
	return nil
}
