package pkg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
	"brine/states/value"
)

type heldArgs struct {
	targets
	Replace bool `arg:"replace" doc:"let all other packages go that are on hold"`
}

type unheldArgs struct {
	targets
	All bool `arg:"all" doc:"let all packages go that are on hold"`
}

// A holding is packages to put on hold and to let go.
type holding struct{ hold, letGo []string }

func planHeld(ctx context.Context, h *host.Host, a heldArgs) (module.Plan, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	var todo holding
	var named, missing []string
	for _, w := range a.wants() {
		name := s.Canonical(w.name, l)
		named = append(named, name)
		switch p := l.Get(name); {
		case p.Held:
		case len(p.Versions) == 0 && s.HoldsInstalled():
			missing = append(missing, w.name)
		default:
			todo.hold = append(todo.hold, name)
		}
	}
	if len(missing) > 0 {
		return module.Plan{}, module.Unknown("cannot put packages on hold that are not installed: %s", strings.Join(missing, ", "))
	}
	if a.Replace {
		todo.letGo = others(l, named)
	}
	return todo.plan(s)
}

// others are the packages on hold that are not named.
func others(l *manager.List, named []string) (names []string) {
	for _, name := range l.Names() {
		if l.Get(name).Held && !slices.Contains(named, name) {
			names = append(names, name)
		}
	}
	return names
}

func planUnheld(ctx context.Context, h *host.Host, a unheldArgs) (module.Plan, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	var todo holding
	if a.All {
		todo.letGo = others(l, nil)
		return todo.plan(s)
	}
	for _, w := range a.wants() {
		if name := s.Canonical(w.name, l); l.Get(name).Held {
			todo.letGo = append(todo.letGo, name)
		}
	}
	return todo.plan(s)
}

func installed(ctx context.Context, h *host.Host) (*manager.System, *manager.List, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, nil, err
	}
	l, err := s.Installed(ctx)
	return s, l, err
}

func (x holding) plan(s *manager.System) (module.Plan, error) {
	p := module.Plan{Same: "No changes made"}
	if len(x.hold) > 0 {
		if err := s.CanHold(); err != nil {
			return p, module.Unknown("%w", err) // a state before this one may install what is missing
		}
	}
	var would, did []string
	for i, names := range [][]string{x.hold, x.letGo} {
		if len(names) == 0 {
			continue
		}
		on, word := i == 0, "held"
		if !on {
			word = "unheld"
		}
		changes := &value.Dict{}
		for _, name := range names {
			addHold(changes, name, on)
			would = append(would, fmt.Sprintf("The following package would be %s: %s", word, name))
			did = append(did, holdComment(name, on))
		}
		p.Steps = append(p.Steps, module.Step{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
			return module.Done{}, s.Hold(ctx, names, on)
		}})
	}
	p.Would, p.Did = strings.Join(would, "\n"), strings.Join(did, "\n")
	return p, nil
}
