package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"

	"brine/states/module"
	"brine/states/value"
)

// A patchChange is what the patch makes of a file.
type patchChange struct {
	rel  string
	data []byte
	mode mode // set when it changes
	gone bool
}

// changes are those of the copies, in order of name.
func (p *patching) changes() (all []patchChange, err error) {
	left := map[string]bool{}
	err = filepath.WalkDir(p.tree(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(p.tree(), name)
		if err != nil {
			return err
		}
		left[rel] = true
		c, differs, err := p.compare(rel, name, d)
		if differs {
			all = append(all, c)
		}
		return err
	})
	for rel := range p.files {
		if !left[rel] {
			all = append(all, patchChange{rel: rel, gone: true})
		}
	}
	sort.Slice(all, func(i, k int) bool { return all[i].rel < all[k].rel })
	if err != nil {
		return nil, fmt.Errorf("cannot patch %s: %w", p.name, err)
	}
	return all, nil
}

func (p *patching) compare(rel, name string, d fs.DirEntry) (c patchChange, differs bool, err error) {
	i, err := d.Info()
	if err != nil {
		return c, false, err
	}
	if !i.Mode().IsRegular() {
		return c, false, fmt.Errorf("it makes %s, which is no file", rel)
	}
	c = patchChange{rel: rel}
	if c.data, err = os.ReadFile(name); err != nil {
		return c, false, err
	}
	old := p.files[rel]
	if old == nil {
		if i.Mode()&0o100 != 0 {
			c.mode = modeOf(0o755)
		}
		return c, true, nil
	}
	if i.Mode().Perm() != old.mode {
		c.mode = modeOf(uint32(i.Mode().Perm()))
	}
	return c, c.mode.set || !bytes.Equal(c.data, old.before), nil
}

// steps bring the changes to the files themselves, each in one step.
func (p *patching) steps(all []patchChange) (steps []module.Step) {
	for _, c := range all {
		shown, do := p.step(c)
		if p.base == "" || c.rel != p.base {
			shown = value.NewDict(p.path(c.rel), shown)
		}
		steps = append(steps, doing(shown, func(ctx context.Context) error {
			if err := do(ctx); err != nil {
				return fmt.Errorf("cannot patch %s: %w", p.path(c.rel), err)
			}
			return nil
		}))
	}
	return steps
}

// path is where a file lies that has this name among the copies.
func (p *patching) path(rel string) string {
	if p.base != "" {
		return path.Join(path.Dir(p.name), rel)
	}
	return path.Join(p.name, rel)
}

func (p *patching) step(c patchChange) (shown *value.Dict, do func(context.Context) error) {
	old := p.files[c.rel]
	r := anyone
	r.mode = c.mode
	switch {
	case c.gone:
		return value.NewDict("diff", "Removed"), func(ctx context.Context) error { return old.spot.removeSame(ctx, old.old) }
	case old == nil:
		return value.NewDict("diff", "New file"), func(ctx context.Context) error { return p.create(ctx, c, r) }
	}
	shown = &value.Dict{}
	if !bytes.Equal(old.before, c.data) {
		shown.Put("diff", old.difference(outcome{after: c.data}))
	}
	merge(shown, r.differences(old.old))
	return shown, func(ctx context.Context) error {
		if err := old.spot.unchanged(old.old); err != nil {
			return err
		}
		return old.write(ctx, outcome{after: c.data, rights: r})
	}
}

// create makes a file that was not there.
func (p *patching) create(ctx context.Context, c patchChange, r rights) error {
	s, err := find(p.host, p.path(c.rel), false)
	if err != nil {
		return err
	}
	defer s.leave()
	if i, err := s.look(); err != nil || i != nil {
		return errors.Join(err, errReplaced)
	}
	if err := s.makeDirs(anyone); err != nil {
		return err
	}
	s.final = module.AroundOf(ctx).Guarded
	return s.put(nil, r, func(w io.Writer) error {
		_, err := w.Write(c.data)
		return err
	})
}

// unchanged refuses what is not what old says any more.
func (s *spot) unchanged(old *info) error {
	if err := s.enter(); err != nil {
		return err
	}
	now, err := s.look()
	if err == nil && (now == nil || now.identity() != old.identity() || now.Mtim != old.Mtim || now.Size != old.Size) {
		err = errors.New("it changed meanwhile")
	}
	return err
}

// removeSame removes what old says is there.
func (s *spot) removeSame(ctx context.Context, old *info) error {
	if err := s.unchanged(old); err != nil {
		return err
	}
	return s.remove(ctx)
}
