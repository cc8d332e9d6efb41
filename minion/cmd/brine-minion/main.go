// Command brine-minion is a minion of a brine site: the daemon, and the
// commands that prepare one, check it, and run functions without a master.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, as sysexits.h has them.
const (
	exitFailed   = 1
	exitRefused  = 4
	exitUsage    = 64
	exitData     = 65
	exitTryAgain = 75
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(status(command().ExecuteContext(ctx)))
}

func command() *cobra.Command {
	var root string
	c := &cobra.Command{
		Use: "brine-minion", Short: "A minion of a brine site",
		SilenceErrors: true, SilenceUsage: true,
	}
	c.PersistentFlags().StringVar(&root, "root", "/", "directory under which all files lie, those of the host too")
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exit{exitUsage, err} })
	c.AddCommand(runCommand(&root), checkCommand(&root), enrolCommand(&root), callCommand(&root), versionCommand())
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
		fmt.Fprintf(os.Stderr, "brine-minion: %v\n", err)
	}
	switch {
	case e != nil:
		return e.status
	case err != nil:
		return exitFailed
	}
	return 0
}
