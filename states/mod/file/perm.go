package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// A mode is permission bits as chmod takes them, or keep: those of the source.
type mode struct {
	set  bool
	keep bool
	bits uint32
}

func (m *mode) ArgType() string { return "mode" }

// ParseArg reads octal digits. A number that never was text stands for its digits: 644 is 0644.
func (m *mode) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a mode such as 0644")
	}
	if text == "keep" {
		*m = mode{set: true, keep: true}
		return nil
	}
	digits := strings.TrimPrefix(strings.ToLower(text), "0o")
	bits, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || bits > 0o7777 {
		return v.Want("a mode such as 0644")
	}
	*m = mode{set: true, bits: uint32(bits)}
	return nil
}

func modeText(bits uint32) string { return fmt.Sprintf("%04o", bits) }

// forDirectory lets whoever may read the files of a mode into their directory.
func (m mode) forDirectory() mode {
	m.bits |= m.bits & 0o444 >> 2
	return m
}

// rights are the owner and mode that something is to have; -1 and an unset mode leave them.
type rights struct {
	uid, gid    int
	user, group string // as given, for the changes
	mode        mode
}

// anyone changes neither owner nor mode.
var anyone = rights{uid: -1, gid: -1}

type ownerArgs struct {
	User  string `arg:"user" doc:"owner, by name or number; left alone when absent, a new one is the minion's"`
	Group string `arg:"group" doc:"group, by name or number; left alone when absent, a new one is the minion's"`
}

// rights looks up the owner. An account that isn't there yet is a module.Unknown.
func (a ownerArgs) rights(ctx context.Context, h *host.Host, m mode) (rights, error) {
	r := rights{uid: -1, gid: -1, user: a.User, group: a.Group, mode: m}
	var err error
	if r.uid, err = id(ctx, a.User, h.UserID); err != nil {
		return r, err
	}
	r.gid, err = id(ctx, a.Group, h.GroupID)
	return r, err
}

// id is the number of an account; -1 when none is named. Digits may stand for an account that has no name.
func id(ctx context.Context, name string, lookup func(context.Context, string) (uint32, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	n, err := lookup(ctx, name)
	if err == nil || !errors.Is(err, host.ErrNoAccount) {
		return int(n), err
	}
	if digits, bad := strconv.ParseUint(name, 10, 31); bad == nil {
		return int(digits), nil
	}
	return -1, module.Unknown("%w", err)
}

// differences are what of the rights something that is there does not have, as Salt shows them.
func (r rights) differences(st os.FileInfo) *value.Dict {
	d := &value.Dict{}
	sys := st.Sys().(*syscall.Stat_t)
	if r.uid >= 0 && uint32(r.uid) != sys.Uid {
		d.Put("user", r.user)
	}
	if r.gid >= 0 && uint32(r.gid) != sys.Gid {
		d.Put("group", r.group)
	}
	if r.mode.set && sys.Mode&0o7777 != r.mode.bits {
		d.Put("mode", modeText(r.mode.bits))
	}
	return d
}

// stated are all rights that are given, for something that is to be made.
func (r rights) stated() *value.Dict {
	d := &value.Dict{}
	if r.uid >= 0 {
		d.Put("user", r.user)
	}
	if r.gid >= 0 {
		d.Put("group", r.group)
	}
	if r.mode.set {
		d.Put("mode", modeText(r.mode.bits))
	}
	return d
}

// give gives the rights to what old says is there, and to nothing that took its place meanwhile, so that
// a user can't turn it on another's file. It opens nothing but the name.
func (r rights) give(name string, old os.FileInfo) error {
	fd, err := openSame(name, old)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := r.givePath(fd); err != nil {
		return &fs.PathError{Op: "change the rights of", Path: name, Err: err}
	}
	return nil
}

// Descriptors of these flags stand for what is there, without opening its content.
const nameOnly = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openSame opens a name when what is there is still the same.
func openSame(name string, old os.FileInfo) (int, error) {
	fd, err := unix.Open(name, nameOnly, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		was := old.Sys().(*syscall.Stat_t)
		if st.Dev == was.Dev && st.Ino == was.Ino {
			return fd, nil
		}
		err = errors.New("it was replaced meanwhile")
	}
	unix.Close(fd)
	return -1, &fs.PathError{Op: "open", Path: name, Err: err}
}

// openBelow opens a relative path below a directory and follows no symbolic link in any part of it.
func openBelow(dir int, rel string) (int, error) {
	at := dir
	parts := strings.Split(rel, "/")
	for i, part := range parts {
		flags := nameOnly
		if i < len(parts)-1 {
			flags |= unix.O_DIRECTORY
		}
		fd, err := unix.Openat(at, part, flags, 0)
		if at != dir {
			unix.Close(at)
		}
		switch {
		case errors.Is(err, unix.ENOENT):
			return -1, errors.New("it is not there any more")
		case errors.Is(err, unix.ENOTDIR):
			return -1, fmt.Errorf("%s is no directory any more", strings.Join(parts[:i+1], "/"))
		case err != nil:
			return -1, err
		}
		at = fd
	}
	return at, nil
}

func (r rights) givePath(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return errors.New("it has become a symbolic link")
	}
	if r.uid >= 0 || r.gid >= 0 {
		if err := unix.Fchownat(fd, "", r.uid, r.gid, unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	if !r.mode.set {
		return nil
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), r.mode.bits) // fchmod refuses such a descriptor
}

// giveTo gives the rights to an open file.
func (r rights) giveTo(fd int) error {
	if r.uid >= 0 || r.gid >= 0 {
		if err := unix.Fchown(fd, r.uid, r.gid); err != nil {
			return err
		}
	}
	if r.mode.set { // after chown, which takes away set-user-id bits
		return unix.Fchmod(fd, r.mode.bits)
	}
	return nil
}
