package main

import (
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
)

func (a *app) applyCommand() *cobra.Command {
	var test bool
	c := a.stateCommand(&test, &cobra.Command{
		Use: "apply TARGET [SLS...]", Short: "Apply states on minions: those named, or all that the top file gives them",
		Example: "  brine apply 'web*' web\n  brine apply '*' web --test\n  brine apply '*' web --state-output changes",
	})
	c.Flags().BoolVar(&test, "test", false, "only say what would change")
	return c
}

func (a *app) planCommand() *cobra.Command {
	test := true
	return a.stateCommand(&test, &cobra.Command{
		Use: "plan TARGET [SLS...]", Short: "Show what applying states would change: equal diffs once, with their minions",
		Example: "  brine plan 'web*'\n  brine plan '*' web --detailed-exitcode",
		PreRun:  func(*cobra.Command, []string) { a.plan = true },
	})
}

// stateCommand makes a command that applies states, or tests what that would do.
func (a *app) stateCommand(test *bool, c *cobra.Command) *cobra.Command {
	f := &jobFlags{}
	c.ValidArgsFunction = position(a.minionIDs, nothing)
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s wants a target, as in: brine %s 'web*' nginx", c.Name(), c.Name())
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		list, tests := stateArguments(args[1:])
		if *test && !tests {
			list, tests = append(list, text("test", "True")), true
		}
		if a.detailed && !tests {
			return usage("--detailed-exitcode tells of changes that are pending: it goes with --test")
		}
		return a.job(c.Context(), f, args[0], []*proto.Call{{Function: "state.apply", Args: list}})
	}
	f.add(a, c)
	c.Flags().BoolVar(&a.detailed, "detailed-exitcode", false, "exit with 2 when all is well and changes are pending")
	return c
}

// stateArguments are those of state.apply: names of SLS files, and named arguments. tests tells of
// Salt's test=True among them.
func stateArguments(words []string) (list []*proto.Argument, tests bool) {
	var mods []string
	for _, word := range words {
		m := kwarg.FindStringSubmatch(word)
		if m == nil {
			mods = append(mods, word)
			continue
		}
		list = append(list, text(m[1], m[2]))
		tests = tests || m[1] == "test" && isTrue(m[2])
	}
	if len(mods) > 0 {
		list = append([]*proto.Argument{text("", strings.Join(mods, ","))}, list...)
	}
	return list, tests
}

// isTrue tells what YAML reads as true.
func isTrue(word string) bool {
	switch strings.ToLower(word) {
	case "true", "yes", "on":
		return true
	}
	return false
}
