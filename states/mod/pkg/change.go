package pkg

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/value"
)

func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok || pattern == ""
}

// anyTargets name packages where none has to be named first.
type anyTargets struct {
	Name    names `arg:"name" doc:"the package, or several with commas between"`
	Pkgs    wants `arg:"pkgs" doc:"packages instead of name, each alone or as NAME: VERSION"`
	Version spec  `arg:"version" doc:"its version, a pattern such as 1.2*, or conditions such as \">=1.2, <2\"; latest: the newest"`
}

func (t *anyTargets) wants() (all []want) {
	if t.Pkgs.given {
		return t.Pkgs.all
	}
	for _, name := range t.Name {
		all = append(all, want{name: name, version: t.Version})
	}
	return all
}

// CheckArgs implements module.Checker.
func (t *anyTargets) CheckArgs() error {
	if len(t.Name) > 0 && t.Pkgs.given {
		return errors.New(`arguments "name" and "pkgs" exclude one another: give one`)
	}
	return nil
}

type installArgs struct {
	anyTargets
	Refresh bool    `arg:"refresh" doc:"bring what is known of repositories up to date first"`
	Sources sources `arg:"sources" doc:"packages in files, each as NAME: PATH, salt:// or URL"`
	repoOptions
	Recommends   *bool `arg:"install_recommends" doc:"install recommended packages too (apt, zypper)"`
	OnlyUpgrade  bool  `arg:"only_upgrade" doc:"leave packages that are not installed"`
	IgnoreEpoch  *bool `arg:"ignore_epoch" doc:"compare versions without their epoch; absent: where the wanted one has none"`
	Reinstall    bool  `arg:"reinstall" doc:"install again what is there"`
	UpdateHolds  bool  `arg:"update_holds" doc:"change packages on hold too, and keep the hold"`
	NewConf      bool  `arg:"force_conf_new" doc:"configuration files of packages replace those that were changed by hand (apt)"`
	DownloadOnly bool  `arg:"downloadonly,alias=download_only" doc:"fetch packages, and install nothing"`
}

// install installs packages; one that is named without a version and is there is brought to the newest, as Salt does.
func install(ctx context.Context, h *host.Host, a installArgs) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	r := &request{
		host: h, system: s, refreshOptions: refreshOptions{Refresh: &a.Refresh}, options: a.options(), wants: a.wants(),
		judge:     judge{compare: s.Compare, ignoreEpoch: a.IgnoreEpoch},
		reinstall: a.Reinstall, updateHolds: a.UpdateHolds,
	}
	r.options.Recommends, r.options.OnlyUpgrade, r.options.NewConf = a.Recommends, a.OnlyUpgrade, a.NewConf
	r.options.DownloadOnly = a.DownloadOnly
	for i := range r.wants {
		if r.wants[i].version == "" && !a.Reinstall {
			r.wants[i].version = latest
		}
	}
	if a.Sources.given {
		r.wants = a.Sources.all
	}
	if len(r.wants) == 0 {
		return &value.Dict{}, nil
	}
	if a.DownloadOnly {
		done, err := download{r}.do(ctx)
		return orEmpty(done.Changes), err
	}
	dones, err := apply(ctx, []*request{r})
	return orEmpty(dones[0].Changes), err
}

func orEmpty(d *value.Dict) *value.Dict {
	if d == nil {
		return &value.Dict{}
	}
	return d
}

type removeArgs struct {
	anyTargets
	LockTimeout time.Duration `arg:"lock_timeout" default:"600" doc:"how long to wait while another process holds the lock of the package manager"`
}

func removeNow(purge bool) func(context.Context, *host.Host, removeArgs) (*value.Dict, error) {
	return func(ctx context.Context, h *host.Host, a removeArgs) (*value.Dict, error) {
		s, err := manager.Of(h)
		if err != nil {
			return nil, err
		}
		r := &removal{system: s, judge: judge{compare: s.Compare}, wants: a.wants(), purge: purge, limit: a.LockTimeout}
		if err := r.look(ctx); err != nil || len(r.names) == 0 {
			return &value.Dict{}, err
		}
		dones, err := remove(ctx, []*removal{r})
		return orEmpty(dones[0].Changes), err
	}
}

type autoremoveArgs struct {
	ListOnly bool `arg:"list_only" doc:"only return what would be removed"`
	Purge    bool `arg:"purge" doc:"with their configuration"`
}

func autoremove(ctx context.Context, h *host.Host, a autoremoveArgs) (any, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	t := manager.Transaction{Unneeded: true, Purge: a.Purge}
	if !a.ListOnly {
		changes, err := s.Apply(ctx, t)
		return changes.Dict(), err
	}
	changes, err := s.Foresee(ctx, t)
	all := []string{}
	for _, c := range changes {
		all = append(all, c.Name)
	}
	return all, err
}

type upgradeArgs struct {
	Refresh bool  `arg:"refresh" default:"true" doc:"bring what is known of repositories up to date first"`
	Full    bool  `arg:"dist_upgrade" doc:"also install and remove what upgrades need (apt)"`
	Pkgs    wants `arg:"pkgs" doc:"only these packages"`
	repoOptions
	UpdateHolds  bool `arg:"update_holds" doc:"change packages on hold too, and keep the hold"`
	NewConf      bool `arg:"force_conf_new" doc:"configuration files of packages replace those that were changed by hand (apt)"`
	DownloadOnly bool `arg:"downloadonly,alias=download_only" doc:"fetch packages, and install nothing"`
}

func upgradeNow(ctx context.Context, h *host.Host, a upgradeArgs) (*value.Dict, error) {
	s, l, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	u := &upgrade{system: s, full: a.Full, refresh: a.Refresh, options: a.options()}
	u.options.NewConf, u.options.Held, u.options.DownloadOnly = a.NewConf, a.UpdateHolds, a.DownloadOnly
	if a.Pkgs.given {
		u.only = []string{}
		for _, w := range a.Pkgs.all {
			u.only = append(u.only, s.Canonical(w.name, l))
		}
	}
	done, err := u.do(ctx)
	return orEmpty(done.Changes), err
}

type refreshArgs struct {
	ValidFor time.Duration `arg:"cache_valid_time" doc:"not when that was done within so many seconds"`
	Fail     bool          `arg:"failhard" doc:"fail when a repository could not be refreshed"`
	Force    bool          `arg:"force" doc:"fetch also what is said to be new enough (zypper, pacman, dnf)"`
}

// refreshNow returns of each repository whether it was brought up to date: True, False when it could not be had, None
// when it was so before; True where the package manager tells nothing of each.
func refreshNow(ctx context.Context, h *host.Host, a refreshArgs) (any, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	text, err := s.Refresh(ctx, manager.Refresh{Force: a.Force, ValidFor: a.ValidFor})
	if err != nil {
		return nil, err
	}
	refusal := s.Refusal()
	states := repositoryStates(text)
	if refusal != "" && (a.Fail || states.Len() == 0) {
		return nil, fmt.Errorf("cannot refresh packages: %s", refusal)
	}
	if states.Len() == 0 && s.Name() != "apt" {
		return true, nil
	}
	return states, nil
}

// repositoryStates reads lines such as "Hit:1 http://deb.debian.org/debian bookworm InRelease".
func repositoryStates(text string) *value.Dict {
	all := &value.Dict{}
	for line := range strings.Lines(text) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, what, _ := strings.Cut(rest, " ")
		what, _, _ = strings.Cut(what, " [")
		switch {
		case what == "":
		case verb == "Get":
			all.Put(what, true)
		case verb == "Hit":
			all.Put(what, nil)
		case verb == "Ign" || verb == "Err":
			all.Put(what, false)
		}
	}
	return all
}

func holdNow(on bool) func(context.Context, *host.Host, anyTargets) (*value.Dict, error) {
	return func(ctx context.Context, h *host.Host, a anyTargets) (*value.Dict, error) {
		s, l, err := installed(ctx, h)
		if err != nil {
			return nil, err
		}
		all := &value.Dict{}
		var todo []string
		for _, w := range a.wants() {
			name := s.Canonical(w.name, l)
			report := value.NewDict("name", w.name, "changes", &value.Dict{}, "result", true, "comment", holdComment(w.name, on))
			switch p := l.Get(name); {
			case p.Held == on:
				report.Put("comment", settled(w.name, on))
			case len(p.Versions) == 0:
				report.Put("result", false)
				report.Put("comment", fmt.Sprintf("Package %s is not installed.", w.name))
			default:
				todo = append(todo, name)
				changes := &value.Dict{}
				addHold(changes, w.name, on)
				change, _ := changes.Get(w.name)
				report.Put("changes", change)
			}
			all.Put(w.name, report)
		}
		return all, s.Hold(ctx, todo, on)
	}
}

func settled(name string, on bool) string {
	if on {
		return fmt.Sprintf("Package %s is already set to be held.", name)
	}
	return fmt.Sprintf("Package %s is already set not to be held.", name)
}
