package virtualenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/mod/pip"
	"brine/states/module"
	"brine/states/value"
)

type managedArgs struct {
	Name string `arg:"name,required" doc:"the environment"`
	making
	running
	packageArgs
}

// packageArgs say what pip installs into the environment.
type packageArgs struct {
	Requirements    texts       `arg:"requirements" doc:"files of requirements: salt://PATH or a path of this host"`
	Packages        texts       `arg:"pip_pkgs" doc:"packages, such as django>=4,<5"`
	UseWheel        bool        `arg:"use_wheel" doc:"taken for Salt: pip always uses wheels"`
	NoUseWheel      bool        `arg:"no_use_wheel" doc:"build everything from source"`
	Cwd             string      `arg:"cwd" doc:"directory to run pip in"`
	IndexURL        string      `arg:"index_url" doc:"index to use in place of pypi.org"`
	ExtraIndexURL   texts       `arg:"extra_index_url" doc:"further indexes"`
	FindLinks       texts       `arg:"find_links" doc:"files, directories or URLs that hold packages"`
	PreReleases     bool        `arg:"pre_releases" doc:"take pre-releases too"`
	NoDeps          bool        `arg:"no_deps" doc:"install no dependencies"`
	Download        string      `arg:"pip_download" doc:"only download, into this directory"`
	DownloadCache   string      `arg:"pip_download_cache" doc:"as pip_cache_dir"`
	ExistsAction    string      `arg:"pip_exists_action" doc:"what pip does with a directory that is there: s, i, w or b"`
	IgnoreInstalled bool        `arg:"pip_ignore_installed" doc:"install without looking at what is installed"`
	Proxy           string      `arg:"proxy" doc:"proxy, such as http://user:password@proxy:3128"`
	EnvVars         *value.Dict `arg:"env_vars" doc:"variables to set for pip"`
	PipUpgrade      bool        `arg:"pip_upgrade" doc:"bring packages to the newest version that is wanted"`
	NoCacheDir      bool        `arg:"pip_no_cache_dir" doc:"use no cache"`
	CacheDir        string      `arg:"pip_cache_dir" doc:"directory of pip's cache"`
	DependencyLinks bool        `arg:"process_dependency_links" doc:"refused: no pip since 19 has it"`
	NoBinary        texts       `arg:"no_binary" doc:"packages to build from source, or :all:"`
}

func (a *managedArgs) pip() *pip.Installed {
	i := &pip.Installed{Name: a.Name, Packages: []string(a.Packages), Requirements: []string(a.Requirements)}
	i.BinEnv, i.User, i.VT, i.Cwd, i.EnvVars = a.Name, a.User, a.VT, a.Cwd, a.EnvVars
	i.NoUseWheel, i.IndexURL, i.ExtraIndexURL, i.FindLinks = a.NoUseWheel, a.IndexURL, []string(a.ExtraIndexURL), []string(a.FindLinks)
	i.PreReleases, i.NoDeps, i.Download = a.PreReleases, a.NoDeps, a.Download
	i.CacheDir, i.NoCacheDir, i.ExistsAction = cmp.Or(a.CacheDir, a.DownloadCache), a.NoCacheDir, a.ExistsAction
	i.IgnoreInstalled, i.Upgrade, i.Proxy = a.IgnoreInstalled, a.PipUpgrade, a.Proxy
	i.DependencyLinks, i.NoBinary = a.DependencyLinks, []string(a.NoBinary)
	return i
}

func planManaged(ctx context.Context, h *host.Host, a managedArgs) (module.Plan, error) {
	p := module.Plan{Same: "virtualenv exists", Did: "virtualenv exists", Would: "virtualenv exists"}
	fresh := pythonOf(h, a.Name) == "" || a.Clear || a.Upgrade
	if fresh {
		m, err := a.maker(ctx, h, a.Name, a.running)
		if err != nil {
			return module.Plan{}, err
		}
		p.Would, p.Did = fmt.Sprintf("Virtualenv %s is set to be created", a.Name), "Created new virtualenv"
		p.Steps = []module.Step{{Changes: value.NewDict("new", a.Name), Do: func(ctx context.Context) (module.Done, error) {
			return made(ctx, h, a.Name, m)
		}}}
	}
	if len(a.Packages)+len(a.Requirements) == 0 {
		return p, nil
	}
	if fresh {
		p.Steps = append(p.Steps, a.later(h))
		return p, nil
	}
	inner, err := a.pip().Plan(ctx, h)
	if err != nil || len(inner.Steps) == 0 {
		return p, err
	}
	return wrapped(inner), nil
}

// made makes the environment. What python it has is known then.
func made(ctx context.Context, h *host.Host, dir string, m *maker) (module.Done, error) {
	out, err := m.run(ctx)
	if err != nil {
		return module.Done{}, err
	}
	if out.Code != 0 {
		said := strings.TrimSpace(string(out.Stderr) + "\n" + string(out.Stdout))
		return module.Done{}, fmt.Errorf("cannot make the virtual environment %s: the command ended with %d: %s", dir, out.Code, said)
	}
	python := pythonOf(h, dir)
	if python == "" {
		return module.Done{}, fmt.Errorf("cannot find the python of %s: the command made none", dir)
	}
	version, err := h.Run(ctx, python, "-V")
	return module.Done{Changes: value.NewDict("new", version)}, err
}

// later installs packages into an environment that is not there yet.
func (a *managedArgs) later(h *host.Host) module.Step {
	what := &value.Dict{}
	for _, name := range append(append([]string{}, a.Packages...), a.Requirements...) {
		what.Put(name, "Installed")
	}
	return module.Step{Changes: value.NewDict("packages", what), Do: func(ctx context.Context) (module.Done, error) {
		inner, err := a.pip().Plan(ctx, h)
		if err != nil {
			return module.Done{}, err
		}
		return perform(ctx, inner)
	}}
}

// wrapped is a plan of pip's as a part of this state.
func wrapped(inner module.Plan) module.Plan {
	p := module.Plan{Same: "virtualenv exists", Would: inner.Would, Warnings: inner.Warnings}
	changes := &value.Dict{}
	for _, s := range inner.Steps {
		merge(changes, s.Changes)
	}
	p.Steps = []module.Step{{Changes: value.NewDict("packages", changes), Do: func(ctx context.Context) (module.Done, error) {
		return perform(ctx, inner)
	}}}
	if inner.Foretell != nil {
		p.Foretell = func(ctx context.Context) (module.Done, error) {
			done, err := inner.Foretell(ctx)
			if done.Changes.Len() > 0 {
				done.Changes = value.NewDict("packages", done.Changes)
			}
			return done, err
		}
	}
	return p
}

// perform does the steps of pip's plan.
func perform(ctx context.Context, inner module.Plan) (module.Done, error) {
	all := module.Done{Changes: &value.Dict{}}
	var errs []error
	for _, s := range inner.Steps {
		done, err := s.Do(ctx)
		merge(all.Changes, done.Changes)
		all.Comment, errs = done.Comment, append(errs, err)
	}
	if all.Changes.Len() > 0 {
		all.Changes = value.NewDict("packages", all.Changes)
	}
	return all, errors.Join(errs...)
}

func merge(into, from *value.Dict) {
	for k, v := range from.All() {
		_ = into.Set(k, v) // it was a key already
	}
}
