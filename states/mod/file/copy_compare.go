package file

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// same says whether one is a copy of the other; of what is in a directory rights are looked at too.
func (c *fileCopy) same(ctx context.Context, from int, name string, was *info, to int, base string, old *info) (bool, error) {
	switch {
	case was.kindBits() != old.kindBits():
		return false, nil
	case was.isLink():
		a, err1 := readlink(from, name)
		b, err2 := readlink(to, base)
		return a == b, errors.Join(err1, err2)
	case was.isDir():
		return c.sameDir(ctx, from, name, to, base)
	case was.Size != old.Size:
		return false, nil
	}
	f, err := openFileAt(from, name, name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := openFileAt(to, base, base)
	if err != nil {
		return false, err
	}
	defer g.Close()
	return sameContent(until(ctx, f), g)
}

func (c *fileCopy) sameDir(ctx context.Context, from int, name string, to int, base string) (bool, error) {
	a, err := unix.Openat(from, name, dirOnly, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(a)
	b, err := unix.Openat(to, base, dirOnly, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(b)
	all, err := namesIn(b, base)
	if err != nil {
		return false, err
	}
	n, same := 0, true
	err = eachIn(ctx, a, name, func(name string, was *info) error {
		n++
		old, err := infoAt(b, name, name)
		if err != nil {
			return err
		}
		if old == nil || c.of(was).differences(old).Len() > 0 {
			same = false
			return errSkip
		}
		if same, err = c.same(ctx, a, name, was, b, name, old); err == nil && !same {
			err = errSkip
		}
		return err
	})
	if errors.Is(err, errSkip) {
		err = nil
	}
	return same && n == len(all), err
}
