package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

type absentArgs struct {
	Name string `arg:"name,required" doc:"the absolute path; of a symbolic link the link itself goes"`
}

func planAbsent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	same := module.Plan{Same: fmt.Sprintf("File %s is not present", a.Name)}
	if err := absolute("remove", a.Name); err != nil {
		return module.Plan{}, err
	}
	s, err := find(h, a.Name, false)
	if errors.Is(err, unix.ENOTDIR) {
		return same, nil
	}
	if err != nil {
		return module.Plan{}, err
	}
	defer s.leave()
	if s.path() == "/" {
		return module.Plan{}, fmt.Errorf("cannot remove %q: it is the root directory", a.Name)
	}
	old, err := s.look()
	if old == nil || err != nil {
		return same, err
	}
	what := "file"
	if old.isDir() {
		what = "directory"
	}
	return module.Plan{
		Steps: []module.Step{module.Change("removed", a.Name, func(ctx context.Context) error { return s.remove(ctx) })},
		Would: fmt.Sprintf("The %s %s is set for removal", what, a.Name),
		Did:   fmt.Sprintf("Removed %s %s", what, a.Name),
	}, nil
}

// absolute refuses a name that is no absolute path.
func absolute(what, name string) error {
	if path.IsAbs(name) {
		return nil
	}
	return fmt.Errorf("cannot %s %q: it is not an absolute path", what, name)
}

// remove takes away what is at the spot, a directory with all in it.
func (s *spot) remove(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := removeAt(ctx, s.fd, s.base, s.path()); err != nil {
		return err
	}
	return s.touched()
}

// removeAt removes a name of an open directory and all below it. No symbolic link is followed, and what lies on
// another file system is removed too, but for the directory it is mounted on.
func removeAt(ctx context.Context, dir int, name, full string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return &fs.PathError{Op: "cannot remove", Path: full, Err: err}
	}
	fd, bad := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if bad != nil {
		return &fs.PathError{Op: "cannot remove", Path: full, Err: locked(dir, name, full, err)}
	}
	defer unix.Close(fd)
	if err := removeIn(ctx, fd, full); err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "cannot remove", Path: full, Err: err}
	}
	return nil
}

// removeIn removes all that is in an open directory.
func removeIn(ctx context.Context, fd int, full string) error {
	names, err := namesIn(fd, full)
	for _, name := range names {
		if err := removeAt(ctx, fd, name, path.Join(full, name)); err != nil {
			return err
		}
	}
	return err
}
