package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

// words are the arguments of a command line. A state tree may call salt-call on the host: a link of that name to this
// program is its command call.
func words(argv []string) []string {
	if filepath.Base(argv[0]) != "salt-call" {
		return argv[1:]
	}
	return append([]string{"call"}, argv[1:]...)
}

// takeSalt lets a command take what salt-call is given to work as call always does: here, with the function's exit
// code, and without a log of its own.
func takeSalt(c *cobra.Command) {
	c.Flags().Bool("local", true, "taken for Salt's sake")
	c.Flags().Bool("retcode-passthrough", true, "taken for Salt's sake")
	c.Flags().StringP("log-level", "l", "", "taken for Salt's sake")
	for _, name := range []string{"local", "retcode-passthrough", "log-level"} {
		_ = c.Flags().MarkHidden(name) // it is there
	}
}
