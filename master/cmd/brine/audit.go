package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
)

// auditItem is one entry of the audit trail in JSON.
type auditItem struct {
	Time     string            `json:"time"`
	Operator string            `json:"operator"`
	Address  string            `json:"address"`
	Action   string            `json:"action"`
	Function string            `json:"function"`
	Detail   string            `json:"detail"`
	JID      string            `json:"jid"`
	Outcome  string            `json:"outcome"`
	Reason   string            `json:"reason"`
	Times    uint32            `json:"times"`
	Summary  map[string]uint32 `json:"summary"`
	Master   string            `json:"master"`
	Key      string            `json:"key"`
}

func newAuditItem(e *proto.AuditEntry) auditItem {
	a := e.Audit
	item := auditItem{
		Time: time.UnixMicro(e.At).UTC().Format("2006-01-02T15:04:05.000Z"), Operator: a.GetOperator(), Address: a.GetAddress(), Action: a.GetAction(),
		Function: a.GetFunction(), Detail: a.GetDetail(), JID: a.GetJid(), Outcome: a.GetOutcome(), Reason: a.GetReason(),
		Times: max(a.GetTimes(), 1), Summary: map[string]uint32{}, Master: e.Master,
	}
	maps.Copy(item.Summary, e.Summary)
	if len(a.GetKey()) == 32 {
		item.Key = pki.KeyFingerprint(a.Key).String()
	}
	return item
}

// what says in a few words what was asked for.
func (i auditItem) what() string {
	if i.Function != "" {
		return i.Function + " on " + i.Detail
	}
	return strings.TrimSpace(i.Action + " " + i.Detail)
}

// result says in a few words what came of it.
func (i auditItem) result() string {
	text := i.Outcome
	var counts []string
	for _, status := range slices.Sorted(maps.Keys(i.Summary)) {
		counts = append(counts, fmt.Sprintf("%d %s", i.Summary[status], status))
	}
	if len(counts) > 0 {
		text = strings.Join(counts, ", ")
	}
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	if i.Times > 1 {
		text += fmt.Sprintf(" (%d times)", i.Times)
	}
	return text
}

func (a *app) auditCommand() *cobra.Command {
	req := &proto.AuditRequest{}
	var since string
	var limit int
	c := &cobra.Command{
		Use: "audit", Short: "Show who asked for what, from where, and what came of it: the newest first",
		Long: "Show who asked for what, when and from where, and what came of it, as any master has it: jobs, decisions about keys, operators, masters " +
			"and tokens, sign-ins, and what was refused. Who only looks is not written down. Arguments of jobs are not shown: they may be secrets.",
		Example: "  brine audit --since 2d --failed\n  brine audit --operator alice --function 'state.*'\n  brine audit --function '@key.*'",
		Args:    cobra.NoArgs, ValidArgsFunction: nothing,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if req.Since, err = past(since, time.Now()); err != nil {
				return &exit{exitUsage, fmt.Errorf("cannot use --since: %w", err)}
			}
			if limit < 1 {
				return usage("cannot use --limit %d: want 1 or more", limit)
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			items, err := trail(c, cl, req, limit)
			if err != nil {
				return err
			}
			return list(a, items, []string{"TIME", "OPERATOR", "FROM", "WHAT", "JOB", "RESULT"}, func(i auditItem) []string {
				return []string{i.Time[:len("2006-01-02T15:04:05")] + "Z", i.Operator, i.Address, i.what(), i.JID, i.result()}
			})
		},
	}
	c.Flags().StringVar(&since, "since", "", "only what was asked from then on: 90m, 3d, 2026-11-30, '2026-11-30 14:00', or a jid")
	c.Flags().StringVar(&req.Operator, "operator", "", "only what operators of this name (glob) asked for")
	c.Flags().StringVar(&req.Function, "function", "", "only jobs with this function (glob), or decisions such as '@key.*'")
	c.Flags().BoolVar(&req.Failed, "failed", false, "only what was refused or could not be done (jobs that failed on minions: brine job ls)")
	c.Flags().IntVar(&limit, "limit", 50, "how many entries at most")
	_ = c.RegisterFlagCompletionFunc("operator", a.operatorNames)
	return a.outFlag(c)
}

// trail reads the audit trail page by page.
func trail(c *cobra.Command, cl *client.Client, req *proto.AuditRequest, limit int) (items []auditItem, err error) {
	items = []auditItem{}
	for len(items) < limit {
		req.Limit = uint32(min(limit-len(items), 500))
		reply := &proto.AuditReply{}
		if err := cl.Call(c.Context(), "audit.list", req, reply); err != nil {
			return nil, err
		}
		for _, e := range reply.Entries {
			items = append(items, newAuditItem(e))
		}
		if reply.Next == 0 {
			break
		}
		req.Before = reply.Next
	}
	return items[:min(limit, len(items))], nil
}
