package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/proto"
	"brine/proto/moment"
	"brine/states/output"
)

// ruleItem is a rule in JSON.
type ruleItem struct {
	Name    string            `json:"name"`
	About   string            `json:"about"`
	Mode    string            `json:"mode"`
	File    string            `json:"file"`
	Line    int               `json:"line"`
	Tags    []string          `json:"tags"`
	Does    string            `json:"does"`
	Steps   map[string]uint32 `json:"steps"` // since the master that was asked began
	Last    string            `json:"last"`  // that it acted, or would have
	Paused  string            `json:"paused"`
	Open    int               `json:"open"`
	Waiting []string          `json:"waiting"` // what wants to be approved
	Pending int               `json:"pending"` // events that are not decided about
	Text    string            `json:"text"`
}

func newRuleItem(r *proto.RuleInfo) ruleItem {
	steps := map[string]uint32{}
	maps.Copy(steps, r.Steps)
	return ruleItem{Name: r.Name, About: r.About, Mode: r.Mode, File: r.File, Line: int(r.Line), Tags: append([]string{}, r.Tags...), Does: r.Does,
		Steps: steps, Last: stamp(r.Last), Paused: r.Paused, Open: int(r.Open), Waiting: append([]string{}, r.Waiting...), Pending: int(r.Pending), Text: r.Text}
}

func (a *app) rulesCommand() *cobra.Command {
	return group(&cobra.Command{Use: "rules", Short: "Rules by which the masters react to events"},
		a.rulesApproveCommand(), a.rulesLintCommand(), a.rulesListCommand(), a.rulesSwitchCommand("pause"), a.rulesReplayCommand(),
		a.rulesSwitchCommand("resume"), a.rulesShowCommand(), a.rulesTestCommand())
}

// rules asks for the rules in force.
func (a *app) rules(c *cobra.Command, name string) (*proto.RulesListReply, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.RulesListReply{}
	return reply, cl.Call(c.Context(), "rules.list", &proto.RulesListRequest{Name: name}, reply)
}

func (a *app) rulesListCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "ls", Short: "List the rules in force, and what waits to be approved", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			reply, err := a.rules(c, "")
			if err != nil {
				return err
			}
			var items []ruleItem
			for _, r := range reply.Rules {
				items = append(items, newRuleItem(r))
			}
			for _, text := range []string{reply.Paused, reply.Problem} {
				if text != "" {
					fmt.Fprintln(a.stderr, "warning:", text)
				}
			}
			return list(a, items, []string{"NAME", "MODE", "TAGS", "DOES", "LAST", "STATE"}, func(r ruleItem) []string {
				return []string{r.Name, r.Mode, strings.Join(r.Tags, ", "), r.Does, r.Last, r.state()}
			})
		},
	})
}

// state is what a rule is at, for people.
func (r ruleItem) state() string {
	var words []string
	if r.Paused != "" {
		words = append(words, "paused")
	}
	if n := r.Open - len(r.Waiting); n > 0 {
		words = append(words, fmt.Sprintf("%d under way", n))
	}
	if len(r.Waiting) > 0 {
		words = append(words, "approve: "+strings.Join(r.Waiting, ", "))
	}
	return strings.Join(words, "; ")
}

func (a *app) rulesShowCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a rule and its last steps", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			reply, err := a.rules(c, args[0])
			if err != nil {
				return err
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			q := &proto.EventQuery{Tags: []string{"brine/rule/" + args[0] + "/*"}}
			steps, err := listEvents(c.Context(), cl, &proto.EventListRequest{Query: q, Limit: 10})
			if err != nil {
				return err
			}
			if a.out != "nested" {
				var items []ruleItem
				for _, r := range reply.Rules {
					items = append(items, newRuleItem(r))
				}
				return list(a, items, nil, nil)
			}
			for _, r := range reply.Rules {
				a.showRule(newRuleItem(r), steps)
			}
			return nil
		},
	})
}

func (a *app) showRule(r ruleItem, steps []eventItem) {
	place := r.File
	if r.Line > 0 {
		place += ":" + strconv.Itoa(r.Line)
	}
	fmt.Fprintf(a.stdout, "# %s\n%s\n\n", place, cmp.Or(r.Text, fmt.Sprintf("%s: %s", r.About, r.Does)))
	fmt.Fprintf(a.stdout, "mode %s; last acted: %s", r.Mode, cmp.Or(r.Last, "never"))
	if s := r.state(); s != "" {
		fmt.Fprintf(a.stdout, "; %s", s)
	}
	fmt.Fprintln(a.stdout)
	var counts []string
	for _, step := range slices.Sorted(maps.Keys(r.Steps)) {
		counts = append(counts, fmt.Sprintf("%s %d", step, r.Steps[step]))
	}
	if len(counts) > 0 {
		fmt.Fprintln(a.stdout, "since the master began:", strings.Join(counts, ", "))
	}
	for _, s := range steps {
		fmt.Fprintf(a.stdout, "%s  %s  %s\n", s.time(), output.Harmless(s.Tag), s.short())
	}
}

// rulesSwitchCommand makes pause and resume.
func (a *app) rulesSwitchCommand(verb string) *cobra.Command {
	req := &proto.RulesChangeRequest{}
	var duration string
	c := a.outFlag(&cobra.Command{
		Use: verb + " --all|NAME", Args: cobra.MaximumNArgs(1),
		Short: map[string]string{"pause": "Keep a rule, or all, from acting", "resume": "Let a rule, or all, act again; this closes its breaker too"}[verb],
	})
	c.Flags().BoolVar(&req.All, "all", false, "all rules; those that are paused by themselves stay so")
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for the record")
	if verb == "pause" {
		c.Flags().StringVar(&duration, "for", "", "how long, such as 2h; without, until it is resumed")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			req.Name = args[0]
		}
		if req.All == (req.Name != "") {
			return usage("rules %s wants the name of a rule, or --all", verb)
		}
		if duration != "" {
			d, ok := moment.Duration(duration)
			if !ok || d <= 0 {
				return usage("--for %q: want a time, such as 30m, 2h or 1d", duration)
			}
			req.Until = time.Now().Add(d).UnixMicro()
		}
		return a.changeRules(c, "rules."+verb, req)
	}
	return c
}

func (a *app) changeRules(c *cobra.Command, verb string, req *proto.RulesChangeRequest) error {
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	reply := &proto.RulesChangeReply{}
	if err := cl.Call(c.Context(), verb, req, reply); err != nil {
		return err
	}
	if len(reply.Unconfirmed) > 0 {
		fmt.Fprintf(a.stderr, "not confirmed by %s\n", strings.Join(reply.Unconfirmed, ", "))
	}
	var items []map[string]string
	for _, name := range reply.Done {
		items = append(items, map[string]string{"done": name})
	}
	return list(a, items, []string{"DONE"}, func(i map[string]string) []string { return []string{i["done"]} })
}

func (a *app) rulesApproveCommand() *cobra.Command {
	req := &proto.RulesChangeRequest{}
	c := a.outFlag(&cobra.Command{
		Use: "approve RUN|NAME", Short: "Let a rule do what it waits with, or all that waits of a rule", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			req.Name = args[0]
			return a.changeRules(c, "rules.approve", req)
		},
	})
	c.Flags().BoolVar(&req.Deny, "deny", false, "it is not to be done")
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for the record")
	return c
}
