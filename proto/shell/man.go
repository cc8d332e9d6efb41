//go:build !noman

package shell

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"brine/proto"
)

func addManual(root *cobra.Command, section string, usage func(string, ...any) error) {
	root.AddCommand(manual(section, usage))
}

func manual(section string, usage func(string, ...any) error) *cobra.Command {
	return &cobra.Command{
		Use: "man [DIR]", Short: "Write a man page for each command, into the directory given or this one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("man wants at most one directory")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := write(c.Root(), section, dir); err != nil {
				return fmt.Errorf("cannot write man pages: %w", err)
			}
			return nil
		},
	}
}

func write(root *cobra.Command, section, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it would tell the day on which the page was made
	header := &doc.GenManHeader{Section: section, Source: "brine " + proto.Version, Manual: "brine"}
	return doc.GenManTree(root, header, dir)
}
