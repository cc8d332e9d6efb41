package locale

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

type stateArgs struct {
	Name name `arg:"name,required" doc:"the locale, such as de_DE.UTF-8"`
}

func planPresent(ctx context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	there, err := available(ctx, h, nameArgs{a.Name})
	if err != nil {
		return module.Plan{}, module.Unknown("%w", err) // a package that another state installs brings the command
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Locale %s is already present", a.Name),
		Would: fmt.Sprintf("Locale %s needs to be generated", a.Name),
		Did:   fmt.Sprintf("Generated locale %s", a.Name),
	}
	if there {
		return p, nil
	}
	if _, err := find(h, a.Name); err != nil {
		return module.Plan{}, module.Unknown("%w", err)
	}
	p.Steps = []module.Step{module.Change("locale", a.Name.String(), func(ctx context.Context) error { return a.Name.make(ctx, h) })}
	return p, nil
}

func planSystem(ctx context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	have, err := getLocale(ctx, h, struct{}{})
	if err != nil {
		return module.Plan{}, err
	}
	want := a.Name.plain()
	p := module.Plan{
		Same:  fmt.Sprintf("System locale %s already set", want),
		Would: fmt.Sprintf("System locale %s needs to be set", want),
		Did:   fmt.Sprintf("Set system locale %s", want),
	}
	if have != want {
		p.Steps = []module.Step{module.Change("locale", want, func(ctx context.Context) error { return a.Name.set(ctx, h) })}
	}
	return p, nil
}
