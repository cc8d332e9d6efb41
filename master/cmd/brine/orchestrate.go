package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
	"brine/states/output"
	"brine/states/value"
)

// runnerFlags are the switches of commands that call functions of masters.
type runnerFlags struct {
	async   bool
	timeout time.Duration
}

func (f *runnerFlags) add(a *app, c *cobra.Command) *cobra.Command {
	c.Flags().DurationVarP(&f.timeout, "timeout", "t", 0, "stop waiting after this long; an orchestration goes on")
	return a.jobOut(c)
}

func (a *app) orchestrateCommand() *cobra.Command {
	f := &runnerFlags{}
	var test bool
	var environment string
	c := f.add(a, &cobra.Command{
		Use: "orchestrate SLS... [KEY=VALUE]...", Short: "Carry out an orchestration: SLS files whose states are jobs on minions and functions of masters",
		Long: `Carry out an orchestration: SLS files whose states are jobs on minions (salt.state, salt.function), functions of masters
(salt.runner, salt.wheel, salt.parallel_runners) and waits for events (salt.wait_for_event).

One master drives it. When that dies another goes on: no step is done twice. An interrupt only ends the watching:
brine job watch JID follows it again, brine job cancel JID ends it with the jobs of its steps.`,
		Example: "  brine orchestrate deploy pillar='{version: 1.2}'\n  brine orchestrate deploy --test",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("orchestrate wants an SLS, as in: brine orchestrate deploy")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			list, tests := stateArguments(args)
			if test && !tests {
				list = append(list, text("test", "True"))
			}
			if environment != "" {
				list = append(list, text("saltenv", environment))
			}
			return a.runner(c.Context(), f, "runner", "state.orchestrate", list)
		},
	})
	c.Flags().BoolVar(&test, "test", false, "only say what would be done; states are tested on their minions")
	c.Flags().StringVar(&environment, "saltenv", "", "environment of the file tree (default base)")
	c.Flags().BoolVar(&f.async, "async", false, "print the orchestration's id and do not wait")
	return c
}

func (a *app) runnerCommand() *cobra.Command {
	return a.functionCommand("runner", "Call a function that asks masters and acts by them, as salt-run does",
		"  brine runner manage.up\n  brine runner jobs.lookup_jid 20260131120000000123\n  brine runner doc.runner")
}

func (a *app) wheelCommand() *cobra.Command {
	return a.functionCommand("wheel", "Call a function that manages masters, as Salt's wheel does",
		"  brine wheel key.list_all\n  brine wheel key.accept 'web*'\n  brine runner doc.wheel")
}

func (a *app) functionCommand(kind, short, example string) *cobra.Command {
	f := &runnerFlags{}
	return f.add(a, &cobra.Command{
		Use: kind + " FUNCTION [ARG|KEY=VALUE]...", Short: short, Example: example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s wants a function, as in: %s (brine runner doc.%s lists them)", kind, strings.TrimSpace(strings.Split(example, "\n")[0]), kind)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.runner(c.Context(), f, kind, args[0], arguments(args[1:]))
		},
	})
}

// runner calls a function of masters and shows what it returns.
func (a *app) runner(ctx context.Context, f *runnerFlags, kind, function string, args []*proto.Argument) error {
	if _, err := output.For(a.out); err != nil {
		return &exit{exitUsage, err}
	}
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	req := cl.NewCall(kind, function, args)
	req.Async = f.async
	return a.followRunner(ctx, f, req.Jid, func(ctx context.Context, each func(*proto.RunnerFrame)) (*proto.RunnerFrame, error) {
		return cl.Runner(ctx, req, each)
	})
}

// orchestration shows an orchestration, or what was told of the job of that id where there is none.
func (a *app) orchestration(ctx context.Context, cl *client.Client, jid string, f *runnerFlags, once bool, none error) error {
	err := a.followRunner(ctx, f, jid, func(ctx context.Context, each func(*proto.RunnerFrame)) (*proto.RunnerFrame, error) {
		return cl.WatchRunner(ctx, jid, once, each)
	})
	if client.IsCode(err, proto.ApiError_NOT_FOUND) {
		return none
	}
	return err
}

// followRunner shows how a call goes, and what it returns.
func (a *app) followRunner(ctx context.Context, f *runnerFlags, jid string,
	watch func(context.Context, func(*proto.RunnerFrame)) (*proto.RunnerFrame, error)) error {
	ctx, cancel := limited(ctx, f.timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := make(chan struct{})
	defer close(watched)
	go func() {
		select {
		case <-a.interrupts:
			stop(errDetached)
		case <-watched:
		}
	}()
	p := &runnerProgress{a: a, live: isTerminal(a.stderr), began: time.Now()}
	last, err := watch(ctx, p.show)
	p.clear()
	why := timedOut(ctx)
	switch {
	case errors.Is(context.Cause(ctx), errDetached):
		return &exit{exitInterrupted, fmt.Errorf("interrupted; an orchestration goes on: brine job watch %s", jid)}
	case err != nil && why != nil:
		return &exit{exitTryAgain, fmt.Errorf("%w; an orchestration goes on: brine job watch %s", why, jid)}
	case err != nil:
		return err
	}
	return a.showRunner(last)
}

// showRunner shows the last that was told of a call.
func (a *app) showRunner(f *proto.RunnerFrame) error {
	if !f.Ended {
		return a.single("jid", f.Jid)
	}
	if a.out != "quiet" {
		if err := a.showValue(f); err != nil {
			return err
		}
	}
	switch {
	case f.Retcode == 0:
		return nil
	case notCompiled(f):
		return &exit{exitData, nil}
	}
	return &exit{exitFailed, nil}
}

// orchestrated is what an orchestration returned.
type orchestrated struct {
	Data      map[string]json.RawMessage `json:"data"`
	Outputter string                     `json:"outputter"`
}

// notCompiled tells whether the files of an orchestration are wrong.
func notCompiled(f *proto.RunnerFrame) bool {
	o := &orchestrated{}
	if f.Outputter != "highstate" || json.Unmarshal(f.Value, o) != nil {
		return false
	}
	for _, v := range o.Data {
		return bytes.HasPrefix(v, []byte("["))
	}
	return false
}

// showValue shows what a function returned, by the outputter that fits it where none is asked for.
func (a *app) showValue(f *proto.RunnerFrame) error {
	layout, o := a.out, &orchestrated{}
	if json.Unmarshal(f.Value, o) == nil && o.Outputter == "highstate" && len(o.Data) > 0 && (layout == "nested" || layout == "highstate") {
		many, err := output.NewMany(a.stdout, "highstate", a.outputOptions(), output.ManyOptions{All: true})
		if err != nil {
			return &exit{a.states.blame(), err}
		}
		v, err := value.FromJSON(f.Value)
		if err != nil {
			return err
		}
		d, _ := v.(*value.Dict)
		data, _ := d.Get("data")
		minions, _ := data.(*value.Dict)
		for name := range minions.All() {
			if err := many.Add(output.Result{Minion: fmt.Sprint(name), Value: o.Data[fmt.Sprint(name)], Failed: f.Retcode != 0}); err != nil {
				return err
			}
		}
		if err := many.Close(); err != nil {
			return err
		}
		if f.Outputter == "highstate" {
			fmt.Fprintf(a.stderr, "orchestration %s, driven by master %s\n", f.Jid, f.Master)
		}
		return nil
	}
	switch layout {
	case "json", "yaml":
		var v any
		if len(f.Value) > 0 {
			v = json.RawMessage(f.Value)
		}
		return writeObject(a.stdout, layout, v)
	case "jsonl":
		return writeLine(a.stdout, json.RawMessage(f.Value))
	}
	v, err := value.FromJSON(f.Value)
	if err != nil {
		return err
	}
	return output.Bare(a.stdout, v, a.outputOptions())
}

// runnerProgress tells how far an orchestration is.
type runnerProgress struct {
	a     *app
	live  bool
	began time.Time
	told  string
	at    time.Time
	lined bool
}

// quietFor is how long nothing is told off a terminal.
const quietFor = 10 * time.Second

func (p *runnerProgress) show(f *proto.RunnerFrame) {
	if f.Ended || f.MoreValue || p.a.out == "quiet" || f.Total == 0 {
		return
	}
	seconds := int(time.Since(p.began).Seconds())
	line := fmt.Sprintf("%d/%d steps", f.Done, f.Total)
	if len(f.Running) > 0 {
		line += "  " + some(f.Running)
	}
	line = output.Harmless(line)
	if p.live {
		fmt.Fprintf(p.a.stderr, "\r\x1b[K%s  %02d:%02d", line, seconds/60, seconds%60)
		p.lined = true
		return
	}
	if len(f.Running) == 0 || line == p.told && time.Since(p.at) < quietFor {
		return
	}
	p.told, p.at = line, time.Now()
	fmt.Fprintf(p.a.stderr, "%s  %02d:%02d\n", line, seconds/60, seconds%60)
}

func (p *runnerProgress) clear() {
	if p.lined {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
	}
}
