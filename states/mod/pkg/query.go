package pkg

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/pkgver"
	"brine/states/value"
)

type listArgs struct {
	AsList  bool `arg:"versions_as_list" doc:"give each package a list of versions"`
	Removed bool `arg:"removed" doc:"only packages of which configuration is left"`
	Purge   bool `arg:"purge_desired" doc:"only packages that are selected to be purged and are still there"`
	Context bool `arg:"use_context" default:"true" doc:"accepted for old calls"`
}

func listPkgs(ctx context.Context, h *host.Host, a listArgs) (*value.Dict, error) {
	_, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, name := range l.Names() {
		p := l.Get(name)
		if a.Removed {
			p.Versions = nil
			if p.Config != "" {
				p.Versions = []string{p.Config}
			}
		}
		if len(p.Versions) > 0 && (!a.Purge || p.Unwanted) {
			all.Put(name, versionOf(p, a.AsList))
		}
	}
	return all, nil
}

func versionOf(p manager.Package, asList bool) any {
	if !asList {
		return p.Version()
	}
	list := &value.List{}
	for _, v := range p.Versions {
		list.Items = append(list.Items, v)
	}
	return list
}

// single is the value of one package, or of several by name.
func single(names []string, of func(name string) any) any {
	if len(names) == 1 {
		return of(names[0])
	}
	all := &value.Dict{}
	for _, name := range names {
		all.Put(name, of(name))
	}
	return all
}

type namesArgs struct {
	Names  []string `arg:"names,rest,required" doc:"the packages"`
	AsList bool     `arg:"versions_as_list,alias=as_list" doc:"give each package a list of versions"`
}

func version(ctx context.Context, h *host.Host, a namesArgs) (any, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	return single(a.Names, func(name string) any { return versionOf(l.Get(s.Canonical(name, l)), a.AsList) }), nil
}

type latestVersionArgs struct {
	Names []string `arg:"names,rest,required" doc:"the packages"`
	refreshOptions
	repoOptions
	Installed bool `arg:"show_installed" doc:"return the version also when it is installed"`
}

func latestVersion(ctx context.Context, h *host.Host, a latestVersionArgs) (any, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	if a.wanted() {
		if err := s.RefreshOnce(ctx, manager.Refresh{ValidFor: a.ValidFor, LockTimeout: a.LockTimeout}); err != nil {
			return nil, err
		}
	}
	canonical := make([]string, len(a.Names))
	for i, name := range a.Names {
		canonical[i] = s.Canonical(name, l)
	}
	known, err := s.Available(ctx, canonical, a.options())
	if err != nil {
		return nil, err
	}
	r := request{judge: judge{compare: s.Compare}}
	return single(a.Names, func(name string) any {
		name = s.Canonical(name, l)
		if v := known[name].Candidate; a.Installed || r.newer(v, l.Get(name)) {
			return v
		}
		return ""
	}), nil
}

type upgradesArgs struct {
	Refresh bool `arg:"refresh" default:"true" doc:"bring what is known of repositories up to date first"`
	Full    bool `arg:"dist_upgrade" default:"true" doc:"also what has to install or remove other packages (apt)"`
	repoOptions
}

func listUpgrades(ctx context.Context, h *host.Host, a upgradesArgs) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	if a.Refresh {
		if err := s.RefreshOnce(ctx, manager.Refresh{LockTimeout: a.LockTimeout}); err != nil {
			return nil, err
		}
	}
	changes, err := s.Upgrades(ctx, a.options(), a.Full)
	all := &value.Dict{}
	for _, c := range changes {
		if c.Old != "" && c.New != "" {
			all.Put(c.Name, c.New)
		}
	}
	return all, err
}

type oneArgs struct {
	Name string `arg:"name,required" doc:"the package"`
	refreshOptions
	repoOptions
}

func upgradeAvailable(ctx context.Context, h *host.Host, a oneArgs) (bool, error) {
	v, err := latestVersion(ctx, h, latestVersionArgs{Names: []string{a.Name}, refreshOptions: a.refreshOptions, repoOptions: a.repoOptions})
	return v != "" && v != nil, err
}

type compareArgs struct {
	A           string `arg:"pkg1,alias=ver1,required" doc:"a version"`
	B           string `arg:"pkg2,alias=ver2,required" doc:"another"`
	IgnoreEpoch bool   `arg:"ignore_epoch" doc:"compare them without their epochs"`
}

func versionCmp(_ context.Context, h *host.Host, a compareArgs) (int64, error) {
	s, err := manager.Of(h)
	if err != nil {
		return 0, err
	}
	if a.IgnoreEpoch {
		a.A, a.B = pkgver.WithoutEpoch(a.A), pkgver.WithoutEpoch(a.B)
	}
	return int64(s.Compare(a.A, a.B)), nil
}

type pathsArgs struct {
	Paths []string `arg:"paths,rest,required" doc:"absolute paths of files"`
}

func owner(ctx context.Context, h *host.Host, a pathsArgs) (any, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	owners := map[string]string{}
	for _, path := range a.Paths {
		if owners[path], err = s.Owner(ctx, path); err != nil {
			return nil, fmt.Errorf("cannot find the owner of %s: %w", path, err)
		}
	}
	return single(a.Paths, func(path string) any { return owners[path] }), nil
}

type packagesArgs struct {
	Names []string `arg:"packages,rest,required" doc:"the packages"`
}

func fileList(ctx context.Context, h *host.Host, a packagesArgs) (*value.Dict, error) {
	files, errs := &value.List{}, &value.List{}
	err := eachPackage(ctx, h, a.Names, errs, func(_ string, of []string) {
		for _, f := range of {
			files.Items = append(files.Items, f)
		}
	})
	return value.NewDict("errors", errs, "files", files), err
}

func fileDict(ctx context.Context, h *host.Host, a packagesArgs) (*value.Dict, error) {
	packages, errs := &value.Dict{}, &value.List{}
	err := eachPackage(ctx, h, a.Names, errs, func(name string, of []string) {
		list, _ := value.Of(of) // text always is a value
		packages.Put(name, list)
	})
	return value.NewDict("errors", errs, "packages", packages), err
}

func eachPackage(ctx context.Context, h *host.Host, names []string, errs *value.List, do func(string, []string)) error {
	s, l, err := installed(ctx, h)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !l.Has(s.Canonical(name, l)) {
			errs.Items = append(errs.Items, fmt.Sprintf("package '%s' is not installed", name))
			continue
		}
		files, err := s.Files(ctx, name)
		if err != nil {
			return err
		}
		do(name, files)
	}
	return nil
}

type infoArgs struct {
	Names []string `arg:"names,rest,required" doc:"the packages"`
	Attr  names    `arg:"attr" doc:"only these facts, such as version,size"`
	Fail  bool     `arg:"failhard" default:"true" doc:"false: leave packages out that are not installed"`
}

func infoInstalled(ctx context.Context, h *host.Host, a infoArgs) (*value.Dict, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	var there, missing []string
	for _, name := range a.Names {
		if l.Has(s.Canonical(name, l)) {
			there = append(there, name)
		} else {
			missing = append(missing, name)
		}
	}
	if a.Fail && len(missing) > 0 {
		return nil, fmt.Errorf("cannot tell of packages that are not installed: %s", strings.Join(missing, ", "))
	}
	if len(there) == 0 {
		return &value.Dict{}, nil
	}
	all, err := s.Info(ctx, there)
	if err != nil || len(a.Attr) == 0 {
		return all, err
	}
	for name, v := range all.All() {
		some := &value.Dict{}
		for _, key := range a.Attr {
			if fact, ok := v.(*value.Dict).Get(key); ok {
				some.Put(key, fact)
			}
		}
		all.Put(name.(string), some)
	}
	return all, nil
}

type repoPackagesArgs struct {
	Names []string `arg:"names,rest,required" doc:"the packages"`
	repoOptions
}

func listRepoPkgs(ctx context.Context, h *host.Host, a repoPackagesArgs) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	known, err := s.Available(ctx, a.Names, a.options())
	all := &value.Dict{}
	for _, name := range a.Names {
		if len(known[name].All) > 0 {
			list, _ := value.Of(known[name].All) // text always is a value
			all.Put(name, list)
		}
	}
	return all, err
}

type selectionsArgs struct {
	Pattern string `arg:"pattern" doc:"only packages whose names match this"`
	State   string `arg:"state" doc:"only those in this state: install, hold, deinstall, purge"`
}

func selections(ctx context.Context, h *host.Host, a selectionsArgs) (*value.Dict, error) {
	_, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, name := range l.Names() {
		p := l.Get(name)
		state := selection(p)
		if a.State != "" && a.State != state || !matches(a.Pattern, name) {
			continue
		}
		list, ok := all.Get(state)
		if !ok {
			list = &value.List{}
			all.Put(state, list)
		}
		list.(*value.List).Items = append(list.(*value.List).Items, name)
	}
	return all, nil
}

func selection(p manager.Package) string {
	switch {
	case p.Held:
		return "hold"
	case p.Unwanted:
		return "purge"
	case p.Config != "":
		return "deinstall"
	}
	return "install"
}

type noArgs struct{}

func listHolds(ctx context.Context, h *host.Host, _ noArgs) ([]string, error) {
	_, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	held := []string{}
	for _, name := range l.Names() {
		if l.Get(name).Held {
			held = append(held, name)
		}
	}
	return held, nil
}
