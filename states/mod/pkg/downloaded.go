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

type downloadedArgs struct {
	targets
	refreshOptions
	repoOptions
	old
	Recommends  *bool `arg:"install_recommends" doc:"fetch recommended packages too (apt, zypper)"`
	IgnoreEpoch *bool `arg:"ignore_epoch" doc:"compare versions without their epoch; absent: where the wanted one has none"`
}

// CheckArgs implements module.Checker.
func (a *downloadedArgs) CheckArgs() error { return a.check() }

const alreadyDownloaded = "All specified packages are already downloaded"

func planDownloaded(ctx context.Context, h *host.Host, a downloadedArgs) (module.Plan, error) {
	p := module.Plan{Same: alreadyDownloaded, Did: alreadyDownloaded, Warnings: a.old.warnings()}
	s, l, err := installed(ctx, h)
	if err != nil {
		return p, err
	}
	r := &request{
		host: h, system: s, wants: a.wants(), refreshOptions: a.refreshOptions, options: a.options(),
		judge: judge{compare: s.Compare, ignoreEpoch: a.IgnoreEpoch},
	}
	r.options.Recommends, r.options.DownloadOnly = a.Recommends, true
	d := download{r}
	p.Foretell = func(ctx context.Context) (module.Done, error) {
		missing, err := d.missing(ctx, l)
		return module.Done{
			Changes: missing.Dict(), Comment: d.comment("The following packages would be downloaded: ", missing),
		}, err
	}
	if !r.wanted() || s.Refreshed() {
		if missing, err := d.missing(ctx, l); err != nil || len(missing) == 0 {
			return p, err
		}
	}
	p.Steps = []module.Step{{Changes: value.NewDict(), Do: d.do}}
	return p, nil
}

// A download is a request whose packages are fetched, not installed.
type download struct{ *request }

// missing are the packages that are not there, each with the version that is wanted.
func (d download) missing(ctx context.Context, l *manager.List) (changes manager.Changes, err error) {
	known, err := d.system.Available(ctx, d.repositoryNames(l, []task{{todo: d.wants}}), d.options)
	if err != nil {
		return nil, err
	}
	var t manager.Transaction
	if err := d.resolve(ctx, task{todo: d.wants}, &manager.List{}, known, &t); err != nil {
		return nil, err
	}
	for _, w := range t.Install {
		version := w.Version
		if version == "" {
			version = known[w.Name].Candidate
		}
		if !d.system.Downloaded(w.Name, version) && !slices.Contains(known[w.Name].Local, version) {
			changes = changes.With(manager.Change{Name: w.Name, New: version})
		}
	}
	return changes, nil
}

func (d download) comment(what string, changes manager.Changes) string {
	if len(changes) == 0 {
		return alreadyDownloaded
	}
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.Name
	}
	return what + strings.Join(names, ", ")
}

func (d download) do(ctx context.Context) (module.Done, error) {
	if d.wanted() {
		err := d.system.RefreshOnce(ctx, manager.Refresh{ValidFor: d.ValidFor, LockTimeout: d.options.LockTimeout})
		if err != nil {
			return module.Done{}, err
		}
	}
	l, err := d.system.Installed(ctx)
	if err != nil {
		return module.Done{}, err
	}
	missing, err := d.missing(ctx, l)
	if err != nil || len(missing) == 0 {
		return module.Done{Changes: &value.Dict{}, Comment: alreadyDownloaded}, err
	}
	t := manager.Transaction{Options: d.options}
	for _, c := range missing {
		w := manager.Want{Name: c.Name, Version: c.New}
		if l.Has(c.Name) { // or it would not be fetched
			t.Reinstall = append(t.Reinstall, w)
		} else {
			t.Install = append(t.Install, w)
		}
	}
	if _, err := d.system.Apply(ctx, t); err != nil {
		return module.Done{}, fmt.Errorf("cannot download %s: %w", listed(t), err)
	}
	left, err := d.missing(ctx, l)
	if err == nil && len(left) > 0 {
		err = errors.New(d.comment("The following packages failed to download: ", left))
	}
	return module.Done{Changes: missing.Dict(), Comment: d.comment("Packages downloaded: ", missing)}, err
}
