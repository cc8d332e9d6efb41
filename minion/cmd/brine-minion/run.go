package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"brine/minion"
	"brine/proto"
)

func runCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the minion until SIGTERM", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := minion.LoadConfig(*root, os.Environ())
			if err != nil {
				return &exit{exitData, err}
			}
			// A minion waits most of its life: less garbage is worth more collections.
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(50)
			}
			m, err := minion.New(minion.Options{
				Root: *root, Config: config, Log: minion.NewLogger(config, os.Stderr),
				Idle:  rest,
				Ready: func() { tellSystemd("READY=1") },
			})
			if err != nil {
				return err
			}
			stop := watchdog(c.Context())
			defer stop()
			defer tellSystemd("STOPPING=1")
			return m.Run(c.Context())
		},
	}
}

func checkCommand(root *string) *cobra.Command {
	return &cobra.Command{
		Use: "check-config", Short: "Check the configuration, the keys, the masters' addresses and the clock", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			problems, warnings := minion.CheckConfig(c.Context(), *root, os.Environ())
			for _, w := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			for _, p := range problems {
				fmt.Fprintln(c.ErrOrStderr(), p)
			}
			if len(problems) > 0 {
				return &exit{exitData, nil}
			}
			fmt.Fprintln(c.OutOrStdout(), "ok")
			return nil
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), "brine-minion", proto.Version) },
	}
}
