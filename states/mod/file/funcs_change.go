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

var changeFuncs = []module.Func{
	{Name: "copy", Doc: "Copy a file, or with recurse a directory; owner, mode and times go along.",
		Example: "/etc/app.conf /etc/app.conf.old", Do: module.Call(copyFunc)},
	{Name: "hardlink", Doc: "Make a hard link: another name of a file.", Example: "/etc/app.conf /etc/app.conf.too",
		Do: module.Call(hardlink)},
	{Name: "link", Doc: "Make a hard link, as hardlink does.", Example: "/etc/app.conf /etc/app.conf.too", Do: module.Call(hardlink)},
	{Name: "makedirs", Doc: "Make the directories above a path: all up to its last slash.", Example: "/srv/app/logs/",
		Do: module.Call(makedirs)},
	{Name: "makedirs_perms", Doc: "Make a directory, and those above it, with an owner and a mode.",
		Example: "/srv/app/logs root root 0750", Do: module.Call(makedirsPerms)},
	{Name: "mkdir", Doc: "Make sure that there is a directory, and those above it.", Example: "/srv/app/logs", Do: module.Call(mkdir)},
	{Name: "move", Doc: "Move a file or directory, to another file system too, and tell so.", Example: "/tmp/a /srv/a",
		Do: module.Call(move)},
	{Name: "remove", Doc: "Remove a file, or a directory with all in it; false when there is none.", Example: "/tmp/old",
		Do: module.Call(removeFunc)},
	{Name: "rename", Doc: "Rename a file or directory on the same file system.", Example: "/tmp/a /tmp/b", Do: module.Call(rename)},
	{Name: "rmdir", Doc: "Remove an empty directory, or with recurse the empty ones below it too.", Example: "/tmp/old", Do: module.Call(rmdir)},
	{Name: "symlink", Doc: "Make a symbolic link.", Example: "releases/7 /srv/current", Do: module.Call(symlinkFunc)},
	{Name: "touch", Doc: "Make an empty file, or set the times of one that is there.", Example: "/var/lib/app/stamp",
		Do: module.Call(touchFunc)},
}

type fromTo struct {
	From string `arg:"src,required" doc:"the absolute path of what is there"`
	To   string `arg:"dst,required,alias=path" doc:"the absolute path that it gets"`
}

// both finds the two paths. Leave both spots when there is no error.
func (a fromTo) both(ctx context.Context, h *host.Host, follow bool) (from, to *spot, was, over *info, err error) {
	if from, was, err = there(ctx, h, a.From, follow); err != nil {
		return nil, nil, nil, nil, err
	}
	to, over, err = at(ctx, h, a.To, false)
	if err == nil && len(to.missing) > 0 {
		to.leave()
		err = fmt.Errorf("cannot make %s: its directory is not there", a.To)
	}
	if err != nil {
		from.leave()
		return nil, nil, nil, nil, err
	}
	return from, to, was, over, nil
}

func rename(ctx context.Context, h *host.Host, a fromTo) (bool, error) {
	from, to, _, _, err := a.both(ctx, h, false)
	if err != nil {
		return false, err
	}
	return true, from.moveTo(ctx, to, false)
}

type moveArgs struct {
	fromTo
	NoCopy bool `arg:"disallow_copy_and_unlink" doc:"fail instead of copying to another file system"`
}

func move(ctx context.Context, h *host.Host, a moveArgs) (*value.Dict, error) {
	from, to, was, over, err := a.both(ctx, h, false)
	if err != nil {
		return nil, err
	}
	if over != nil && over.isDir() && !was.isDir() {
		from.leave()
		to.leave()
		return move(ctx, h, moveArgs{fromTo{a.From, path.Join(a.To, path.Base(a.From))}, a.NoCopy})
	}
	err = from.moveTo(ctx, to, false)
	if errors.Is(err, unix.EXDEV) && !a.NoCopy {
		if err = copyAny(ctx, h, from, to, was); err == nil {
			err = from.remove(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot move %s to %s: %w", a.From, a.To, err)
	}
	return value.NewDict("result", true, "comment", fmt.Sprintf("'%s' moved to '%s'", a.From, a.To)), nil
}

type copyArgs struct {
	fromTo
	Recurse pathOrBool `arg:"recurse" doc:"copy a directory with all in it; a path is true, as in Salt: check_cmd puts one at its end"`
	Remove  bool       `arg:"remove_existing" doc:"with recurse: remove what is there first"`
}

// A pathOrBool is a boolean for which any absolute path is true.
type pathOrBool bool

func (b *pathOrBool) ArgType() string { return "boolean" }

func (b *pathOrBool) ParseArg(v module.Value) error {
	if text, err := v.Str(); err == nil && path.IsAbs(text) {
		*b = true
		return nil
	}
	yes, err := v.Bool()
	*b = pathOrBool(yes)
	return err
}

func copyFunc(ctx context.Context, h *host.Host, a copyArgs) (bool, error) {
	from, to, was, over, err := a.both(ctx, h, true)
	if err != nil {
		return false, err
	}
	defer from.leave()
	defer to.leave()
	switch {
	case was.isDir() && !bool(a.Recurse):
		return false, fmt.Errorf("cannot copy %s: it is a directory (recurse=True copies all in it)", a.From)
	case over != nil && over.isDir() && !was.isDir():
		return copyFunc(ctx, h, copyArgs{fromTo{a.From, path.Join(a.To, path.Base(a.From))}, a.Recurse, a.Remove})
	case over != nil && bool(a.Recurse) && a.Remove:
		if err := to.remove(ctx); err != nil {
			return false, err
		}
	}
	return true, copyAny(ctx, h, from, to, was)
}

// copyAny copies a file, link or directory with what belongs to it.
func copyAny(ctx context.Context, h *host.Host, from, to *spot, was *info) error {
	if err := errors.Join(from.enter(), to.enter()); err != nil {
		return err
	}
	defer from.leave()
	defer to.leave()
	if to.path() == from.path() || was.isDir() && path.Dir(to.path()) == from.path() {
		return fmt.Errorf("cannot copy %s to %s: it is itself", from.path(), to.path())
	}
	if !was.isDir() {
		return copyOne(ctx, from.fd, from.base, to, was)
	}
	dir, err := from.openDir()
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := copyDir(to, was); err != nil {
		return err
	}
	return walk(ctx, dir, from.path(), func(e *entry) error {
		if e.identity() == to.id {
			return errSkip
		}
		s, err := find(h, path.Join(to.path(), e.rel), false)
		if err != nil {
			return err
		}
		defer s.leave()
		if e.isDir() {
			return copyDir(s, e.info)
		}
		return copyOne(ctx, e.dir, e.name, s, e.info)
	})
}

// copyDir makes a directory like another one, or uses one that is there.
func copyDir(to *spot, was *info) error {
	if i, err := to.look(); err != nil || i != nil && i.isDir() {
		return err
	}
	fd, err := makeDir(to.fd, to.base, like(was))
	if err != nil {
		return &fs.PathError{Op: "cannot make the directory", Path: to.path(), Err: err}
	}
	unix.Close(fd)
	return to.touched()
}

// like are the rights that something has.
func like(i *info) rights { return rights{uid: int(i.Uid), gid: int(i.Gid), mode: modeOf(i.bits())} }

// copyOne copies a file or link of an open directory.
func copyOne(ctx context.Context, dir int, name string, to *spot, was *info) error {
	switch {
	case was.isLink():
		target, err := readlink(dir, name)
		if err != nil {
			return err
		}
		return to.putLink(target, like(was))
	case !was.isFile():
		return fmt.Errorf("cannot copy %s: it is a %s", name, was.kind())
	}
	f, err := openFileAt(dir, name, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := to.put(nil, like(was), copier(ctx, f)); err != nil {
		return err
	}
	return unix.UtimesNanoAt(to.fd, to.base, []unix.Timespec{was.Atim, was.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

func hardlink(ctx context.Context, h *host.Host, a fromTo) (bool, error) {
	from, to, was, _, err := a.both(ctx, h, true)
	if err != nil {
		return false, err
	}
	defer from.leave()
	defer to.leave()
	if was.isDir() {
		return false, fmt.Errorf("cannot link %s: it is a directory", a.From)
	}
	if err := unix.Linkat(from.fd, from.base, to.fd, to.base, 0); err != nil {
		return false, fmt.Errorf("cannot link %s to %s: %w", a.From, a.To, err)
	}
	return true, to.touched()
}

type symlinkFuncArgs struct {
	Src    string `arg:"src,required" doc:"where the link leads"`
	Path   string `arg:"path,required" doc:"the absolute path of the link"`
	Force  bool   `arg:"force" doc:"replace a link that leads elsewhere, or a file"`
	Atomic bool   `arg:"atomic" default:"true" doc:"accepted for Salt: a link is always replaced in one step"`
}

func symlinkFunc(ctx context.Context, h *host.Host, a symlinkFuncArgs) (bool, error) {
	s, i, err := at(ctx, h, a.Path, false)
	if err != nil {
		return false, err
	}
	defer s.leave()
	switch {
	case len(s.missing) > 0:
		return false, fmt.Errorf("cannot make the symbolic link %s: its directory is not there", a.Path)
	case i != nil && i.isLink():
		if to, err := readlink(s.fd, s.base); err == nil && path.Clean(to) == path.Clean(a.Src) {
			return true, nil
		}
	}
	if i != nil && (!a.Force || i.isDir()) {
		return false, fmt.Errorf("cannot make the symbolic link %s: a %s is there", a.Path, i.kind())
	}
	if err := s.putLink(a.Src, anyone); err != nil {
		return false, fmt.Errorf("cannot make the symbolic link %s: %w", a.Path, err)
	}
	return true, nil
}

type mkdirArgs struct {
	Path string `arg:"dir_path,required,alias=path" doc:"the absolute path"`
	ownerArgs
	Mode mode `arg:"mode" doc:"permissions of what is made; 0755 when absent"`
}

func mkdir(ctx context.Context, h *host.Host, a mkdirArgs) (bool, error) {
	s, i, err := at(ctx, h, a.Path, true)
	if err != nil {
		return false, err
	}
	defer s.leave()
	if i != nil {
		if !i.isDir() {
			return false, fmt.Errorf("cannot make the directory %s: a %s is there", a.Path, i.kind())
		}
		return true, nil
	}
	r, err := a.rights(ctx, h, a.Mode)
	if err != nil {
		return false, err
	}
	if err := s.makeDirectory(r); err != nil {
		return false, fmt.Errorf("cannot make the directory %s: %w", a.Path, err)
	}
	return true, nil
}

type makedirsArgs struct {
	onePath
	ownerArgs
	Mode mode `arg:"mode" doc:"permissions of what is made; 0755 when absent"`
}

func makedirs(ctx context.Context, h *host.Host, a makedirsArgs) (any, error) {
	dir := path.Clean(dirname(a.Path))
	i, err := lookUp(ctx, h, dir)
	switch {
	case err != nil:
		return nil, err
	case i != nil && i.isDir():
		return fmt.Sprintf("Directory '%s' already exists", dir), nil
	case i != nil:
		return fmt.Sprintf("The path '%s' already exists and is not a directory", dir), nil
	}
	_, err = mkdir(ctx, h, mkdirArgs{dir, a.ownerArgs, a.Mode})
	return nil, err
}

func lookUp(ctx context.Context, h *host.Host, name string) (*info, error) {
	s, i, err := at(ctx, h, name, true)
	if err == nil {
		s.leave()
	}
	return i, err
}

type makedirsPermsArgs struct {
	Name string `arg:"name,required,alias=path" doc:"the absolute path"`
	ownerArgs
	Mode mode `arg:"mode" default:"0755" doc:"permissions of what is made"`
}

func makedirsPerms(ctx context.Context, h *host.Host, a makedirsPermsArgs) (bool, error) {
	return mkdir(ctx, h, mkdirArgs{a.Name, a.ownerArgs, a.Mode})
}

func removeFunc(ctx context.Context, h *host.Host, a onePath) (bool, error) {
	s, i, err := at(ctx, h, a.Path, false)
	if isNothing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.leave()
	if i == nil {
		return false, nil
	}
	if s.path() == "/" {
		return false, fmt.Errorf("cannot remove %q: it is the root directory", a.Path)
	}
	return true, s.remove(ctx)
}

type touchFuncArgs struct {
	Name  string   `arg:"name,required,alias=path" doc:"the absolute path"`
	Atime *float64 `arg:"atime" doc:"time of the last access in seconds since 1970; now when absent"`
	Mtime *float64 `arg:"mtime" doc:"time of the last change in seconds since 1970; now when absent"`
}

func touchFunc(ctx context.Context, h *host.Host, a touchFuncArgs) (bool, error) {
	s, _, err := at(ctx, h, a.Name, true)
	if err != nil {
		return false, err
	}
	defer s.leave()
	if len(s.missing) > 0 {
		return false, fmt.Errorf("cannot touch %s: its directory is not there", a.Name)
	}
	return true, s.touch(a.Atime, a.Mtime)
}
