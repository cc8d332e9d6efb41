package pkg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
)

// A request is what a state or function wants installed.
type request struct {
	host   *host.Host
	system *manager.System
	wants  []want
	refreshOptions
	options     manager.Options
	judge       judge
	reinstall   bool
	verify      verification
	latest      bool // of pkg.latest
	updateHolds bool
	hold        *bool // hold what is installed, or let it go; nil leaves that
	warnings    []string
	debconf     string // file of answers to questions of the packages
	foretelling bool   // nothing is changed, the repositories are not refreshed either

	later     []string // what the repositories have not got, as they were before the refresh that is to come
	sure      bool     // what repositories have is known as well as it will be
	temporary []string // directories of fetched packages
}

// A task is what of a request has to be done.
type task struct {
	todo  []want // packages that are not there, or not as wanted
	again []want // packages to install again
	kept  []want
}

// look finds out what has to be done, as far as what is installed tells.
func (r *request) look(ctx context.Context) (t task, err error) {
	l, err := r.system.Installed(ctx)
	if err != nil {
		return t, err
	}
	for _, w := range r.wants {
		p, err := r.find(ctx, l, w.name)
		switch {
		case err != nil:
			return t, err
		case len(p.Versions) == 0 && r.options.OnlyUpgrade:
			t.kept = append(t.kept, w)
		case len(p.Versions) == 0:
			t.todo = append(t.todo, w)
		case r.reinstall:
			t.again = append(t.again, w)
		default:
			if err := r.weigh(ctx, l, p, w, &t); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// weigh decides what has to be done with a package that is there.
func (r *request) weigh(ctx context.Context, l *manager.List, p manager.Package, w want, t *task) error {
	ok, err := r.fine(ctx, l, p, w)
	if err != nil {
		return err
	}
	if !ok {
		t.todo = append(t.todo, w)
		return nil
	}
	intact, err := r.intact(ctx, w.name)
	if intact {
		t.kept = append(t.kept, w)
	} else {
		t.again = append(t.again, w)
	}
	return err
}

// find finds a package by its name, or by what it provides.
func (r *request) find(ctx context.Context, l *manager.List, name string) (manager.Package, error) {
	p := l.Get(r.system.Canonical(name, l))
	if len(p.Versions) > 0 {
		return p, nil
	}
	by, err := r.system.Provider(ctx, name)
	if by == "" || err != nil {
		return p, err
	}
	return l.Get(by), nil
}

// fine says whether an installed package will do.
func (r *request) fine(ctx context.Context, l *manager.List, p manager.Package, w want) (bool, error) {
	switch {
	case w.source != "":
		_, version, err := r.inspect(ctx, w)
		if err != nil {
			return false, err
		}
		return r.judge.met(p, spec(version)), nil
	case w.version == latest && r.undecided():
		return true, nil
	case w.version == latest:
		name := r.system.Canonical(w.name, l)
		known, err := r.system.Available(ctx, []string{name}, r.options)
		if err != nil {
			return false, err
		}
		return !r.newer(known[name].Candidate, p), nil
	}
	return r.judge.met(p, w.version), nil
}

// undecided says that a refresh is still to come, before which no one knows what is newest.
func (r *request) undecided() bool { return !r.sure && r.pending(r.system) }

// newer says whether a version is newer than all installed ones.
func (r *request) newer(version string, p manager.Package) bool {
	return version != "" && !slices.ContainsFunc(p.Versions, func(have string) bool {
		return r.judge.compare(have, version) >= 0
	})
}

// transaction makes the transaction of several requests with the same options. The errors are of those that cannot be
// done, in their order.
func transaction(ctx context.Context, requests []*request, tasks []task) (manager.Transaction, []error) {
	r := requests[0]
	t := manager.Transaction{Options: r.options}
	errs := make([]error, len(requests))
	l, err := r.system.Installed(ctx)
	var known map[string]manager.Versions
	if err == nil {
		known, err = r.system.Available(ctx, r.repositoryNames(l, tasks), r.options)
	}
	for i, x := range requests {
		if err != nil {
			errs[i] = err
			continue
		}
		one := manager.Transaction{}
		if errs[i] = x.resolve(ctx, tasks[i], l, known, &one); errs[i] == nil {
			t.Install, t.Downgrade = append(t.Install, one.Install...), append(t.Downgrade, one.Downgrade...)
			t.Reinstall = append(t.Reinstall, one.Reinstall...)
			t.Held = t.Held || x.changesHeld()
		}
	}
	t.Install, t.Downgrade, t.Reinstall = once(t.Install), once(t.Downgrade), once(t.Reinstall)
	return t, errs
}

func once(wants []manager.Want) []manager.Want {
	var all []manager.Want
	for _, w := range wants {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}

// repositoryNames are the packages that come from repositories.
func (r *request) repositoryNames(l *manager.List, tasks []task) []string {
	all := map[string]bool{}
	for _, t := range tasks {
		for _, w := range slices.Concat(t.todo, t.again) {
			if w.source == "" {
				all[r.system.Canonical(w.name, l)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// changesHeld says whether packages on hold may be changed: the state says so, or says itself whether they are on hold.
func (r *request) changesHeld() bool { return r.updateHolds || r.hold != nil }

// resolve adds to a transaction what a request wants. It finds everything that is wrong at once.
func (r *request) resolve(
	ctx context.Context, t task, l *manager.List, known map[string]manager.Versions, into *manager.Transaction,
) error {
	var unknown, held []string
	var errs []error
	missing := func(err error) {
		if r.foretelling && r.pending(r.system) {
			r.later = append(r.later, err.Error())
		} else {
			errs = append(errs, err)
		}
	}
	for _, w := range slices.Concat(t.todo, t.again) {
		name := r.system.Canonical(w.name, l)
		p := l.Get(name)
		if p.Held && !r.changesHeld() {
			at := "not installed"
			if len(p.Versions) > 0 {
				at = "at " + p.Version()
			}
			held = append(held, fmt.Sprintf("%s (%s)", w.name, at))
			continue
		}
		x := manager.Want{Name: name}
		switch v := known[name]; {
		case w.source != "":
			file, err := r.local(ctx, w)
			errs = append(errs, err)
			x.File = file
		case !v.Known:
			unknown = append(unknown, w.name)
			continue
		case w.version != "" && w.version != latest:
			if x.Version = r.judge.pick(v.All, w.version); x.Version == "" {
				missing(noVersion(w, v.All))
				continue
			}
		}
		if w.version == latest && len(p.Versions) > 0 {
			x.Version = known[name].Candidate
		}
		r.place(x, p, slices.Contains(t.again, w), into)
	}
	if len(unknown) > 0 {
		missing(module.Unknown("cannot find the packages %s (%s): check the names, or add the repository that has them",
			strings.Join(unknown, ", "), r.system.Repositories()))
	}
	if len(held) > 0 {
		errs = append(errs, fmt.Errorf("cannot change packages on hold: %s (update_holds: true changes them and keeps the hold)",
			strings.Join(held, ", ")))
	}
	return errors.Join(errs...)
}

func noVersion(w want, all []string) error {
	if len(all) == 0 {
		return module.Unknown("cannot find %s in version %s: no repository has the package", w.name, w.version)
	}
	const most = 10
	more := ""
	if len(all) > most {
		all, more = all[:most], ", ..."
	}
	return module.Unknown("cannot find %s in version %s: repositories have %s%s", w.name, w.version, strings.Join(all, ", "), more)
}

func (r *request) place(x manager.Want, p manager.Package, again bool, into *manager.Transaction) {
	switch {
	case again:
		if x.Version == "" && x.File == "" {
			x.Version = p.Versions[len(p.Versions)-1]
		}
		into.Reinstall = append(into.Reinstall, x)
	case x.Version != "" && len(p.Versions) > 0 && !r.newer(x.Version, p):
		into.Downgrade = append(into.Downgrade, x)
	default:
		into.Install = append(into.Install, x)
	}
}
