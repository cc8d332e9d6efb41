// Package state applies states to the host.
package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the state module.
var Module = module.Module{
	Name: "state",
	Doc:  "Apply states, or say what applying them would change.",
	Funcs: []module.Func{
		{
			Name: "apply",
			Doc: `
				Apply the states of SLS files in the order given. At least one must be named: this version reads
				no top file.

				The whole run is compiled before anything changes: one mistake and nothing is touched. The return
				code is 0, 1 when the states could not be compiled, or 2 when one failed.`,
			Example: "web,db test=True", Do: module.Call(apply), StateRun: true,
		},
		{Name: "running", Doc: "Return a line for each state run that runs or waits here.", Do: module.Call(running)},
		{
			Name: "sls", Doc: "Apply the states of SLS files, as apply does.",
			Example: "web.config", Do: module.Call(sls), StateRun: true,
		},
	},
}

// Functions are the names of the functions of this module that apply states.
var Functions = []string{"state.apply", "state.sls"}

var errNoAgent = errors.New("cannot apply states: no minion runs here")

type options struct {
	Test    bool   `arg:"test" doc:"only say what would change"`
	Saltenv string `arg:"saltenv" doc:"environment of the SLS files; the job's when absent"`
	Queue   bool   `arg:"queue" doc:"wait for a state run that is under way, instead of refusing"`
}

type applyArgs struct {
	Mods names `arg:"mods" doc:"SLS files, such as web or web.config, as a list or with commas between; at least one"`
	options
}

type slsArgs struct {
	Mods names `arg:"mods,required" doc:"SLS files, such as web or web.config, as a list or with commas between"`
	options
}

// names is a list of SLS files; Salt separates them by commas too.
type names []string

func (n *names) ArgType() string { return "list of text" }

func (n *names) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		items = []module.Value{v}
	}
	for _, item := range items {
		text, err := item.Str()
		if err != nil {
			return v.Want("names of SLS files")
		}
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*n = append(*n, name)
			}
		}
	}
	return nil
}

func apply(ctx context.Context, h *host.Host, a applyArgs) (module.Returned, error) {
	if h.Agent == nil {
		return module.Returned{}, errNoAgent
	}
	v, retcode, err := h.Agent.Apply(ctx, host.StateRun{
		Mods: a.Mods, Environment: a.Saltenv, Test: a.Test, Queue: a.Queue,
	})
	return module.Returned{Value: v, Retcode: retcode}, err
}

func sls(ctx context.Context, h *host.Host, a slsArgs) (module.Returned, error) {
	if len(a.Mods) == 0 {
		return module.Returned{}, errors.New("cannot apply states: mods names no SLS file")
	}
	return apply(ctx, h, applyArgs(a))
}

type noArgs struct{}

func running(_ context.Context, h *host.Host, _ noArgs) (*value.List, error) {
	list := value.NewList()
	if h.Agent == nil {
		return list, nil
	}
	for _, j := range h.Agent.Running() {
		if !slices.Contains(Functions, j.Function) {
			continue
		}
		line := fmt.Sprintf("The function %q is waiting with jid %s", j.Function, j.JID)
		if !j.Started.IsZero() {
			line = fmt.Sprintf("The function %q is running and was started at %s with jid %s",
				j.Function, j.Started.Format("2006, Jan 02 15:04:05.000000"), j.JID)
		}
		list.Items = append(list.Items, line)
	}
	return list, nil
}
