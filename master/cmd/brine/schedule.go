package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"brine/proto"
)

// scheduleItem is a job of the masters' schedule in JSON.
type scheduleItem struct {
	Name     string `json:"name"`
	Function string `json:"function"`
	Target   string `json:"target"`
	Timing   string `json:"timing"`
	Enabled  bool   `json:"enabled"`
	Next     string `json:"next"` // "" when none is foreseen
	Last     string `json:"last"` // "" when none is known
	LastJID  string `json:"last_jid"`
	Driver   string `json:"driver"`
}

func newScheduleItem(j *proto.ScheduledJob) scheduleItem {
	item := scheduleItem{
		Name: j.Name, Function: j.Function, Target: j.GetTarget().GetExpression(), Timing: j.Timing, Enabled: j.Enabled, LastJID: j.LastJid,
		Driver: j.Driver,
	}
	if j.Next != 0 {
		item.Next = stamp(j.Next)
	}
	if j.Last != 0 {
		item.Last = stamp(j.Last)
	}
	return item
}

func (a *app) scheduleCommand() *cobra.Command {
	return group(&cobra.Command{Use: "schedule", Short: "What masters run at certain times"}, a.scheduleListCommand())
}

func (a *app) scheduleListCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "ls", Short: "List what the masters' schedule has, with its last and next runs", Args: cobra.NoArgs,
		Long: "List what [schedule.NAME] of master.toml has, as the master says that is asked: once for the site one of the masters that have an entry\n" +
			"makes its jobs. What minions run by themselves: brine run TARGET schedule.list.",
		Example: "  brine schedule ls\n  brine job ls --operator 'schedule *'",
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.ScheduleListReply{}
			if err := cl.Call(c.Context(), "schedule.list", &proto.ScheduleListRequest{}, reply); err != nil {
				return err
			}
			items := []scheduleItem{}
			for _, j := range reply.Jobs {
				items = append(items, newScheduleItem(j))
			}
			columns := []string{"NAME", "FUNCTION", "TARGET", "WHEN", "NEXT", "LAST", "JOB", "BY"}
			return list(a, items, columns, func(i scheduleItem) []string {
				next := cmp.Or(i.Next, "none")
				if !i.Enabled {
					next = "disabled"
				}
				return []string{i.Name, i.Function, i.Target, i.Timing, next, i.Last, i.LastJID, i.Driver}
			})
		},
	})
}
