package pip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Installed are packages that are to be installed, with the arguments of the state.
type Installed struct {
	Name         string `arg:"name,required" doc:"the package, such as django>=4,<5, a URL or a path; only a name when pkgs, requirements or editable are given"`
	Packages     names  `arg:"pkgs" doc:"packages, in place of name"`
	Requirements texts  `arg:"requirements" doc:"files of requirements, in place of name: salt://PATH or a path of this host"`
	place
	installing
	Repo string `arg:"repo" doc:"URL of a repository to install from, in place of name"`
}

// install is the same for the function.
func (a *Installed) install() *installArgs {
	i := &installArgs{Packages: a.Packages, Requirements: a.Requirements, place: a.place, installing: a.installing}
	switch {
	case len(a.Requirements)+len(a.Editable) > 0: // as in Salt name and pkgs don't count then
		i.Packages = nil
	case len(i.Packages) > 0:
	case a.Repo != "":
		i.Packages = names{a.Repo}
	default:
		i.Packages = names{a.Name}
	}
	return i
}

// CheckArgs implements module.Checker.
func (a *Installed) CheckArgs() error {
	_, err := a.install().wanted()
	return errors.Join(a.check(), err)
}

// wanted reads the packages.
func (a *installArgs) wanted() ([]requirement, error) {
	var all []requirement
	var errs []error
	for _, p := range a.Packages {
		r, err := parseRequirement(p)
		all, errs = append(all, r), append(errs, err)
	}
	return all, errors.Join(errs...)
}

func planInstalled(ctx context.Context, h *host.Host, a Installed) (module.Plan, error) {
	return a.Plan(ctx, h)
}

// Plan looks at what is installed, and plans what the state installed does.
func (a *Installed) Plan(ctx context.Context, h *host.Host) (module.Plan, error) {
	if err := a.CheckArgs(); err != nil {
		return module.Plan{}, err
	}
	i := a.install()
	wanted, _ := i.wanted() // was checked
	t, err := a.find(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	var options []string
	if a.Target != "" {
		options = []string{"--path", a.Target}
	}
	have, err := t.installed(ctx, options...)
	if err != nil {
		return module.Plan{}, err
	}
	fromFiles, known, err := i.requirements(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	known = known && len(a.Editable) == 0
	wanted = append(wanted, fromFiles...)
	missing := i.missing(wanted, have)
	if known && len(missing) == 0 {
		return module.Plan{Same: same(wanted)}, nil
	}
	rebuilt := i.rebuilt(wanted, known)
	p := i.plan(t, have, missing, known, rebuilt, options)
	vague := func(r requirement) bool { return r.marked || r.name == "" }
	if a.Upgrade || !known || slices.ContainsFunc(wanted, vague) {
		what := p.Steps[0].Changes
		p.Foretell = func(ctx context.Context) (module.Done, error) { return i.foretell(ctx, t, what, have, rebuilt) }
	}
	return p, nil
}

func same(wanted []requirement) string {
	if len(wanted) == 1 {
		return "Python package " + withoutSecrets(wanted[0].text) + " was already installed"
	}
	return "All specified packages are already installed"
}

// requirements reads the files of requirements; false where only pip can tell what they mean.
func (a *installArgs) requirements(ctx context.Context, h *host.Host) (all []requirement, known bool, err error) {
	files, done, err := local(ctx, h, a.Cwd, a.Requirements)
	defer done()
	known = true
	for _, f := range files {
		data, bad := os.ReadFile(f)
		if bad != nil {
			return nil, false, bad
		}
		some, ok := parseFile(string(data))
		all, known = append(all, some...), known && ok
	}
	return all, known, err
}

// missing are those that pip has to look at.
func (a *installArgs) missing(wanted []requirement, have packages) []string {
	var all []string
	for _, r := range wanted {
		again := a.Upgrade || a.ForceReinstall || a.IgnoreInstalled || a.Download != ""
		if again || !r.met(have) && !(r.reference && r.name != "" && have[r.name] != "") {
			all = append(all, withoutSecrets(r.text))
		}
	}
	return all
}

// plan runs pip. What it changed is what is installed afterwards and was not before.
func (a *installArgs) plan(t *tool, have packages, missing []string, known, rebuilt bool, options []string) module.Plan {
	what := value.NewDict()
	for _, name := range missing {
		what.Put(name, "Installed")
	}
	if !known {
		for _, f := range append(append([]string{}, a.Requirements...), a.Editable...) {
			what.Put(withoutSecrets(f), "Installed")
		}
	}
	do := func(ctx context.Context) (module.Done, error) {
		var before, now packages
		if rebuilt {
			before = t.records(ctx, options)
		}
		out, err := a.run(ctx, t)
		if err != nil {
			return module.Done{}, err
		}
		after, err := t.installed(ctx, options...)
		if len(before) > 0 {
			now = t.records(ctx, options)
		}
		same := func(name string) bool { return now[name] != "" && now[name] == before[name] }
		return a.done(have, after, same, out), errors.Join(failure("install packages", out), err)
	}
	return module.Plan{Steps: []module.Step{{Changes: what, Do: do}}, Same: "All specified packages are already installed",
		Would: "Python package(s) set to be installed: " + joined(what)}
}

func joined(d *value.Dict) string {
	var all []string
	for k := range d.All() {
		all = append(all, fmt.Sprint(k))
	}
	return strings.Join(all, ", ")
}

// done says what pip did, in Salt's form: NAME==VERSION: Installed. Same are packages whose files are what they were.
func (a *installArgs) done(before, after packages, same func(name string) bool, out host.Output) module.Done {
	d := module.Done{Changes: &value.Dict{}, Comment: "All packages were successfully installed"}
	for name := range differences(before, after).All() {
		if after[name.(string)] == "" { // what conflicted
			d.Changes.Put(name.(string), "Removed")
			continue
		}
		d.Changes.Put(fmt.Sprintf("%v==%s", name, after[name.(string)]), "Installed")
	}
	if _, line, ok := strings.Cut(string(out.Stdout), "Successfully installed "); ok && d.Changes.Len() == 0 {
		line, _, _ = strings.Cut(line, "\n") // the same versions, installed again
		for _, one := range strings.Fields(line) {
			if i := strings.LastIndexByte(one, '-'); i > 0 && !same(normal(one[:i])) {
				d.Changes.Put(normal(one[:i])+"=="+one[i+1:], "Installed")
			}
		}
	}
	if a.Download != "" && out.Code == 0 && strings.Contains(string(out.Stdout), "Saved ") {
		d.Changes.Put("downloaded", a.Download)
	}
	if d.Changes.Len() == 0 {
		d.Comment = "All specified packages are already installed"
	}
	return d
}

// foretell asks pip what it would install. One that can't tell says that everything may change. What it would build again in
// the version that is there may come out the same.
func (a *installArgs) foretell(ctx context.Context, t *tool, what *value.Dict, have packages, rebuilt bool) (module.Done, error) {
	would := module.Done{Changes: what, Comment: "Python package(s) set to be installed: " + joined(what)}
	text, err := t.version(ctx)
	if err != nil {
		return module.Done{}, err
	}
	if !(specifier{">=", "22.3"}).has(text) || a.Download != "" {
		return would, nil
	}
	out, err := a.run(ctx, t, "--dry-run", "--quiet", "--report", "-")
	if err == nil {
		err = failure("tell what would be installed", out)
	}
	if err != nil {
		return module.Done{}, err
	}
	var report struct {
		Install []struct {
			Metadata listed
			Direct   bool `json:"is_direct"`
		}
	}
	if err := json.Unmarshal(out.Stdout, &report); err != nil {
		return module.Done{}, fmt.Errorf("cannot read what pip would install: %w", err)
	}
	would.Changes = &value.Dict{}
	var again []string
	for _, p := range report.Install {
		if rebuilt && p.Direct && have[normal(p.Metadata.Name)] == p.Metadata.Version {
			again = append(again, normal(p.Metadata.Name))
			continue
		}
		would.Changes.Put(normal(p.Metadata.Name)+"=="+p.Metadata.Version, "Installed")
	}
	would.Comment = "Python package(s) set to be installed: " + joined(would.Changes)
	if would.Changes.Len() == 0 {
		would.Comment = "All specified packages are already installed"
	}
	if would.Unsure = len(again) > 0; would.Unsure {
		would.Comment += "\nWhether " + strings.Join(again, ", ") + " has changed is known when it was built again"
	}
	return would, nil
}

type removedArgs struct {
	Name         string `arg:"name,required" doc:"the package; only a name when pkgs or requirements are given"`
	Packages     names  `arg:"pkgs" doc:"packages, in place of name"`
	Requirements texts  `arg:"requirements" doc:"files of requirements whose packages go, in place of name"`
	BinEnv       string `arg:"bin_env,alias=pip_bin" doc:"a virtual environment, or the path of a pip or a python; python3 -m pip when absent"`
	network
	running
}

func planRemoved(ctx context.Context, h *host.Host, a removedArgs) (module.Plan, error) {
	un := uninstallArgs{Packages: a.Packages, Requirements: a.Requirements, BinEnv: a.BinEnv, network: a.network, running: a.running}
	if len(un.Packages)+len(un.Requirements) == 0 {
		un.Packages = names{a.Name}
	}
	t, err := place{a.BinEnv, a.running}.find(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	wanted, known, err := (&installArgs{Requirements: un.Requirements, place: t.place}).requirements(ctx, h)
	if err == nil && !known {
		err = errors.New("cannot tell what to remove: a file of requirements has lines that are no names of packages")
	}
	if err != nil {
		return module.Plan{}, err
	}
	for _, p := range un.Packages {
		r, err := parseRequirement(p)
		if err != nil {
			return module.Plan{}, err
		}
		wanted = append(wanted, r)
	}
	have, err := t.installed(ctx)
	if err != nil {
		return module.Plan{}, err
	}
	un.Requirements, un.Packages = nil, nil
	gone := &value.Dict{}
	for _, r := range wanted {
		if have[r.name] != "" {
			un.Packages = append(un.Packages, r.name)
			gone.Put(r.name, "Removed")
		}
	}
	if gone.Len() == 0 {
		return module.Plan{Same: "Package is not installed."}, nil
	}
	return un.plan(t, gone), nil
}

func (a *uninstallArgs) plan(t *tool, gone *value.Dict) module.Plan {
	return module.Plan{
		Would: "Python package(s) set to be removed: " + joined(gone), Did: "Package was successfully removed.",
		Steps: []module.Step{{Changes: gone, Do: func(ctx context.Context) (module.Done, error) {
			out, err := a.run(ctx, t)
			if err != nil {
				return module.Done{}, err
			}
			return module.Done{}, failure("remove packages", out)
		}}},
	}
}

type uptodateArgs struct {
	Name string `arg:"name,required" doc:"any text: Salt looks at all packages whatever it is"`
	place
}

func planUptodate(ctx context.Context, h *host.Host, a uptodateArgs) (module.Plan, error) {
	t, err := a.find(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	items, err := t.json(ctx, "list", "--outdated", "--format=json")
	if err != nil || len(items) == 0 {
		return module.Plan{Same: "System is already up-to-date."}, err
	}
	would := &value.Dict{}
	for _, p := range items {
		would.Put(normal(p.Name), value.NewDict("old", p.Version, "new", p.Latest))
	}
	return module.Plan{
		Would: "System update will be performed", Did: "Upgrade ran successfully",
		Steps: []module.Step{{Changes: would, Do: func(ctx context.Context) (module.Done, error) {
			changes, err := t.upgrade(ctx, items)
			return module.Done{Changes: changes}, err
		}}},
	}, nil
}
