package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
)

// notifyItem is a message to another system in JSON.
type notifyItem struct {
	ID       string `json:"id"`
	Channel  string `json:"channel"`
	Subject  string `json:"subject"`
	State    string `json:"state"`
	Event    string `json:"event"` // that queued it
	At       string `json:"at"`
	Changed  string `json:"changed"`
	Attempts uint32 `json:"attempts"`
	Reason   string `json:"reason"`
	Next     string `json:"next"`
	Master   string `json:"master"`
}

func (a *app) notifyCommand() *cobra.Command {
	return group(&cobra.Command{Use: "notify", Short: "Messages to other systems and people: webhooks and mail"},
		a.notifyListCommand(), a.notifyAgainCommand(false), a.notifyAgainCommand(true), a.notifySendCommand(), a.notifyTestCommand())
}

func (a *app) notifyListCommand() *cobra.Command {
	req := &proto.NotifyListRequest{}
	var dead, queued bool
	c := a.outFlag(&cobra.Command{
		Use: "ls", Short: "List messages, those queued last first", Args: cobra.NoArgs,
		Long: "List messages to the channels of [notify.NAME] in master.toml, those queued last first. What was sent is listed for two days.",
		RunE: func(c *cobra.Command, _ []string) error {
			if dead {
				req.States = append(req.States, "dead")
			}
			if queued {
				req.States = append(req.States, "queued")
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.NotifyListReply{}
			if err := cl.Call(c.Context(), "notify.list", req, reply); err != nil {
				return err
			}
			items := make([]notifyItem, 0, len(reply.Messages))
			for _, n := range reply.Messages {
				items = append(items, notifyItem{n.Id, n.Channel, n.Subject, n.State, n.Record, stamp(n.At), stamp(n.Changed), n.Attempts, n.Reason, stamp(n.Next), n.Master})
			}
			return list(a, items, []string{"QUEUED", "CHANNEL", "STATE", "ATTEMPTS", "NEXT", "ID", "SUBJECT", "REASON"}, func(n notifyItem) []string {
				return []string{n.At, n.Channel, n.State, strconv.Itoa(int(n.Attempts)), n.Next, n.ID, n.Subject, n.Reason}
			})
		},
	})
	c.Flags().BoolVar(&dead, "dead", false, "only those that could not be delivered")
	c.Flags().BoolVar(&queued, "queued", false, "only those that wait")
	c.Flags().Uint32Var(&req.Limit, "limit", 50, "how many")
	return c
}

// notifyAgainCommand is retry, or drop.
func (a *app) notifyAgainCommand(drop bool) *cobra.Command {
	var all bool
	use, short, done := "retry", "Try messages again that could not be delivered", "tried again"
	if drop {
		use, short, done = "drop", "Forget messages that could not be delivered, or that wait", "forgotten"
	}
	c := &cobra.Command{
		Use: use + " ID... | --all", Short: short,
		RunE: func(c *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usage("notify %s wants ids, as brine notify ls --dead tells them, or --all for every dead one", use)
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.NotifyAgainReply{}
			if err := cl.Call(c.Context(), "notify.retry", &proto.NotifyAgainRequest{Ids: ids, Drop: drop}, reply); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "%d %s\n", len(reply.Ids), done)
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every message that is dead")
	return c
}

func (a *app) notifySendCommand() *cobra.Command {
	req := &proto.NotifySendRequest{}
	c := a.outFlag(&cobra.Command{
		Use: "send CHANNEL SUBJECT [TEXT]", Short: "Have a message sent, as soon as the other side takes it",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return usage("notify send wants a channel, a subject and perhaps a text")
			}
			if req.Channel, req.Subject = args[0], args[1]; len(args) == 3 {
				req.Text = args[2]
			}
			if req.Id == "" {
				req.Id = rand.Text() // here, so that a second master that is asked does not send it too
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.NotifySendReply{}
			if err := cl.Call(c.Context(), "notify.send", req, reply); err != nil {
				return err
			}
			items := []map[string]string{{"id": reply.Id}}
			return list(a, items, []string{"ID"}, func(i map[string]string) []string { return []string{i["id"]} })
		},
	})
	c.Flags().StringVar(&req.Id, "id", "", "of the message: one whose id was sent before is not sent again (the Idempotency-Key)")
	return c
}

func (a *app) notifyTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test CHANNEL", Short: "Send a message at once, from the master that is asked, and tell what the other side said",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("notify test wants the name of one channel")
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.NotifyTestReply{}
			if err := cl.Call(c.Context(), "notify.test", &proto.NotifyTestRequest{Channel: args[0]}, reply); err != nil {
				return err
			}
			if reply.Problem != "" {
				return &exit{exitFailed, errors.New(strings.TrimSpace(fmt.Sprintf("channel %s, from master %s: %s", args[0], cl.Master(), reply.Problem)))}
			}
			_, err = fmt.Fprintf(a.stdout, "channel %s, from master %s: %s\n", args[0], cl.Master(), reply.Outcome)
			return err
		},
	}
}
