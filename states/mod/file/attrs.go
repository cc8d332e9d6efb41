package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// fsFlags are the letters of chattr(1) and the bits of FS_IOC_SETFLAGS (see linux/fs.h), in lsattr's order. Those
// that only the file system sets are not among them.
var fsFlags = []struct {
	letter byte
	bit    uint32
}{
	{'s', 0x1}, {'u', 0x2}, {'S', 0x8}, {'D', 0x10000}, {'i', immutable}, {'a', appendOnly}, {'d', 0x40}, {'A', 0x80},
	{'c', 0x4}, {'j', 0x4000}, {'t', 0x8000}, {'T', 0x20000}, {'C', 0x800000}, {'P', 0x20000000},
}

// Flags that keep a file from being replaced.
const (
	immutable  = 0x10
	appendOnly = 0x20
)

// attrs are the flags that a file is to have.
type attrs struct {
	set  bool
	bits uint32
}

func (a *attrs) ArgType() string { return "letters" }

func (a *attrs) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("letters of chattr such as i")
	}
	bits, err := flagBits(text)
	*a = attrs{set: true, bits: bits}
	return err
}

func flagBits(letters string) (bits uint32, err error) {
next:
	for _, c := range []byte(letters) {
		for _, f := range fsFlags {
			if f.letter == c {
				bits |= f.bit
				continue next
			}
		}
		return 0, fmt.Errorf("want letters of chattr, such as i, got %q", letters)
	}
	return bits, nil
}

// flagLetters writes flags as letters, those known of them.
func flagLetters(bits uint32) string {
	var b strings.Builder
	for _, f := range fsFlags {
		if bits&f.bit != 0 {
			b.WriteByte(f.letter)
		}
	}
	return b.String()
}

// known are all flags that letters stand for.
func knownFlags() (all uint32) {
	for _, f := range fsFlags {
		all |= f.bit
	}
	return all
}

// flagsOf reads the flags of an open file or directory; none where the file system knows none.
func flagsOf(f *os.File) (uint32, error) {
	bits, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return 0, nil
	}
	return bits, err
}

// locked adds to an error what of the attributes of a name in an open directory, or of the directory, forbids it even to
// root: "operation not permitted" alone sends people looking for rights.
func locked(dir int, name, full string, err error) error {
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	for _, at := range []struct{ name, full string }{{name, full}, {".", path.Dir(full)}} {
		if why := lockedBy(dir, at.name, at.full, immutable|appendOnly); why != "" {
			return fmt.Errorf("%w: %s", err, why)
		}
	}
	return err
}

// lockedBy tells which of some attributes a name in an open directory has; "" for none.
func lockedBy(dir int, name, full string, mask uint32) string {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	bits, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	letters := flagLetters(bits & mask)
	if err != nil || letters == "" {
		return ""
	}
	return fmt.Sprintf("%s has the attribute %s (chattr -%s takes it away)", full, letters, letters)
}

// plan adds what has to change, and returns what changes it.
func (a attrs) plan(s *spot, old *info, changes *value.Dict) (func() error, error) {
	if !a.set {
		return func() error { return nil }, nil
	}
	var now uint32
	if old != nil {
		f, err := s.openAny()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if now, err = flagsOf(f); err != nil {
			return nil, &fs.PathError{Op: "cannot read the attributes of", Path: s.path(), Err: err}
		}
	}
	if changes.Len() == 0 && now&knownFlags() == a.bits || old == nil && a.bits == 0 {
		return func() error { return nil }, nil
	}
	if now&knownFlags() != a.bits {
		changes.Put("attrs", flagLetters(a.bits))
	}
	return func() error { return s.setFlags(a.bits, knownFlags()) }, nil
}

// unlock takes away flags that keep the file from being changed, when its flags are managed.
func (a attrs) unlock(s *spot, old *info) error {
	if !a.set || old == nil {
		return nil
	}
	return s.setFlags(0, immutable|appendOnly)
}

// setFlags sets those bits of mask that are in bits and takes away the others.
func (s *spot) setFlags(bits, mask uint32) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	f, err := s.openAny()
	if err != nil {
		return err
	}
	defer f.Close()
	now, err := flagsOf(f)
	if want := now&^mask | bits; err == nil && want != now {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(want))
	}
	if err != nil {
		return &fs.PathError{Op: "cannot set the attributes of", Path: s.path(), Err: err}
	}
	return s.touched()
}

// openAny opens the file or directory at the spot.
func (s *spot) openAny() (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat(s.fd, s.base, flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "cannot open", Path: s.path(), Err: err}
	}
	return os.NewFile(uintptr(fd), s.path()), nil
}
