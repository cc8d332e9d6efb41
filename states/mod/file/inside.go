package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// shownInside is how many changes inside a directory are listed by name.
const shownInside = 200

// A found is something inside a directory that needs other rights.
type found struct {
	rel  string
	link bool
}

// inside plans what recurse has to change. It looks and later acts below the open directory, so that whoever may
// write in it can't lead it elsewhere.
func (d *directory) inside(ctx context.Context) ([]module.Step, error) {
	root, err := d.spot.openDir()
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	var all []found
	shown := &value.Dict{}
	err = walk(ctx, root, d.Name, func(e *entry) error {
		if d.MaxDepth != nil && e.isDir() && e.depth() > *d.MaxDepth {
			return errSkip // as in Salt, the files of a directory are as deep as it is
		}
		if changes := d.differs(e.info); changes.Len() > 0 {
			all = append(all, found{e.rel, e.isLink()})
			if shown.Len() < shownInside {
				shown.Put(path.Join(d.Name, e.rel), changes)
			}
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if more := len(all) - shown.Len(); more > 0 {
		shown.Put("and", fmt.Sprintf("%d more", more))
	}
	if d.Recurse.silent {
		shown = value.NewDict("recursion", "Changes silenced")
	}
	return []module.Step{doing(shown, func(ctx context.Context) error { return d.giveAll(ctx, all) })}, nil
}

// differs is what recurse has to change on one entry. Special files are left alone.
func (d *directory) differs(i *info) *value.Dict {
	isDir := i.isDir()
	if !isDir && !i.isFile() && !i.isLink() || isDir && d.Recurse.noDirs || !isDir && d.Recurse.noFiles {
		return nil
	}
	return d.rightsInside(isDir).differences(i)
}

func (d *directory) rightsInside(isDir bool) rights {
	r := d.rights
	if !d.Recurse.user {
		r.uid = -1
	}
	if !d.Recurse.group {
		r.gid = -1
	}
	if !isDir && d.FileMode.set {
		r.mode = d.FileMode
	}
	if !d.Recurse.mode {
		r.mode = mode{}
	}
	return r
}

// giveAll gives their rights to all that inside found. What was replaced or went away meanwhile is refused; the
// rest still gets its rights.
func (d *directory) giveAll(ctx context.Context, all []found) error {
	if err := d.spot.enter(); err != nil {
		return err
	}
	defer d.spot.leave()
	dir, err := d.spot.openSame(d.old)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var first error
	refused := 0
	for _, f := range all {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := d.giveOne(dir, f); err != nil {
			refused++
			if first == nil {
				first = &fs.PathError{Op: "cannot change the rights of", Path: path.Join(d.Name, f.rel), Err: err}
			}
		}
	}
	if refused > 1 {
		first = fmt.Errorf("%w (and %d more)", first, refused-1)
	}
	return errors.Join(first, d.spot.host.Touched(dir, d.spot.real()))
}

func (d *directory) giveOne(dir int, f found) error {
	fd, err := openBelow(dir, f.rel)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	i := &info{}
	if err := unix.Fstat(fd, &i.Stat_t); err != nil {
		return err
	}
	if !i.isDir() && !i.isFile() && !i.isLink() || i.isLink() && !f.link {
		return errors.New("it is no file or directory any more")
	}
	return d.rightsInside(i.isDir()).givePath(fd)
}
