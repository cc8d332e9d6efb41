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
	Stateful      stateful `arg:"stateful" doc:"it reports what changed: JSON, or a last line changed=yes n=1. A list with test_name: COMMAND tells too what to run in test mode, which must change nothing"`
	IgnoreTimeout bool     `arg:"ignore_timeout" doc:"a timeout is a success"`
}

type runState struct {
	Name string `arg:"name,required" doc:"the command, run by the shell"`
	options
	stateOptions
	Root absolute `arg:"root" doc:"run it with this directory as its root, as cmd.run_chroot does"`
}

func planRun(ctx context.Context, h *host.Host, a runState) (module.Plan, error) {
	if err := a.look(ctx, h, a.Name); err != nil {
		return module.Plan{}, err
	}
	p := a.planOf(a.Name, '"', func(ctx context.Context) (outcome, error) { return a.execute(ctx, h, a.Name) })
	if test := a.Stateful.testName; test != "" {
		p.Foretell = a.foretell(func(ctx context.Context) (outcome, error) { return a.execute(ctx, h, test) })
	}
	return p, nil
}

// look finds what the run would miss.
func (a *runState) look(ctx context.Context, h *host.Host, command string) error {
	o, l, err := a.rendered(ctx, h, line{text: command})
	if err != nil {
		return err
	}
	if a.Root != "" {
		_, err := jail{root: string(a.Root)}.command(ctx, h, *o, l)
		return err
	}
	argv, err := o.argv(ctx, l)
	if err != nil {
		return err
	}
	_, err = o.look(ctx, h, argv)
	return err
}

func (a *runState) execute(ctx context.Context, h *host.Host, command string) (outcome, error) {
	l := line{text: command}
	if a.Root != "" {
		return jail{root: string(a.Root)}.execute(ctx, h, a.options, l, false)
	}
	return a.options.execute(ctx, h, l, false)
}

func rerun(ctx context.Context, h *host.Host, a runState, _ []string) (module.Plan, error) {
	return planRun(ctx, h, a)
}

var waiting = module.Plan{Same: "nothing that it watches has changed"}

func planWait(context.Context, *host.Host, runState) (module.Plan, error) { return waiting, nil }

type scriptState struct {
	Name   string `arg:"name,required" doc:"the script, with its arguments; its name alone when source is given"`
	Source string `arg:"source" doc:"salt://PATH, or the path of a file of this host; name when absent"`
	Args   *words `arg:"args" doc:"its arguments, as a list, or text split at blanks that are not in quotes; those in name when absent"`
	options
	stateOptions
	Context  *value.Dict `arg:"context" doc:"variables of its template"`
	Defaults *value.Dict `arg:"defaults" doc:"variables of its template that context has not"`
}

func planScript(ctx context.Context, h *host.Host, a scriptState) (module.Plan, error) {
	command, err := a.command(a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	if err := command.check(ctx, h); err != nil {
		return module.Plan{}, err
	}
	if _, err := command.look(ctx, h, nil); err != nil {
		return module.Plan{}, err
	}
	p := a.planOf(a.Name, '\'', func(ctx context.Context) (outcome, error) { return command.execute(ctx, h) })
	if a.Stateful.testName != "" {
		test, err := a.command(a.Stateful.testName)
		if err != nil {
			return module.Plan{}, err
		}
		p.Foretell = a.foretell(func(ctx context.Context) (outcome, error) { return test.execute(ctx, h) })
	}
	return p, nil
}

// command is the script that a name stands for: "SOURCE ARGUMENTS", or anything and arguments beside a source.
func (a *scriptState) command(name string) (*script, error) {
	source, rest, _ := strings.Cut(strings.TrimSpace(name), " ")
	c := &script{scriptArgs{Source: cmp.Or(a.Source, source), options: a.options}, &value.Dict{}}
	for _, d := range []*value.Dict{a.Defaults, a.Context} {
		for k, v := range d.All() {
			_ = c.variables.Set(k, v) // it was a key already
		}
	}
	var err error
	if a.Args != nil {
		c.Args = *a.Args
	} else {
		c.Args, err = split(rest)
	}
	return c, err
}

func rerunScript(ctx context.Context, h *host.Host, a scriptState, _ []string) (module.Plan, error) {
	return planScript(ctx, h, a)
}

func planWaitScript(context.Context, *host.Host, scriptState) (module.Plan, error) {
	return waiting, nil
}

// planOf is the plan of a command: to run it, whatever the host looks like. Salt puts the names of commands and of
// scripts into quotes of two kinds.
func (o stateOptions) planOf(name string, quote rune, perform func(context.Context) (outcome, error)) module.Plan {
	comment := fmt.Sprintf("Command %c%s%c", quote, name, quote)
	do := func(ctx context.Context) (module.Done, error) { return o.done(ctx, comment+" run", perform) }
	return module.Plan{
		Steps: []module.Step{{Changes: value.NewDict("cmd", name), Do: do}},
		Would: comment + " would have been executed",
	}
}

func (o stateOptions) done(
	ctx context.Context, comment string, perform func(context.Context) (outcome, error),
) (module.Done, error) {
	r, err := perform(ctx)
	if err != nil {
		return module.Done{}, err
	}
	if r.timedOut && o.IgnoreTimeout {
		r.code = 0
	}
	done := module.Done{Changes: r.dict(), Comment: comment}
	if o.Stateful.on {
		if done, err = r.reported(); err != nil {
			return done, err
		}
		if done.Comment == "" && done.Changes.Len() > 0 {
			done.Comment = comment
		}
	}
	if r.code != 0 {
		return done, errors.New(cmp.Or(done.Comment, comment))
	}
	return done, nil
}

// foretell asks the command that a stateful one has for test mode.
func (o stateOptions) foretell(perform func(context.Context) (outcome, error)) func(context.Context) (module.Done, error) {
	return func(ctx context.Context) (module.Done, error) {
		return o.done(ctx, fmt.Sprintf("Command %q run", o.Stateful.testName), perform)
	}
}
