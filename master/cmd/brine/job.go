package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/proto"
)

// jobItem is a job in JSON, in a list.
type jobItem struct {
	JID      string            `json:"jid"`
	Function string            `json:"function"`
	Target   string            `json:"target"`
	Operator string            `json:"operator"`
	Master   string            `json:"master"`
	Issued   string            `json:"issued"`
	State    string            `json:"state"` // running, done or incomplete
	Targeted uint32            `json:"targeted"`
	Summary  map[string]uint32 `json:"summary"`
	Commits  []string          `json:"commits,omitempty"` // of git that it has files of
	Named    []string          `json:"-"`                 // what a function of masters was called with first, such as an SLS
}

func newJobItem(j *proto.JobInfo) jobItem {
	item := jobItem{
		JID: j.Jid, Function: j.Function, Operator: j.Operator, Master: j.Master, Issued: stamp(j.IssuedAt),
		State: "running", Targeted: j.Targeted, Summary: map[string]uint32{}, Target: j.GetTarget().GetExpression(),
		Commits: j.Commits,
	}
	if j.Done {
		item.State = "done"
	}
	if j.Incomplete {
		item.State = "incomplete"
	}
	if kind, _, _ := strings.Cut(j.Function, "."); kind == "runner" || kind == "wheel" {
		item.Named = positional(j.Args)
	}
	for _, status := range statuses {
		item.Summary[strings.ReplaceAll(status, "-", "_")] = j.Summary[status]
	}
	return item
}

// positional are the arguments without a name that are texts.
func positional(args []*proto.Argument) (all []string) {
	for _, a := range args {
		var text string
		if a.Name == "" && json.Unmarshal(a.GetJson(), &text) == nil {
			all = append(all, text)
		}
	}
	return all
}

func (a *app) jobCommand() *cobra.Command {
	return group(&cobra.Command{Use: "job", Short: "Jobs: what ran, where, with what result"},
		a.jobListCommand(), a.jobShowCommand(), a.jobWatchCommand(), a.jobCancelCommand(), a.jobRerunCommand())
}

func (a *app) jobListCommand() *cobra.Command {
	req := &proto.JobListRequest{}
	since := ""
	c := a.outFlag(&cobra.Command{
		Use: "ls", Short: "List jobs, orchestrations and what masters were asked for, newest first", Args: cobra.NoArgs,
		Long: "List jobs on minions, orchestrations and functions of masters (runner.NAME, wheel.NAME) that somebody or a schedule asked for, newest first.\n" +
			"What templates and steps of orchestrations only look up is left out: brine event ls tag:salt/run/* has it.",
		Example: "  brine job ls --since 2h --failed\n  brine job ls --since 2026-11-01 --function 'state.*' --operator ann --limit 500",
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := past(since, time.Now())
			if err != nil {
				return usage("cannot use --since: %v", err)
			}
			req.Since = at
			if req.Limit == 0 {
				return usage("cannot use --limit 0: want at least 1")
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			items, err := listJobs(c.Context(), cl, req)
			if err != nil {
				return err
			}
			columns := []string{"JID", "FUNCTION", "TARGET", "OPERATOR", "STATE", "RESULTS"}
			return list(a, items, columns, func(j jobItem) []string {
				return []string{j.JID, strings.Join(append([]string{j.Function}, j.Named...), " "), j.Target, j.Operator, j.State, counts(j)}
			})
		},
	})
	c.Flags().Uint32Var(&req.Limit, "limit", 50, "how many")
	c.Flags().StringVar(&req.Before, "before", "", "only jobs before this jid")
	c.Flags().StringVar(&since, "since", "", "only jobs from then on: 90m, 3d, 2026-11-30, '2026-11-30 14:00', or a jid")
	c.Flags().StringVar(&req.Function, "function", "", "only jobs of functions that match this glob")
	c.Flags().StringVar(&req.Target, "target", "", "only jobs whose target, as it was typed, matches this glob")
	c.Flags().StringVar(&req.Operator, "operator", "", "only jobs of operators that match this glob")
	c.Flags().BoolVar(&req.Failed, "failed", false, "only jobs that failed on a minion, or were refused, cut short or cancelled there")
	return c
}

// listJobs asks for jobs until there are as many as wanted, or no more: an answer has room for some hundreds.
func listJobs(ctx context.Context, cl *client.Client, req *proto.JobListRequest) ([]jobItem, error) {
	var items []jobItem
	for wanted := int(req.Limit); ; {
		reply := &proto.JobListReply{}
		req.Limit = uint32(wanted - len(items))
		if err := cl.Call(ctx, "job.list", req, reply); err != nil {
			return nil, err
		}
		for _, j := range reply.Jobs {
			items = append(items, newJobItem(j))
		}
		if reply.Next == "" || reply.Next == req.Before || len(items) >= wanted {
			return items, nil
		}
		req.Before = reply.Next
	}
}

func counts(j jobItem) string {
	var parts []string
	for _, s := range statuses {
		if n := j.Summary[strings.ReplaceAll(s, "-", "_")]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

func oneJID(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("job %s wants one jid (brine job ls lists them)", verb)
		}
		return nil
	}
}

func (a *app) jobShowCommand() *cobra.Command {
	return a.jobOut(&cobra.Command{
		Use: "show JID", Short: "Show a job's results so far", Args: oneJID("show"), ValidArgsFunction: a.jids,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := cl.Show(c.Context(), args[0])
			if client.IsCode(err, proto.ApiError_NOT_FOUND) {
				return a.orchestration(c.Context(), cl, args[0], &runnerFlags{}, true, err)
			}
			if err != nil {
				return err
			}
			return a.print(r)
		},
	})
}

// print shows the results of a job that is not followed.
func (a *app) print(r *client.Result) error {
	function := ""
	if r.Job != nil {
		function = r.Job.Function
	}
	p, err := a.newPrinter(function)
	if err != nil {
		return err
	}
	p.update(r, r.IDs())
	if err := p.finish(r); err != nil {
		return err
	}
	return a.ended(p, r)
}

func (a *app) jobWatchCommand() *cobra.Command {
	var f jobFlags
	c := a.jobOut(&cobra.Command{
		Use: "watch JID", Short: "Follow a job until it is done", Args: oneJID("watch"), ValidArgsFunction: a.jids,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, stop := limited(c.Context(), f.timeout)
			defer stop()
			known, err := cl.Show(ctx, args[0])
			if why := timedOut(ctx); err != nil && why != nil {
				return a.unheard(&proto.JobInfo{Jid: args[0]}, why, exitTryAgain)
			}
			if client.IsCode(err, proto.ApiError_NOT_FOUND) {
				return a.orchestration(ctx, cl, args[0], &runnerFlags{timeout: f.timeout}, false, err)
			}
			if err != nil {
				return err
			}
			p, err := a.newPrinter(known.Job.GetFunction())
			if err != nil {
				return err
			}
			job := func() *proto.JobInfo { return &proto.JobInfo{Jid: args[0], Function: known.Job.GetFunction()} }
			return a.follow(ctx, cl, p, job, func(ctx context.Context, update client.Update) (*client.Result, error) {
				return cl.Watch(ctx, args[0], update)
			})
		},
	})
	c.Flags().DurationVarP(&f.timeout, "timeout", "t", 0, "stop waiting after this long")
	return c
}

func (a *app) jobCancelCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "cancel JID", Short: "End a job: running commands end with their children", Args: oneJID("cancel"), ValidArgsFunction: a.jids,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.CancelReply{}
			if err := cl.Call(c.Context(), "job.cancel", &proto.CancelRequest{Jid: args[0]}, reply); err != nil {
				return err
			}
			if len(reply.Minions) == 0 && a.out == "nested" {
				fmt.Fprintf(a.stderr, "nobody to ask: job %s has ended (brine job show %s)\n", args[0], args[0])
				return nil
			}
			type item struct {
				JID    string `json:"jid"`
				Minion string `json:"minion"`
			}
			var items []item
			for _, m := range reply.Minions {
				items = append(items, item{args[0], m})
			}
			return list(a, items, []string{"ASKED TO END"}, func(i item) []string { return []string{i.Minion} })
		},
	})
}

func (a *app) jobRerunCommand() *cobra.Command {
	f := &jobFlags{}
	var failed bool
	c := f.add(a, &cobra.Command{
		Use: "rerun JID", Short: "Make a job again, with the same function and arguments", Args: oneJID("rerun"), ValidArgsFunction: a.jids,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := cl.Show(c.Context(), args[0])
			if err != nil {
				return err
			}
			if r.Job.GetIncomplete() {
				return &exit{exitTryAgain, fmt.Errorf("cannot rerun job %s: its record is not at this master yet", args[0])}
			}
			if r.Job.GetSealed() {
				return &exit{exitUsage, fmt.Errorf("cannot rerun job %s: it had arguments that only its minions could read; give them again "+
					"with brine run or apply", args[0])}
			}
			if !c.Flags().Changed("saltenv") {
				f.environment = r.Job.Environment
			}
			expression := r.Job.Target.Expression
			f.of(r.Job.Target)
			if failed {
				ids := unsuccessful(r)
				if len(ids) == 0 {
					fmt.Fprintf(a.stderr, "job %s is ok on every minion: nothing to do\n", args[0])
					return nil
				}
				expression, f.syntax = strings.Join(ids, ","), proto.Target_LIST
			}
			if f.batch.before = r.Job.Batch; f.batch.before != nil && f.batch.size == "" {
				fmt.Fprintf(a.stderr, "as the first time: %s\n", batchText(f.batch.before))
			}
			return a.job(c.Context(), f, expression, callsOf(r.Job))
		},
	})
	c.Flags().BoolVar(&failed, "failed", false, "only on the minions where it is not ok")
	return c
}

func unsuccessful(r *client.Result) []string {
	var ids []string
	for _, id := range r.IDs() {
		if s := r.Minions[id].Status; s != "ok" && s != "running" && s != "sent" && s != "queued" {
			ids = append(ids, id)
		}
	}
	return ids
}

// callsOf are the functions of a job that was made, to be called again.
func callsOf(j *proto.JobInfo) []*proto.Call {
	made := &proto.JobRequest{Function: j.Function, Args: j.Args, Calls: j.Calls}
	return pb.CloneOf(made).Asked()
}
