package cron

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type presentArgs struct {
	Name string `arg:"name,required" doc:"the command"`
	User string `arg:"user" default:"root" doc:"whose crontab"`
	times
	Comment    *string `arg:"comment" doc:"a comment above the job; absent leaves what is there"`
	Commented  bool    `arg:"commented" doc:"have the job there, but commented out"`
	Identifier mark    `arg:"identifier" doc:"what the job is known by, so that its command can be changed later; the command itself when absent"`
	Special    spec    `arg:"special" doc:"instead of the five fields: @reboot, @hourly, @daily, @weekly, @monthly or @yearly"`
}

// CheckArgs implements module.Checker.
func (a *presentArgs) CheckArgs() error {
	w := a.wanted()
	errs := []error{a.check(), w.check()}
	if a.Special != "" && a.fields() != (fields{"*", "*", "*", "*", "*"}) {
		errs = append(errs, errors.New(`argument "special" takes the place of minute, hour, daymonth, month and dayweek: leave these out`))
	}
	return errors.Join(errs...)
}

func (a *presentArgs) wanted() wanted {
	w := wanted{kind: job, when: a.fields(), spec: string(a.Special), cmd: strings.TrimSpace(a.Name), comment: a.Comment, off: a.Commented}
	if w.id = a.Identifier.id; !a.Identifier.set {
		w.id = w.cmd
	}
	if a.Special != "" {
		w.kind = special
	}
	return w
}

func planPresent(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return module.Plan{}, err
	}
	w := a.wanted()
	p := module.Plan{Same: fmt.Sprintf("Cron %s already present", a.Name)}
	switch w.put(parse(text)) {
	case present:
		return p, nil
	case absent:
		p.Would, p.Did = fmt.Sprintf("Cron %s is set to be added", a.Name), fmt.Sprintf("Cron %s added to %s's crontab", a.Name, a.User)
	default:
		p.Would, p.Did = fmt.Sprintf("Cron %s is set to be updated", a.Name), fmt.Sprintf("Cron %s updated", a.Name)
	}
	p.Steps = []module.Step{module.Change(a.User, a.Name, func(ctx context.Context) error {
		return change(ctx, h, a.User, func(t *tab) error {
			w.put(t)
			return nil
		})
	})}
	return p, nil
}

type absentArgs struct {
	Name string `arg:"name,required" doc:"the command"`
	User string `arg:"user" default:"root" doc:"whose crontab"`
	times
	Comment    *string `arg:"comment" doc:"taken so that a job's declaration can be turned round: it says nothing here"`
	Commented  bool    `arg:"commented" doc:"taken so that a job's declaration can be turned round: it says nothing here"`
	Identifier mark    `arg:"identifier" doc:"what the job is known by; the command itself when absent"`
	Special    spec    `arg:"special" doc:"the job is one of these: @reboot, @hourly, @daily, @weekly, @monthly or @yearly"`
}

func planAbsent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return module.Plan{}, err
	}
	name := strings.TrimSpace(a.Name)
	id := a.Identifier.id
	if !a.Identifier.set {
		id = name
	}
	k := job
	if a.Special != "" {
		k = special
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Cron %s already absent", a.Name),
		Would: fmt.Sprintf("Cron %s is set to be removed", a.Name),
		Did:   fmt.Sprintf("Cron %s removed from %s's crontab", a.Name, a.User),
	}
	if parse(text).find(k, name, id) == nil {
		return p, nil
	}
	p.Steps = []module.Step{module.Change(a.User, a.Name, func(ctx context.Context) error {
		return change(ctx, h, a.User, func(t *tab) error {
			if e := t.find(k, name, id); e != nil {
				t.remove(e)
			}
			return nil
		})
	})}
	return p, nil
}

type envArgs struct {
	Name  string `arg:"name,required" doc:"the variable"`
	Value string `arg:"value" doc:"its value"`
	User  string `arg:"user" default:"root" doc:"whose crontab"`
}

// CheckArgs implements module.Checker.
func (a *envArgs) CheckArgs() error { return checkEnv(a.Name, a.Value) }

func checkEnv(name, value string) error {
	if name == "" || strings.ContainsAny(name, "= \t\n#@") || strings.ContainsAny(value, "\n\r") {
		return fmt.Errorf("cannot set %q to %q in a crontab: a line of it is NAME=VALUE", name, value)
	}
	return nil
}

func planEnvPresent(ctx context.Context, h *host.Host, a envArgs) (module.Plan, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Same: fmt.Sprintf("Cron env %s already present", a.Name)}
	switch putEnv(parse(text), a.Name, a.Value) {
	case present:
		return p, nil
	case absent:
		p.Would, p.Did = fmt.Sprintf("Cron env %s is set to be added", a.Name), fmt.Sprintf("Cron env %s added to %s's crontab", a.Name, a.User)
	default:
		p.Would, p.Did = fmt.Sprintf("Cron env %s is set to be updated", a.Name), fmt.Sprintf("Cron env %s updated", a.Name)
	}
	p.Steps = []module.Step{module.Change(a.User, a.Name, func(ctx context.Context) error {
		return change(ctx, h, a.User, func(t *tab) error {
			putEnv(t, a.Name, a.Value)
			return nil
		})
	})}
	return p, nil
}

func putEnv(t *tab, name, value string) status {
	e := t.variable(name)
	if value == "" {
		value = `""`
	}
	switch {
	case e == nil:
		t.insert(&entry{kind: env, name: name, value: value})
		return absent
	case e.value == value:
		return present
	}
	e.raw, e.value = nil, value
	return stale
}

type envAbsentArgs struct {
	Name string `arg:"name,required" doc:"the variable"`
	User string `arg:"user" default:"root" doc:"whose crontab"`
}

func planEnvAbsent(ctx context.Context, h *host.Host, a envAbsentArgs) (module.Plan, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Cron env %s already absent", a.Name),
		Would: fmt.Sprintf("Cron env %s is set to be removed", a.Name),
		Did:   fmt.Sprintf("Cron env %s removed from %s's crontab", a.Name, a.User),
	}
	if parse(text).variable(a.Name) == nil {
		return p, nil
	}
	p.Steps = []module.Step{module.Change(a.User, a.Name, func(ctx context.Context) error {
		return change(ctx, h, a.User, func(t *tab) error {
			if e := t.variable(a.Name); e != nil {
				t.remove(e)
			}
			return nil
		})
	})}
	return p, nil
}
