package pkg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
	"brine/states/value"
)

type removedArgs struct {
	targets
	Normalize   bool          `arg:"normalize" default:"true" doc:"accepted: a name with the host's own architecture always is the name without it"`
	IgnoreEpoch *bool         `arg:"ignore_epoch" doc:"compare versions without their epoch; absent: where the wanted one has none"`
	LockTimeout time.Duration `arg:"lock_timeout" default:"600" doc:"how long to wait while another process holds the lock of the package manager"`
}

// CheckArgs implements module.Checker.
func (a *removedArgs) CheckArgs() error { return a.check() }

// A removal is packages that are to go.
type removal struct {
	system *manager.System
	judge  judge
	wants  []want
	purge  bool
	limit  time.Duration
	names  []string // of wants, those that are there
	absent []string
}

func planRemoved(ctx context.Context, h *host.Host, a removedArgs) (module.Plan, error) {
	return planRemoval(ctx, h, a, false)
}

func planPurged(ctx context.Context, h *host.Host, a removedArgs) (module.Plan, error) {
	return planRemoval(ctx, h, a, true)
}

func planRemoval(ctx context.Context, h *host.Host, a removedArgs, purge bool) (module.Plan, error) {
	s, err := manager.Of(h)
	if err != nil {
		return module.Plan{}, err
	}
	r := &removal{
		system: s, judge: judge{compare: s.Compare, ignoreEpoch: a.IgnoreEpoch}, wants: a.wants(), purge: purge, limit: a.LockTimeout,
	}
	if err := r.look(ctx); err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Same: r.same()}
	if len(r.names) == 0 {
		return p, nil
	}
	guess := &value.Dict{}
	for _, name := range r.names {
		guess.Put(name, value.NewDict("old", "", "new", r.verb()))
	}
	key := fmt.Sprint(purge)
	p.Writes = []string{"/usr"}
	p.Steps = []module.Step{module.Joint(key, r, guess, remove)}
	p.Foretell = r.foretell
	return p, nil
}

// verb is what becomes of the packages: removed or purged.
func (r *removal) verb() string {
	if r.purge {
		return "purged"
	}
	return "removed"
}

func (r *removal) same() string {
	switch {
	case r.purge:
		return "None of the targeted packages are installed or partially installed"
	case slices.ContainsFunc(r.wants, func(w want) bool { return w.version != "" }):
		return "All specified packages (matching specified versions) are already absent"
	}
	return "All specified packages are already absent"
}

// there says whether something of a package is to go.
func (r *removal) there(p manager.Package, w want) bool {
	return r.judge.met(p, w.version) || p.Broken != "" || r.purge && p.Config != ""
}

// look finds the packages that are there.
func (r *removal) look(ctx context.Context) error {
	l, err := r.system.Installed(ctx)
	if err != nil {
		return err
	}
	r.names, r.absent = nil, nil
	for _, w := range r.wants {
		name := r.system.Canonical(w.name, l)
		p := l.Get(name)
		if r.there(p, w) {
			r.names = append(r.names, name)
		} else {
			r.absent = append(r.absent, w.name)
		}
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	return nil
}

// remove removes what several removals name in one transaction.
func remove(ctx context.Context, all []*removal) ([]module.Done, error) {
	dones := make([]module.Done, len(all))
	s := all[0].system
	before, err := s.Installed(ctx)
	if err != nil {
		return dones, err
	}
	_, failure := s.Apply(ctx, all[0].transaction(all))
	after, err := s.Installed(context.WithoutCancel(ctx))
	if err != nil {
		return dones, errors.Join(failure, err)
	}
	var errs []error
	for i, r := range all {
		done, err := r.conclude(i == 0, all, before, after, failure)
		if err == nil || len(all) == 1 {
			dones[i] = done
		}
		errs = append(errs, err)
	}
	return dones, errors.Join(errs...)
}

func (r *removal) transaction(all []*removal) manager.Transaction {
	var names []string
	for _, r := range all {
		names = append(names, r.names...)
	}
	slices.Sort(names)
	t := manager.Transaction{Remove: slices.Compact(names), Purge: r.purge}
	t.LockTimeout = r.limit
	return t
}

// conclude looks at what became of one removal.
func (r *removal) conclude(first bool, all []*removal, before, after *manager.List, failure error) (module.Done, error) {
	others := func(c manager.Change) bool {
		for _, x := range all {
			if slices.Contains(x.names, c.Name) {
				return x != r
			}
		}
		return !first
	}
	done := module.Done{Changes: r.told(
		slices.DeleteFunc(r.broken(before, after, manager.Difference(before, after)), others),
		slices.DeleteFunc(manager.ConfigDifference(before, after), others))}
	var left []string
	for _, w := range r.wants {
		p := after.Get(r.system.Canonical(w.name, after))
		if slices.Contains(r.names, r.system.Canonical(w.name, after)) && r.there(p, w) {
			left = append(left, w.name)
		}
	}
	if len(left) > 0 {
		if changes := done.Changes; r.purge && r.system.LeavesConfig() && !anything(changes) {
			done.Changes = nil // two empty parts would count as a change
		}
		if said := r.system.Said(); failure == nil && said != "" {
			failure = errors.New(said)
		}
		return done, errors.Join(errors.New(r.failed(left)), failure)
	}
	done.Comment = fmt.Sprintf("All targeted packages were %s.", r.verb())
	if len(r.absent) > 0 {
		done.Comment = fmt.Sprintf("The following packages were not installed: %s The following packages were %s: %s.",
			strings.Join(r.absent, ", "), r.verb(), strings.Join(r.names, ", "))
	}
	if failure != nil {
		done.Comment += "\nThe transaction ended with an error of other packages: " + manager.Brief(failure)
	}
	return done, nil
}

// broken adds the packages that were not set up whole and are gone.
func (r *removal) broken(before, after *manager.List, changes manager.Changes) manager.Changes {
	for _, name := range r.names {
		if old := before.Get(name).Broken; old != "" && after.Get(name).Broken == "" {
			changes = changes.With(manager.Change{Name: name, Old: old})
		}
	}
	return changes
}

func (r *removal) failed(names []string) string {
	return fmt.Sprintf("The following packages failed to %s: %s.", strings.TrimSuffix(r.verb(), "d"), strings.Join(names, ", "))
}

// told is the changes as results tell them: where configuration can be left behind, a purge tells it apart.
func (r *removal) told(installed, config manager.Changes) *value.Dict {
	if r.purge && r.system.LeavesConfig() {
		return value.NewDict("installed", installed.Dict(), "removed", config.Dict())
	}
	return installed.Dict()
}

// anything says whether one of the parts of a purge's changes has something in it.
func anything(changes *value.Dict) bool {
	for _, part := range changes.All() {
		if d, ok := part.(*value.Dict); ok && d.Len() > 0 {
			return true
		}
	}
	return false
}

func (r *removal) foretell(ctx context.Context) (module.Done, error) {
	changes, err := r.system.Foresee(ctx, r.transaction([]*removal{r}))
	if err != nil {
		return module.Done{}, fmt.Errorf("cannot remove %s: %w", strings.Join(r.names, ", "), err)
	}
	l, err := r.system.Installed(ctx)
	if err != nil {
		return module.Done{}, err
	}
	changes = r.broken(l, &manager.List{}, changes)
	var config manager.Changes
	for _, name := range r.names {
		if c := l.Get(name).Config; c != "" {
			config = config.With(manager.Change{Name: name, Old: c})
		}
	}
	return module.Done{
		Changes: r.told(changes, config),
		Comment: fmt.Sprintf("The following packages will be %s: %s.", r.verb(), strings.Join(r.names, ", ")),
	}, nil
}
