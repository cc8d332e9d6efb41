package custom

import (
	"context"
	"errors"
	"fmt"
	"os"

	"brine/states/host"
	"brine/states/module"
)

// A Problem is what is wrong with a file of a tree, or not known of it.
type Problem struct {
	Path    string
	Err     error
	Mistake bool // else a warning
}

// Offline returns the modules that a tree brings along where no minion is, and what is wrong with its files. In s the
// executables are asked what is in them; where it is nil none is run, and of those that may be in order nothing is known.
func Offline(ctx context.Context, files host.Files, x *module.Index, s *Store) (late []module.Late, told []Problem, err error) {
	for _, kind := range Kinds() {
		found, err := list(ctx, files, kind, "")
		if err != nil {
			return nil, nil, err
		}
		for _, f := range found {
			l, p := offline(ctx, files, x, s, f)
			if kind != Grains {
				late = append(late, l)
			}
			if p != nil {
				told = append(told, *p)
			}
		}
	}
	return late, told, nil
}

func offline(ctx context.Context, files host.Files, x *module.Index, s *Store, f File) (module.Late, *Problem) {
	l := module.Late{Name: f.Name, States: f.Kind == States}
	forSalt, err := inOrder(ctx, files, x, f)
	switch {
	case err == nil && f.Kind == Grains:
		return l, nil
	case err == nil && s == nil:
		l.Open = true
		return l, &Problem{Path: f.Path, Err: fmt.Errorf("what is in %s is not known here: what uses it is not checked (brine states lint --describe runs it to ask)", f.URL())}
	}
	var m module.Module
	if err == nil {
		var p *program
		if p, err = s.fetch(ctx, files, f); err == nil {
			m, err = p.module(ctx)
		}
	}
	l.Load = func() (module.Module, error) { return m, err }
	if err == nil {
		return l, nil
	}
	return l, &Problem{Path: f.Path, Err: err, Mistake: !forSalt}
}

// inOrder says what is wrong with a file as far as it can be seen without running it, and whether it is one for Salt:
// that is no mistake in a tree that Salt reads too.
func inOrder(ctx context.Context, files host.Files, x *module.Index, f File) (forSalt bool, wrong error) {
	st, err := files.Stat(ctx, f.source())
	if err != nil {
		return false, err
	}
	local, err := files.Fetch(ctx, f.source())
	if err != nil {
		return false, err
	}
	content, err := os.ReadFile(local)
	if err != nil {
		return false, err
	}
	wrong = f.check(content, st.Mode&0o111 != 0)
	forSalt = errors.As(wrong, new(*saltOnly))
	if err := Shadowed(f, x); err != nil {
		wrong = err
	}
	return forSalt, wrong
}
