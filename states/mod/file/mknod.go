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

type mknodArgs struct {
	Name  string   `arg:"name,required" doc:"the absolute path; directories above it that are missing are made"`
	Type  nodeType `arg:"ntype,required" doc:"c: a character device, b: a block device, p: a named pipe"`
	Major uint32   `arg:"major" doc:"major number of the device"`
	Minor uint32   `arg:"minor" doc:"minor number of the device"`
	ownerArgs
	Mode mode `arg:"mode" default:"0600" doc:"permissions, such as 0660"`
}

// A nodeType is a kind of special file.
type nodeType struct {
	bits uint32
	name string
}

func (t *nodeType) ArgType() string { return "c, b or p" }

func (t *nodeType) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		text = ""
	}
	switch text {
	case "c", "u":
		*t = nodeType{unix.S_IFCHR, "Character device"}
	case "b":
		*t = nodeType{unix.S_IFBLK, "Block device"}
	case "p":
		*t = nodeType{unix.S_IFIFO, "Fifo pipe"}
	default:
		return v.Want("c, b or p")
	}
	return nil
}

// device is the number of the device, 0 of a pipe.
func (a *mknodArgs) device() uint64 {
	if a.Type.bits == unix.S_IFIFO {
		return 0
	}
	return unix.Mkdev(a.Major, a.Minor)
}

func (a *mknodArgs) manages() []string { return []string{a.Name} }
func (a *mknodArgs) wholeTree() bool   { return false }

// CheckArgs implements module.Checker.
func (a *mknodArgs) CheckArgs() error {
	err := atPath("name", a.Name)
	if a.Mode.keep {
		err = errors.Join(err, errors.New(`argument "mode": keep needs a source`))
	}
	if a.Major >= 1<<12 || a.Minor >= 1<<20 {
		err = errors.Join(err, fmt.Errorf(`arguments "major" and "minor": there is no device %d, %d`, a.Major, a.Minor))
	}
	return err
}

func planMknod(ctx context.Context, h *host.Host, a mknodArgs) (module.Plan, error) {
	plan := module.Plan{
		Same:  fmt.Sprintf("%s %s is in the correct state", a.Type.name, a.Name),
		Would: fmt.Sprintf("%s %s is set to be created", a.Type.name, a.Name),
		Did:   fmt.Sprintf("%s %s created", a.Type.name, a.Name),
	}
	s, err := find(h, a.Name, true)
	if err != nil {
		return plan, unsure("cannot make", a.Name, err)
	}
	defer s.leave()
	old, err := s.look()
	if err != nil {
		return plan, err
	}
	r, err := a.rights(ctx, h, a.Mode)
	if err != nil {
		return plan, err
	}
	if old == nil {
		changes := value.NewDict("new", fmt.Sprintf("%s %s created", a.Type.name, a.Name))
		plan.Steps = []module.Step{doing(changes, func(context.Context) error { return s.makeNode(&a, r) })}
		return plan, nil
	}
	if err := a.is(old); err != nil {
		return plan, err
	}
	if changes := r.differences(old); changes.Len() > 0 {
		plan.Would = fmt.Sprintf("%s %s is set to be changed", a.Type.name, a.Name)
		plan.Did = fmt.Sprintf("%s %s updated", a.Type.name, a.Name)
		plan.Steps = []module.Step{doing(changes, func(context.Context) error { return s.give(old, r) })}
	}
	return plan, nil
}

// is refuses what is there and is something else: to take the wrong device away can cost a system.
func (a *mknodArgs) is(old *info) error {
	switch {
	case old.kindBits() != a.Type.bits:
		return fmt.Errorf("cannot make %s: a %s is there (file.absent removes it)", a.Name, old.kind())
	case a.Type.bits != unix.S_IFIFO && old.Rdev != a.device():
		return fmt.Errorf("cannot make %s: a device of other numbers is there: %d, %d (file.absent removes it)",
			a.Name, unix.Major(old.Rdev), unix.Minor(old.Rdev))
	}
	return nil
}

// makeNode makes a special file beside the spot, gives it its rights and then its name.
func (s *spot) makeNode(a *mknodArgs, r rights) error {
	cannot := func(err error) error {
		if known := locked(s.fd, ".", path.Dir(s.path()), err); known != err {
			err = known
		} else if errors.Is(err, unix.EPERM) && a.Type.bits != unix.S_IFIFO {
			err = fmt.Errorf("%w: only root makes devices, and not in every container", err)
		}
		return fmt.Errorf("cannot make %s: %w", s.path(), err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.makeDirs(rights{uid: r.uid, gid: r.gid}); err != nil {
		return err
	}
	tmp, err := s.reserve(func(name string) error { return unix.Mknodat(s.fd, name, a.Type.bits|0o600, int(a.device())) })
	if err != nil {
		return cannot(err)
	}
	beside := *s
	beside.base = tmp
	made, err := beside.look()
	if err == nil && made == nil {
		err = errReplaced
	}
	if err == nil {
		var fd int
		if fd, err = beside.openSame(made); err == nil {
			err = r.givePath(fd)
			unix.Close(fd)
		}
	}
	if err == nil {
		err = renameNew(s.fd, tmp, s.fd, s.base)
	}
	if err != nil {
		return cannot(errors.Join(err, unix.Unlinkat(s.fd, tmp, 0)))
	}
	return s.touched()
}

var nodeFuncs = []module.Func{
	{Name: "get_devmm", Doc: "Return the major and minor number of a device; zeros when it is none.", Example: "/dev/null", Do: module.Call(devmm)},
	{Name: "is_hardlink", Doc: "Tell whether a path is one of several names of a file.", Example: "/etc/app.conf",
		Do: is(false, func(i *info) bool { return i.isFile() && i.Nlink > 1 })},
	{Name: "mknod", Doc: "Make a device or named pipe, and the directories above it.", Example: "/dev/chr c 180 31",
		Do: module.Call(func(ctx context.Context, h *host.Host, a mknodArgs) (*value.Dict, error) { return mknod(ctx, h, a) })},
	{Name: "mknod_blkdev", Doc: "Make a block device.", Example: "/dev/blk 8 999", Do: mknodOf("b")},
	{Name: "mknod_chrdev", Doc: "Make a character device.", Example: "/dev/chr 180 31", Do: mknodOf("c")},
	{Name: "mknod_fifo", Doc: "Make a named pipe.", Example: "/run/pipe",
		Do: module.Call(func(ctx context.Context, h *host.Host, a fifoArgs) (*value.Dict, error) {
			return mknod(ctx, h, mknodArgs{Name: a.Name, Type: nodeType{unix.S_IFIFO, "Fifo pipe"}, ownerArgs: a.ownerArgs, Mode: a.Mode})
		})},
}

type nodeArgs struct {
	Name  string `arg:"name,required,alias=path" doc:"the absolute path"`
	Major uint32 `arg:"major,required" doc:"major number of the device"`
	Minor uint32 `arg:"minor,required" doc:"minor number of the device"`
	ownerArgs
	Mode mode `arg:"mode" default:"0660" doc:"permissions"`
}

type fifoArgs struct {
	Name string `arg:"name,required,alias=path" doc:"the absolute path"`
	ownerArgs
	Mode mode `arg:"mode" default:"0660" doc:"permissions"`
}

func mknodOf(letter string) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a nodeArgs) (*value.Dict, error) {
		full := mknodArgs{Name: a.Name, Major: a.Major, Minor: a.Minor, ownerArgs: a.ownerArgs, Mode: a.Mode}
		if err := full.Type.ParseArg(module.Data(letter)); err != nil {
			return nil, err
		}
		return mknod(ctx, h, full)
	})
}

// mknod makes a special file; one that is there is left alone.
func mknod(ctx context.Context, h *host.Host, a mknodArgs) (*value.Dict, error) {
	if err := a.CheckArgs(); err != nil {
		return nil, err
	}
	s, old, err := toChange(ctx, h, a.Name, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if old != nil {
		return nil, fmt.Errorf("cannot make %s: a %s is there", a.Name, old.kind())
	}
	r, err := a.rights(ctx, h, a.Mode)
	if err == nil {
		err = s.makeNode(&a, r)
	}
	if err != nil {
		return nil, err
	}
	new := fmt.Sprintf("%s %s created", a.Type.name, a.Name)
	return value.NewDict("name", a.Name, "changes", value.NewDict("new", new), "comment", "", "result", true), nil
}

func devmm(ctx context.Context, h *host.Host, a onePath) ([]int64, error) {
	s, i, err := there(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	s.leave()
	if !i.isKind(unix.S_IFCHR) && !i.isKind(unix.S_IFBLK) {
		return []int64{0, 0}, nil
	}
	return []int64{int64(unix.Major(i.Rdev)), int64(unix.Minor(i.Rdev))}, nil
}
