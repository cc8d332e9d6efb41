package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
)

// masterItem is a master in JSON.
type masterItem struct {
	Name               string `json:"name"`
	State              string `json:"state"`
	Bus                string `json:"bus"`
	Files              string `json:"files"`
	Route              string `json:"route"`
	Minions            uint32 `json:"minions"`
	Since              string `json:"since"`
	Version            string `json:"version"`
	Incarnation        string `json:"incarnation"`
	Sequence           int64  `json:"sequence"`
	Lag                int64  `json:"lag"`
	BundleSerial       uint64 `json:"bundle_serial"`
	CertificateExpires string `json:"certificate_expires"`
	Tree               string `json:"tree"`
	Key                string `json:"key"`

	Warnings []string      `json:"warnings"`
	Returner *returnerItem `json:"returner"` // null: it has none
	Rules    *reactorItem  `json:"rules"`    // null: the master is of a version without
}

// reactorItem tells how far a master's rules are.
type reactorItem struct {
	Rules     int    `json:"rules"`
	Source    string `json:"source"`
	Lag       int64  `json:"lag"`       // records of the log that were not looked at
	LagMS     int64  `json:"lag_ms"`    // since when there are such
	Undecided int64  `json:"undecided"` // events that a rule is for
	Open      int    `json:"open"`      // actions under way
	Approvals int    `json:"approvals"` // of these: those that wait for somebody
	Paused    string `json:"paused"`    // why none acts
}

func newReactorItem(s *proto.ReactorState) *reactorItem {
	if s == nil {
		return nil
	}
	return &reactorItem{int(s.Rules), s.Source, s.Lag, s.Late / 1000, s.Waits, int(s.Open), int(s.Approvals), s.Paused}
}

// returnerItem tells how far returns were given to the program of the site.
type returnerItem struct {
	Active  bool   `json:"active"` // one of the masters is
	Waiting int64  `json:"waiting"`
	Oldest  string `json:"oldest"` // when the first that waits was stored
	Given   int64  `json:"given"`  // since this master began
	Problem string `json:"problem"`
}

func newReturnerItem(s *proto.ReturnerState) *returnerItem {
	if s == nil {
		return nil
	}
	return &returnerItem{s.Active, s.Waiting, stamp(s.Oldest), s.Given, s.Problem}
}

// confirming is what takes long where the site key signs something.
const confirming = "the passphrase opens the site key, and masters and minions confirm what it signs"

func (a *app) masterCommand() *cobra.Command {
	return group(&cobra.Command{Use: "master", Short: "The masters of the site"},
		a.masterListCommand(), a.masterInviteCommand(), a.masterRevokeCommand(), a.masterDrainCommand(), a.masterRefreshCommand(),
		a.masterRenewCommand(), a.masterRotateCommand())
}

func (a *app) masters(c *cobra.Command) ([]masterItem, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.MasterListReply{}
	if err := cl.Call(c.Context(), "master.list", &proto.Empty{}, reply); err != nil {
		return nil, err
	}
	items := make([]masterItem, 0, len(reply.Masters))
	for _, m := range reply.Masters {
		items = append(items, masterItem{
			Name: m.Name, State: m.State, Bus: m.Bus, Files: m.Files, Route: m.Route, Minions: m.Minions,
			Since: stamp(m.Since), Version: m.Version, Incarnation: m.Incarnation, Sequence: m.Sequence,
			Lag: m.Lag, BundleSerial: m.BundleSerial, CertificateExpires: stamp(m.CertificateNotAfter),
			Tree: m.Tree, Key: m.Key, Warnings: append([]string{}, m.Warnings...),
			Returner: newReturnerItem(m.Returner), Rules: newReactorItem(m.Reactor),
		})
	}
	return items, nil
}

func (a *app) printMasters(items []masterItem) error {
	columns := []string{"NAME", "STATE", "MINIONS", "BUS", "SINCE", "LAG", "CERTIFICATE EXPIRES", "TREE"}
	return list(a, items, columns, func(m masterItem) []string {
		return []string{m.Name, m.State, fmt.Sprint(m.Minions), m.Bus, m.Since, fmt.Sprint(m.Lag), m.CertificateExpires, short(m.Tree)}
	})
}

func short(hash string) string {
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}

func (a *app) masterListCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "ls", Short: "List masters", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			items, err := a.masters(c)
			if err != nil {
				return err
			}
			return a.printMasters(items)
		},
	})
}

func (a *app) masterInviteCommand() *cobra.Command {
	var file string
	var ttl time.Duration
	c := &cobra.Command{
		Use: "invite NAME", Short: "Make a token with which a host becomes the further master NAME",
		Args: oneName("invite"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			phrase, err := a.passphrase(c.Context(), file)
			if err != nil {
				return err
			}
			defer a.slow(patience, confirming)()
			token, err := client.Invite(c.Context(), cl, args[0], phrase, ttl)
			if err != nil {
				return err
			}
			return a.single("token", token)
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	c.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long the token is good for")
	return a.outFlag(c)
}

func (a *app) masterRevokeCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "revoke NAME", Short: "End trust in a master, for ever", Args: oneName("revoke"), ValidArgsFunction: a.masterNames,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			phrase, err := a.passphrase(c.Context(), file)
			if err != nil {
				return err
			}
			defer a.slow(patience, confirming)()
			reply, err := client.RevokeMaster(c.Context(), cl, args[0], phrase)
			if err != nil {
				return err
			}
			item := revokeItem{args[0], ordered(reply.Confirmed), ordered(reply.Unconfirmed), reply.MinionsConfirmed, reply.Minions}
			return list(a, []revokeItem{item}, []string{"REVOKED", "CONFIRMED BY", "NOT YET BY", "MINIONS"}, func(r revokeItem) []string {
				return []string{r.Name, strings.Join(r.Confirmed, ","), strings.Join(r.Unconfirmed, ","), fmt.Sprintf("%d of %d", r.MinionsConfirmed, r.Minions)}
			})
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	return a.outFlag(c)
}

// ordered sorts names; none is an empty list in JSON too.
func ordered(names []string) []string {
	slices.Sort(names)
	return append([]string{}, names...)
}

// revokeItem tells in JSON who knows of a revocation.
type revokeItem struct {
	Name             string   `json:"name"`
	Confirmed        []string `json:"confirmed"`
	Unconfirmed      []string `json:"unconfirmed"`
	MinionsConfirmed uint32   `json:"minions_confirmed"`
	Minions          uint32   `json:"minions"`
}

func (a *app) masterDrainCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "drain NAME", Short: "Stop a master gently: its minions move to others first", Args: oneName("drain"), ValidArgsFunction: a.masterNames,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := cl.Call(c.Context(), "master.drain", &proto.DrainRequest{Master: args[0]}, &proto.Empty{}); err != nil {
				return err
			}
			if a.out != "nested" {
				return a.single("name", args[0])
			}
			fmt.Fprintf(a.stderr, "%s drains: its minions move away, then it stops\n", args[0])
			return nil
		},
	})
}

func oneName(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("master %s wants one name", verb)
		}
		return nil
	}
}
