//go:build noman

package shell

import "github.com/spf13/cobra"

// addManual leaves the command man out, and with it what writes the pages: a minion holds it in memory for nothing.
func addManual(*cobra.Command, string, func(string, ...any) error) {}
