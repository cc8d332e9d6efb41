package file

import (
	"context"
	"fmt"
	"path"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type symlinkArgs struct {
	Name   string `arg:"name,required" doc:"the absolute path of the link"`
	Target string `arg:"target,required" doc:"where it leads: an absolute path, or one from the directory that the link is in"`
	Force  bool   `arg:"force" doc:"remove what stands in its place and is no link"`
	Backup string `arg:"backupname" doc:"rename what stands in its place and is no link to this"`
	ownerArgs
	Makedirs bool `arg:"makedirs" doc:"make the directories above it that are missing"`
	Mode     mode `arg:"mode" doc:"permissions of those directories; a link has none of its own"`
	Inherit  bool `arg:"inherit_user_and_group" doc:"the owner and group that are not given are those of the directory above"`
	Atomic   bool `arg:"atomic" default:"true" doc:"accepted for Salt: a link is always replaced in one step"`
	Disallow bool `arg:"disallow_copy_and_unlink" doc:"accepted for Salt: what stands in the place of a link is only ever renamed or removed, never copied"`
}

func (a *symlinkArgs) manages() []string { return []string{a.Name} }
func (a *symlinkArgs) wholeTree() bool   { return false }

// A symlink is a file.symlink that has looked.
type symlink struct {
	symlinkArgs
	spot   *spot
	old    *info // nil when nothing is there
	rights rights
}

func planSymlink(ctx context.Context, h *host.Host, a symlinkArgs) (plan module.Plan, err error) {
	l := &symlink{symlinkArgs: a}
	plan = module.Plan{
		Same:  fmt.Sprintf("Symlink %s is present and leads to %s", a.Name, a.Target),
		Would: fmt.Sprintf("Symlink %s to %s is set for creation", a.Name, a.Target),
		Did:   fmt.Sprintf("Created new symlink %s -> %s", a.Name, a.Target),
	}
	if err := absolute("make the symbolic link", a.Name); err != nil {
		return plan, err
	}
	if a.Target == "" || a.Mode.keep {
		return plan, fmt.Errorf("cannot make the symbolic link %s: it needs a target, and mode is no keep", a.Name)
	}
	if l.spot, err = find(h, a.Name, false); err != nil {
		return plan, unsure("cannot make the symbolic link", a.Name, err)
	}
	defer l.spot.leave()
	if err := l.wants(ctx, h); err != nil {
		return plan, err
	}
	step, err := l.step(&plan)
	if step != nil {
		plan.Steps = []module.Step{*step}
	}
	return plan, err
}

func (l *symlink) wants(ctx context.Context, h *host.Host) (err error) {
	if l.old, err = l.spot.look(); err != nil {
		return err
	}
	if l.rights, err = l.ownerArgs.rights(ctx, h, mode{}); err != nil {
		return err
	}
	if l.Inherit {
		var above info
		if err := unix.Fstat(l.spot.fd, &above.Stat_t); err != nil {
			return err
		}
		l.rights.inherit(&above)
	}
	if l.User != "" && l.rights.gid < 0 { // as in Salt
		if u, err := h.User(ctx, l.User); err == nil {
			l.rights.gid, l.rights.group = int(u.GID), groupText(h, u.GID)
		}
	}
	if len(l.spot.missing) > 0 && !l.Makedirs {
		return module.Unknown("cannot make the symbolic link %s: its directory is not there (makedirs makes it)", l.Name)
	}
	return nil
}

// inherit takes what is not given from the directory above.
func (r *rights) inherit(above *info) {
	if r.uid < 0 {
		r.uid, r.user = int(above.Uid), fmt.Sprint(above.Uid)
	}
	if r.gid < 0 {
		r.gid, r.group = int(above.Gid), fmt.Sprint(above.Gid)
	}
}

// step is what has to be done; nil for nothing.
func (l *symlink) step(plan *module.Plan) (*module.Step, error) {
	if l.old != nil && l.old.isLink() {
		to, err := readlink(l.spot.fd, l.spot.base)
		if err != nil {
			return nil, fmt.Errorf("cannot read the symbolic link %s: %w", l.Name, err)
		}
		if path.Clean(to) == path.Clean(l.Target) {
			l.spot.vouch(to)
			return l.own(plan), nil
		}
		return l.make(value.NewDict("new", l.Name), func(context.Context) error { return nil }), nil
	}
	changes := &value.Dict{}
	away := func(context.Context) error { return nil }
	if l.old != nil {
		if !l.Force && l.Backup == "" {
			return nil, fmt.Errorf("cannot make the symbolic link %s: a %s is there (force removes it, backupname renames it)",
				l.Name, l.old.kind())
		}
		var err error
		if away, err = l.spot.displace(l.old, l.Backup, l.Force, changes); err != nil {
			return nil, fmt.Errorf("cannot make the symbolic link %s: %w", l.Name, err)
		}
	}
	changes.Put("new", l.Name)
	return l.make(changes, away), nil
}

// own gives a link that leads where it should its owner.
func (l *symlink) own(plan *module.Plan) *module.Step {
	if l.rights.differences(l.old).Len() == 0 {
		return nil
	}
	owner := fmt.Sprintf("%s:%s", l.rights.user, l.rights.group)
	plan.Would = fmt.Sprintf("Ownership of symlink %s is set to be changed to %s", l.Name, owner)
	plan.Did = fmt.Sprintf("Set ownership of symlink %s to %s", l.Name, owner)
	step := doing(value.NewDict("ownership", owner), func(context.Context) error { return l.spot.give(l.old, l.rights) })
	return &step
}

func (l *symlink) make(changes *value.Dict, away func(context.Context) error) *module.Step {
	step := doing(changes, func(ctx context.Context) error {
		err := away(ctx)
		if err == nil {
			err = l.spot.enter()
		}
		if err == nil {
			defer l.spot.leave()
			dirs := l.rights
			dirs.mode = l.Mode
			err = l.spot.makeDirs(dirs)
		}
		if err == nil {
			err = l.spot.putLink(l.Target, l.rights)
		}
		if err == nil {
			l.spot.vouch(l.Target)
		}
		if err != nil {
			return fmt.Errorf("cannot make the symbolic link %s: %w", l.Name, err)
		}
		return nil
	})
	return &step
}

// putLink puts a symbolic link at the spot in one step.
func (s *spot) putLink(target string, r rights) (err error) {
	tmp, err := s.reserve(func(name string) error { return unix.Symlinkat(target, s.fd, name) })
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(s.fd, tmp, 0) // the first error tells more
		}
	}()
	if r.uid >= 0 || r.gid >= 0 {
		if err := unix.Fchownat(s.fd, tmp, r.uid, r.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if err := unix.Renameat(s.fd, tmp, s.fd, s.base); err != nil {
		return err
	}
	return s.touched()
}
