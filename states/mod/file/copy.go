package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type copiedArgs struct {
	Name     string `arg:"name,required" doc:"the absolute path of the copy"`
	Source   string `arg:"source,required" doc:"the absolute path of what is copied: a file, or a directory with all in it; links to it are followed"`
	Force    bool   `arg:"force" doc:"replace what is there and differs; false: leave it alone, whatever it is"`
	Preserve bool   `arg:"preserve" doc:"the copy has owner, mode, times and attributes of the source; user, group and mode do not count then"`
	User     string `arg:"user,alias=owner" doc:"owner, by name or number; the minion's user when absent"`
	Group    string `arg:"group" doc:"group, by name or number; that of the user when absent"`
	Mode     mode   `arg:"mode" doc:"permissions, such as 0644; those of the source when absent, without set-user-id when the owner is another"`
	Makedirs bool   `arg:"makedirs" doc:"make the directories above it that are missing"`
	DirMode  mode   `arg:"dir_mode" doc:"permissions of those directories; mode with x beside each r when absent"`
	Subdir   bool   `arg:"subdir" doc:"when name is that of a directory, put the copy into it, by the name of the source"`
}

func (a *copiedArgs) manages() []string {
	if a.Subdir {
		return []string{a.Name, path.Join(a.Name, path.Base(a.Source))}
	}
	return []string{a.Name}
}
func (a *copiedArgs) wholeTree() bool { return !a.Subdir }

// CheckArgs implements module.Checker.
func (a *copiedArgs) CheckArgs() error {
	return errors.Join(atPath("name", a.Name), atPath("source", a.Source))
}

// atPath refuses an argument that is no absolute path, whoever's home ~ is.
func atPath(arg, name string) error {
	if path.IsAbs(name) || strings.HasPrefix(name, "~") {
		return nil
	}
	return fmt.Errorf("argument %q: want an absolute path, got %q", arg, name)
}

// A fileCopy is a file.copy that has looked.
type fileCopy struct {
	copiedArgs
	from, to *spot
	was, old *info
	rights   rights
}

func planCopy(ctx context.Context, h *host.Host, a copiedArgs) (plan module.Plan, err error) {
	c := &fileCopy{copiedArgs: a}
	if c.Source, err = atHome(ctx, h, a.Source); err != nil {
		return plan, module.Unknown("%w", err)
	}
	if err := c.place(h); err != nil {
		return plan, err
	}
	defer c.from.leave()
	defer c.to.leave()
	plan = module.Plan{
		Same:  fmt.Sprintf("The target file %q exists and will not be overwritten", c.Name),
		Would: fmt.Sprintf("File %q is set to be copied to %q", c.Source, c.Name),
		Did:   fmt.Sprintf("Copied %q to %q", c.Source, c.Name),
	}
	if c.old != nil && !a.Force {
		return plan, nil
	}
	plan.Same = fmt.Sprintf("%q is a copy of %q", c.Name, c.Source)
	if err := c.check(ctx, h); err != nil {
		return plan, fmt.Errorf("cannot copy %s to %s: %w", c.Source, c.Name, err)
	}
	step, err := c.step(ctx, &plan)
	if err != nil {
		return plan, fmt.Errorf("cannot compare %s with %s: %w", c.Source, c.Name, err)
	}
	if step != nil {
		plan.Steps = []module.Step{*step}
	}
	return plan, nil
}

// place finds both ends.
func (c *fileCopy) place(h *host.Host) (err error) {
	c.from, c.was, err = present(h, c.Source, true)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.from.leave()
		}
	}()
	if c.Subdir {
		if i, err := lookAt(h, c.Name, true); err == nil && i != nil && i.isDir() {
			c.Name = path.Join(c.Name, path.Base(c.Source))
		}
	}
	if c.to, err = find(h, c.Name, false); err != nil {
		return unsure("cannot copy to", c.Name, err)
	}
	if c.old, err = c.to.look(); err != nil {
		c.to.leave()
	}
	return err
}

// present finds a source, and what is there.
func present(h *host.Host, name string, follow bool) (*spot, *info, error) {
	s, err := find(h, name, follow)
	var i *info
	if err == nil {
		if i, err = s.look(); err != nil || i == nil {
			s.leave()
		}
	}
	if err == nil && i == nil || isNothing(err) {
		err = module.Unknown("Source file %q is not present", name)
	}
	return s, i, err
}

// check refuses what cannot be copied, before anything is.
func (c *fileCopy) check(ctx context.Context, h *host.Host) error {
	from, to := c.from.path(), c.to.path()
	switch {
	case from == to:
		return errors.New("both are the same")
	case c.was.isDir() && within(to, from):
		return errors.New("it would be in itself")
	case c.old != nil && within(from, to):
		return errors.New("the source is in what would be replaced")
	case len(c.to.missing) > 0 && !c.Makedirs:
		return module.Unknown("the directory %s is not there (makedirs makes it)", path.Dir(c.Name))
	case !c.was.isFile() && !c.was.isDir():
		return fmt.Errorf("it is a %s", c.was.kind())
	}
	if err := c.setRights(ctx, h); err != nil || !c.was.isDir() {
		return err
	}
	dir, err := c.from.openDir()
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return walk(ctx, dir, from, func(e *entry) error {
		if !e.isDir() && !e.isFile() && !e.isLink() {
			return fmt.Errorf("%s is a %s", path.Join(from, e.rel), e.kind())
		}
		return nil
	})
}

// setRights finds out whose the copy is.
func (c *fileCopy) setRights(ctx context.Context, h *host.Host) (err error) {
	if c.Preserve {
		c.rights = like(c.was)
		c.rights.user, c.rights.group = userText(h, c.was.Uid), groupText(h, c.was.Gid)
		return nil
	}
	if c.Mode.keep {
		c.Mode = mode{}
	}
	if c.rights, err = (ownerArgs{c.User, c.Group}).rights(ctx, h, c.Mode); err != nil {
		return err
	}
	if c.rights.uid < 0 {
		c.rights.uid, c.rights.user = unix.Geteuid(), userText(h, uint32(unix.Geteuid()))
	}
	if c.rights.gid < 0 {
		c.rights.gid = unix.Getegid()
		if u, err := h.User(ctx, c.rights.user); err == nil {
			c.rights.gid = int(u.GID)
		}
		c.rights.group = groupText(h, uint32(c.rights.gid))
	}
	if !c.rights.mode.set {
		c.rights.mode = c.rights.modeLike(c.was)
	}
	return nil
}

// modeLike is the mode of something for an owner. A program that runs as its owner does not become one that runs as
// another: whoever owns a file may let it run as themselves, but not as root that copies it.
func (r rights) modeLike(i *info) mode {
	bits := i.bits()
	if i.isFile() && uint32(r.uid) != i.Uid {
		bits &^= unix.S_ISUID
	}
	if i.isFile() && uint32(r.gid) != i.Gid {
		bits &^= unix.S_ISGID
	}
	return modeOf(bits)
}

// userText is the name of a user, or the number of one that has none; groupText of a group.
func userText(h *host.Host, uid uint32) string { return cmp.Or(userName(h, uid), fmt.Sprint(uid)) }

func groupText(h *host.Host, gid uint32) string { return cmp.Or(groupName(h, gid), fmt.Sprint(gid)) }

// of are the rights that the copy of something has; only the topmost has the mode given.
func (c *fileCopy) of(i *info) rights {
	if c.Preserve {
		return like(i)
	}
	r := c.rights
	if i.identity() != c.was.identity() {
		r.mode = r.modeLike(i)
	}
	return r
}

// step is what has to be done, nil for nothing.
func (c *fileCopy) step(ctx context.Context, plan *module.Plan) (*module.Step, error) {
	changes := &value.Dict{}
	do := c.replace
	same := false
	if c.old != nil {
		var err error
		same, err = c.same(ctx, c.from.fd, c.from.base, c.was, c.to.fd, c.to.base, c.old)
		if err != nil {
			return nil, err
		}
		rights := c.rights.differences(c.old)
		switch {
		case same && rights.Len() == 0:
			return nil, nil
		case same:
			plan.Would, plan.Did = fmt.Sprintf("File %q is set to be changed", c.Name), fmt.Sprintf("File %q updated", c.Name)
			changes, do = rights, func(context.Context) error { return c.to.give(c.old, c.rights) }
		case c.old.kindBits() != c.was.kindBits():
			changes.Put("forced", forced(c.old)+" was forcibly replaced")
		}
	}
	if c.old == nil || !same {
		changes.Put(c.Name, c.Source)
	}
	step := doing(changes, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return fmt.Errorf("cannot copy %s to %s: %w", c.Source, c.Name, err)
		}
		return nil
	})
	return &step, nil
}

// replace puts the copy in its place.
func (c *fileCopy) replace(ctx context.Context) error {
	if err := errors.Join(c.from.enter(), c.to.enter()); err != nil {
		return err
	}
	defer c.from.leave()
	defer c.to.leave()
	if err := c.to.makeDirs(dirRights(c.rights, c.DirMode)); err != nil {
		return err
	}
	if c.was.isFile() && c.old != nil && c.old.isFile() {
		return c.replaceFile(ctx)
	}
	all := &copying{host: c.to.host, rights: c.of, keep: c.Preserve, final: module.AroundOf(ctx).Guarded}
	return all.putCopy(ctx, c.from, c.was, c.to, c.old)
}

// replaceFile replaces a file by another, which keeps what belongs to the place, such as its SELinux label.
func (c *fileCopy) replaceFile(ctx context.Context) error {
	f, err := c.from.openRead()
	if err != nil {
		return err
	}
	defer f.Close()
	if f.info.identity() != c.was.identity() {
		return errReplaced
	}
	err = c.to.put(c.old, c.rights, func(w io.Writer) error {
		_, err := io.Copy(w, until(ctx, f))
		return err
	})
	if err == nil && c.Preserve {
		err = c.was.timesTo(c.to.fd, c.to.base)
	}
	return err
}
