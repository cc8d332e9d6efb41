package main

import (
	"strings"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/states/output"
)

// stateFlags say how the results of states are shown: by flags, or else by operator.toml.
type stateFlags struct {
	form    string
	verbose bool
	given   func(flag string) bool // of the command that runs
	config  *client.Config
}

// jobOut adds the flags of a command that shows the results of a job.
func (a *app) jobOut(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.out, "out", "nested", strings.Join(output.Names(), ", "))
	c.Flags().BoolVar(&a.all, "all", false, "show each minion by itself, equal results too")
	c.Flags().StringVar(&a.states.form, "state-output", "full", "how states are shown: full, terse, mixed, changes, filter; each also with _id")
	c.Flags().BoolVar(&a.states.verbose, "state-verbose", true, "show states that succeeded without a change, too")
	complete(c, "out", output.Names()...)
	complete(c, "state-output", "full", "terse", "mixed", "changes", "filter")
	return c
}

// blame is the exit code of options that are wrong: the flag's fault, or the configuration's.
func (f *stateFlags) blame() int {
	if f.given != nil && f.given("state-output") {
		return exitUsage
	}
	return exitData
}

func (f *stateFlags) options() output.StateOptions {
	config := f.config
	if config == nil {
		config = client.DefaultConfig()
	}
	o := output.StateOptions{
		Output: config.StateOutput, HideClean: !config.StateVerbose, DiffOnly: config.StateOutputDiff,
		NoProfile: !config.StateOutputProfile, Exclude: config.StateOutputExclude, Terse: config.StateOutputTerse,
	}
	if f.given != nil && f.given("state-output") {
		o.Output = f.form
	}
	if f.given != nil && f.given("state-verbose") {
		o.HideClean = !f.verbose
	}
	return o
}
