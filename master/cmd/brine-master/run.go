package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"brine/master"
	"brine/proto"
)

func runCommand(root *string) *cobra.Command {
	var startEmpty bool
	c := &cobra.Command{
		Use: "run", Short: "Run the master until SIGTERM", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			slacken()
			config, err := master.LoadConfig(*root, os.Environ())
			if err != nil {
				return &exit{exitData, err}
			}
			log, err := master.NewLogger(config, os.Stderr)
			if err != nil {
				return &exit{exitData, err}
			}
			// The heap of a master is small beside its connections: collecting it half as often
			// costs some megabytes and saves a twentieth of the work of a job.
			debug.SetGCPercent(200)
			return master.Run(c.Context(), master.Options{Root: *root, Config: config, Log: log, StartEmpty: startEmpty})
		},
	}
	c.Flags().BoolVar(&startEmpty, "start-empty", false, "start with an empty store when it is corrupt and no peer can refill it")
	return c
}

func checkCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: "Check the configuration, the keys, the ports and the clock", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			problems, warnings := master.CheckConfig(c.Context(), *root, os.Environ())
			for _, w := range warnings {
				fmt.Fprintln(os.Stderr, "warning:", w)
			}
			for _, p := range problems {
				fmt.Fprintln(os.Stderr, p)
			}
			if len(problems) > 0 {
				return &exit{exitData, nil}
			}
			fmt.Println("ok")
			return nil
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Println("brine-master", proto.Version) },
	}
}

func rebuildCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "Make the store's projections again from its log (master stopped)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := master.Rebuild(c.Context(), *root, hclog.New(&hclog.LoggerOptions{Name: "rebuild", Output: os.Stderr}))
			if err == nil {
				fmt.Printf("%d records read, projections made again\n", n)
			}
			return err
		},
	}
}

func backupCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write keys, configuration and store to a file (the master may run)",
		Args: oneFile("backup"),
		RunE: func(c *cobra.Command, args []string) error { return master.Backup(c.Context(), *root, args[0]) },
	}
}

func restoreCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Put a backup back (master stopped)", Args: oneFile("restore"),
		RunE: func(c *cobra.Command, args []string) error {
			aside, err := master.Restore(c.Context(), *root, args[0])
			if err != nil {
				return err
			}
			fmt.Println("restored; next: brine-master run")
			if aside != "" {
				fmt.Printf("the store that was there is kept as %s\n", aside)
			}
			return nil
		},
	}
}

func oneFile(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return &exit{exitUsage, errors.New(what + " wants one file")}
		}
		return nil
	}
}
