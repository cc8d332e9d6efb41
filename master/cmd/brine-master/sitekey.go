package main

import (
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
