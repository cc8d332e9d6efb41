package aliases

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type nameArgs struct {
	Alias string `arg:"alias,required,alias=name" doc:"the name that mail is for"`
}

// CheckArgs implements module.Checker.
func (a *nameArgs) CheckArgs() error { return checkName(a.Alias) }

func checkName(name string) error {
	if strings.TrimSpace(name) == "" || strings.ContainsAny(name, "\n#") || strings.Contains(name, ":") && name[0] != '"' {
		return fmt.Errorf("%q can't be the name of an alias", name)
	}
	return nil
}

// A target is where mail goes: text, or a list of it.
type target string

func (t *target) ArgType() string { return "text or list of text" }

func (t *target) ParseArg(v module.Value) error {
	var all []string
	for _, item := range v.Each() {
		text, err := item.Str()
		if text = strings.TrimSpace(text); err != nil || text == "" || strings.Contains(text, "\n") {
			return v.Want("an address, or a list of addresses")
		}
		all = append(all, text)
	}
	if *t = target(strings.Join(all, ", ")); *t == "" {
		return errors.New("want at least one address")
	}
	return nil
}

type targetArgs struct {
	Alias  string `arg:"alias,required,alias=name" doc:"the name that mail is for"`
	Target target `arg:"target,required" doc:"where it goes: an address, a program, a file, or a list of them"`
}

// CheckArgs implements module.Checker.
func (a *targetArgs) CheckArgs() error { return checkName(a.Alias) }

func listAliases(ctx context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	t, err := load(ctx, h)
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for _, e := range t.entries {
		if e.name != "" {
			d.Put(e.name, e.target)
		}
	}
	return d, nil
}

func getTarget(ctx context.Context, h *host.Host, a nameArgs) (string, error) {
	t, err := load(ctx, h)
	if err != nil {
		return "", err
	}
	if e := t.find(a.Alias); e != nil {
		return e.target, nil
	}
	return "", nil
}

func hasTarget(ctx context.Context, h *host.Host, a targetArgs) (bool, error) {
	have, err := getTarget(ctx, h, nameArgs{a.Alias})
	return have == string(a.Target), err
}

func setTarget(ctx context.Context, h *host.Host, a targetArgs) (bool, error) {
	t, err := load(ctx, h)
	if err != nil {
		return false, err
	}
	if e := t.find(a.Alias); e != nil && e.target == string(a.Target) {
		return true, nil
	}
	t.set(a.Alias, string(a.Target))
	err = t.save(ctx, h)
	return err == nil, err
}

func rmAlias(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	t, err := load(ctx, h)
	if err != nil || t.find(a.Alias) == nil {
		return err == nil, err
	}
	t.remove(a.Alias, 0)
	err = t.save(ctx, h)
	return err == nil, err
}

type presentArgs struct {
	Name   string `arg:"name,required" doc:"the name that mail is for"`
	Target target `arg:"target,required" doc:"where it goes: an address, a program, a file, or a list of them"`
}

// CheckArgs implements module.Checker.
func (a *presentArgs) CheckArgs() error { return checkName(a.Name) }

func planPresent(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	args := targetArgs{a.Name, a.Target}
	has, err := hasTarget(ctx, h, args)
	p := module.Plan{
		Same:  fmt.Sprintf("Alias %s already present", a.Name),
		Would: fmt.Sprintf("Alias %s -> %s is set to be added", a.Name, a.Target),
		Did:   fmt.Sprintf("Set email alias %s -> %s", a.Name, a.Target),
	}
	if !has && err == nil {
		p.Steps = []module.Step{module.Change("alias", a.Name, func(ctx context.Context) error {
			_, err := setTarget(ctx, h, args)
			return err
		})}
	}
	return p, err
}

type absentArgs struct {
	Name string `arg:"name,required" doc:"the name that mail is for"`
}

// CheckArgs implements module.Checker.
func (a *absentArgs) CheckArgs() error { return checkName(a.Name) }

func planAbsent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	t, err := load(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Alias %s already absent", a.Name),
		Would: fmt.Sprintf("Alias %s is set to be removed", a.Name),
		Did:   fmt.Sprintf("Removed alias %s", a.Name),
	}
	if t.find(a.Name) != nil {
		p.Steps = []module.Step{module.Change("alias", a.Name, func(ctx context.Context) error {
			_, err := rmAlias(ctx, h, nameArgs{a.Name})
			return err
		})}
	}
	return p, nil
}
