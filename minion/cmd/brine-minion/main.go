// Command brine-minion is a minion of a brine site: the daemon, and the
// commands that prepare one, check it, and run functions without a master.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"brine/proto"
	"brine/proto/shell"
)

func main() {
	c := command()
	c.SetArgs(words(os.Args))
	os.Exit(status(c.ExecuteContext(interruptible())))
}

func command() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use: "brine-minion", Short: "A minion of a brine site", Version: proto.Version,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &exit{exitUsage, fmt.Errorf("unknown command %q (see brine-minion --help)", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&root, "root", "/", "directory under which all files lie, those of the host too")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &exit{exitUsage, shell.Flag(c, err)} })
	c.AddCommand(runCommand(&root), checkCommand(&root), enrolCommand(&root), callCommand(&root), versionCommand())
	// In section 1 the commands of brine have the same names.
	shell.Add(c, "8", func(format string, args ...any) error { return &exit{exitUsage, fmt.Errorf(format, args...)} })
	return c
}
