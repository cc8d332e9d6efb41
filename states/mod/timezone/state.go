package timezone

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// date makes a function that returns what the host's clock says.
func date(format string) func(context.Context, *host.Host, struct{}) (string, error) {
	return func(ctx context.Context, h *host.Host, _ struct{}) (string, error) { return h.Run(ctx, "date", format) }
}

func getZone(_ context.Context, h *host.Host, _ struct{}) (string, error) { return zone(h) }

type zoneArgs struct {
	Zone string `arg:"timezone,required" doc:"the name of the time zone, such as Europe/Berlin"`
}

// CheckArgs implements module.Checker.
func (a *zoneArgs) CheckArgs() error { return checkName(a.Zone) }

func setZone(ctx context.Context, h *host.Host, a zoneArgs) (bool, error) {
	err := set(ctx, h, a.Zone)
	return err == nil, err
}

func compareZone(_ context.Context, h *host.Host, a zoneArgs) (bool, error) { return has(h, a.Zone) }

type systemArgs struct {
	Name string `arg:"name,required" doc:"the name of the time zone, such as Europe/Berlin"`
	UTC  bool   `arg:"utc" default:"true" doc:"have the hardware clock show UTC; false leaves it as it is"`
}

// CheckArgs implements module.Checker.
func (a *systemArgs) CheckArgs() error { return checkName(a.Name) }

func planSystem(_ context.Context, h *host.Host, a systemArgs) (module.Plan, error) {
	same, err := has(h, a.Name)
	if err != nil {
		return module.Plan{}, module.Unknown("%w", err) // a package that another state installs may bring the zone
	}
	isLocal, err := local(h)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Same: fmt.Sprintf("Timezone %s already set", a.Name)}
	var would, did []string
	if !same {
		would, did = append(would, fmt.Sprintf("Timezone %s needs to be set", a.Name)), append(did, "Set timezone "+a.Name)
		p.Steps = append(p.Steps, module.Change("timezone", a.Name, func(ctx context.Context) error { return set(ctx, h, a.Name) }))
	}
	switch {
	case a.UTC && isLocal:
		would, did = append(would, "UTC needs to be set to True"), append(did, "Set UTC to True")
		p.Steps = append(p.Steps, module.Change("utc", true, func(ctx context.Context) error { return setLocal(ctx, h, false) }))
	case a.UTC:
		p.Same += ", UTC already set"
	}
	p.Would, p.Did = strings.Join(would, ", "), strings.Join(did, ", ")
	return p, nil
}
