package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// A course is the plan of a state, as it is made.
type course struct {
	service
	plan      module.Plan
	unmasks   []string // what it says of masks that are taken off
	switched  string   // enabled or disabled, when that is to be done
	enableNow *bool
}

func (c *course) step(key string, val any, do func(context.Context) error) {
	c.plan.Steps = append(c.plan.Steps, module.Change(key, val, do))
}

// systemdOnly warns of an argument that other init systems have not.
func (c *course) systemdOnly(given bool, name string) {
	if _, ok := c.manager.(systemd); given && !ok {
		c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf("The '%s' argument is not supported by this platform", name))
	}
}

func (c *course) unmask(forGood, runtime bool) {
	c.systemdOnly(forGood, "unmask")
	c.systemdOnly(runtime, "unmask_runtime")
	m, ok := c.manager.(masker)
	if !ok {
		return
	}
	own := *c.facts
	c.facts = &own // the masks that are gone once the steps are done
	for _, k := range []struct {
		wanted  bool
		have    *bool
		runtime bool
		name    string
		past    string
	}{{forGood, &own.masked, false, "masked", "unmasked"}, {runtime, &own.maskedRuntime, true, "runtime masked", "runtime unmasked"}} {
		if !k.wanted || !*k.have {
			continue
		}
		*k.have = false
		c.unmasks = append(c.unmasks, k.past)
		c.plan.Steps = append(c.plan.Steps, module.Replace(k.name, true, false, func(ctx context.Context) error {
			return m.mask(ctx, c.facts, false, k.runtime)
		}))
	}
}

// startable says why the service can't be started.
func (c *course) startable() error {
	switch {
	case isTemplate(c.unit):
		return fmt.Errorf("cannot start %s: it is a template, name an instance such as %s", c.name,
			strings.Replace(c.unit, "@", "@NAME", 1))
	case c.masked:
		return fmt.Errorf("cannot start %s: it is masked; unmask: true unmasks it first", c.name)
	case c.maskedRuntime:
		return fmt.Errorf("cannot start %s: it is masked until the next boot; unmask_runtime: true unmasks it first", c.name)
	}
	return nil
}

// enable plans to make the service start with the host, or not.
func (c *course) enable(want *bool) error {
	c.enableNow = want
	switch {
	case want == nil || *want == c.enabled:
		return nil
	case c.fixed != "":
		return nil // told by enabledText
	case *want && (c.masked || c.maskedRuntime):
		return fmt.Errorf("cannot enable %s: it is masked", c.name)
	}
	on := *want
	c.switched = "disabled"
	if on {
		c.switched = "enabled"
	}
	c.step(c.name, true, func(ctx context.Context) error {
		err := c.manager.enable(ctx, c.facts, on)
		if err == nil {
			err = c.checkEnabled(ctx, on)
		}
		switch {
		case err == nil:
			return nil
		case on:
			return fmt.Errorf("cannot enable service %s: %w", c.name, err)
		}
		return fmt.Errorf("cannot disable service %s: %w", c.name, err)
	})
	return nil
}

func (c *course) checkEnabled(ctx context.Context, on bool) error {
	again, err := c.now(ctx)
	if err != nil || again.fixed != "" || again.enabled == on {
		return err
	}
	return errors.New("the init system reported no error, and it is as before")
}

// bootText tells in Salt's words whether the service starts with the host; is is how it is.
func (c *course) bootText(is string) string {
	word := "disabled"
	if *c.enableNow {
		word = "enabled"
	}
	switch {
	case c.switched != "":
		return fmt.Sprintf("Service %s has been %s, and %s", c.name, c.switched, is)
	case c.fixed != "" && *c.enableNow != c.enabled:
		return fmt.Sprintf("Service %s is %s: nothing enables or disables it", c.name, c.fixed)
	}
	return fmt.Sprintf("Service %s is already %s, and %s", c.name, word, is)
}

// told sets what the result says: same, would and did of the start or stop, and of the boot.
func (c *course) told(changed bool, same, would, did, is string) {
	p := &c.plan
	p.Same, p.Would, p.Did = same, would, did
	if !changed {
		p.Would, p.Did, is = same, same, "is in the desired state"
	}
	if c.enableNow != nil {
		p.Did = c.bootText(is)
		switch {
		case c.switched != "" && changed:
			p.Would += fmt.Sprintf("\nService %s set to be %s", c.name, c.switched)
		case c.switched != "":
			p.Would = fmt.Sprintf("Service %s set to be %s", c.name, c.switched)
		case c.fixed != "" && *c.enableNow != c.enabled:
			p.Same += "\n" + p.Did
		}
	}
	for _, what := range c.unmasks {
		p.Would += fmt.Sprintf("\nService %s would be %s", c.name, what)
		p.Did += fmt.Sprintf("\nService %s was %s", c.name, what)
	}
}

// done is the plan. Where only systemd has to read changed files, that is no change of the service: what watches
// those files still restarts it.
func (c *course) done() module.Plan {
	s, ok := c.manager.(systemd)
	if !ok || !c.stale || len(c.plan.Steps) > 0 {
		return c.plan
	}
	same, comment := c.plan.Same, c.plan.Same+"\nsystemd has read its changed unit files again"
	c.plan.Steps = []module.Step{{Do: func(ctx context.Context) (module.Done, error) {
		return module.Done{Changes: &value.Dict{}, Comment: comment}, s.reload(ctx)
	}}}
	c.plan.Foretell = func(context.Context) (module.Done, error) { return module.Done{Comment: same}, nil }
	return c.plan
}
