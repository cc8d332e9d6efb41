package pkg

import (
	"cmp"
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

// targets name packages.
type targets struct {
	Name    string `arg:"name,required" doc:"the package"`
	Version spec   `arg:"version" doc:"its version, a pattern such as 1.2*, or conditions such as \">=1.2, <2\"; latest: the newest"`
	Pkgs    wants  `arg:"pkgs" doc:"packages instead of name, each alone or as NAME: VERSION"`
}

func (t *targets) wants() []want {
	if t.Pkgs.given {
		return t.Pkgs.all
	}
	return []want{{name: t.Name, version: t.Version}}
}

func (t *targets) check() error {
	if t.Pkgs.given && t.Version != "" {
		return errors.New(`arguments "pkgs" and "version" exclude one another: give versions in pkgs`)
	}
	return nil
}

// old are arguments that Salt's own functions take and that change nothing here.
type old struct {
	Normalize   bool `arg:"normalize" default:"true" doc:"false only warns: a name with the host's own architecture always is the name without it"`
	Suggestions bool `arg:"skip_suggestions" doc:"accepted: packages that no repository has are found without looking for others of like names"`
	Resolve     bool `arg:"resolve_capabilities" doc:"accepted: what packages provide always counts"`
}

// warnings tell of arguments that were given and have not the effect that their names promise.
func (o old) warnings() []string {
	if o.Normalize {
		return nil
	}
	return []string{`argument "normalize" has no effect: a name with the host's own architecture always is the name without it`}
}

type installedArgs struct {
	targets
	Sources sources `arg:"sources" doc:"packages in files, each as NAME: PATH, salt:// or URL"`
	refreshOptions
	repoOptions
	old
	Recommends   *bool        `arg:"install_recommends" doc:"install recommended packages too (apt, zypper)"`
	OnlyUpgrade  bool         `arg:"only_upgrade" doc:"leave packages that are not installed"`
	AllowUpdates bool         `arg:"allow_updates" doc:"one version stands for that and all newer ones"`
	IgnoreEpoch  *bool        `arg:"ignore_epoch" doc:"compare versions without their epoch; absent: where the wanted one has none"`
	Reinstall    bool         `arg:"reinstall" doc:"install again what is there"`
	Verify       verification `arg:"pkg_verify" doc:"install packages again whose files are not as they brought them; a list of ignore_types and verify_options says which may differ (apt, dnf, yum, zypper)"`
	Hold         *bool        `arg:"hold" doc:"keep the packages from being changed by anything else; false: let them be changed"`
	UpdateHolds  bool         `arg:"update_holds" doc:"change packages on hold too, and keep the hold"`
	NewConf      bool         `arg:"force_conf_new" doc:"configuration files of packages replace those that were changed by hand (apt)"`
	Debconf      string       `arg:"debconf" doc:"file of answers to the questions of packages, set before anything is installed: salt://PATH, https://HOST/PATH or a path (apt)"`
	Upgrade      any          `arg:"upgrade" doc:"only warns, as it has no effect in Salt either: pkg.latest upgrades"`
	Env          any          `arg:"env" doc:"only warns, as it has no effect in Salt either"`
	ForceYes     any          `arg:"force_yes" doc:"only warns: nothing is ever asked"`
	RunAs        any          `arg:"runas" doc:"only warns, as it has no effect in Salt either: packages are installed as root"`
}

// CheckArgs implements module.Checker.
func (a *installedArgs) CheckArgs() error {
	var errs []error
	if a.Pkgs.given && a.Sources.given {
		errs = append(errs, errors.New(`arguments "pkgs" and "sources" exclude one another: give one`))
	}
	return errors.Join(errs...)
}

func (a *installedArgs) request(h *host.Host) (*request, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	r := &request{
		host: h, system: s, wants: a.wants(), refreshOptions: a.refreshOptions, options: a.options(),
		judge:     judge{compare: s.Compare, ignoreEpoch: a.IgnoreEpoch, atLeast: a.AllowUpdates},
		reinstall: a.Reinstall, updateHolds: a.UpdateHolds, hold: a.Hold, verify: a.Verify,
	}
	if a.Sources.given {
		r.wants = a.Sources.all
	}
	r.options.Recommends, r.options.OnlyUpgrade, r.options.NewConf = a.Recommends, a.OnlyUpgrade, a.NewConf
	r.debconf = a.Debconf
	return r, nil
}

func planInstalled(ctx context.Context, h *host.Host, a installedArgs) (module.Plan, error) {
	r, err := a.request(h)
	if err != nil {
		return module.Plan{}, err
	}
	r.warnings = a.warnings()
	if len(r.wants) == 0 {
		return module.Plan{Same: "No packages to install provided", Warnings: r.warnings}, nil
	}
	return r.plan(ctx, "All specified packages are already installed"+r.atVersion())
}

func (a *installedArgs) warnings() []string {
	warnings := a.old.warnings()
	if a.Version != "" && (a.Pkgs.given || a.Sources.given) {
		warnings = append(warnings, `argument "version" has no effect beside "pkgs" and "sources": give versions in pkgs`)
	}
	for _, arg := range []struct {
		name  string
		value any
		why   string
	}{
		{"upgrade", a.Upgrade, "pkg.latest brings packages to their newest version"},
		{"env", a.Env, "the package manager runs with an environment of its own"},
		{"force_yes", a.ForceYes, "nothing is ever asked"},
		{"runas", a.RunAs, "packages are installed as root"},
	} {
		if value.Truth(arg.value) {
			warnings = append(warnings, fmt.Sprintf("argument %q has no effect: %s", arg.name, arg.why))
		}
	}
	return warnings
}

func (r *request) atVersion() string {
	if slices.ContainsFunc(r.wants, func(w want) bool { return w.version != "" }) {
		return " and are at the desired version"
	}
	return ""
}

// plan is the plan of a request. Without a step nothing is to be done; where only a refresh can tell, the step finds out.
func (r *request) plan(ctx context.Context, same string) (module.Plan, error) {
	p := module.Plan{Same: same, Warnings: r.warnings}
	t, err := r.look(ctx)
	if err != nil {
		return p, err
	}
	l, err := r.system.Installed(ctx)
	if err != nil {
		return p, err
	}
	unsettled := r.unsettled(l)
	unsure := r.wantsLatest() && r.undecided()
	if len(t.todo)+len(t.again)+len(unsettled) == 0 && !unsure {
		return p, nil
	}
	if r.hold != nil && *r.hold {
		if err := r.system.CanHold(); err != nil {
			return p, module.Unknown("%w", err)
		}
	}
	do := func(ctx context.Context, items []*request) ([]module.Done, error) { return apply(ctx, items) }
	p.Writes = []string{"/usr"}
	p.Steps = []module.Step{module.Joint(r.key(), r, r.guess(t, l, unsettled), do)}
	p.Did = same
	p.Foretell = func(ctx context.Context) (module.Done, error) { return r.foretell(ctx, unsettled, same) }
	return p, nil
}

// key is the same for requests that can be done in one transaction.
func (r *request) key() string {
	o := r.options
	recommends := ""
	if o.Recommends != nil {
		recommends = fmt.Sprint(*o.Recommends)
	}
	o.Recommends, o.LockTimeout = nil, 0
	return fmt.Sprintf("%+v %s %v %v", o, recommends, r.changesHeld(), r.Refresh != nil && !*r.Refresh)
}

// guess is what is known of the changes without asking the package manager.
func (r *request) guess(t task, l *manager.List, unsettled []string) *value.Dict {
	changes := &value.Dict{}
	for _, w := range t.todo {
		old := l.Get(r.system.Canonical(w.name, l)).Version()
		new := "installed"
		if old != "" {
			new = cmp.Or(string(w.version), string(latest))
		}
		changes.Put(w.name, value.NewDict("old", old, "new", new))
	}
	for _, w := range t.again {
		old := l.Get(r.system.Canonical(w.name, l)).Version()
		changes.Put(w.name, value.NewDict("old", old, "new", old))
	}
	for _, name := range unsettled {
		addHold(changes, name, *r.hold)
	}
	return changes
}

// foretell asks the package manager what it would do. It knows what the last refresh told.
func (r *request) foretell(ctx context.Context, unsettled []string, same string) (module.Done, error) {
	r.sure, r.foretelling = true, true
	t, err := r.look(ctx)
	if err != nil {
		return module.Done{}, err
	}
	l, err := r.system.Installed(ctx)
	if err != nil {
		return module.Done{}, err
	}
	unsure := r.wantsLatest() && r.pending(r.system)
	if r.wanted() && r.system.KnowsNothing() {
		return module.Done{Changes: r.guess(t, l, unsettled), Unsure: unsure, Comment: foretold(t, same) +
			"\nNo repository was ever refreshed: which versions, and what they depend on, is known after that"}, nil
	}
	changes := manager.Changes{}
	tr, errs := transaction(ctx, []*request{r}, []task{r.fromRepositories(t)})
	if errs[0] != nil {
		return module.Done{}, errs[0]
	}
	if err := answer(ctx, []*request{r}, []task{t}, debconf.CheckFile); err != nil {
		return module.Done{}, fmt.Errorf("cannot install %s: %w", listed(tr), err)
	}
	if len(tr.Install)+len(tr.Downgrade)+len(tr.Reinstall) > 0 {
		if changes, err = r.system.Foresee(ctx, tr); err != nil {
			return module.Done{}, fmt.Errorf("cannot install %s: %w", listed(tr), err)
		}
	}
	if changes, err = r.fromFiles(ctx, t, l, changes); err != nil {
		return module.Done{}, err
	}
	for _, w := range tr.Reinstall {
		version := l.Get(w.Name).Version()
		changes = changes.With(manager.Change{Name: w.Name, Old: version, New: version})
	}
	done := module.Done{Changes: changes.Dict(), Comment: foretold(t, same), Unsure: unsure}
	if len(r.later) > 0 {
		merge(done.Changes, r.guess(r.notFound(t, l, done.Changes), l, nil))
	}
	if text := strings.Join(r.later, "\n"); text != "" || unsure && len(changes) == 0 {
		done.Comment += strings.TrimSuffix("\n"+text, "\n") + "\n" + refreshFirst
	}
	for _, name := range unsettled {
		addHold(done.Changes, name, *r.hold)
	}
	r.foretellHolds(t, l, done.Changes)
	return done, nil
}

const refreshFirst = "This is as of the last refresh: the run refreshes what is known of repositories first"

// notFound are those that would be installed, and have no version yet.
func (r *request) notFound(t task, l *manager.List, changes *value.Dict) task {
	return task{todo: slices.DeleteFunc(slices.Clone(t.todo), func(w want) bool {
		_, known := changes.Get(r.system.Canonical(w.name, l))
		return known
	})}
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		_ = into.Set(k, v) // it was a key already
	}
}

// fromRepositories is a task without what comes from files.
func (r *request) fromRepositories(t task) task {
	file := func(w want) bool { return w.source != "" }
	return task{todo: slices.DeleteFunc(slices.Clone(t.todo), file), again: slices.DeleteFunc(slices.Clone(t.again), file)}
}

// fromFiles adds the packages that come from files. What they depend on is not told.
func (r *request) fromFiles(ctx context.Context, t task, l *manager.List, changes manager.Changes) (manager.Changes, error) {
	for _, w := range slices.Concat(t.todo, t.again) {
		if w.source == "" {
			continue
		}
		_, version, err := r.inspect(ctx, w)
		if err != nil {
			return nil, err
		}
		name := r.system.Canonical(w.name, l)
		changes = changes.With(manager.Change{Name: name, Old: l.Get(name).Version(), New: version})
	}
	return changes, nil
}

// foretellHolds tells of new packages that would be put on hold.
func (r *request) foretellHolds(t task, l *manager.List, changes *value.Dict) {
	if r.hold == nil || !*r.hold {
		return
	}
	for _, w := range t.todo {
		name := r.system.Canonical(w.name, l)
		if _, would := changes.Get(name); would && !l.Has(name) {
			addHold(changes, name, true)
		}
	}
}

func foretold(t task, same string) string {
	var all []string
	if len(t.todo) > 0 {
		all = append(all, "The following packages would be installed/updated: "+joined(t.todo))
	}
	if len(t.again) > 0 {
		all = append(all, "The following packages would be reinstalled: "+joined(t.again))
	}
	if len(all) == 0 {
		all = append(all, same)
	}
	return strings.Join(all, "\n")
}
