package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type stateOptions struct {
	Stateful      stateful `arg:"stateful" doc:"it reports what changed: JSON, or a last line changed=yes n=1"`
	IgnoreTimeout bool     `arg:"ignore_timeout" doc:"a timeout is a success"`
}

type runState struct {
	Name string `arg:"name,required" doc:"the command, run by the shell"`
	options
	stateOptions
	Background bool `arg:"bg" doc:"let it run and go on at once"`
}

func planRun(ctx context.Context, h *host.Host, a runState) (module.Plan, error) {
	return a.plan(ctx, h)
}

func rerun(ctx context.Context, h *host.Host, a runState, _ []string) (module.Plan, error) {
	return a.plan(ctx, h)
}

func planWait(context.Context, *host.Host, runState) (module.Plan, error) {
	return module.Plan{Same: "nothing that it watches has changed"}, nil
}

func (a *runState) plan(ctx context.Context, h *host.Host) (module.Plan, error) {
	command := runArgs{Cmd: line{text: a.Name}, options: a.options, WithShell: true, Background: a.Background}
	argv, err := command.Cmd.argv(a.Shell, true)
	if err != nil {
		return module.Plan{}, err
	}
	if err := command.check(); err != nil {
		return module.Plan{}, err
	}
	if _, err := command.command(ctx, h, argv); err != nil { // what the run would find missing
		return module.Plan{}, err
	}
	return a.planOf(a.Name, func(ctx context.Context) (outcome, error) {
		return command.execute(ctx, h, false)
	}), nil
}

type scriptState struct {
	Name   string `arg:"name,required" doc:"the script, with its arguments; its name alone when source is given"`
	Source string `arg:"source" doc:"salt://PATH, or the path of a file of this host; name when absent"`
	Args   string `arg:"args" doc:"arguments, as one would type them after the script's name"`
	options
	stateOptions
	Saltenv string `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
}

func planScript(ctx context.Context, h *host.Host, a scriptState) (module.Plan, error) {
	source, args := a.Source, a.Args
	name, words, _ := strings.Cut(a.Name, " ")
	if source == "" {
		source = name
	}
	if args == "" {
		args = words
	}
	command := scriptArgs{Source: source, Args: args, options: a.options, Saltenv: a.Saltenv}
	if err := command.check(ctx, h); err != nil {
		return module.Plan{}, err
	}
	if _, err := command.command(ctx, h, nil); err != nil {
		return module.Plan{}, err
	}
	return a.planOf(a.Name, func(ctx context.Context) (outcome, error) { return command.execute(ctx, h) }), nil
}

func rerunScript(ctx context.Context, h *host.Host, a scriptState, _ []string) (module.Plan, error) {
	return planScript(ctx, h, a)
}

// planOf is the plan of a command: to run it, whatever the host looks like.
func (o stateOptions) planOf(name string, perform func(context.Context) (outcome, error)) module.Plan {
	do := func(ctx context.Context) (module.Done, error) {
		r, err := perform(ctx)
		if err != nil {
			return module.Done{}, err
		}
		if r.timedOut && o.IgnoreTimeout {
			r.code = 0
		}
		done := module.Done{Changes: r.dict(), Comment: fmt.Sprintf("Command %q run", name)}
		if o.Stateful {
			if done, err = r.reported(); err != nil {
				return done, err
			}
		}
		if r.code != 0 {
			return done, errors.New(cmp.Or(done.Comment, fmt.Sprintf("Command %q run", name)))
		}
		return done, nil
	}
	return module.Plan{
		Steps: []module.Step{{Changes: value.NewDict("cmd", name), Do: do}},
		Would: fmt.Sprintf("Command %q would have been executed", name),
	}
}
