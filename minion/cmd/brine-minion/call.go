package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"brine/minion"
	"brine/states/all"
	"brine/states/output"
)

func callCommand(root *string) *cobra.Command {
	var fileRoots []string
	var env, out, color string
	var verbose bool
	var states output.StateOptions
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
			states.HideClean = !verbose
			show, err := output.For(out)
			if err = errors.Join(err, output.CheckColor(color), states.Check()); err != nil {
				return &exit{exitUsage, err}
			}
			called, err := minion.Call(c.Context(), minion.CallOptions{
				Root: *root, FileRoots: fileRoots, Environment: env, Function: args[0], Words: args[1:],
			})
			if err != nil {
				return &exit{exitUsage, err}
			}
			if out == "nested" && (called.States || called.NotCompiled) {
				show, _ = output.For("highstate") // there is one
			}
			w := c.OutOrStdout()
			o := output.Terminal(w, color)
			o.States = states
			if err := show(w, "local", called.Value, o); err != nil {
				return err
			}
			return callStatus(called)
		},
	}
	c.Flags().StringArrayVar(&fileRoots, "file-root", nil, "directory of state files; the first that has a file wins")
	c.Flags().StringVar(&env, "saltenv", "base", "environment that the state files are of")
	c.Flags().StringVar(&out, "out", "nested", strings.Join(output.Names(), ", "))
	c.Flags().StringVar(&color, "color", "auto", "auto, always or never; NO_COLOR counts as never")
	c.Flags().StringVar(&states.Output, "state-output", "full", "how states are shown: full, terse, mixed, changes; each also with _id")
	c.Flags().BoolVar(&verbose, "state-verbose", true, "show states that succeeded without a change, too")
	_ = c.RegisterFlagCompletionFunc("out", cobra.FixedCompletions(output.Names(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

// functions completes the name of a function.
func functions(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return slices.DeleteFunc(all.Index().Functions(), func(f string) bool { return !strings.HasPrefix(f, word) }),
		cobra.ShellCompDirectiveNoFileComp
}

// callStatus is how the command ends: as brine run does with one minion.
func callStatus(r *minion.Called) error {
	switch {
	case r.NotCompiled:
		return &exit{exitData, nil}
	case r.Retcode != 0:
		return &exit{exitFailed, nil}
	}
	return nil
}
