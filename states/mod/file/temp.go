package file

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// What will take the place of a name is made beside it, under a name that is the same each time: what a run left that
// was killed is found there by the next that writes the same file, without a look at all else in the directory. While
// it is made it is locked. The lock ends with the process, however that ends, so that nobody takes from another who
// still writes: such a one gets the next name.
const (
	tempTries = 8           // how many may write one file at the same time before they take names by chance
	tempAge   = time.Minute // when what can't be locked, and is there for the blink of an eye, was left behind
)

// tempName is the n-th name in turn under which what takes the place of base is made.
func tempName(base string, n int) string {
	if n >= tempTries {
		return ".brine-" + rand.Text() + ".tmp"
	}
	if n > 0 {
		base += "/" + strconv.Itoa(n)
	}
	sum := sha256.Sum256([]byte(base))
	return ".brine-" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]) + ".tmp"
}

// reserve makes something beside the spot under a name that is free: make is tried with one name after another while it
// says that something is there. The spot is entered.
func (s *spot) reserve(make func(name string) error) (string, error) {
	for n := 0; ; n++ {
		name := tempName(s.base, n)
		err := make(name)
		if errors.Is(err, unix.EEXIST) && s.reclaim(name) {
			err = make(name)
		}
		if !errors.Is(err, unix.EEXIST) || n > tempTries {
			return name, err
		}
	}
}

// temporary makes a file beside the spot that only its owner may read, locked. Its Name is that in the directory.
func (s *spot) temporary() (*os.File, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var fd int
	name, err := s.reserve(func(name string) (err error) {
		if fd, err = unix.Openat(s.fd, name, flags, 0o600); err != nil {
			return err
		}
		if held, err := hold(fd); !held || err != nil {
			unix.Close(fd) // another run took it for left behind, and removes it
			return errors.Join(err, unix.EEXIST)
		}
		return nil
	})
	if err != nil {
		dir := path.Dir(s.path())
		return nil, &fs.PathError{Op: "cannot make a file in", Path: dir, Err: locked(s.fd, ".", dir, err)}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// hold locks what is open as fd, and says whether it is ours then: not when another process holds it, or removed it
// before. Where the file system knows no locks it is, and nobody else takes it there either.
func hold(fd int) (bool, error) {
	switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err {
	case unix.EWOULDBLOCK:
		return false, nil
	case nil:
	default:
		return true, nil
	}
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Nlink > 0, err
}

// keepHeld makes a second descriptor of a locked file, which holds the lock when the first is closed.
func keepHeld(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

// reclaim removes what a killed run left under a name beside the spot, and says whether the name is free.
func (s *spot) reclaim(name string) bool {
	i, err := infoAt(s.fd, name, name)
	switch {
	case err != nil:
		return false
	case i == nil:
		return true
	case i.isDir():
		return false // tempDir's
	case !i.isFile():
		return longAgo(i.Mtim) && unix.Unlinkat(s.fd, name, 0) == nil
	case i.Nlink > 1:
		return longAgo(i.Ctim) && unix.Unlinkat(s.fd, name, 0) == nil
	}
	fd, ours := s.seize(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if !ours {
		return false
	}
	defer unix.Close(fd)
	return unix.Unlinkat(s.fd, name, 0) == nil
}

func longAgo(t unix.Timespec) bool { return time.Since(time.Unix(t.Unix())) > tempAge }

// seize opens and locks what is at a name beside the spot. It is ours when nobody else holds it and the name still
// stands for it; then nobody else removes it either. Close it when it is ours.
func (s *spot) seize(name string, flags int) (fd int, ours bool) {
	fd, err := unix.Openat(s.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, false
	}
	var held info
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil && unix.Fstat(fd, &held.Stat_t) == nil {
		if now, err := infoAt(s.fd, name, name); err == nil && now != nil && now.identity() == held.identity() {
			return fd, true
		}
	}
	unix.Close(fd)
	return -1, false
}

// A tempDir is a directory beside a spot in which something is made, for its owner alone. A file in it that has its own
// name is the sign that the minion made it: a directory that someone else gave such a name is not removed.
type tempDir struct {
	beside *spot // which stays entered
	name   string
	fd     int // open to be read, and locked
}

// tempDir makes one. Remove it when done. The spot is entered.
func (s *spot) tempDir(ctx context.Context) (*tempDir, error) {
	t := &tempDir{beside: s}
	var err error
	t.name, err = s.reserve(func(name string) error {
		err := unix.Mkdirat(s.fd, name, 0o700)
		if errors.Is(err, unix.EEXIST) && s.reclaimDir(ctx, name) {
			err = unix.Mkdirat(s.fd, name, 0o700)
		}
		if err != nil {
			return err
		}
		return t.open(name)
	})
	if err != nil {
		dir := path.Dir(s.path())
		return nil, &fs.PathError{Op: "cannot make a directory in", Path: dir, Err: locked(s.fd, ".", dir, err)}
	}
	return t, nil
}

// open locks the directory that was just made, and puts the sign in it.
func (t *tempDir) open(name string) (err error) {
	if t.fd, err = unix.Openat(t.beside.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	held, err := hold(t.fd)
	if err == nil && !held {
		err = unix.EEXIST
	}
	if err == nil {
		err = unix.Mknodat(t.fd, name, unix.S_IFREG|0o600, 0)
		if errors.Is(err, unix.ENOENT) {
			err = unix.EEXIST // another run took it for left behind
		}
	}
	if err != nil {
		unix.Close(t.fd)
	}
	return err
}

// spot is a name in the directory, entered as long as that is there. Whoever leaves it closes the directory.
func (t *tempDir) spot(base string) *spot {
	return &spot{host: t.beside.host, dir: path.Join(path.Dir(t.beside.path()), t.name), base: base, fd: t.fd}
}

// remove removes the directory with all in it.
func (t *tempDir) remove(ctx context.Context) error {
	err := t.beside.removeTemp(context.WithoutCancel(ctx), t.fd, t.name)
	return errors.Join(err, unix.Close(t.fd))
}

// removeTemp removes such a directory, open as fd; last its sign, so that it is known for one until it is gone.
func (s *spot) removeTemp(ctx context.Context, fd int, name string) error {
	full := path.Join(path.Dir(s.path()), name)
	err := eachIn(ctx, fd, full, func(in string, _ *info) error {
		if in == name {
			return nil
		}
		return removeAt(ctx, fd, in, path.Join(full, in))
	})
	if err != nil {
		return err
	}
	return removeAt(ctx, s.fd, name, full)
}

// reclaimDir removes a directory that a killed run left under a name beside the spot, and says whether the name is free.
func (s *spot) reclaimDir(ctx context.Context, name string) bool {
	fd, ours := s.seize(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if !ours {
		return false
	}
	defer unix.Close(fd)
	if unix.Unlinkat(s.fd, name, unix.AT_REMOVEDIR) == nil {
		return true // it was empty
	}
	var dir info
	sign, err := infoAt(fd, name, name)
	if err != nil || sign == nil || !sign.isFile() || int(sign.Uid) != unix.Geteuid() {
		return false
	}
	if unix.Fstat(fd, &dir.Stat_t) != nil || int(dir.Uid) != unix.Geteuid() || dir.bits() != 0o700 {
		return false
	}
	return s.removeTemp(ctx, fd, name) == nil
}
