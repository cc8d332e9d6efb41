package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"brine/minion"
	"brine/states/all"
	"brine/states/output"
	"brine/states/pillar"
)

// callFlags are the options of the command call.
type callFlags struct {
	minion.CallOptions
	out, color string
	states     output.StateOptions
	verbose    bool
	detailed   bool // exit 2 when states would change something
}

func callCommand(root *string) *cobra.Command {
	var f callFlags
	c := &cobra.Command{
		Use: "call FUNCTION [ARG|NAME=VALUE]...", Short: "Run a function here, without a master",
		ValidArgsFunction: functions,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exit{exitUsage, errors.New("call wants a function, such as test.ping (sys.list_functions names all)")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.Root, f.Function, f.Words = *root, args[0], args[1:]
			return f.call(c)
		},
	}
	c.Flags().StringVar(&f.ID, "id", "", "id of the minion; the configured one, or the host's name")
	c.Flags().StringArrayVar(&f.FileRoots, "file-root", nil,
		"directory of state files (ENV=DIR for another environment); the first that has a file wins")
	c.Flags().StringArrayVar(&f.PillarRoots, "pillar-root", nil,
		"directory of pillar files with their top.sls (ENV=DIR for another environment); the first that has a file wins")
	c.Flags().StringVar(&f.GPGHome, "gpg-home", "", "home directory of gpg, for encrypted values of pillar in SLS with the renderer gpg")
	c.Flags().StringVar(&f.Merging.Strategy, "pillar-merging", pillar.Smart, "how pillar of several SLS is brought together: "+
		strings.Join(pillar.Strategies(), ", "))
	c.Flags().BoolVar(&f.Merging.Lists, "pillar-merge-lists", false, "join lists that several SLS of pillar give")
	c.Flags().StringVar(&f.Environment, "saltenv", "base", "environment that the state files are of")
	c.Flags().StringVar(&f.out, "out", "nested", strings.Join(output.Names(), ", "))
	c.Flags().StringVar(&f.color, "color", "auto", "auto, always or never; NO_COLOR counts as never")
	c.Flags().StringVar(&f.states.Output, "state-output", "full", "how states are shown: full, terse, mixed, changes; each also with _id")
	c.Flags().BoolVar(&f.verbose, "state-verbose", true, "show states that succeeded without a change, too")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "in test mode exit with 2 when something would change")
	takeSalt(c)
	_ = c.RegisterFlagCompletionFunc("pillar-merging", cobra.FixedCompletions(pillar.Strategies(), cobra.ShellCompDirectiveNoFileComp)) // likewise
	_ = c.RegisterFlagCompletionFunc("out", cobra.FixedCompletions(output.Names(), cobra.ShellCompDirectiveNoFileComp))                 // the flag is there
	return c
}

func (f *callFlags) call(c *cobra.Command) error {
	f.states.HideClean = !f.verbose
	show, err := output.For(f.out)
	if err = errors.Join(err, output.CheckColor(f.color), f.states.Check()); err != nil {
		return &exit{exitUsage, err}
	}
	called, err := minion.Call(c.Context(), f.CallOptions)
	var config *minion.BadConfig
	switch {
	case errors.As(err, &config):
		return &exit{exitData, err}
	case err != nil:
		return &exit{exitUsage, err}
	}
	w := c.OutOrStdout()
	o := output.Terminal(w, f.color)
	o.States = f.states
	switch {
	case f.out == "json" || f.out == "yaml":
		err = writeReport(w, f.out, f.Function, called)
	case f.out == "jsonl":
		err = writeLine(w, called)
	case f.out == "nested" && (called.States || called.NotCompiled):
		show, _ = output.For("highstate") // there is one
		fallthrough
	default:
		err = show(w, called.ID, called.Value, o)
	}
	if err != nil {
		return err
	}
	return f.status(called)
}

// functions completes the name of a function.
func functions(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return slices.DeleteFunc(all.Index().Functions(), func(f string) bool { return !strings.HasPrefix(f, word) }),
		cobra.ShellCompDirectiveNoFileComp
}

// status is how the command ends: as brine run does with one minion.
func (f *callFlags) status(r *minion.Called) error {
	switch {
	case r.NotCompiled:
		return &exit{exitData, nil}
	case r.Retcode != 0:
		return &exit{exitFailed, nil}
	case f.detailed && r.Pending:
		return &exit{exitPending, nil}
	}
	return nil
}
