package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brine/master"
)

func initCommand(root *string) *cobra.Command {
	o := master.InitOptions{}
	var passphraseFile string
	c := &cobra.Command{
		Use: "init", Short: "Make a site: its key, the first master and the first operator",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Root = *root
			if o.Name == "" {
				name, err := os.Hostname()
				if err != nil {
					return fmt.Errorf("cannot choose a name: %w (give one with --name)", err)
				}
				o.Name, _, _ = strings.Cut(name, ".")
			}
			var err error
			if o.Passphrase, err = newPassphrase(c.Context(), passphraseFile); err != nil {
				return err
			}
			site, err := master.Init(c.Context(), o)
			if err != nil {
				return err
			}
			fmt.Printf("site made, fingerprint %s\nmaster %s: %s\noperator: %s\nnext: brine-master run\n",
				site.Fingerprint, o.Name, site.Config, site.Operator)
			return nil
		},
	}
	c.Flags().StringVar(&o.Name, "name", "", "name of this master (default: the host's name)")
	c.Flags().StringVar(&o.Listen, "listen", "", "host:port for minions and operators; masters and files get the next two ports; port 0 chooses (default 0.0.0.0:4511)")
	c.Flags().StringVar(&o.Operator, "operator", "admin", "name of the first operator")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	return c
}

func joinCommand(root *string) *cobra.Command {
	o := master.JoinOptions{}
	c := &cobra.Command{
		Use: "join TOKEN", Short: "Make this host a further master, with a token of `brine master invite`",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exit{exitUsage, errors.New("join wants one token, as `brine master invite NAME` printed it")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.Root, o.Token = *root, args[0]
			site, name, err := master.Join(c.Context(), o)
			if err != nil {
				return err
			}
			fmt.Printf("joined site %s as %s: %s\nnext: brine-master run\n", site.Fingerprint, name, site.Config)
			return nil
		},
	}
	c.Flags().StringVar(&o.Listen, "listen", "", "as for init")
	return c
}

// newPassphrase reads the one that a site key gets from a file, or asks for it at the terminal, twice.
func newPassphrase(ctx context.Context, file string) (string, error) {
	first, err := passphrase(ctx, file, "Passphrase of the site key: ")
	if err != nil || file != "" {
		return first, err
	}
	second, err := ask(ctx, "Again: ")
	if err == nil && first != second {
		err = errors.New("cannot use two different passphrases: type the same twice")
	}
	return first, err
}

// passphrase reads one from a file, or asks for it at the terminal.
func passphrase(ctx context.Context, file, prompt string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("cannot read the passphrase: %w", err)
		}
		p := strings.TrimRight(string(data), "\r\n")
		if p == "" {
			return "", fmt.Errorf("cannot use an empty passphrase: %s", file)
		}
		return p, nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", &exit{exitUsage, errors.New("cannot ask for the passphrase of the site key without a terminal: use --passphrase-file")}
	}
	text, err := ask(ctx, prompt)
	if err == nil && text == "" {
		err = errors.New("cannot use an empty passphrase")
	}
	return text, err
}

// ask reads a line that the terminal doesn't show, until ctx ends.
func ask(ctx context.Context, prompt string) (string, error) {
	stdin := int(os.Stdin.Fd())
	before, err := term.GetState(stdin)
	if err != nil {
		return "", err
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // one that is left ends with the program: nothing wakes a read from a terminal
		text, err := term.ReadPassword(stdin)
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		return string(got.text), got.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(stdin, before))
	}
}
