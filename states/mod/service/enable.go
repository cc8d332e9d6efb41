package service

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

type bootArgs struct {
	Name string `arg:"name,required" doc:"the service; another kind of unit with its ending, such as backup.timer"`
}

func (a *bootArgs) service() (string, bool) { return a.Name, true }

func planEnabled(ctx context.Context, h *host.Host, a bootArgs) (module.Plan, error) {
	return planBoot(ctx, h, a, true)
}

func planDisabled(ctx context.Context, h *host.Host, a bootArgs) (module.Plan, error) {
	return planBoot(ctx, h, a, false)
}

func planBoot(ctx context.Context, h *host.Host, a bootArgs, on bool) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, true)
	switch {
	case err != nil:
		return module.Plan{}, err
	case !s.known && on:
		return module.Plan{}, absent(s)
	case !s.known:
		return module.Plan{Same: fmt.Sprintf("The named service %s is not available", s.name)}, nil
	}
	c := course{service: s}
	if err := c.enable(&on); err != nil {
		return module.Plan{}, err
	}
	c.told(false, "", "", "", "")
	c.plan.Same = c.bootText("is in the desired state")
	return c.done(), nil
}

type maskArgs struct {
	Name    string `arg:"name,required" doc:"the service; another kind of unit with its ending, such as backup.timer"`
	Runtime bool   `arg:"runtime" doc:"the mask that is gone with the next boot, instead of the one for good"`
}

func (a *maskArgs) service() (string, bool) { return a.Name, false }

func planMasked(ctx context.Context, h *host.Host, a maskArgs) (module.Plan, error) {
	return planMask(ctx, h, a, true)
}

func planUnmasked(ctx context.Context, h *host.Host, a maskArgs) (module.Plan, error) {
	return planMask(ctx, h, a, false)
}

// planMask plans a mask or its end. A service that is not there can be masked too, so that it is when it comes.
func planMask(ctx context.Context, h *host.Host, a maskArgs, on bool) (module.Plan, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	if err != nil {
		return module.Plan{}, err
	}
	m, ok := s.manager.(masker)
	if !ok {
		return module.Plan{}, errNoMasks
	}
	masks, have := "masked", s.masked
	if a.Runtime {
		masks, have = "runtime masked", s.maskedRuntime
	}
	word, same := masks, "is already "+masks
	if !on {
		word = map[bool]string{false: "unmasked", true: "runtime unmasked"}[a.Runtime]
		same = "was already " + word
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Service %s %s", s.name, same),
		Would: fmt.Sprintf("Service %s would be %s", s.name, word),
		Did:   fmt.Sprintf("Service %s was %s", s.name, word),
	}
	if have != on {
		p.Steps = []module.Step{module.Replace(masks, !on, on, func(ctx context.Context) error {
			if err := m.mask(ctx, s.facts, on, a.Runtime); err != nil {
				return fmt.Errorf("cannot %s service %s: %w", map[bool]string{true: "mask", false: "unmask"}[on], s.name, err)
			}
			return nil
		})}
	}
	return p, nil
}
