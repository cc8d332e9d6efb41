package pkg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/module"
)

type latestArgs struct {
	Name string `arg:"name,required" doc:"the package"`
	Pkgs wants  `arg:"pkgs" doc:"packages instead of name"`
	refreshOptions
	repoOptions
	old
	Debconf     string `arg:"debconf" doc:"file of answers to the questions of packages, set before anything is installed (apt)"`
	Recommends  *bool  `arg:"install_recommends" doc:"install recommended packages too (apt, zypper)"`
	OnlyUpgrade bool   `arg:"only_upgrade" doc:"leave packages that are not installed"`
	UpdateHolds bool   `arg:"update_holds" doc:"change packages on hold too, and keep the hold"`
	NewConf     bool   `arg:"force_conf_new" doc:"configuration files of packages replace those that were changed by hand (apt)"`
	WatchFlags  any    `arg:"watch_flags" doc:"accepted: only Gentoo has such flags"`
}

func planLatest(ctx context.Context, h *host.Host, a latestArgs) (module.Plan, error) {
	s, err := manager.Of(h)
	if err != nil {
		return module.Plan{}, err
	}
	r := &request{
		host: h, system: s, refreshOptions: a.refreshOptions, options: a.options(),
		judge: judge{compare: s.Compare}, updateHolds: a.UpdateHolds, latest: true,
	}
	r.options.Recommends, r.options.OnlyUpgrade, r.options.NewConf = a.Recommends, a.OnlyUpgrade, a.NewConf
	r.warnings = a.old.warnings()
	r.debconf = a.Debconf
	r.wants = []want{{name: a.Name}}
	if a.Pkgs.given {
		r.wants = slices.Clone(a.Pkgs.all)
	}
	if len(r.wants) == 0 {
		return module.Plan{Same: "No packages to install provided"}, nil
	}
	for i := range r.wants {
		r.wants[i].version = latest
	}
	return r.plan(ctx, upToDate(r.wants))
}

func upToDate(wants []want) string {
	switch n := len(wants); {
	case n > 10:
		return fmt.Sprintf("All %d packages are up-to-date.", n)
	case n > 1:
		return fmt.Sprintf("All packages are up-to-date (%s).", sorted(wants))
	}
	return fmt.Sprintf("Package %s is already up-to-date", wants[0].name)
}

func sorted(wants []want) string {
	all := make([]string, len(wants))
	for i, w := range wants {
		all[i] = w.name
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func latestComments(t task) (all []string) {
	if len(t.todo) > 0 {
		all = append(all, "The following packages were successfully installed/upgraded: "+sorted(t.todo))
	}
	if len(t.kept) > 10 && len(t.todo) > 0 {
		all = append(all, fmt.Sprintf("%d packages were already up-to-date", len(t.kept)))
	} else if len(t.kept) > 0 && len(t.todo) > 0 {
		all = append(all, "The following packages were already up-to-date: "+sorted(t.kept))
	}
	return all
}
