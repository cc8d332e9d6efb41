package schedule

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// states are those of the schedule module.
var states = []module.State{
	{
		Name: "absent", Doc: "Have the minion not run a job.",
		Example: `
			ping:
			  schedule.absent: []`,
		Plan: module.Look(absent),
	},
	{
		Name: "disabled", Doc: "Have a job rest.",
		Example: `
			ping:
			  schedule.disabled: []`,
		Plan: module.Look(enabledAs(false)),
	},
	{
		Name: "enabled", Doc: "Have a job not rest.",
		Example: `
			ping:
			  schedule.enabled: []`,
		Plan: module.Look(enabledAs(true)),
	},
	{
		Name: "present",
		Doc: `
			Have the minion run a job at certain times. Arguments that are not named here are the configuration of the job, by
			their names.`,
		Example: `
			highstate:
			  schedule.present:
			    - function: state.apply
			    - cron: '15 3 * * *'
			    - splay: 600`,
		Plan: module.Look(present),
	},
}

type presentArgs struct {
	Name    string      `arg:"name,required" doc:"the job"`
	Args    any         `arg:"job_args" doc:"a list of arguments of the function"`
	Kwargs  any         `arg:"job_kwargs" doc:"a dict of arguments of the function by their names"`
	Persist bool        `arg:"persist" default:"true" doc:"for later starts of the minion too"`
	Config  *value.Dict `arg:"config,named" doc:"the configuration of the job by names"`
}

func present(_ context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	s, err := of(h)
	if err != nil {
		return module.Plan{}, err
	}
	want, err := item(s, &jobArgs{Name: a.Name, Args: a.Args, Kwargs: a.Kwargs, Config: a.Config})
	if err != nil {
		return module.Plan{}, err
	}
	now := jobOf(s, a.Name)
	p := module.Plan{
		Would: fmt.Sprintf("Job: %s would be added to schedule.", a.Name), Did: fmt.Sprintf("Adding new job %s to schedule", a.Name),
	}
	var what any = "added"
	switch {
	case now != nil && value.Equal(now, want):
		return module.Plan{Same: fmt.Sprintf("Job %s in correct state", a.Name)}, nil
	case now != nil:
		p.Would, p.Did = fmt.Sprintf("Job: %s would be modified in schedule.", a.Name), fmt.Sprintf("Modifying job %s in schedule", a.Name)
		what = value.NewDict("old", now, "new", want)
	}
	return edited(p, a.Name, what, func() error { return s.Edit(a.Name, want, a.Persist) }), nil
}

// edited is a plan with the step that changes the schedule.
func edited(p module.Plan, name string, what any, edit func() error) module.Plan {
	changes := value.NewDict(name, what)
	p.Steps = []module.Step{{Changes: changes, Do: func(context.Context) (module.Done, error) {
		if err := edit(); err != nil {
			return module.Done{Changes: changes}, err
		}
		return module.Done{}, nil
	}}}
	return p
}

type stateArgs struct {
	Name    string `arg:"name,required" doc:"the job"`
	Persist bool   `arg:"persist" default:"true" doc:"for later starts of the minion too"`
}

func absent(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	s, err := of(h)
	if err != nil {
		return module.Plan{}, err
	}
	if jobOf(s, a.Name) == nil {
		return module.Plan{Same: fmt.Sprintf("Job %s not present in schedule", a.Name)}, nil
	}
	p := module.Plan{
		Would: fmt.Sprintf("Job: %s would be deleted from schedule.", a.Name), Did: fmt.Sprintf("Removed job %s from schedule", a.Name),
	}
	return edited(p, a.Name, "removed", func() error { return s.Edit(a.Name, nil, a.Persist) }), nil
}

// enabledAs makes the states that have a job run or rest.
func enabledAs(on bool) func(context.Context, *host.Host, stateArgs) (module.Plan, error) {
	word := switched(on)
	return func(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
		s, err := of(h)
		if err != nil {
			return module.Plan{}, err
		}
		job := jobOf(s, a.Name)
		switch {
		case job == nil:
			return module.Plan{Same: fmt.Sprintf("Job %s not present in schedule", a.Name)}, nil
		case enabled(job) == on:
			return module.Plan{Same: fmt.Sprintf("Job %s is %s already", a.Name, word)}, nil
		}
		p := module.Plan{
			Would: fmt.Sprintf("Job: %s would be %s in schedule.", a.Name, word),
			Did:   fmt.Sprintf("%s job %s from schedule", title(word), a.Name),
		}
		return edited(p, a.Name, word, func() error {
			job.Put("enabled", on)
			return s.Edit(a.Name, job, a.Persist)
		}), nil
	}
}
