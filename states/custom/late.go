package custom

import (
	"context"
	"fmt"
	"os"
	"slices"

	"brine/states/host"
	"brine/states/module"
)

// Late returns the modules that a job has beside the built-in ones of x: those of its tree, and those that were synced
// before and that the tree does not have. They are read, and asked what is in them, when something of them is used,
// within ctx. What has the name of a built-in module is told to ignored, and can't be used: a job means the same on every
// minion, whatever its tree brings along.
func (s *Store) Late(ctx context.Context, files host.Files, x *module.Index, ignored func(error)) ([]module.Late, error) {
	var all []module.Late
	add := func(f File, open func() (*program, error)) {
		if err := Shadowed(f, x); err != nil {
			ignored(err)
			open = func() (*program, error) { return nil, err }
		}
		all = append(all, module.Late{Name: f.Name, States: f.Kind == States, Load: func() (module.Module, error) {
			p, err := open()
			if err != nil {
				return module.Module{}, err
			}
			return p.module(ctx)
		}})
	}
	for _, kind := range []Kind{Modules, States} {
		found, err := list(ctx, files, kind, "")
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			add(f, func() (*program, error) { return s.fetch(ctx, files, f) })
		}
	}
	synced, err := s.synced()
	if err != nil {
		ignored(err)
	}
	for _, e := range synced {
		if e.Kind != Grains {
			add(e.file(), func() (*program, error) { return s.kept(e) })
		}
	}
	return all, nil
}

// kept is an executable that was synced.
func (s *Store) kept(e entry) (*program, error) {
	p := &program{File: e.file(), store: s, sum: e.SHA256}
	if _, err := p.verify(); err != nil {
		return nil, fmt.Errorf("cannot use %s, which was synced: %w (saltutil.sync_all fetches it again)", p.URL(), err)
	}
	return p, nil
}

// Shadowed is the error of a file that has the name of a built-in module; nil for others.
func Shadowed(f File, x *module.Index) error {
	names := x.Modules()
	if f.Kind == States {
		names = x.StateModules()
	}
	if f.Kind == Grains || !slices.Contains(names, f.Name) {
		return nil
	}
	return fmt.Errorf("cannot use %s: there is a built-in module %q, which stands: rename the file, such as to %s/my_%s",
		f.URL(), f.Name, f.Kind.Dir(), f.base())
}

// Temporary makes a store that remove removes, for one run.
func Temporary(exec host.Exec) (s *Store, remove func(), err error) {
	dir, err := os.MkdirTemp("", "brine-custom-")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a directory for executables: %w", err)
	}
	return NewStore(dir, exec), func() { _ = os.RemoveAll(dir) }, nil
}
