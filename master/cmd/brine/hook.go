package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/proto"
	"brine/proto/moment"
)

// hookItem is a source of hooks in JSON.
type hookItem struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Events   int64    `json:"events"`
	Unmapped int64    `json:"unmapped"`
	Requests int64    `json:"requests"`
	Repeated int64    `json:"repeated"`
	Refused  int64    `json:"refused"`
	Last     string   `json:"last"`
	Missing  []string `json:"missing"` // masters that do not have it
}

// unmappedItem is a host that no minion was known for in JSON.
type unmappedItem struct {
	Source  string   `json:"source"`
	Host    string   `json:"host"`
	Events  int64    `json:"events"`
	Last    string   `json:"last"`
	Reason  string   `json:"reason"`
	Nearest []string `json:"nearest"`
	Minion  string   `json:"minion"` // that it would be now
}

func (a *app) hookCommand() *cobra.Command {
	return group(&cobra.Command{Use: "hook", Short: "What monitoring systems tell: sources, and hosts that are no minion"},
		a.hookListCommand(), a.hookUnmappedCommand(), a.hookCACommand())
}

func (a *app) hooks(c *cobra.Command) (*proto.HookListReply, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.HookListReply{}
	return reply, cl.Call(c.Context(), "hook.list", &proto.Empty{}, reply)
}

func (a *app) hookListCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "ls", Short: "List the sources, how much each has told and when it last did", Args: cobra.NoArgs,
		Long: "List the sources of [hooks.NAME] in master.toml. Events and unmapped are those in the log; requests, repeated, refused and last are since the masters began.",
		RunE: func(c *cobra.Command, _ []string) error {
			reply, err := a.hooks(c)
			if err != nil {
				return err
			}
			items := make([]hookItem, 0, len(reply.Hooks))
			for _, h := range reply.Hooks {
				items = append(items, hookItem{h.Name, h.Kind, h.Events, h.Unmapped, h.Requests, h.Repeated, h.Refused, stamp(h.Last), append([]string{}, h.Missing...)})
			}
			err = list(a, items, []string{"NAME", "KIND", "EVENTS", "UNMAPPED", "REQUESTS", "REPEATED", "REFUSED", "LAST", "MISSING"}, func(h hookItem) []string {
				return []string{h.Name, h.Kind, number(h.Events), number(h.Unmapped), number(h.Requests), number(h.Repeated), number(h.Refused), h.Last,
					strings.Join(h.Missing, ", ")}
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "they are taken at %s\n", strings.Join(reply.Addresses, " and "))
			for _, name := range ordered(reply.Unheard) {
				fmt.Fprintf(a.stderr, "%s did not answer\n", name)
			}
			return nil
		},
	})
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (a *app) hookUnmappedCommand() *cobra.Command {
	var since string
	c := a.outFlag(&cobra.Command{
		Use: "unmapped", Short: "List hosts of alerts that no minion was known for", Args: cobra.NoArgs,
		Long: "List hosts of alerts that no minion was known for, with the ids that are most like them. An alias in master.toml tells which minion such a host is:\n\n" +
			"  [hooks.aliases]\n  \"shop\" = \"web1\"",
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := moment.Past(since, time.Now())
			if err != nil {
				return usage("--since: %v", err)
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.HookUnmappedReply{}
			if err := cl.Call(c.Context(), "hook.unmapped", &proto.HookUnmappedRequest{Since: from.UnixMicro()}, reply); err != nil {
				return err
			}
			items := make([]unmappedItem, 0, len(reply.Hosts))
			for _, h := range reply.Hosts {
				items = append(items, unmappedItem{h.Source, h.Host, h.Events, stamp(h.Last), h.Reason, append([]string{}, h.Nearest...), h.Minion})
			}
			err = list(a, items, []string{"SOURCE", "HOST", "EVENTS", "LAST", "NEAREST", "NOW", "REASON"}, func(h unmappedItem) []string {
				return []string{h.Source, h.Host, number(h.Events), h.Last, strings.Join(h.Nearest, ", "), h.Minion, h.Reason}
			})
			if err == nil && reply.More {
				fmt.Fprintln(a.stderr, "there were more events than were looked at: take a shorter --since")
			}
			return err
		},
	})
	c.Flags().StringVar(&since, "since", "7d", "how long ago, or a time")
	return c
}

func (a *app) hookCACommand() *cobra.Command {
	return &cobra.Command{
		Use: "ca", Short: "Print the site's CA certificate, by which monitoring systems trust the masters", Args: cobra.NoArgs,
		Long: "Print the site's CA certificate, by which monitoring systems trust the masters' own HTTPS listeners. The name in a master's certificate is the master's: " +
			"where its address is another one, the monitoring system has to be told (server_name of Alertmanager's tls_config).",
		RunE: func(c *cobra.Command, _ []string) error {
			reply, err := a.hooks(c)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(reply.Ca)
			return err
		},
	}
}
