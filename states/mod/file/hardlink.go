package file

import (
	"context"
	"errors"
	"fmt"
	"path"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type hardlinkArgs struct {
	Name   string `arg:"name,required" doc:"the absolute path of the link"`
	Target string `arg:"target,required" doc:"the absolute path of the file of which it is another name; links to it are followed"`
	Force  bool   `arg:"force" doc:"replace a file that has no other name, or anything else but a directory"`
	ownerArgs
	Makedirs bool `arg:"makedirs" doc:"make the directories above it that are missing; user and group are those of these"`
	DirMode  mode `arg:"dir_mode" doc:"permissions of those directories"`
}

func (a *hardlinkArgs) manages() []string { return []string{a.Name} }
func (a *hardlinkArgs) wholeTree() bool   { return false }

// CheckArgs implements module.Checker.
func (a *hardlinkArgs) CheckArgs() error {
	return errors.Join(atPath("name", a.Name), atPath("target", a.Target))
}

// A linking is a file.hardlink that has looked.
type linking struct {
	hardlinkArgs
	from, to *spot
	was, old *info
	rights   rights // of directories that are made
}

func planHardlink(ctx context.Context, h *host.Host, a hardlinkArgs) (plan module.Plan, err error) {
	l := &linking{hardlinkArgs: a}
	if l.Target, err = atHome(ctx, h, a.Target); err != nil {
		return plan, module.Unknown("%w", err)
	}
	plan = module.Plan{
		Same:  fmt.Sprintf("Target of hard link %s is already pointing to %s", l.Name, l.Target),
		Would: fmt.Sprintf("Hard link %s to %s is set for creation", l.Name, l.Target),
		Did:   fmt.Sprintf("Created new hard link %s -> %s", l.Name, l.Target),
	}
	if l.from, l.was, err = present(h, l.Target, true); err != nil {
		return plan, err
	}
	defer l.from.leave()
	if l.to, err = find(h, l.Name, false); err != nil {
		return plan, unsure("cannot make the hard link", l.Name, err)
	}
	defer l.to.leave()
	if l.rights, err = l.ownerArgs.rights(ctx, h, l.DirMode); err != nil {
		return plan, err
	}
	step, err := l.step()
	if err != nil {
		return plan, fmt.Errorf("cannot make the hard link %s to %s: %w", l.Name, l.Target, err)
	}
	if step != nil {
		plan.Steps = []module.Step{*step}
	}
	return plan, nil
}

// step is what has to be done, nil for nothing.
func (l *linking) step() (_ *module.Step, err error) {
	if l.old, err = l.to.look(); err != nil {
		return nil, err
	}
	if l.old != nil && l.old.identity() == l.was.identity() {
		return nil, nil
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	changes := &value.Dict{}
	if l.old != nil && !l.isOtherLink() {
		changes.Put("forced", forced(l.old)+" for hard link was forcibly replaced")
	}
	changes.Put("new", l.Name)
	step := doing(changes, func(context.Context) error {
		if err := l.do(); err != nil {
			return fmt.Errorf("cannot make the hard link %s to %s: %w", l.Name, l.Target, err)
		}
		return nil
	})
	return &step, nil
}

// isOtherLink says whether nothing is lost with what is there: the file has other names.
func (l *linking) isOtherLink() bool { return l.old.isFile() && l.old.Nlink > 1 }

func (l *linking) check() error {
	switch {
	case l.was.isDir():
		return errors.New("the target is a directory")
	case l.old != nil && l.old.isDir():
		return errors.New("a directory is there")
	case l.old != nil && !l.isOtherLink() && !l.Force:
		return fmt.Errorf("a %s is there (force replaces it)", l.old.kind())
	case len(l.to.missing) > 0 && !l.Makedirs:
		return module.Unknown("the directory %s is not there (makedirs makes it)", path.Dir(l.Name))
	case !oneMount(l.from, l.was, l.to):
		return errors.New("they are on different file systems")
	}
	return nil
}

// do makes the link. Of the file that was seen, whatever bears the name of the target meanwhile.
func (l *linking) do() error {
	if err := errors.Join(l.from.enter(), l.to.enter()); err != nil {
		return err
	}
	defer l.from.leave()
	defer l.to.leave()
	if err := l.to.makeDirs(l.rights); err != nil {
		return err
	}
	fd, err := l.from.openSame(l.was)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := l.to.still(l.old); err != nil {
		return err
	}
	link := func(name string) error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), l.to.fd, name, unix.AT_SYMLINK_FOLLOW)
	}
	if l.old == nil {
		err = link(l.to.base)
	} else {
		err = l.replace(link)
	}
	if errors.Is(err, unix.EPERM) && unix.Geteuid() != 0 {
		return fmt.Errorf("%w: the file is another user's (sysctl fs.protected_hardlinks)", err)
	}
	if err != nil {
		return locked(l.to.fd, l.to.base, l.to.path(), err)
	}
	return l.to.touched()
}

// replace makes the link beside what is there, and lets it take its place.
func (l *linking) replace(link func(string) error) error {
	tmp, err := l.to.reserve(link)
	if err != nil {
		return err
	}
	if err := unix.Renameat(l.to.fd, tmp, l.to.fd, l.to.base); err != nil {
		return errors.Join(err, unix.Unlinkat(l.to.fd, tmp, 0))
	}
	return nil
}
