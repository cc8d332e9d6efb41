package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
)

// minionItem is a minion in JSON.
type minionItem struct {
	ID          string `json:"id"`
	Online      bool   `json:"online"`
	Master      string `json:"master"`
	Standby     string `json:"standby"`
	Since       string `json:"since"`
	Address     string `json:"address"`
	Fingerprint string `json:"fingerprint"`
}

func (a *app) minionCommand() *cobra.Command {
	return group(&cobra.Command{Use: "minion", Short: "Accepted minions and their connections"},
		a.minionListCommand(), a.minionShowCommand())
}

func (a *app) minionListCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "ls [GLOB...]", Short: "List minions: who is there, since when, via which master",
		ValidArgsFunction: a.minionIDs,
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.minions(c, args)
			if err != nil {
				return err
			}
			return list(a, items, []string{"ID", "PRESENCE", "MASTER", "STANDBY", "SINCE", "ADDRESS"}, func(m minionItem) []string {
				return []string{m.ID, presence(m.Online), m.Master, m.Standby, m.Since, m.Address}
			})
		},
	})
}

func (a *app) minionShowCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "show GLOB...", Short: "Show all that is known of minions",
		ValidArgsFunction: a.minionIDs,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("minion show wants at least one id or glob (brine minion ls lists them)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.minions(c, args)
			if err != nil {
				return err
			}
			if a.out != "nested" {
				return list(a, items, nil, nil)
			}
			for _, m := range items {
				fmt.Fprintf(a.stdout, "%s:\n    presence:    %s\n    master:      %s\n    standby:     %s\n"+
					"    since:       %s\n    address:     %s\n    fingerprint: %s\n",
					m.ID, presence(m.Online), m.Master, m.Standby, m.Since, m.Address, m.Fingerprint)
			}
			return nil
		},
	})
}

func presence(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

func (a *app) minions(c *cobra.Command, patterns []string) ([]minionItem, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.MinionListReply{}
	if err := cl.Call(c.Context(), "minion.list", &proto.MinionListRequest{Patterns: patterns}, reply); err != nil {
		return nil, err
	}
	items := make([]minionItem, 0, len(reply.Minions))
	for _, m := range reply.Minions {
		items = append(items, minionItem{m.Id, m.Online, m.Master, m.Standby, stamp(m.Since), m.Address, m.Fingerprint})
	}
	if len(patterns) > 0 && len(items) == 0 {
		return nil, usage("no accepted minion matches %s (brine minion ls lists them)", strings.Join(patterns, " "))
	}
	return items, nil
}
