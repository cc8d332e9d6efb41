package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brine/minion"
	"brine/states/output"
)

func callCommand(root *string) *cobra.Command {
	var fileRoots []string
	var env, out string
	c := &cobra.Command{
		Use: "call FUNCTION [ARG|NAME=VALUE]...", Short: "Run a function here, without a master",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exit{exitUsage, errors.New("call wants a function, such as test.ping (sys.list_functions names all)")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			show, err := output.For(out)
			if err != nil {
				return &exit{exitUsage, err}
			}
			called, err := minion.Call(c.Context(), minion.CallOptions{
				Root: *root, FileRoots: fileRoots, Environment: env, Function: args[0], Words: args[1:],
			})
			if err != nil {
				return &exit{exitUsage, err}
			}
			if out == "nested" && called.States {
				show, _ = output.For("highstate") // there is one
			}
			w := c.OutOrStdout()
			if err := show(w, "local", called.Value, output.Options{Color: isTerminal(w)}); err != nil {
				return err
			}
			return callStatus(called)
		},
	}
	c.Flags().StringArrayVar(&fileRoots, "file-root", nil, "directory of state files; the first that has a file wins")
	c.Flags().StringVar(&env, "saltenv", "base", "environment that the state files are of")
	c.Flags().StringVar(&out, "out", "nested", "nested, highstate, json, jsonl or quiet")
	return c
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

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}
