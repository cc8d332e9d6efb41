// Command brine-master is a master of a brine site: the daemon, and the
// commands that make, check and repair one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"brine/pki"
	"brine/proto"
	"brine/proto/shell"
)

// Exit codes, as sysexits.h has them.
const (
	exitFailed = 1
	exitUsage  = 64
	exitData   = 65
	exitDenied = 77 // this master is revoked: to start it again is of no use
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(status(command().ExecuteContext(ctx)))
}

func command() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use: "brine-master", Short: "A master of a brine site", Version: proto.Version,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &exit{exitUsage, fmt.Errorf("unknown command %q (see brine-master --help)", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&root, "root", "/", "directory under which all files lie")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &exit{exitUsage, shell.Flag(c, err)} })
	c.AddCommand(initCommand(&root), joinCommand(&root), runCommand(&root), checkCommand(&root),
		rebuildCommand(&root), backupCommand(&root), restoreCommand(&root), renewCommand(&root), operatorCommand(&root), passphraseCommand(&root), versionCommand())
	// In section 1 the commands of brine have the same names.
	shell.Add(c, "8", func(format string, args ...any) error { return &exit{exitUsage, fmt.Errorf(format, args...)} })
	return c
}

// exit is an error with the status that the command ends with; without a text nothing is printed.
type exit struct {
	status int
	error
}

func (e *exit) Unwrap() error { return e.error }

func status(err error) int {
	var e *exit
	if isExit := errors.As(err, &e); err != nil && (!isExit || e.error != nil) {
		fmt.Fprintf(os.Stderr, "brine-master: %v\n", err)
	}
	switch {
	case e != nil:
		return e.status
	case errors.Is(err, pki.ErrRevokedMaster):
		return exitDenied
	case err != nil:
		return exitFailed
	}
	return 0
}
