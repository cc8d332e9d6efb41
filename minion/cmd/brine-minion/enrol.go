package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"brine/minion"
	"brine/minion/link"
)

func enrolCommand(root *string) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "enrol TOKEN", Short: "Join the site that made the token (brine key token)",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exit{exitUsage, errors.New("enrol wants one token, as `brine key token` printed it")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return enrol(c, *root, args[0], wait) },
	}
	c.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait for the masters' answer; the daemon asks on")
	return c
}

func enrol(c *cobra.Command, root, token string, wait time.Duration) error {
	if err := minion.Enrol(root, token); err != nil {
		return &exit{exitData, err}
	}
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	defer cancel()
	log := hclog.New(&hclog.LoggerOptions{Name: "enrol", Level: hclog.Error, Output: os.Stderr})
	s, err := minion.AskAcceptance(ctx, root, log)
	if err != nil {
		return err
	}
	switch s.State {
	case link.Linked:
		fmt.Fprintln(c.OutOrStdout(), "accepted")
		return nil
	case link.Rejected, link.Refused:
		return &exit{exitRefused, errors.New(s.Reason)}
	}
	return &exit{exitTryAgain, fmt.Errorf("not accepted within %v: %s (the token is kept: brine-minion run asks on)", wait, s.Reason)}
}
