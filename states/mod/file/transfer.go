package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"brine/states/host"
	"golang.org/x/sys/unix"
)

// A copying copies files, links and directories from one open directory into another, where nothing of their names is.
type copying struct {
	host   *host.Host
	rights func(*info) rights // of what is made of something; who and what it does not say is the minion's
	keep   bool               // times and extended attributes go along
	final  bool               // wait until each file is on the disk: it takes the place of other content at once
}

// into copies what bears a name in the directory from, with all in it. Full is its whole name for messages.
func (c *copying) into(ctx context.Context, from int, name, full string, was *info, to int, base string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var err error
	switch {
	case was.isLink():
		err = c.link(from, name, was, to, base)
	case was.isFile():
		err = c.file(ctx, from, name, full, was, to, base)
	case was.isDir():
		return c.dir(ctx, from, name, full, was, to, base)
	default:
		err = fmt.Errorf("it is a %s", was.kind())
	}
	var named *fs.PathError
	if err != nil && !errors.As(err, &named) {
		err = &fs.PathError{Op: "cannot copy", Path: full, Err: err}
	}
	return err
}

func (c *copying) link(from int, name string, was *info, to int, base string) error {
	target, err := readlink(from, name)
	if err == nil {
		err = unix.Symlinkat(target, to, base)
	}
	if r := c.rights(was); err == nil && (r.uid >= 0 || r.gid >= 0) {
		err = unix.Fchownat(to, base, r.uid, r.gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil && c.keep {
		err = was.timesTo(to, base)
	}
	return err
}

func (c *copying) file(ctx context.Context, from int, name, full string, was *info, to int, base string) error {
	f, err := openFileAt(from, name, full)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.info.identity() != was.identity() {
		return errReplaced
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(to, base, flags, 0o600)
	if err != nil {
		return err
	}
	made := os.NewFile(uintptr(fd), base)
	_, err = io.Copy(made, until(ctx, f))
	if err == nil && c.keep {
		err = copyAttributes(f.fd, fd)
	}
	if err == nil {
		if err = c.rights(was).giveTo(fd); err != nil {
			err = fmt.Errorf("cannot set owner and mode: %w", err)
		}
	}
	if err == nil && c.keep {
		err = was.timesTo(to, base)
	}
	if err == nil {
		bring := c.host.BeginSync
		if c.final {
			bring = c.host.SyncFile
		}
		err = bring(fd)
	}
	if err := errors.Join(err, made.Close()); err != nil {
		return unnamed(err, base)
	}
	return nil
}

// unnamed takes the name of a file that nobody knows out of an error.
func unnamed(err error, name string) error {
	var own *fs.PathError
	if errors.As(err, &own) && own.Path == name {
		return own.Err
	}
	return err
}

func (c *copying) dir(ctx context.Context, from int, name, full string, was *info, to int, base string) error {
	cannot := func(err error) error { return &fs.PathError{Op: "cannot copy", Path: full, Err: err} }
	in, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return cannot(err)
	}
	defer unix.Close(in)
	var now info
	if err := unix.Fstat(in, &now.Stat_t); err != nil || now.identity() != was.identity() {
		return cannot(errors.Join(err, errReplaced))
	}
	made, err := makeDir(to, base, rights{uid: -1, gid: -1, mode: modeOf(0o700)})
	if err != nil {
		return cannot(err)
	}
	defer unix.Close(made)
	err = eachIn(ctx, in, full, func(name string, i *info) error {
		return c.into(ctx, in, name, path.Join(full, name), i, made, name)
	})
	if err != nil {
		return err
	}
	if c.keep {
		err = c.keepOfDir(in, made)
	}
	if err == nil {
		err = c.rights(was).givePath(made)
	}
	if err == nil && c.keep {
		err = was.timesTo(to, base)
	}
	if err != nil {
		return cannot(err)
	}
	return nil
}

func (c *copying) keepOfDir(from, to int) error {
	own, err := unix.Openat(to, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(own)
	return copyAttributes(from, own)
}

// eachIn visits what is in an open directory, in order of name.
func eachIn(ctx context.Context, fd int, full string, visit func(name string, i *info) error) error {
	names, err := namesIn(fd, full)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		i, err := infoAt(fd, name, path.Join(full, name))
		if err == nil && i != nil {
			err = visit(name, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *info) timesTo(dir int, name string) error {
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{i.Atim, i.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// putCopy copies what is at the spot from to the spot to, in one step: whoever looks there sees what was there before
// or the whole copy. Old is what is at to, nil for nothing; it goes. Both spots are entered.
func (c *copying) putCopy(ctx context.Context, from *spot, was *info, to *spot, old *info) (err error) {
	c.final = c.final || old != nil
	t, err := to.tempDir(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.remove(ctx)) }()
	if err := c.into(ctx, from.fd, from.base, from.path(), was, t.fd, asCopy); err != nil {
		return err
	}
	if err := to.still(old); err != nil {
		return err
	}
	if err := t.giveUp(asCopy, to, old, was.isDir()); err != nil {
		return err
	}
	return to.touched()
}

// asCopy is the name of a copy in the directory in which it is made.
const asCopy = "copy"

// still refuses that something else is at the spot than was seen there.
func (s *spot) still(old *info) error {
	now, err := s.look()
	switch {
	case err != nil:
		return err
	case old == nil && now != nil:
		return fmt.Errorf("cannot make %s: a %s was put there meanwhile", s.path(), now.kind())
	case old != nil && (now == nil || now.identity() != old.identity()):
		return &fs.PathError{Op: "cannot replace", Path: s.path(), Err: errReplaced}
	}
	return nil
}

// giveUp moves what was made in the directory to the spot to, where old is. Of a directory that goes or comes the old
// one is in the directory then.
func (t *tempDir) giveUp(name string, to *spot, old *info, isDir bool) error {
	var err error
	switch {
	case old == nil:
		err = renameNew(t.fd, name, to.fd, to.base)
	case isDir || old.isDir():
		err = unix.Renameat2(t.fd, name, to.fd, to.base, unix.RENAME_EXCHANGE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // this file system knows no such thing
			err = t.takeAway(to, func() error { return renameNew(t.fd, name, to.fd, to.base) })
		}
	default:
		err = unix.Renameat(t.fd, name, to.fd, to.base)
	}
	if err != nil {
		return &fs.PathError{Op: "cannot rename to", Path: to.path(), Err: locked(to.fd, to.base, to.path(), err)}
	}
	return nil
}

// takeAway moves what is at the spot into the directory, and has something else put there; what was there comes back when
// that fails.
func (t *tempDir) takeAway(from *spot, put func() error) error {
	if err := unix.Renameat(from.fd, from.base, t.fd, "old"); err != nil {
		return err
	}
	err := put()
	if err != nil {
		err = errors.Join(err, renameNew(t.fd, "old", from.fd, from.base))
	}
	return err
}

// renameNew renames to a name that nothing has.
func renameNew(from int, name string, to int, base string) error {
	err := unix.Renameat2(from, name, to, base, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // this file system knows no such thing
		return unix.Renameat(from, name, to, base)
	}
	return err
}

// within says whether a path is below a directory.
func within(name, dir string) bool { return strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") }
