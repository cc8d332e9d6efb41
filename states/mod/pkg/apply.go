package pkg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/debconf"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
	"brine/states/value"
)

// apply does several requests with the same options in one transaction. What each did is in its place; one without
// changes could not be done, or not be told from others that could not.
func apply(ctx context.Context, requests []*request) (dones []module.Done, err error) {
	r := requests[0]
	dones = make([]module.Done, len(requests))
	tasks, err := tasksOf(ctx, requests)
	if err != nil {
		return dones, err
	}
	defer func() {
		for _, x := range requests {
			err = errors.Join(err, x.done())
		}
	}()
	t, errs := transaction(ctx, requests, tasks)
	changes := manager.Changes{}
	if len(t.Install)+len(t.Downgrade)+len(t.Reinstall) > 0 {
		if err = answer(ctx, requests, tasks, debconf.SetFile); err == nil {
			changes, err = r.carryOut(ctx, t)
		}
		if err != nil {
			err = fmt.Errorf("cannot install %s: %w", listed(t), err)
		}
	}
	shares := share(ctx, requests, tasks, changes)
	for i, x := range requests {
		if errs[i] == nil {
			dones[i], errs[i] = x.conclude(ctx, tasks[i], shares[i], err)
		}
	}
	return apart(dones, errs), errors.Join(errs...)
}

// answer has debconf know the answers to what packages would ask, where something of theirs is to be installed.
func answer(ctx context.Context, requests []*request, tasks []task, how func(context.Context, *host.Host, string) error) error {
	for i, x := range requests {
		family, _ := x.host.Grains.Get("os_family")
		if x.debconf == "" || family != "Debian" || len(tasks[i].todo)+len(tasks[i].again) == 0 {
			continue
		}
		if err := how(ctx, x.host, x.debconf); err != nil {
			return err
		}
	}
	return nil
}

// apart leaves the changes of requests that failed together with others to one that did not: those that failed are done
// again by themselves, and must not be taken for done.
func apart(dones []module.Done, errs []error) []module.Done {
	ok := slices.Index(errs, nil)
	if len(dones) == 1 {
		return dones
	}
	for i := range dones {
		if errs[i] == nil {
			continue
		}
		if ok >= 0 {
			for name, change := range dones[i].Changes.All() {
				dones[ok].Changes.Put(name.(string), change)
			}
		}
		dones[i] = module.Done{}
	}
	return dones
}

// tasksOf refreshes when something has to be fetched and a request wants that, and finds out what has to be done.
func tasksOf(ctx context.Context, requests []*request) ([]task, error) {
	tasks := make([]task, len(requests))
	for _, refreshed := range []bool{false, true} {
		if refreshed {
			did, err := refresh(ctx, requests, tasks)
			if !did || err != nil {
				return tasks, err
			}
		}
		for i, x := range requests {
			x.sure = refreshed
			var err error
			if tasks[i], err = x.look(ctx); err != nil {
				return tasks, err
			}
		}
	}
	return tasks, nil
}

func refresh(ctx context.Context, requests []*request, tasks []task) (bool, error) {
	for i, x := range requests {
		fetches := len(tasks[i].todo)+len(tasks[i].again) > 0 || x.wantsLatest()
		if !fetches || !x.wanted() || x.system.Refreshed() {
			continue
		}
		return true, x.system.RefreshOnce(ctx, manager.Refresh{ValidFor: x.ValidFor, LockTimeout: x.options.LockTimeout})
	}
	return false, nil
}

// wantsLatest says whether what is installed does not tell if it will do.
func (r *request) wantsLatest() bool {
	return slices.ContainsFunc(r.wants, func(w want) bool { return w.version == latest })
}

// carryOut does the transaction and puts packages on hold again that were.
func (r *request) carryOut(ctx context.Context, t manager.Transaction) (manager.Changes, error) {
	before, err := r.system.Installed(ctx)
	if err != nil {
		return nil, err
	}
	changes, err := r.system.Apply(ctx, t)
	if t.Held {
		err = errors.Join(err, r.holdAgain(ctx, before))
	}
	for _, w := range t.Reinstall {
		name := r.system.Canonical(w.Name, before)
		if _, changed := changes.Get(name); !changed && err == nil {
			version := before.Get(name).Version()
			changes = changes.With(manager.Change{Name: name, Old: version, New: version})
		}
	}
	return changes, err
}

// holdAgain holds packages that were on hold before the transaction let them go.
func (r *request) holdAgain(ctx context.Context, before *manager.List) error {
	after, err := r.system.Installed(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	var names []string
	for _, name := range before.Names() {
		if before.Get(name).Held && !after.Get(name).Held && after.Has(name) {
			names = append(names, name)
		}
	}
	return r.system.Hold(context.WithoutCancel(ctx), names, true)
}

func listed(t manager.Transaction) string {
	var all []string
	for _, wants := range [][]manager.Want{t.Install, t.Downgrade, t.Reinstall} {
		for _, w := range wants {
			if w.Version != "" {
				w.Name += "=" + w.Version
			}
			all = append(all, w.Name)
		}
	}
	return strings.Join(all, ", ")
}

// share gives each request the changes of its own packages; the first that has something to do also those that are no
// one's own, such as what its packages depend on.
func share(ctx context.Context, requests []*request, tasks []task, changes manager.Changes) []manager.Changes {
	shares := make([]manager.Changes, len(requests))
	owners := map[string]int{}
	rest := -1
	for i, x := range requests {
		if rest < 0 && len(tasks[i].todo)+len(tasks[i].again) > 0 {
			rest = i
		}
		for _, name := range x.names(ctx) {
			if _, taken := owners[name]; !taken {
				owners[name] = i
			}
		}
	}
	for _, c := range changes {
		i, own := owners[c.Name]
		if !own {
			i = max(rest, 0)
		}
		shares[i] = append(shares[i], c)
	}
	return shares
}

// names are those of the request's packages; of what only others provide, the name of the one that does.
func (r *request) names(ctx context.Context) (names []string) {
	l, err := r.system.Installed(ctx)
	if err != nil {
		return nil
	}
	for _, w := range r.wants {
		name := r.system.Canonical(w.name, l)
		if !l.Has(name) {
			if by, err := r.system.Provider(ctx, w.name); err == nil && by != "" {
				name = by
			}
		}
		names = append(names, name)
	}
	return names
}

// conclude looks at what became of a request, and puts its packages on hold or lets them go. Failure is that of the
// transaction, which is not the request's own when all its packages are as wanted.
func (r *request) conclude(ctx context.Context, t task, changes manager.Changes, failure error) (module.Done, error) {
	ctx = context.WithoutCancel(ctx)
	done := module.Done{Changes: changes.Dict()}
	after, err := r.look(ctx)
	if err != nil {
		return done, err
	}
	if err := r.failed(after, failure); err != nil {
		if len(changes) == 0 {
			done.Changes = nil
		}
		return done, err
	}
	comments := r.comments(t)
	if failure != nil && len(t.todo)+len(t.again) > 0 {
		comments = append(comments, "The transaction ended with an error of other packages: "+manager.Brief(failure))
	}
	if refusal := r.system.Refusal(); refusal != "" && len(t.todo) > 0 {
		comments = append(comments, "Not all repositories could be refreshed: "+refusal)
	}
	told, err := r.settleHolds(ctx, done.Changes)
	done.Comment = strings.Join(append(comments, told...), "\n")
	return done, err
}

// failed is the error of a request that is not as wanted after the transaction.
func (r *request) failed(after task, failure error) error {
	left := after.todo
	if !r.reinstall && len(after.again) > 0 {
		return errors.Join(fmt.Errorf("cannot make the files of %s what their packages brought", joined(after.again)), failure)
	}
	if len(left) == 0 && (failure == nil || len(after.again) == 0) {
		return nil
	}
	text := "The following packages failed to install/update: " + joined(left)
	switch {
	case failure != nil && len(left) == 0:
		return failure
	case failure != nil:
		return fmt.Errorf("%s\n%w", text, failure)
	}
	if said := r.system.Said(); said != "" {
		text += "\n" + r.system.Name() + " ended without an error, and wrote:\n" + said
	}
	return errors.New(text)
}

func joined(wants []want) string {
	all := make([]string, len(wants))
	for i, w := range wants {
		all[i] = w.String()
	}
	return strings.Join(all, ", ")
}

// comments tell what was done, in Salt's words.
func (r *request) comments(t task) (all []string) {
	if r.latest {
		return latestComments(t)
	}
	if len(t.todo) > 0 {
		if summary := joined(t.todo); len(summary) < 20 {
			all = append(all, "The following packages were installed/updated: "+summary)
		} else {
			all = append(all, fmt.Sprintf("%d targeted %s installed/updated.", len(t.todo), packages(len(t.todo))))
		}
	}
	if len(t.kept) > 20 {
		all = append(all, fmt.Sprintf("%d targeted %s already installed", len(t.kept), packages(len(t.kept))))
	} else if len(t.kept) > 0 && len(t.todo)+len(t.again) > 0 {
		all = append(all, "The following packages were already installed: "+joined(t.kept))
	}
	for _, w := range t.again {
		all = append(all, fmt.Sprintf("Package %s was reinstalled.", w))
	}
	return all
}

func packages(n int) string {
	if n == 1 {
		return "package was"
	}
	return "packages were"
}

// unsettled are the packages of the request which are to be put on hold, or to be let go.
func (r *request) unsettled(l *manager.List) (names []string) {
	if r.hold == nil {
		return nil
	}
	for _, w := range r.wants {
		name := r.system.Canonical(w.name, l)
		if p := l.Get(name); p.Held != *r.hold && len(p.Versions) > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (r *request) settleHolds(ctx context.Context, changes *value.Dict) ([]string, error) {
	l, err := r.system.Installed(ctx)
	if err != nil || r.hold == nil {
		return nil, err
	}
	names := r.unsettled(l)
	if err := r.system.Hold(ctx, names, *r.hold); err != nil {
		return nil, fmt.Errorf("cannot put packages on hold or let them go: %w", err)
	}
	var told []string
	for _, name := range names {
		addHold(changes, name, *r.hold)
		told = append(told, holdComment(name, *r.hold))
	}
	return told, nil
}

func holdComment(name string, on bool) string {
	if on {
		return fmt.Sprintf("Package %s is now being held.", name)
	}
	return fmt.Sprintf("Package %s is no longer being held.", name)
}

// addHold tells of a hold beside a change of version, as Salt does.
func addHold(changes *value.Dict, name string, on bool) {
	old, now := "install", "hold"
	if !on {
		old, now = now, old
	}
	if v, ok := changes.Get(name); ok {
		before, _ := v.(*value.Dict).Get("old")
		after, _ := v.(*value.Dict).Get("new")
		old, now = lines(before, old), lines(after, now)
	}
	changes.Put(name, value.NewDict("old", old, "new", now))
}

func lines(text any, more string) string {
	if s, ok := text.(string); ok && s != "" {
		return s + "\n" + more
	}
	return more
}
