package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
	"brine/states/output"
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

	EventsDropped uint64 `json:"events_dropped"`
}

// minionDetail is what minion show tells besides.
type minionDetail struct {
	minionItem
	GrainsAt      string          `json:"grains_at"`
	GrainWarnings []string        `json:"grain_warnings"`
	Grains        json.RawMessage `json:"grains"`
	Jobs          []lastJob       `json:"jobs"` // the last ones, newest first
	Highstate     *lastHighstate  `json:"highstate"`
}

// lastJob is what became of a job on the minion.
type lastJob struct {
	JID      string  `json:"jid"`
	Function string  `json:"function"`
	Operator string  `json:"operator"`
	Status   string  `json:"status"`
	Retcode  int32   `json:"retcode"`
	Finished string  `json:"finished"`
	Duration float64 `json:"duration_ms"`
}

// lastHighstate is the last highstate of the minion.
type lastHighstate struct {
	lastJob
	Test      bool   `json:"test"`
	Succeeded uint32 `json:"succeeded"`
	Changed   uint32 `json:"changed"`
	Failed    uint32 `json:"failed"`
}

func newLastJob(j *proto.MinionJob) lastJob {
	return lastJob{j.Jid, j.Function, j.Operator, j.Status, j.Retcode, stamp(j.FinishedAt), float64(j.Duration) / 1000}
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
	jobs := uint32(10)
	c := a.outFlag(&cobra.Command{
		Use: "show GLOB...", Short: "Show all that is known of minions: grains, last jobs, last highstate",
		ValidArgsFunction: a.minionIDs,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("minion show wants at least one id or glob (brine minion ls lists them)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.minionDetails(c, args, jobs)
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
				if m.EventsDropped > 0 {
					fmt.Fprintf(a.stdout, "    events dropped, over its quota: %d\n", m.EventsDropped)
				}
				if err := a.showJobs(m); err != nil {
					return err
				}
				if err := a.showGrains(m); err != nil {
					return err
				}
			}
			return nil
		},
	})
	c.Flags().Uint32Var(&jobs, "jobs", jobs, "how many of the last jobs, up to 50")
	return c
}

// showJobs writes what ran on a minion last.
func (a *app) showJobs(m minionDetail) error {
	if h := m.Highstate; h != nil {
		test := ""
		if h.Test {
			test = " (test)"
		}
		fmt.Fprintln(a.stdout, output.Harmless(fmt.Sprintf("    highstate:   %s%s, %d succeeded, %d changed, %d failed, %s, job %s",
			h.Status, test, h.Succeeded, h.Changed, h.Failed, h.Finished, h.JID)))
	} else {
		fmt.Fprintln(a.stdout, "    highstate:   none is known")
	}
	if len(m.Jobs) == 0 {
		return nil
	}
	rows := make([][]string, len(m.Jobs))
	for i, j := range m.Jobs {
		rows[i] = []string{j.JID, j.Function, j.Operator, j.Status, j.Finished}
	}
	o := output.Terminal(a.stdout, a.color)
	o.Width = 0 // job ids are copied: they stay whole on a narrow terminal too
	var b strings.Builder
	if err := output.Table(&b, []string{"LAST JOBS", "FUNCTION", "OPERATOR", "STATUS", "FINISHED"}, rows, o); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(a.stdout, "    "+line)
	}
	return nil
}

func presence(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

// showGrains writes the grains of a minion under what else is known of it.
func (a *app) showGrains(m minionDetail) error {
	for _, w := range m.GrainWarnings {
		fmt.Fprintf(a.stdout, "    warning:     %s\n", strings.ReplaceAll(w, "\n", " "))
	}
	if string(m.Grains) == "null" {
		fmt.Fprintf(a.stdout, "    grains:      not told yet\n")
		return nil
	}
	nested, err := output.For("nested")
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := nested(&b, "grains", m.Grains, output.Options{}); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(a.stdout, "    "+line)
	}
	return nil
}

func (a *app) minions(c *cobra.Command, patterns []string) ([]minionItem, error) {
	details, err := a.askMinions(c, &proto.MinionListRequest{Patterns: patterns})
	items := make([]minionItem, 0, len(details))
	for _, d := range details {
		items = append(items, d.minionItem)
	}
	return items, err
}

func (a *app) minionDetails(c *cobra.Command, patterns []string, jobs uint32) ([]minionDetail, error) {
	return a.askMinions(c, &proto.MinionListRequest{Patterns: patterns, Grains: true, Jobs: jobs})
}

// askMinions asks for minions, and again for those whose grains did not fit into an answer.
func (a *app) askMinions(c *cobra.Command, req *proto.MinionListRequest) ([]minionDetail, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var items []minionDetail
	patterns := req.Patterns
	for more := true; more; {
		reply := &proto.MinionListReply{}
		if err := cl.Call(c.Context(), "minion.list", req, reply); err != nil {
			return nil, err
		}
		left := map[string]bool{}
		for _, id := range reply.Left {
			left[id] = true
		}
		for _, m := range reply.Minions {
			if !left[m.Id] {
				items = append(items, detail(m))
			}
		}
		more = len(reply.Left) > 0 && len(reply.Left) < len(reply.Minions) // a master that tells none would be asked for ever
		req.Patterns = reply.Left
	}
	if len(patterns) > 0 && len(items) == 0 {
		return nil, usage("no accepted minion matches %s (brine minion ls lists them)", strings.Join(patterns, " "))
	}
	return items, nil
}

func detail(m *proto.MinionInfo) minionDetail {
	d := minionDetail{minionItem: minionItem{m.Id, m.Online, m.Master, m.Standby, stamp(m.Since), m.Address, m.Fingerprint, m.EventsDropped},
		GrainWarnings: []string{}, Grains: json.RawMessage("null"), Jobs: []lastJob{}}
	for _, j := range m.Jobs {
		d.Jobs = append(d.Jobs, newLastJob(j))
	}
	if h := m.Highstate; h != nil {
		d.Highstate = &lastHighstate{newLastJob(h), h.Test, h.Succeeded, h.Changed, h.Failed}
	}
	if g := m.Grains; g != nil && json.Valid(g.Data) {
		d.GrainsAt, d.Grains = stamp(g.At), g.Data
		d.GrainWarnings = append(d.GrainWarnings, g.Warnings...)
	}
	return d
}
