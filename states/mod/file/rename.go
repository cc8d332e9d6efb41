package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type renamedArgs struct {
	Name     string `arg:"name,required" doc:"the absolute path that it gets"`
	Source   string `arg:"source,required" doc:"the absolute path of what is renamed; when nothing is there it has been renamed before"`
	Force    bool   `arg:"force" doc:"remove what is there; false: leave it alone, and the source too"`
	Makedirs bool   `arg:"makedirs" doc:"make the directories above it that are missing"`
}

func (a *renamedArgs) manages() []string { return []string{a.Name} }
func (a *renamedArgs) wholeTree() bool   { return true }

// CheckArgs implements module.Checker.
func (a *renamedArgs) CheckArgs() error {
	return errors.Join(atPath("name", a.Name), atPath("source", a.Source))
}

// A renaming is a file.rename that has looked.
type renaming struct {
	renamedArgs
	from, to *spot
	was, old *info
}

func planRename(ctx context.Context, h *host.Host, a renamedArgs) (plan module.Plan, err error) {
	r := &renaming{renamedArgs: a}
	if r.Source, err = atHome(ctx, h, a.Source); err != nil {
		return plan, module.Unknown("%w", err)
	}
	plan = module.Plan{
		Same:  fmt.Sprintf("Source file %q has already been moved out of place", r.Source),
		Would: fmt.Sprintf("File %q is set to be moved to %q", r.Source, r.Name),
		Did:   fmt.Sprintf("Moved %q to %q", r.Source, r.Name),
	}
	r.from, r.was, err = at(ctx, h, r.Source, false)
	if isNothing(err) {
		return plan, nil
	}
	if err != nil {
		return plan, fmt.Errorf("cannot rename %s: %w", r.Source, err)
	}
	defer r.from.leave()
	if r.was == nil {
		return plan, nil
	}
	if r.to, err = find(h, r.Name, false); err != nil {
		return plan, unsure("cannot rename to", r.Name, err)
	}
	defer r.to.leave()
	return plan, r.plan(&plan)
}

func (r *renaming) plan(plan *module.Plan) (err error) {
	if r.old, err = r.to.look(); err != nil {
		return err
	}
	if r.old != nil && !r.Force {
		plan.Same = fmt.Sprintf("The target file %q exists and will not be overwritten", r.Name)
		return nil
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("cannot rename %s to %s: %w", r.Source, r.Name, err)
	}
	changes := &value.Dict{}
	if r.old != nil && r.old.kindBits() != r.was.kindBits() {
		changes.Put("forced", forced(r.old)+" was forcibly replaced")
	}
	changes.Put(r.Name, r.Source)
	plan.Writes = []string{r.Name, r.Source}
	plan.Steps = []module.Step{doing(changes, func(ctx context.Context) error {
		if err := r.do(ctx); err != nil {
			return fmt.Errorf("cannot rename %s to %s: %w", r.Source, r.Name, err)
		}
		return nil
	})}
	return nil
}

func (r *renaming) check() error {
	from, to := r.from.path(), r.to.path()
	switch {
	case from == to:
		return errors.New("both are the same")
	case from == "/" || to == "/":
		return errors.New("it is the root directory")
	case within(to, from):
		return errors.New("it would be in itself")
	case within(from, to):
		return errors.New("the source is in what would be replaced")
	case len(r.to.missing) > 0 && !r.Makedirs:
		return module.Unknown("the directory %s is not there (makedirs makes it)", path.Dir(r.Name))
	}
	return nil
}

func (r *renaming) do(ctx context.Context) error {
	if err := errors.Join(r.from.enter(), r.to.enter()); err != nil {
		return err
	}
	defer r.from.leave()
	defer r.to.leave()
	if err := r.to.makeDirs(anyone); err != nil {
		return err
	}
	if err := errors.Join(r.from.still(r.was), r.to.still(r.old)); err != nil {
		return err
	}
	r.to.reclaimDir(ctx, tempName(r.to.base, 0)) // of a run that was killed after it took away what was there
	err := r.move(ctx)
	if errors.Is(err, unix.EXDEV) {
		return r.copyOver(ctx)
	}
	if err != nil {
		return locked(r.to.fd, r.to.base, r.to.path(), locked(r.from.fd, r.from.base, r.from.path(), err))
	}
	return errors.Join(r.from.touched(), r.to.touched())
}

// copyOver moves to another file system: the copy is whole and on the disk before the source goes.
func (r *renaming) copyOver(ctx context.Context) error {
	if err := unix.Faccessat(r.from.fd, ".", unix.W_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "cannot remove", Path: r.from.path(), Err: err} // before anything is copied
	}
	all := &copying{host: r.to.host, rights: like, keep: true, final: true}
	if err := all.putCopy(ctx, r.from, r.was, r.to, r.old); err != nil {
		return err
	}
	err := r.from.remove(ctx)
	if err != nil && !r.was.isDir() && r.old == nil { // there it is all still
		err = errors.Join(err, unix.Unlinkat(r.to.fd, r.to.base, 0))
	}
	return err
}

// move renames on one file system.
func (r *renaming) move(ctx context.Context) error {
	switch {
	case r.old == nil:
		return renameNew(r.from.fd, r.from.base, r.to.fd, r.to.base)
	case r.old.identity() == r.was.identity(): // two names of one file, of which rename(2) would leave both
		return unix.Unlinkat(r.from.fd, r.from.base, 0)
	case !r.old.isDir() && !r.was.isDir():
		return unix.Renameat(r.from.fd, r.from.base, r.to.fd, r.to.base)
	case r.from.device() != r.to.device():
		return unix.EXDEV
	}
	return r.moveOver(ctx)
}

// moveOver renames to where something is that has to go first, because it or what comes is a directory. It goes when
// all is done.
func (r *renaming) moveOver(ctx context.Context) (err error) {
	t, err := r.to.tempDir(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.remove(ctx)) }()
	return t.takeAway(r.to, func() error { return renameNew(r.from.fd, r.from.base, r.to.fd, r.to.base) })
}

// device is that of the spot's directory.
func (s *spot) device() uint64 { return s.id.dev }
