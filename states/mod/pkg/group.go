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

type groupArgs struct {
	Name    string `arg:"name,required" doc:"the group: its id, or its name"`
	Skip    names  `arg:"skip" doc:"default packages of the group that are left out"`
	Include names  `arg:"include" doc:"packages beside the mandatory and default ones, such as optional ones"`
	refreshOptions
	repoOptions
}

// planGroup plans to install the packages of a group.
func planGroup(ctx context.Context, h *host.Host, a groupArgs) (module.Plan, error) {
	s, err := manager.Of(h)
	if err != nil {
		return module.Plan{}, err
	}
	g, err := s.Group(ctx, a.Name, a.options())
	if err != nil {
		return module.Plan{}, err
	}
	r := &request{host: h, system: s, refreshOptions: a.refreshOptions, options: a.options(), judge: judge{compare: s.Compare}}
	var refused []string
	for _, name := range a.Skip {
		if slices.Contains(g.Mandatory, name) {
			refused = append(refused, name)
		}
	}
	if len(refused) > 0 {
		return module.Plan{}, fmt.Errorf("cannot leave mandatory packages of the group %s out: %s", a.Name, strings.Join(refused, ", "))
	}
	for _, name := range slices.Concat(g.Mandatory, g.Default, a.Include) {
		w := want{name: name}
		if !slices.Contains(a.Skip, name) && !slices.Contains(r.wants, w) {
			r.wants = append(r.wants, w)
		}
	}
	return r.plan(ctx, fmt.Sprintf("Group '%s' is already installed", a.Name))
}
