package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"brine/master"
)

func passphraseCommand(root *string) *cobra.Command {
	var oldFile, newFile string
	c := &cobra.Command{
		Use: "passphrase", Short: "Encrypt this master's copy of the site key with another passphrase (the master may run)", Args: cobra.NoArgs,
		Long: "Encrypt this master's copy of the site key with another passphrase. Each master has a copy of its own:\n" +
			"do it at all of them. The master may run meanwhile.",
		RunE: func(c *cobra.Command, _ []string) error {
			before, err := passphrase(c.Context(), oldFile, "Passphrase of the site key until now: ")
			if err != nil {
				return err
			}
			next, err := newPassphrase(c.Context(), newFile)
			if err != nil {
				return err
			}
			if err := master.ChangePassphrase(*root, before, next); err != nil {
				return err
			}
			fmt.Println("passphrase changed: do the same at every other master")
			return nil
		},
	}
	c.Flags().StringVar(&oldFile, "passphrase-file", "", "file with the passphrase until now (default: ask)")
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "file with the new one (default: ask)")
	return c
}

func renewCommand(root *string) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "renew", Short: "Give this master a new certificate while it does not run, such as after the old one has ended", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			phrase, err := passphrase(c.Context(), file, "Passphrase of the site key: ")
			if err != nil {
				return err
			}
			until, err := master.Renew(*root, phrase, time.Now())
			if err != nil {
				return err
			}
			fmt.Printf("certificate renewed until %s\nnext: brine-master run\n", until.Format(time.DateOnly))
			return nil
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	return c
}

func operatorCommand(root *string) *cobra.Command {
	var file, dir string
	c := &cobra.Command{
		Use: "operator NAME", Short: "Make an operator who may do everything, when no key of one is left (master stopped)",
		Long: "Make an operator who may do everything, for a site of which nobody has such an operator's key any more.\n" +
			"The passphrase of the site key is the right to it. The master must not run; the others learn of it from this one.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exit{exitUsage, errors.New("operator wants the name of the new operator")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			phrase, err := passphrase(c.Context(), file, "Passphrase of the site key: ")
			if err != nil {
				return err
			}
			config, err := master.NewOperator(c.Context(), *root, args[0], phrase, dir)
			if err != nil {
				return err
			}
			fmt.Printf("operator %s: %s\nnext: brine-master run, then brine --config %[2]s operator ls\n", args[0], config)
			return nil
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	c.Flags().StringVar(&dir, "out", ".", "directory for operator.toml and operator.key")
	return c
}
