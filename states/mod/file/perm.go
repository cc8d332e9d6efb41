package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

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
	switch text {
	case "":
		return nil // as in Salt, what a template left empty
	case "keep":
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

func modeOf(bits uint32) mode { return mode{set: true, bits: bits & 0o7777} }

func modeText(bits uint32) string { return fmt.Sprintf("%04o", bits) }

// forDirectory lets whoever may read the files of a mode into their directory.
func (m mode) forDirectory() mode {
	m.bits |= m.bits & 0o444 >> 2
	return m
}

// secret says whether a file of this mode is for its owner alone.
func (m mode) secret() bool { return m.set && m.bits&0o044 == 0 }

// rights are the owner and mode that something is to have; -1 and an unset mode leave them.
type rights struct {
	uid, gid    int
	user, group string // as given, for the changes
	mode        mode
}

// anyone changes neither owner nor mode.
var anyone = rights{uid: -1, gid: -1}

type ownerArgs struct {
	User  string `arg:"user,alias=owner" doc:"owner, by name or number; left alone when absent, a new one is the minion's"`
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
	return -1, module.Unmade(err)
}

// differences are what of the rights something that is there does not have, as Salt shows them.
func (r rights) differences(i *info) *value.Dict {
	d := &value.Dict{}
	if r.uid >= 0 && uint32(r.uid) != i.Uid {
		d.Put("user", r.user)
	}
	if r.gid >= 0 && uint32(r.gid) != i.Gid {
		d.Put("group", r.group)
	}
	if r.mode.set && !i.isLink() && i.bits() != r.mode.bits {
		d.Put("mode", modeText(r.mode.bits))
	}
	return d
}

// stated are the rights that something new has otherwise than what the minion makes: as in Salt its mode when one is
// given, and an owner that isn't the minion itself.
func (r rights) stated() *value.Dict {
	d := &value.Dict{}
	if r.uid >= 0 && r.uid != os.Geteuid() {
		d.Put("user", r.user)
	}
	if r.gid >= 0 && r.gid != os.Getegid() {
		d.Put("group", r.group)
	}
	if r.mode.set {
		d.Put("mode", modeText(r.mode.bits))
	}
	return d
}

// give gives the rights to what old says is at the spot, and to nothing that took its place meanwhile, so that a
// user can't turn it on another's file.
func (s *spot) give(old *info, r rights) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	fd, err := s.openSame(old)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := r.givePath(fd); err != nil {
		return &fs.PathError{Op: "cannot change the rights of", Path: s.path(), Err: locked(s.fd, s.base, s.path(), err)}
	}
	return s.touched()
}

// openSame opens the name of what old says is there.
func (s *spot) openSame(old *info) (int, error) {
	fd, err := unix.Openat(s.fd, s.base, nameOnly, 0)
	if err == nil {
		var now info
		if err = unix.Fstat(fd, &now.Stat_t); err == nil && now.identity() != old.identity() {
			err = errReplaced
		}
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return -1, &fs.PathError{Op: "cannot open", Path: s.path(), Err: err}
	}
	return fd, nil
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
			return -1, fmt.Errorf("%s is no directory any more", path.Join(parts[:i+1]...))
		case err != nil:
			return -1, err
		}
		at = fd
	}
	return at, nil
}

// givePath gives the rights to what a descriptor of a name stands for. Of a symbolic link only the owner can be set.
func (r rights) givePath(fd int) error {
	var i info
	if err := unix.Fstat(fd, &i.Stat_t); err != nil {
		return err
	}
	if r.uid >= 0 || r.gid >= 0 {
		if err := unix.Fchownat(fd, "", r.uid, r.gid, unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	if !r.mode.set || i.isLink() {
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
