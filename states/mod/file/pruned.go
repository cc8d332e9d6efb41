package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

type prunedArgs struct {
	Name    string `arg:"name,required" doc:"the absolute path of the directory"`
	Recurse bool   `arg:"recurse" doc:"remove the empty directories below it too, and what is empty then"`
	Ignore  bool   `arg:"ignore_errors" doc:"directories that are not empty stay, and are no mistake; recurse is meant too"`
	Older   int    `arg:"older_than" doc:"only directories whose last change is this many days ago"`
}

// CheckArgs implements module.Checker.
func (a *prunedArgs) CheckArgs() error {
	err := atPath("name", a.Name)
	if a.Older < 0 {
		err = errors.Join(err, fmt.Errorf("argument %q: want a number of days, got %d", "older_than", a.Older))
	}
	return err
}

// A pruning looks for directories that are empty, or are when those below are gone.
type pruning struct {
	ctx     context.Context
	host    *host.Host
	recurse bool
	before  time.Time // zero: whenever they changed
	goes    []goner   // what is below before what is above
	stays   []string  // the others
}

func newPruning(ctx context.Context, h *host.Host, recurse bool, days int) *pruning {
	p := &pruning{ctx: ctx, host: h, recurse: recurse}
	if days > 0 {
		p.before = time.Now().AddDate(0, 0, -days)
	}
	return p
}

// through looks at a directory, open as fd, and says whether it goes. At is where it is.
func (p *pruning) through(fd int, full string, at *spot, i *info) (bool, error) {
	empty := true
	err := eachIn(p.ctx, fd, full, func(name string, in *info) error {
		gone := false
		if in.isDir() && p.recurse {
			sub, err := unix.Openat(fd, name, dirOnly, 0)
			if err != nil {
				empty = false
				return nil // gone, or no directory any more, or not ours to enter
			}
			defer unix.Close(sub)
			below, err := spotIn(p.host, fd, path.Join(full, name), at.path(), name)
			if err != nil {
				return err
			}
			if gone, err = p.through(sub, path.Join(full, name), below, in); err != nil {
				return err
			}
		}
		empty = empty && gone
		return nil
	})
	if errors.Is(err, unix.EACCES) {
		empty, err = false, nil
	}
	if err != nil {
		return false, err
	}
	if young := !p.before.IsZero() && time.Unix(i.Mtim.Unix()).After(p.before); !empty || young {
		if !young {
			p.stays = append(p.stays, full)
		}
		return false, nil
	}
	p.goes = append(p.goes, goner{full, at, i})
	return true, nil
}

// remove removes what goes, each directory only when nothing is in it any more.
func (p *pruning) remove(ctx context.Context) (gone []string, err error) {
	for _, g := range p.goes {
		if err := context.Cause(ctx); err != nil {
			return gone, err
		}
		if err := g.rmdir(); err != nil {
			return gone, fmt.Errorf("cannot remove the directory %s: %w", g.full, err)
		}
		gone = append(gone, g.full)
	}
	return gone, nil
}

func (g *goner) rmdir() error {
	if err := g.spot.enter(); err != nil {
		return err
	}
	defer g.spot.leave()
	if err := g.spot.still(g.info); err != nil {
		return err
	}
	if err := unix.Unlinkat(g.spot.fd, g.spot.base, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	return g.spot.touched()
}

func (p *pruning) names() []string {
	var names []string
	for _, g := range p.goes {
		names = append(names, g.full)
	}
	slices.Sort(names)
	return names
}

func planPruned(ctx context.Context, h *host.Host, a prunedArgs) (plan module.Plan, err error) {
	plan.Same = fmt.Sprintf("Directory %s is not present", a.Name)
	s, i, err := toChange(ctx, h, a.Name, false)
	if isNothing(err) {
		return plan, nil
	}
	if err != nil {
		return plan, err
	}
	defer s.leave()
	if i == nil || !i.isDir() {
		return plan, nil
	}
	if s.path() == "/" {
		return plan, fmt.Errorf("cannot remove %q: it is the root directory", a.Name)
	}
	fd, err := s.openDir()
	if err != nil {
		return plan, err
	}
	defer unix.Close(fd)
	recurse := a.Recurse || a.Ignore
	p := newPruning(ctx, h, recurse, a.Older)
	if _, err := p.through(fd, path.Clean(a.Name), s, i); err != nil {
		return plan, err
	}
	if len(p.stays) > 0 && !a.Ignore {
		return plan, fmt.Errorf("cannot remove the directory %s: %s is not empty", a.Name, p.stays[0])
	}
	plan.Same = fmt.Sprintf("Directory %s has no directories to remove", a.Name)
	if len(p.goes) == 0 {
		return plan, nil
	}
	plan.Would = fmt.Sprintf("Directory %s is set for removal", a.Name)
	plan.Did = fmt.Sprintf("Removed directory %s", a.Name)
	var shown any = a.Name
	if recurse {
		plan.Did = fmt.Sprintf("Recursively removed empty directories under %s", a.Name)
		shown = listOf(p.names())
	}
	plan.Steps = []module.Step{{Changes: value.NewDict("deleted", shown), Do: func(ctx context.Context) (module.Done, error) {
		gone, err := p.remove(ctx)
		if err != nil && len(gone) > 0 {
			return module.Done{Changes: value.NewDict("deleted", listOf(gone))}, err
		}
		return module.Done{}, err
	}}}
	return plan, nil
}

func listOf(names []string) *value.List {
	list := &value.List{}
	for _, name := range names {
		list.Items = append(list.Items, name)
	}
	return list
}

type rmdirArgs struct {
	onePath
	Recurse bool `arg:"recurse" doc:"remove the empty directories below it too"`
	Verbose bool `arg:"verbose" doc:"return what was removed, what stays, and the result"`
	Older   int  `arg:"older_than" doc:"only directories whose last change is this many days ago"`
}

func rmdir(ctx context.Context, h *host.Host, a rmdirArgs) (any, error) {
	s, i, err := thereToChange(ctx, h, a.Path, false)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if !i.isDir() {
		return nil, fmt.Errorf("cannot remove the directory %s: it is a %s", a.Path, i.kind())
	}
	if s.path() == "/" {
		return nil, fmt.Errorf("cannot remove %q: it is the root directory", a.Path)
	}
	fd, err := s.openDir()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	p := newPruning(ctx, h, a.Recurse, a.Older)
	if _, err := p.through(fd, s.path(), s, i); err != nil {
		return nil, err
	}
	gone, err := p.remove(ctx)
	if err == nil && len(p.stays) > 0 && !a.Recurse {
		err = fmt.Errorf("cannot remove the directory %s: %w", a.Path, unix.ENOTEMPTY)
	}
	if err != nil && !a.Verbose {
		return nil, err
	}
	if !a.Verbose {
		return len(p.stays) == 0 && (a.Recurse || len(gone) > 0), nil
	}
	errs := &value.List{}
	for _, name := range p.stays {
		errs.Items = append(errs.Items, value.NewList(name, unix.ENOTEMPTY.Error()))
	}
	return value.NewDict("deleted", listOf(gone), "errors", errs, "result", err == nil && len(p.stays) == 0), nil
}
