package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"brine/proto"
)

// manCommand writes a man page for each command of the program, in section 8: in section 1 the
// commands of brine have the same names.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man [DIR]", Short: "Write a man page for each command, into the directory given or this one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &exit{exitUsage, errors.New("man wants at most one directory")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("cannot write man pages: %w", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true // it would tell the day on which the page was made
			header := &doc.GenManHeader{Section: "8", Source: "brine " + proto.Version, Manual: "brine"}
			if err := doc.GenManTree(root, header, dir); err != nil {
				return fmt.Errorf("cannot write man pages: %w", err)
			}
			return nil
		},
	}
}
