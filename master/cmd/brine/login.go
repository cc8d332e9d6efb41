package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brine/master/client"
	"brine/proto"
	"brine/proto/role"
)

// loginItem is a sign-in in JSON.
type loginItem struct {
	Name  string   `json:"name"`
	Until string   `json:"until"`
	Roles []string `json:"roles"`
}

func (a *app) loginCommand() *cobra.Command {
	var as, backend, file string
	c := a.outFlag(&cobra.Command{
		Use: "login", Short: "Sign in with the password that PAM or a directory knows", Args: cobra.NoArgs,
		Long: `Sign in as somebody whom [external_auth] of the masters gives rights.

The password is asked for at the terminal, or read from a file or the standard input: the first line. It goes to one
master, sealed, which asks PAM or the directory. From then on all commands of this user with this configuration act
under that name, until the sign-in ends: with the time that [external_auth] valid says, or brine logout. The
configuration (operator.toml) needs no name and no key for that, only ca_fingerprint and masters.`,
		Example: "  brine login\n  brine login --as alice --backend ldap\n  pass show work | brine login --as alice",
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.site()
			if err != nil {
				return err
			}
			reply, err := config.SignIn(c.Context(), func(ctx context.Context, backends []string) (string, string, []byte, error) {
				return a.credentials(ctx, backends, backend, as, file)
			})
			if err != nil {
				return err
			}
			if len(reply.Unconfirmed) > 0 {
				fmt.Fprintf(a.stderr, "not confirmed yet by master %s: it will learn it when it is back\n", strings.Join(reply.Unconfirmed, ", "))
			}
			return a.tellLogin(reply)
		},
	})
	c.Flags().StringVar(&as, "as", "", "the user; without it who you are on this machine")
	c.Flags().StringVar(&backend, "backend", "", "pam or ldap; needed only where masters have both")
	c.Flags().StringVar(&file, "password-file", "", "read the password from this file, or from - (the standard input)")
	complete(c, "backend", "pam", "ldap")
	return c
}

func (a *app) logoutCommand() *cobra.Command {
	var forget bool
	c := &cobra.Command{
		Use: "logout", Short: "End what brine login began", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.site()
			if err != nil {
				return err
			}
			session, err := config.Session()
			if forget {
				return config.Forget()
			}
			if err != nil {
				return &exit{exitData, err}
			}
			if session == nil {
				return usage("nobody has signed in with %s", a.config)
			}
			if session.Over(time.Now()) != nil {
				return config.Forget()
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			err = cl.SignOut(c.Context())
			if errors.Is(err, client.ErrNoMaster) {
				fmt.Fprintf(a.stderr, "the sign-in as %s lasts until %s; --forget removes it from this machine alone\n",
					session.Name, localTime(session.NotAfter))
			}
			return err
		},
	}
	c.Flags().BoolVar(&forget, "forget", false, "only remove the key from this machine: masters don't hear of it")
	return c
}

// site is the configuration, of which only what says where the masters are is needed.
func (a *app) site() (*client.Config, error) {
	config, err := client.LoadSite(a.config)
	if errors.Is(err, client.ErrNoConfig) {
		return nil, &exit{exitUsage, err}
	}
	if err != nil {
		return nil, &exit{exitData, err}
	}
	return config, nil
}

// credentials are what was typed, or stands in a file.
func (a *app) credentials(ctx context.Context, backends []string, backend, as, file string) (string, string, []byte, error) {
	if backend == "" && len(backends) == 1 {
		backend = backends[0]
	}
	if !slices.Contains(backends, backend) {
		return "", "", nil, usage("want --backend %s", strings.Join(backends, " or --backend "))
	}
	if as == "" {
		me, err := user.Current()
		if err != nil {
			return "", "", nil, usage("cannot tell who you are: use --as USER")
		}
		as = me.Username
	}
	password, err := a.password(ctx, fmt.Sprintf("Password of %s (%s): ", as, backend), file)
	return backend, as, password, err
}

// password reads the first line of a file, or asks for it.
func (a *app) password(ctx context.Context, question, file string) ([]byte, error) {
	if file == "" && term.IsTerminal(int(os.Stdin.Fd())) {
		text, err := a.hidden(ctx, question)
		return []byte(text), err
	}
	in := os.Stdin
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usage("cannot read the password: %v", err)
		}
		defer f.Close()
		in = f
	}
	text, err := answered(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(in, maxSecret)).ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return string(bytes.TrimRight(line, "\r\n")), err
	})
	if err == nil && text == "" {
		err = usage("cannot sign in: the password is empty")
	}
	return []byte(text), err
}

func (a *app) tellLogin(reply *proto.SignInReply) error {
	item := loginItem{reply.Name, stamp(time.Unix(reply.NotAfter, 0).UnixMicro()), role.FormatAll(reply.Roles)}
	if a.out != "nested" && a.out != "txt" && a.out != "table" {
		return list(a, []loginItem{item}, nil, nil)
	}
	fmt.Fprintf(a.stdout, "signed in as %s until %s\n", item.Name, localTime(time.Unix(reply.NotAfter, 0)))
	for _, text := range item.Roles {
		fmt.Fprintln(a.stdout, " ", text)
	}
	return nil
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
