package beacons

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// StateModule is the beacon module, which has the states.
var StateModule = module.Module{
	Name: "beacon",
	Doc:  "Have the minion watch what it is to watch.",
	States: []module.State{
		{
			Name: "absent", Doc: "Have the minion not watch something. A beacon of pillar is changed there alone.",
			Example: `
				nginx stopped:
				  beacon.absent:
				    - name: ps
				    - save: true`,
			Plan: module.Look(absent),
		},
		{
			Name: "disabled", Doc: "Have a beacon rest.",
			Example: `
				ps:
				  beacon.disabled: []`,
			Plan: module.Look(enabledAs(false)),
		},
		{
			Name: "enabled", Doc: "Have a beacon work.",
			Example: `
				ps:
				  beacon.enabled: []`,
			Plan: module.Look(enabledAs(true)),
		},
		{
			Name: "present",
			Doc: `
				Have the minion watch something. Arguments that are not named here are the configuration of the beacon, by
				their names.`,
			Example: `
				nginx stopped:
				  beacon.present:
				    - name: ps
				    - save: true
				    - processes:
				        nginx: stopped
				    - interval: 10`,
			Plan: module.Look(present),
		},
	},
}

type presentArgs struct {
	Name   string      `arg:"name,required" doc:"the beacon"`
	Save   bool        `arg:"save" doc:"keep it for later starts of the minion"`
	Config *value.Dict `arg:"config,named" doc:"its configuration by names"`
}

func present(_ context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return module.Plan{}, err
	}
	want := value.NewList()
	for k, v := range a.Config.All() {
		d := &value.Dict{}
		_ = d.Set(k, v) // it was a key already
		want.Items = append(want.Items, d)
	}
	now, ok := b.List(true, true).Get(a.Name)
	if ok && value.Equal(now, want) {
		return module.Plan{Same: fmt.Sprintf("Job %s in correct state", a.Name)}, nil
	}
	if kind := kindOf(a.Name, want); !slices.Contains(b.Available(), kind) {
		return module.Plan{}, fmt.Errorf("cannot add beacon %s: there is no kind %q%s", a.Name, kind, spell.DidYouMean(kind, b.Available()))
	}
	if r := ofPillar(b, "modify", a.Name); r != nil {
		return module.Plan{}, failure(r)
	}
	if err := b.Check(a.Name, want); err != nil {
		return module.Plan{}, fmt.Errorf("cannot add beacon %s: its configuration is invalid: %w", a.Name, err)
	}
	p := module.Plan{
		Would: fmt.Sprintf("Beacon: %s would be added.", a.Name), Did: fmt.Sprintf("Adding %s to beacons", a.Name),
	}
	what := value.NewDict("beacon", value.NewDict("new", want))
	if ok {
		p.Would, p.Did = fmt.Sprintf("Beacon: %s would be modified.", a.Name), fmt.Sprintf("Modifying %s in beacons", a.Name)
		what = changes(now, want)
	}
	return edited(p, b, a.Save, what, func(own *value.Dict) { own.Put(a.Name, want) }), nil
}

// edited is a plan with the step that changes beacons.
func edited(p module.Plan, b host.Beacons, save bool, changes *value.Dict, edit func(*value.Dict)) module.Plan {
	p.Steps = []module.Step{{Changes: changes, Do: func(context.Context) (module.Done, error) {
		b.Edit(edit)
		if save {
			if _, err := b.Save(); err != nil {
				return module.Done{Changes: changes}, err
			}
		}
		return module.Done{}, nil
	}}}
	return p
}

func failure(r *value.Dict) error {
	text, _ := r.Get("comment")
	words := fmt.Sprint(text)
	return errors.New(strings.ToLower(words[:1]) + strings.TrimSuffix(words[1:], "."))
}

type absentArgs struct {
	Name string `arg:"name,required" doc:"the beacon"`
	Save bool   `arg:"save" doc:"keep it for later starts of the minion"`
}

func absent(_ context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return module.Plan{}, err
	}
	now, ok := b.List(true, true).Get(a.Name)
	if !ok {
		return module.Plan{Same: a.Name + " not configured in beacons"}, nil
	}
	if r := ofPillar(b, "delete", a.Name); r != nil {
		return module.Plan{}, failure(r)
	}
	p := module.Plan{Would: fmt.Sprintf("Beacon: %s would be deleted.", a.Name), Did: fmt.Sprintf("Removed %s from beacons", a.Name)}
	return edited(p, b, a.Save, value.NewDict("beacon", value.NewDict("old", now)), func(own *value.Dict) { own.Delete(a.Name) }), nil
}

type enabledArgs struct {
	Name string `arg:"name,required" doc:"the beacon"`
}

// enabledAs makes the states that have a beacon work or rest.
func enabledAs(on bool) func(context.Context, *host.Host, enabledArgs) (module.Plan, error) {
	return func(_ context.Context, h *host.Host, a enabledArgs) (module.Plan, error) {
		b, err := beaconsOf(h)
		if err != nil {
			return module.Plan{}, err
		}
		config, ok := b.List(true, true).Get(a.Name)
		if !ok {
			return module.Plan{Same: a.Name + " not a configured beacon"}, nil
		}
		if isEnabled(config) == on {
			return module.Plan{Same: fmt.Sprintf("Beacon %s is %s already", a.Name, done(on))}, nil
		}
		if r := ofPillar(b, strings.TrimSuffix(done(on), "d"), a.Name); r != nil {
			return module.Plan{}, failure(r)
		}
		next, err := withEnabled(config, on)
		if err != nil {
			return module.Plan{}, err
		}
		p := module.Plan{Would: fmt.Sprintf("Beacon %s would be %s.", a.Name, done(on)), Did: fmt.Sprintf("Disabled beacon %s.", a.Name)}
		if on {
			p.Did = fmt.Sprintf("Enabled %s from beacons", a.Name)
		}
		what := value.NewDict("enabled", value.NewDict("old", !on, "new", on))
		return edited(p, b, false, what, func(own *value.Dict) { own.Put(a.Name, next) }), nil
	}
}

func isEnabled(config any) bool {
	for _, d := range dicts(config) {
		if v, ok := d.Get("enabled"); ok {
			return value.Truth(v)
		}
	}
	return true
}
