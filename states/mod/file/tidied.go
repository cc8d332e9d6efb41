package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// A tidying is a file.tidied that looks.
type tidying struct {
	tidiedArgs
	ctx   context.Context
	host  *host.Host
	today time.Time
	seen  map[identity]bool // directories that were looked into
	goes  []goner
}

// A goner is what is to be removed.
type goner struct {
	full string
	spot *spot
	info *info
}

func planTidied(ctx context.Context, h *host.Host, a tidiedArgs) (module.Plan, error) {
	t := &tidying{tidiedArgs: a, ctx: ctx, host: h, today: dayOf(time.Now()), seen: map[identity]bool{}}
	plan := module.Plan{
		Same:  fmt.Sprintf("Nothing to remove from directory %s", a.Name),
		Would: fmt.Sprintf("%s is set for tidy", a.Name),
	}
	s, i, err := present(h, a.Name, true)
	if err == nil {
		defer s.leave()
	}
	var other *distrust
	switch {
	case errors.As(err, &other):
		return plan, fmt.Errorf("cannot tidy %s: %w", a.Name, err)
	case err != nil || !i.isDir():
		return plan, module.Unknown("%s does not exist or is not a directory.", a.Name)
	case s.path() == "/":
		return plan, fmt.Errorf("cannot tidy %q: it is the root directory", a.Name)
	}
	dir, err := s.openDir()
	if err != nil {
		return plan, err
	}
	defer unix.Close(dir)
	t.seen[i.identity()] = true
	if _, err := t.in(dir, path.Clean(a.Name), s.path(), uint64(i.Dev)); err != nil {
		return plan, fmt.Errorf("cannot tidy %s: %w", a.Name, err)
	}
	if len(t.goes) == 0 {
		return plan, nil
	}
	plan.Did = fmt.Sprintf("Removed %d files or directories from directory %s", len(t.goes), a.Name)
	plan.Steps = []module.Step{{Changes: removed(t.goes), Do: t.remove}}
	return plan, nil
}

func removed(goes []goner) *value.Dict {
	list := &value.List{}
	for _, g := range goes {
		list.Items = append(list.Items, g.full)
	}
	return value.NewDict("removed", list)
}

func dayOf(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC) // each day has 24 hours there
}

// in looks at what is in an open directory of a device, and says whether all of it may go. Real is its name without links.
func (t *tidying) in(fd int, full, real string, dev uint64) (all bool, err error) {
	all = true
	err = eachIn(t.ctx, fd, full, func(name string, i *info) error {
		goes, err := t.one(fd, name, path.Join(full, name), real, dev, i)
		all = all && goes
		return err
	})
	if errors.Is(err, unix.EACCES) { // what can't be looked at stays
		return false, nil
	}
	return all, err
}

// one looks at one name, and says whether it may go with the directory that it is in. When it goes by itself it is noted.
func (t *tidying) one(fd int, name, full, real string, dev uint64, i *info) (may bool, err error) {
	before := len(t.goes)
	below := true
	if i.isDir() {
		below, err = t.below(fd, name, full, path.Join(real, name), i)
	} else if i.isLink() && t.Follow {
		err = t.follow(full)
	}
	if err != nil {
		return false, err
	}
	shown := name
	if t.FullPath {
		shown = full
	}
	excluded, err1 := t.Exclude.fit(shown)
	fits, err2 := t.Matches.fit(shown)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	may = below && !excluded && t.due(i) && (t.Links || !i.isLink()) && sameMount(fd, name, i, dev)
	if may && (fits || t.Matches == nil) && (t.Dirs || !i.isDir()) {
		if i.isDir() {
			t.goes = t.goes[:before] // it stands for all in it
		}
		return true, t.note(fd, name, full, real, i)
	}
	return may, nil
}

func (t *tidying) below(fd int, name, full, real string, i *info) (bool, error) {
	if t.seen[i.identity()] {
		return false, nil // a link led here before
	}
	t.seen[i.identity()] = true
	sub, err := unix.Openat(fd, name, dirOnly, 0)
	if err != nil {
		return false, nil // gone, or no directory any more, or not ours to enter
	}
	defer unix.Close(sub)
	return t.in(sub, full, real, uint64(i.Dev))
}

// follow looks into the directory that a link leads to. It may go with the link no more than any other.
func (t *tidying) follow(full string) error {
	s, i, err := toChange(t.ctx, t.host, full, true)
	if err != nil {
		return nil // it leads nowhere, or to what is another's
	}
	defer s.leave()
	if i == nil || !i.isDir() || t.seen[i.identity()] {
		return nil
	}
	t.seen[i.identity()] = true
	dir, err := s.openDir()
	if err != nil {
		return nil // gone, or not ours to enter
	}
	defer unix.Close(dir)
	_, err = t.in(dir, full, s.path(), uint64(i.Dev))
	return err
}

// due says whether something is old or large enough. What has no size, such as a directory, is never large.
func (t *tidying) due(i *info) bool {
	byAge, bySize := t.Age != nil && t.Only != "size", t.Size != nil && t.Only != "age"
	old := byAge && int(t.today.Sub(dayOf(t.Time.of(i))).Hours()/24) >= *t.Age
	large := bySize && i.isFile() && i.Size >= int64(*t.Size)
	switch {
	case !byAge && !bySize:
		return true
	case byAge && bySize && t.Operator.and:
		return old && large
	}
	return old || large
}

// note keeps what goes, by the directory in which it was seen, whatever its name leads to meanwhile.
func (t *tidying) note(fd int, name, full, real string, i *info) error {
	s, err := spotIn(t.host, fd, full, real, name)
	if err == nil {
		t.goes = append(t.goes, goner{full, s, i})
	}
	return err
}

// spotIn is the spot of a name in an open directory, whose own name without links is dir. It is left already.
func spotIn(h *host.Host, fd int, given, dir, name string) (*spot, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "cannot stat", Path: dir, Err: err}
	}
	return &spot{host: h, given: given, dir: dir, base: name, fd: -1, id: identity{uint64(st.Dev), st.Ino}}, nil
}

// remove removes what goes. What went away or was replaced meanwhile is left alone, and what can't be removed does not
// keep the rest.
func (t *tidying) remove(ctx context.Context) (done module.Done, err error) {
	var gone []goner
	var errs []error
	for _, g := range t.goes {
		if err := context.Cause(ctx); err != nil {
			errs = append(errs, err)
			break
		}
		switch err := g.remove(ctx); {
		case err == nil:
			gone = append(gone, g)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errReplaced):
			errs = append(errs, err)
		}
	}
	if len(errs) > 1 {
		errs = []error{fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)}
	}
	done = module.Done{Changes: removed(gone)}
	if len(gone) == 0 {
		done.Changes = &value.Dict{}
	}
	if len(gone) < len(t.goes) {
		done.Comment = fmt.Sprintf("Removed %d of %d files or directories from directory %s", len(gone), len(t.goes), t.Name)
	}
	return done, errors.Join(errs...)
}

func (g *goner) remove(ctx context.Context) error {
	if err := g.spot.enter(); err != nil {
		return err
	}
	defer g.spot.leave()
	if err := g.spot.still(g.info); err != nil {
		return err
	}
	return g.spot.remove(ctx)
}
