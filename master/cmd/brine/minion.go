package main

import (
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
	c := &cobra.Command{Use: "minion", Short: "Accepted minions and their connections"}
	c.AddCommand(a.minionListCommand("ls [GLOB...]", "List minions: who is there, since when, via which master"),
		a.minionListCommand("show GLOB...", "Show minions"))
	return c
}

func (a *app) minionListCommand(use, short string) *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: use, Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.minions(c, args)
			if err != nil {
				return err
			}
			if len(args) > 0 && len(items) == 0 {
				return usage("no accepted minion matches %s", strings.Join(args, " "))
			}
			return list(a, items, []string{"ID", "PRESENCE", "MASTER", "STANDBY", "SINCE", "ADDRESS"}, func(m minionItem) []string {
				return []string{m.ID, presence(m.Online), m.Master, m.Standby, m.Since, m.Address}
			})
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
	return items, nil
}
