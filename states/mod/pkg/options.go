package pkg

import (
	"fmt"
	"time"

	"brine/states/mod/pkg/manager"
	"brine/states/module"
)

// repoOptions say what packages are taken from, and how.
type repoOptions struct {
	FromRepo        string        `arg:"fromrepo" doc:"take packages from this release (apt), repository (dnf, zypper, pacman)"`
	Enable          names         `arg:"enablerepo" doc:"repositories that are used too (dnf, yum)"`
	Disable         names         `arg:"disablerepo" doc:"repositories that are not used (dnf, yum)"`
	DisableExcludes string        `arg:"disableexcludes,alias=disable_excludes" doc:"whose excludes do not count: main, all or a repository (dnf, yum)"`
	SetOpt          setopt        `arg:"setopt" doc:"settings of the package manager such as obsoletes=0 (dnf, yum)"`
	SkipVerify      bool          `arg:"skip_verify" doc:"take packages that are not signed, or whose signature cannot be checked"`
	LockTimeout     time.Duration `arg:"lock_timeout" default:"600" doc:"how long to wait while another process holds the lock of the package manager"`
}

func (o *repoOptions) options() manager.Options {
	return manager.Options{
		FromRepo: o.FromRepo, Enable: o.Enable, Disable: o.Disable, DisableExcludes: o.DisableExcludes,
		SetOpt: o.SetOpt, SkipVerify: o.SkipVerify, LockTimeout: o.LockTimeout,
	}
}

// names are names with commas between or as a list.
type names []string

func (n *names) ArgType() string { return "text or list of text" }

func (n *names) ParseArg(v module.Value) error {
	var w wants
	if err := w.ParseArg(v); err != nil {
		return v.Want("names")
	}
	for _, x := range w.all {
		if x.version != "" {
			return v.Want("names")
		}
		*n = append(*n, x.name)
	}
	return nil
}

// setopt are settings NAME=VALUE, as text with commas between, a list, or NAME: VALUE.
type setopt []string

func (s *setopt) ArgType() string { return "text or list of text" }

func (s *setopt) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		pairs, isDict := item.Pairs()
		if !isDict {
			var n names
			if err := n.ParseArg(item); err != nil {
				return v.Want("settings NAME=VALUE")
			}
			*s = append(*s, n...)
			continue
		}
		for _, p := range pairs {
			name, err1 := p[0].Str()
			val, err2 := p[1].Str()
			if err1 != nil || err2 != nil {
				return v.Want("settings NAME=VALUE")
			}
			*s = append(*s, fmt.Sprintf("%s=%s", name, val))
		}
	}
	return nil
}

// refreshOptions say when what is known of repositories is brought up to date.
type refreshOptions struct {
	Refresh  *bool         `arg:"refresh,alias=refresh_db" doc:"bring what is known of repositories up to date first, once in a run; absent: when something has to be fetched"`
	ValidFor time.Duration `arg:"cache_valid_time" doc:"not when that was done within so many seconds"`
}

// pending says whether the state will refresh before it fetches anything, and has not yet.
func (o *refreshOptions) pending(s *manager.System) bool {
	return o.wanted() && s.Refreshes(manager.Refresh{ValidFor: o.ValidFor})
}

// wanted says whether the state refreshes before it fetches anything.
func (o *refreshOptions) wanted() bool { return o.Refresh == nil || *o.Refresh }
