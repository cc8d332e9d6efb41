package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"brine/pki"
	"brine/proto"
)

// keyItem is a key in JSON.
type keyItem struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Fingerprint string `json:"fingerprint"`
	By          string `json:"by"`
	Changed     string `json:"changed"`
	Address     string `json:"address"`
}

func keyItems(keys []*proto.KeyInfo) []keyItem {
	items := make([]keyItem, 0, len(keys))
	for _, k := range keys {
		items = append(items, keyItem{k.Id, keyState(k.State), k.Fingerprint, k.By, stamp(k.ChangedAt), k.Address})
	}
	return items
}

func keyState(s proto.KeyState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "KEY_"))
}

func (a *app) keyCommand() *cobra.Command {
	return group(&cobra.Command{Use: "key", Short: "Minions' keys: who may belong to the site"},
		a.keyListCommand("ls [GLOB...]", "List keys"),
		a.keyListCommand("fingerprint [GLOB...]", "Show keys with their fingerprints"),
		a.keyDecideCommand("accept", "Accept pending keys", proto.KeyState_KEY_ACCEPTED),
		a.keyDecideCommand("reject", "Turn pending keys away", proto.KeyState_KEY_REJECTED),
		a.keyDecideCommand("revoke", "End trust in keys, for ever, and close their connections", proto.KeyState_KEY_REVOKED),
		a.keyDecideCommand("delete", "Forget keys; a revoked key stays revoked", proto.KeyState_KEY_DELETED),
		a.keyRotateCommand(), a.keyTokenCommand(), a.siteFingerprintCommand(),
	)
}

func (a *app) keyListCommand(use, short string) *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: use, Short: short, ValidArgsFunction: a.keys(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.KeyListReply{}
			if err := cl.Call(c.Context(), "key.list", &proto.KeyListRequest{Patterns: args}, reply); err != nil {
				return err
			}
			if len(args) > 0 && len(reply.Keys) == 0 {
				return usage("no key matches %s", strings.Join(args, " "))
			}
			return list(a, keyItems(reply.Keys), []string{"ID", "STATE", "FINGERPRINT", "BY", "CHANGED"}, func(k keyItem) []string {
				return []string{k.ID, k.State, k.Fingerprint, k.By, k.Changed}
			})
		},
	})
}

// deciding are the states of keys about which a decision makes sense; of one that is not here, all.
var deciding = map[proto.KeyState][]proto.KeyState{
	proto.KeyState_KEY_ACCEPTED: {proto.KeyState_KEY_PENDING, proto.KeyState_KEY_REJECTED},
	proto.KeyState_KEY_REJECTED: {proto.KeyState_KEY_PENDING, proto.KeyState_KEY_ACCEPTED},
	proto.KeyState_KEY_REVOKED:  {proto.KeyState_KEY_ACCEPTED, proto.KeyState_KEY_PENDING, proto.KeyState_KEY_REJECTED},
}

func (a *app) keyDecideCommand(verb, short string, state proto.KeyState) *cobra.Command {
	req := &proto.KeyDecideRequest{State: state}
	var yes bool
	c := a.outFlag(&cobra.Command{
		Use: verb + " GLOB...", Short: short, ValidArgsFunction: a.keys(deciding[state]...),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && req.Fingerprint == "" {
				return usage("key %s wants at least one id or glob", verb)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if req.Fingerprint != "" {
				if _, err := pki.ParseFingerprint(req.Fingerprint); err != nil {
					return &exit{exitUsage, err}
				}
			}
			req.Patterns = args
			return a.decide(c, verb, req, yes)
		},
	})
	c.Flags().StringVar(&req.Fingerprint, "fingerprint", "", "only the key with this fingerprint")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) decide(c *cobra.Command, verb string, req *proto.KeyDecideRequest, yes bool) error {
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	switch {
	case yes:
	case !atTerminal():
		if pattern := wildcard(req.Patterns); pattern != "" && req.State != proto.KeyState_KEY_ACCEPTED {
			return usage("cannot ask whether to %s all that %q matches without a terminal: say --yes", verb, pattern)
		}
	default:
		dry := &proto.KeyDecideRequest{Patterns: req.Patterns, State: req.State, Fingerprint: req.Fingerprint, Dry: true}
		reply := &proto.KeyDecideReply{}
		if err := cl.Call(c.Context(), "key.decide", dry, reply); err != nil {
			return err
		}
		for _, k := range reply.Keys {
			fmt.Fprintf(a.stderr, "%s  %s\n", k.Id, k.Fingerprint)
		}
		yes, err := a.confirm(c.Context(), fmt.Sprintf("%s %s?", verb, plural(len(reply.Keys), "key")))
		if err != nil {
			return err
		}
		if !yes {
			return &exit{exitFailed, errors.New("nothing done")}
		}
	}
	reply := &proto.KeyDecideReply{}
	if err := cl.Call(c.Context(), "key.decide", req, reply); err != nil {
		return err
	}
	err = list(a, keyItems(reply.Keys), []string{"ID", "STATE", "FINGERPRINT"}, func(k keyItem) []string {
		return []string{k.ID, k.State, k.Fingerprint}
	})
	if err == nil && len(reply.Unconfirmed) > 0 {
		fmt.Fprintf(a.stderr, "not confirmed yet by master %s: it will learn it when it is back\n", strings.Join(reply.Unconfirmed, ", "))
	}
	return err
}

// atTerminal tells whether there is somebody who can be asked.
func atTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// wildcard is the first of some globs that may match several ids; "" for none.
func wildcard(globs []string) string {
	for _, g := range globs {
		if strings.ContainsAny(g, "*?[") {
			return g
		}
	}
	return ""
}

func (a *app) keyTokenCommand() *cobra.Command {
	var pattern string
	var ttl time.Duration
	var uses uint32
	c := &cobra.Command{
		Use: "token", Short: "Make a token with which minions enrol without being asked about", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.TokenReply{}
			req := &proto.TokenRequest{Pattern: pattern, Ttl: ttl.Microseconds(), Uses: uses}
			if err := cl.Call(c.Context(), "key.token", req, reply); err != nil {
				return err
			}
			return a.single("token", reply.Token)
		},
	}
	c.Flags().StringVar(&pattern, "id", "*", "glob over the ids that may use it")
	c.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long it is good for")
	c.Flags().Uint32Var(&uses, "uses", 1, "how many minions may use it; 0: without limit")
	return a.outFlag(c)
}

func (a *app) siteFingerprintCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "site", Short: "Show the site's fingerprint, which minions pin", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			return a.single("fingerprint", cl.Trust().Pin().String())
		},
	})
}
