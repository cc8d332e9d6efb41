package pkg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
	"brine/states/value"
)

type uptodateArgs struct {
	Name    string `arg:"name,required" doc:"what the state is called"`
	Refresh bool   `arg:"refresh" doc:"bring what is known of repositories up to date first, once in a run"`
	Pkgs    wants  `arg:"pkgs" doc:"only these packages"`
	Full    bool   `arg:"dist_upgrade" doc:"also install and remove what upgrades need (apt)"`
	repoOptions
	UpdateHolds bool `arg:"update_holds" doc:"change packages on hold too, and keep the hold"`
	NewConf     bool `arg:"force_conf_new" doc:"configuration files of packages replace those that were changed by hand (apt)"`
}

// An upgrade is of everything, or of some packages.
type upgrade struct {
	system  *manager.System
	only    []string // nil is everything
	full    bool
	refresh bool
	options manager.Options
}

const current = "System is already up-to-date"

func planUptodate(ctx context.Context, h *host.Host, a uptodateArgs) (module.Plan, error) {
	p := module.Plan{Same: current, Would: "System update will be performed", Did: current}
	s, l, err := installed(ctx, h)
	if err != nil {
		return p, err
	}
	u := &upgrade{system: s, full: a.Full, refresh: a.Refresh, options: a.options()}
	u.options.NewConf, u.options.Held = a.NewConf, a.UpdateHolds
	if a.Pkgs.given {
		u.only = []string{}
		for _, w := range a.Pkgs.all {
			u.only = append(u.only, s.Canonical(w.name, l))
		}
	}
	p.Foretell = func(ctx context.Context) (module.Done, error) {
		changes, err := u.due(ctx)
		return module.Done{Changes: changes.Dict(), Comment: told(changes)}, err
	}
	if !a.Refresh || s.Refreshed() {
		if changes, err := u.due(ctx); err != nil || len(changes) == 0 {
			return p, err
		}
	}
	p.Writes = []string{"/usr"}
	p.Steps = []module.Step{{Changes: value.NewDict(), Do: u.do}}
	return p, nil
}

func told(changes manager.Changes) string {
	if len(changes) == 0 {
		return current
	}
	return "System update will be performed"
}

// due is what an upgrade would change now.
func (u *upgrade) due(ctx context.Context) (manager.Changes, error) {
	changes, err := u.system.Upgrades(ctx, u.options, u.full)
	if err != nil || u.only == nil {
		return changes, err
	}
	return slices.DeleteFunc(changes, func(c manager.Change) bool { return !slices.Contains(u.only, c.Name) }), nil
}

func (u *upgrade) do(ctx context.Context) (module.Done, error) {
	if u.refresh {
		if err := u.system.RefreshOnce(ctx, manager.Refresh{LockTimeout: u.options.LockTimeout}); err != nil {
			return module.Done{}, err
		}
	}
	due, err := u.due(ctx)
	if err != nil || len(due) == 0 {
		return module.Done{Changes: &value.Dict{}, Comment: current}, err
	}
	t := manager.Transaction{Upgrade: true, Full: u.full, Options: u.options}
	if u.only != nil {
		t.Upgrade, t.OnlyUpgrade = false, true
		for _, c := range due {
			t.Install = append(t.Install, manager.Want{Name: c.Name})
		}
	}
	changes, err := u.system.Apply(ctx, t)
	done := module.Done{Changes: changes.Dict(), Comment: "Upgrade ran successfully"}
	if err != nil {
		return done, fmt.Errorf("cannot upgrade: %w", err)
	}
	left, err := u.due(ctx)
	if err != nil {
		return done, err
	}
	return done, u.failed(due, left)
}

// failed is the error of packages that should have changed and still would.
func (u *upgrade) failed(due, left manager.Changes) error {
	var names []string
	for _, c := range left {
		if _, was := due.Get(c.Name); was {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return errors.New("The following package(s) failed to update: " + strings.Join(names, ", "))
}
