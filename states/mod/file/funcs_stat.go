package file

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

var statFuncs = []module.Func{
	{Name: "access", Doc: "Tell whether the minion may do something with a path: f (it exists), r, w or x.",
		Example: "/etc/shadow r", Do: module.Call(access)},
	{Name: "diskusage", Doc: "Return how many bytes a file, or all files below a directory, hold.", Example: "/var/log",
		Do: module.Call(diskusage)},
	{Name: "get_gid", Doc: "Return the number of the group of a path.", Example: "/etc/passwd",
		Do: ask(func(_ context.Context, _ *host.Host, i *info) (any, error) { return int64(i.Gid), nil })},
	{Name: "get_group", Doc: "Return the group of a path.", Example: "/etc/passwd",
		Do: ask(func(_ context.Context, h *host.Host, i *info) (any, error) { return groupName(h, i.Gid), nil })},
	{Name: "get_mode", Doc: "Return the mode of a path, such as 0644.", Example: "/etc/passwd",
		Do: ask(func(_ context.Context, _ *host.Host, i *info) (any, error) { return modeText(i.bits()), nil })},
	{Name: "get_uid", Doc: "Return the number of the owner of a path.", Example: "/etc/passwd",
		Do: ask(func(_ context.Context, _ *host.Host, i *info) (any, error) { return int64(i.Uid), nil })},
	{Name: "get_user", Doc: "Return the owner of a path.", Example: "/etc/passwd",
		Do: ask(func(_ context.Context, h *host.Host, i *info) (any, error) { return userName(h, i.Uid), nil })},
	{Name: "gid_to_group", Doc: "Return the name of a group, an empty text when there is none of that number.", Example: "0",
		Do: module.Call(func(_ context.Context, h *host.Host, a gidArgs) (string, error) { return groupName(h, a.GID), nil })},
	{Name: "group_to_gid", Doc: "Return the number of a group, an empty text when there is none of that name.", Example: "root",
		Do: module.Call(func(ctx context.Context, h *host.Host, a groupArgs) (any, error) {
			return number(h.GroupID(ctx, a.Group))
		})},
	{Name: "lstat", Doc: "Return the fields of lstat(2); links are not followed.", Example: "/etc/passwd", Do: module.Call(lstat)},
	{Name: "stat", Doc: "Return what is known of a path, as stats does.", Example: "/etc/passwd", Do: module.Call(stats)},
	{Name: "stats", Doc: "Return what is known of a path: mode, owner, size, times, type and where links lead.",
		Example: "/etc/passwd", Do: module.Call(stats)},
	{Name: "statvfs", Doc: "Return the fields of statvfs(3) for the file system of a path.", Example: "/", Do: module.Call(statvfs)},
	{Name: "uid_to_user", Doc: "Return the name of a user, an empty text when there is none of that number.", Example: "0",
		Do: module.Call(func(_ context.Context, h *host.Host, a uidArgs) (string, error) { return userName(h, a.UID), nil })},
	{Name: "user_to_uid", Doc: "Return the number of a user, an empty text when there is none of that name.", Example: "root",
		Do: module.Call(func(ctx context.Context, h *host.Host, a userArgs) (any, error) { return number(h.UserID(ctx, a.User)) })},
}

type uidArgs struct {
	UID uint32 `arg:"uid,required" doc:"number of the user"`
}

type gidArgs struct {
	GID uint32 `arg:"gid,required" doc:"number of the group"`
}

type userArgs struct {
	User string `arg:"user" doc:"name of the user; the minion's own when absent"`
}

type groupArgs struct {
	Group string `arg:"group,required" doc:"name of the group"`
}

// number is what Salt answers for an account: its number, or an empty text.
func number(id uint32, err error) (any, error) {
	if errors.Is(err, host.ErrNoAccount) {
		return "", nil
	}
	return int64(id), err
}

// ask makes a function that tells one thing of a path.
func ask(what func(context.Context, *host.Host, *info) (any, error)) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a followPath) (any, error) {
		s, i, err := there(ctx, h, a.Path, a.Follow)
		if err != nil {
			return nil, err
		}
		s.leave()
		return what(ctx, h, i)
	})
}

func userName(h *host.Host, uid uint32) string {
	name, _ := h.AccountName("passwd", uid) // a number without a name has none
	return name
}

func groupName(h *host.Host, gid uint32) string {
	name, _ := h.AccountName("group", gid) // a number without a name has none
	return name
}

type accessArgs struct {
	onePath
	Mode string `arg:"mode,required" doc:"f, r, w or x"`
}

func access(ctx context.Context, h *host.Host, a accessArgs) (bool, error) {
	bits, ok := map[string]uint32{"f": unix.F_OK, "r": unix.R_OK, "w": unix.W_OK, "x": unix.X_OK}[a.Mode]
	if !ok {
		return false, fmt.Errorf("argument %q: want f, r, w or x, got %q", "mode", a.Mode)
	}
	s, i, err := at(ctx, h, a.Path, true)
	if isNothing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.leave()
	return i != nil && unix.Faccessat(s.fd, s.base, bits, unix.AT_EACCESS) == nil, nil
}

func diskusage(ctx context.Context, h *host.Host, a onePath) (int64, error) {
	paths, err := glob(ctx, h, a.Path)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, name := range paths {
		n, err := usage(ctx, h, name)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func usage(ctx context.Context, h *host.Host, name string) (total int64, err error) {
	s, i, err := there(ctx, h, name, true)
	if err != nil {
		return 0, err
	}
	defer s.leave()
	if !i.isDir() {
		return i.Size, nil
	}
	fd, err := s.openDir()
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	err = walk(ctx, fd, name, func(e *entry) error {
		if !e.isDir() {
			total += e.Size
		}
		return nil
	})
	return total, err
}

func seconds(t unix.Timespec) float64 { return float64(t.Sec) + float64(t.Nsec)/1e9 }

func lstat(ctx context.Context, h *host.Host, a onePath) (*value.Dict, error) {
	s, i, err := at(ctx, h, a.Path, false)
	if isNothing(err) || err == nil && i == nil {
		if err == nil {
			s.leave()
		}
		return value.NewDict(), nil
	}
	if err != nil {
		return nil, err
	}
	defer s.leave()
	return value.NewDict(
		"st_atime", seconds(i.Atim), "st_ctime", seconds(i.Ctim), "st_gid", int64(i.Gid), "st_mode", int64(i.Mode),
		"st_mtime", seconds(i.Mtim), "st_nlink", int64(i.Nlink), "st_size", i.Size, "st_uid", int64(i.Uid),
	), nil
}

type statsArgs struct {
	onePath
	Hash   *string `arg:"hash_type" doc:"also return this hash of the content as sum, such as sha256"`
	Follow bool    `arg:"follow_symlinks" default:"true" doc:"look at what a link leads to"`
}

func stats(ctx context.Context, h *host.Host, a statsArgs) (*value.Dict, error) {
	s, i, err := there(ctx, h, a.Path, a.Follow)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	d := value.NewDict(
		"inode", int64(i.Ino), "uid", int64(i.Uid), "gid", int64(i.Gid), "group", groupName(h, i.Gid), "user", userName(h, i.Uid),
		"atime", seconds(i.Atim), "mtime", seconds(i.Mtim), "ctime", seconds(i.Ctim), "size", i.Size, "mode", modeText(i.bits()),
	)
	if a.Hash != nil && i.isFile() {
		sum, err := hashAt(ctx, s, *a.Hash)
		if err != nil {
			return nil, err
		}
		d.Put("sum", sum)
	}
	d.Put("type", map[uint32]string{
		unix.S_IFREG: "file", unix.S_IFDIR: "dir", unix.S_IFLNK: "link", unix.S_IFIFO: "pipe",
		unix.S_IFCHR: "char", unix.S_IFBLK: "block", unix.S_IFSOCK: "socket",
	}[i.kindBits()])
	d.Put("target", s.path())
	if i.isLink() {
		if to, err := endOf(ctx, h, a.Path); err == nil {
			d.Put("target", to)
		}
	}
	return d, nil
}

// endOf is where a path ends when its links are followed.
func endOf(ctx context.Context, h *host.Host, name string) (string, error) {
	s, _, err := at(ctx, h, name, true)
	if err != nil {
		return "", err
	}
	defer s.leave()
	return s.path(), nil
}

func statvfs(ctx context.Context, h *host.Host, a onePath) (*value.Dict, error) {
	s, _, err := there(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	var st unix.Statfs_t
	fd, err := unix.Openat(s.fd, s.base, nameOnly, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", a.Path, err)
	}
	defer unix.Close(fd)
	if err := unix.Fstatfs(fd, &st); err != nil {
		return nil, fmt.Errorf("cannot ask the file system of %s: %w", a.Path, err)
	}
	return value.NewDict(
		"f_bavail", int64(st.Bavail), "f_bfree", int64(st.Bfree), "f_blocks", int64(st.Blocks), "f_bsize", st.Bsize,
		"f_favail", int64(st.Ffree), "f_ffree", int64(st.Ffree), "f_files", int64(st.Files), "f_flag", st.Flags,
		"f_frsize", st.Frsize, "f_namemax", st.Namelen,
	), nil
}

var rightFuncs = []module.Func{
	{Name: "check_perms",
		Doc: `
			Give a path an owner and a mode, and return what was changed: a list of a result and of the rights before.`,
		Example: "/etc/sudoers '{}' root root 0400", Do: module.Call(checkPerms)},
	{Name: "chgrp", Doc: "Change the group of a path.", Example: "/etc/app.conf root", Do: module.Call(chgrp)},
	{Name: "chown", Doc: "Change the owner and group of a path; of a link, what it leads to.", Example: "/etc/app.conf root root",
		Do: module.Call(func(ctx context.Context, h *host.Host, a chownArgs) (any, error) { return nil, a.give(ctx, h, true) })},
	{Name: "lchown", Doc: "Change the owner and group of a path; of a link, its own.", Example: "/etc/localtime root root",
		Do: module.Call(func(ctx context.Context, h *host.Host, a chownArgs) (any, error) { return nil, a.give(ctx, h, false) })},
	{Name: "set_mode", Doc: "Change the mode of a path, and return it.", Example: "/etc/app.conf 0640", Do: module.Call(setMode)},
}

type chownArgs struct {
	onePath
	User  string `arg:"user,required" doc:"owner, by name or number; empty: left alone"`
	Group string `arg:"group" doc:"group, by name or number; empty: left alone"`
}

func (a chownArgs) give(ctx context.Context, h *host.Host, follow bool) error {
	return giveAt(ctx, h, a.Path, follow, ownerArgs{a.User, a.Group}, mode{})
}

func giveAt(ctx context.Context, h *host.Host, name string, follow bool, owner ownerArgs, m mode) error {
	s, i, err := thereToChange(ctx, h, name, follow)
	if err != nil {
		return err
	}
	defer s.leave()
	r, err := owner.rights(ctx, h, m)
	if err != nil {
		return err
	}
	return s.give(i, r)
}

type chgrpArgs struct {
	onePath
	Group  string `arg:"group,required" doc:"group, by name or number"`
	Follow bool   `arg:"follow_symlinks" default:"true" doc:"change what a link leads to"`
}

func chgrp(ctx context.Context, h *host.Host, a chgrpArgs) (any, error) {
	return nil, giveAt(ctx, h, a.Path, a.Follow, ownerArgs{Group: a.Group}, mode{})
}

type setModeArgs struct {
	onePath
	Mode mode `arg:"mode,required" doc:"permissions, such as 0644"`
}

func setMode(ctx context.Context, h *host.Host, a setModeArgs) (string, error) {
	if a.Mode.keep || !a.Mode.set {
		return "", errors.New("want a mode such as 0644")
	}
	return modeText(a.Mode.bits), giveAt(ctx, h, a.Path, true, ownerArgs{}, a.Mode)
}

type checkPermsArgs struct {
	Name  string      `arg:"name,required,alias=path" doc:"the absolute path"`
	Ret   *value.Dict `arg:"ret" doc:"a result to add to; empty or absent for a new one"`
	User  string      `arg:"user" doc:"owner, by name or number; left alone when absent"`
	Group string      `arg:"group" doc:"group, by name or number; left alone when absent"`
	Mode  mode        `arg:"mode" doc:"permissions, such as 0644; left alone when absent"`
	Attrs attrs       `arg:"attrs" doc:"letters of chattr; left alone when absent"`
	Links bool        `arg:"follow_symlinks" doc:"look at what a link leads to"`
}

func checkPerms(ctx context.Context, h *host.Host, a checkPermsArgs) (*value.List, error) {
	s, i, err := thereToChange(ctx, h, a.Name, a.Links)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	r, err := ownerArgs{a.User, a.Group}.rights(ctx, h, a.Mode)
	if err != nil {
		return nil, err
	}
	changes := r.differences(i)
	later, err := a.Attrs.plan(s, i, changes)
	if err != nil {
		return nil, err
	}
	if changes.Len() > 0 {
		if err := errors.Join(s.give(i, r), later()); err != nil {
			return nil, err
		}
	}
	ret := a.Ret
	if ret.Len() == 0 {
		ret = value.NewDict("name", a.Name, "changes", value.NewDict(), "comment", "", "result", true)
	}
	if old, ok := ret.Get("changes"); ok {
		if d, ok := old.(*value.Dict); ok {
			merge(d, changes)
		}
	}
	return value.NewList(ret, value.NewDict("luser", userName(h, i.Uid), "lgroup", groupName(h, i.Gid), "lmode", modeText(i.bits()))), nil
}
