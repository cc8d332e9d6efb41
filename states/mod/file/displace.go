package file

import (
	"context"
	"errors"
	"fmt"
	"path"

	"brine/states/value"
	"golang.org/x/sys/unix"
)

// displace plans to take away what stands in the place of something else: it is renamed to backupname, or removed with
// force. It adds to changes what will be seen of it. The spot need not stay open.
func (s *spot) displace(old *info, backupname string, force bool, changes *value.Dict) (func(context.Context) error, error) {
	if backupname == "" {
		changes.Put("forced", forced(old)+" was forcibly replaced")
		return s.remove, nil
	}
	to := backupname
	if !path.IsAbs(to) {
		if to != path.Base(to) {
			return nil, fmt.Errorf("argument %q: want an absolute path or the name of a file, got %q", "backupname", to)
		}
		to = path.Join(path.Dir(path.Clean(s.given)), to)
	}
	at, err := find(s.host, to, false)
	if err != nil {
		return nil, err
	}
	defer at.leave()
	there, err := at.look()
	if err == nil && there != nil && !force {
		err = fmt.Errorf("%s is there already (force removes it)", to)
	}
	if err == nil && len(at.missing) > 0 {
		err = fmt.Errorf("the directory of %s is not there", to)
	}
	changes.Put("renamed", fmt.Sprintf("%s renamed to %s", s.given, to))
	return func(ctx context.Context) error { return s.moveTo(ctx, at, there != nil) }, err
}

// moveTo renames what is at the spot to another one.
func (s *spot) moveTo(ctx context.Context, to *spot, over bool) error {
	if over {
		if err := to.remove(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(s.enter(), to.enter()); err != nil {
		return err
	}
	defer s.leave()
	defer to.leave()
	if err := unix.Renameat(s.fd, s.base, to.fd, to.base); err != nil {
		return fmt.Errorf("cannot rename %s to %s: %w", s.path(), to.path(), err)
	}
	return errors.Join(s.touched(), to.touched())
}

// forced is how Salt calls what force takes away.
func forced(old *info) string {
	switch {
	case old.isLink():
		return "Symlink"
	case old.isDir():
		return "Directory"
	}
	return "File"
}
