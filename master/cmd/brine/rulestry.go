package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/reactor/rule"
	"brine/proto"
	"brine/proto/moment"
)

const rulesTestAbout = `Tell step by step what rules would make of an event, and do none of it.

The FILE of --event ("-" is standard input) holds an event in JSON as brine event ls --out json has it: {"tag", "origin", "data"}, and
where wanted "actor", "cause", "depth", "at". With files of rules they are read here, and no master is asked; the event may then have
"grains" and "pillar" of its origin. Without, it is the rules in force, and the masters know the origin, what is paused, and what reaction
SLS of Salt would do.`

const rulesReplayAbout = `Tell what rules would have made of what has happened, and do none of it.

It is asked of a master's own log. Actions are taken to succeed, and steps that rules made then are passed over. With files of rules
it is those, else the rules in force. Grains and pillar are those of today.`

// lineItem is a line of an answer in JSON.
type lineItem struct {
	At    string `json:"at,omitempty"`
	Rule  string `json:"rule"`
	Step  string `json:"step"`
	Key   string `json:"key,omitempty"`
	Event string `json:"event,omitempty"`
	Text  string `json:"text"`
}

func newLineItem(l *proto.RuleLine) lineItem {
	return lineItem{At: stamp(l.At), Rule: l.Rule, Step: l.Step, Key: l.Key, Event: l.Event, Text: l.Text}
}

// givenEvent is an event as people write it.
type givenEvent struct {
	ID     string          `json:"id"`
	Tag    string          `json:"tag"`
	Origin string          `json:"origin"`
	Minion string          `json:"minion"` // another word for it
	At     string          `json:"at"`
	Actor  string          `json:"actor"`
	Cause  string          `json:"cause"`
	Depth  uint32          `json:"depth"`
	Data   json.RawMessage `json:"data"`
	Grains map[string]any  `json:"grains"`
	Pillar map[string]any  `json:"pillar"`
}

func (a *app) rulesTestCommand() *cobra.Command {
	var file, name string
	c := a.outFlag(&cobra.Command{
		Use: "test --event FILE [DIR|FILE]...", Short: "Tell what rules would make of an event", Long: rulesTestAbout,
		Example: "  brine rules test --event down.json _rules/web.toml\n  brine event ls tag:salt/beacon/* --limit 1 --out jsonl | brine rules test --event - --rule nginx-down",
	})
	c.Flags().StringVar(&file, "event", "", "the file with the event")
	c.Flags().StringVar(&name, "rule", "", "only this rule; it says also why it does not match")
	c.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return usage("rules test wants --event FILE")
		}
		given, err := readGiven(file)
		if err != nil {
			return &exit{exitUsage, err}
		}
		lines, err := a.testRules(c, given, name, args)
		if err != nil {
			return err
		}
		if len(lines) == 0 && a.out == "nested" {
			fmt.Fprintln(a.stdout, "no rule is for this event")
			return nil
		}
		return list(a, lines, []string{"RULE", "STEP", "TEXT"}, func(l lineItem) []string { return []string{l.Rule, l.Step, l.Text} })
	}
	return c
}

// readGiven reads an event; of {"items": [...]} the first.
func readGiven(file string) (*givenEvent, error) {
	data, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the event: %w", err)
	}
	var wrapped struct{ Items []json.RawMessage }
	if json.Unmarshal(data, &wrapped) == nil && len(wrapped.Items) > 0 {
		data = wrapped.Items[0]
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	g := &givenEvent{}
	if err := d.Decode(g); err != nil {
		return nil, fmt.Errorf("cannot read the event in %s: %w", file, err)
	}
	g.Origin = cmp.Or(g.Origin, g.Minion)
	if len(g.Data) == 0 {
		g.Data = json.RawMessage("{}")
	}
	if g.Tag == "" || g.Origin == "" {
		return nil, fmt.Errorf("cannot use the event in %s: it has no tag, or no origin", file)
	}
	return g, nil
}

func readAll(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

func (g *givenEvent) event() (*proto.Event, error) {
	at := time.Now()
	if g.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339Nano, g.At); err != nil {
			return nil, fmt.Errorf("cannot use the event: at: %w", err)
		}
	}
	return &proto.Event{Tag: g.Tag, Origin: g.Origin, At: at.UnixMicro(), Actor: g.Actor, Cause: g.Cause, Depth: g.Depth, Data: g.Data}, nil
}

// testRules asks the rules of files, or a master.
func (a *app) testRules(c *cobra.Command, g *givenEvent, name string, args []string) ([]lineItem, error) {
	e, err := g.event()
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	var lines []lineItem
	if len(args) > 0 {
		set, err := a.readRules(args)
		if err != nil {
			return nil, err
		}
		if name != "" && set.Rule(name) == nil {
			return nil, usage("there is no rule %q in %s", name, strings.Join(args, ", "))
		}
		known := func(m map[string]any) func() (map[string]any, error) {
			rule.Plain(m)
			return func() (map[string]any, error) { return m, nil }
		}
		for _, l := range set.Explain(&rule.Event{ID: g.ID, Event: e, Grains: known(g.Grains), Pillar: known(g.Pillar)},
			rule.Asking{Name: name, Now: time.Now()}) {
			lines = append(lines, lineItem{Rule: l.Rule, Step: l.Step, Text: l.Text})
		}
		return lines, nil
	}
	if g.Grains != nil || g.Pillar != nil {
		return nil, usage("the masters know grains and pillar of %s: those in the event are for rules of files", g.Origin)
	}
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.RulesTryFrame{}
	err = cl.Call(c.Context(), "rules.test", &proto.RulesTryRequest{Name: name, Event: &proto.EventInfo{Id: g.ID, Event: e}}, reply)
	for _, l := range reply.Lines {
		lines = append(lines, newLineItem(l))
	}
	return lines, err
}

// readRules reads the rules of files, and tells their mistakes.
func (a *app) readRules(args []string) (*rule.Set, error) {
	files, err := ruleFiles(args)
	if err != nil {
		return nil, err
	}
	set, problems := rule.Parse(strings.Join(args, ", "), files)
	wrong := rule.Mistakes(problems)
	for _, p := range wrong {
		fmt.Fprintln(a.stderr, p)
	}
	if len(wrong) > 0 {
		return nil, &exit{exitData, errors.New("cannot use the rules")}
	}
	return set, nil
}

func (a *app) rulesReplayCommand() *cobra.Command {
	req := &proto.RulesTryRequest{}
	var since, until string
	var summary bool
	c := a.outFlag(&cobra.Command{
		Use: "replay [DIR|FILE]...", Short: "Tell what rules would have made of what has happened", Long: rulesReplayAbout,
		Example: "  brine rules replay --since 30d\n  brine rules replay --since 7d --rule nginx-down _rules/web.toml",
	})
	c.Flags().StringVar(&since, "since", "1d", "from then on: how long ago, or a time")
	c.Flags().StringVar(&until, "until", "", "up to then")
	c.Flags().StringVar(&req.Name, "rule", "", "only this rule")
	c.Flags().BoolVar(&summary, "summary", false, "only how often each rule came to what")
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, t := range []struct {
			text string
			into *int64
		}{{since, &req.Since}, {until, &req.Until}} {
			if t.text == "" {
				continue
			}
			at, err := moment.Past(t.text, time.Now())
			if err != nil {
				return &exit{exitUsage, err}
			}
			*t.into = at.UnixMicro()
		}
		if len(args) > 0 {
			if _, err := a.readRules(args); err != nil {
				return err
			}
			files, err := ruleFiles(args)
			if err != nil {
				return err
			}
			for _, f := range files {
				req.Files = append(req.Files, &proto.RuleFile{Name: f.Name, Text: f.Text})
			}
		}
		return a.replayRules(c, req, summary)
	}
	return c
}

// countItem is how often a rule came to something, in JSON.
type countItem struct {
	Rule   string `json:"rule"`
	Step   string `json:"step"`
	Reason string `json:"reason"` // the kind of it, of what was suppressed
	Times  int    `json:"times"`
}

func (a *app) replayRules(c *cobra.Command, req *proto.RulesTryRequest, summary bool) error {
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	var items []lineItem
	counts := map[countItem]int{}
	events, err := cl.ReplayRules(c.Context(), req, func() { items = nil; clear(counts) }, func(l *proto.RuleLine) error {
		n := countItem{Rule: l.Rule, Step: l.Step}
		if l.Step == "suppressed" {
			n.Reason, _, _ = strings.Cut(l.Text, ":")
		}
		if counts[n]++; !summary {
			items = append(items, newLineItem(l))
		}
		return nil
	})
	if err != nil {
		return err
	}
	all := slices.SortedFunc(maps.Keys(counts), func(a, b countItem) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Reason, b.Reason))
	})
	for i := range all {
		all[i].Times = counts[countItem{Rule: all[i].Rule, Step: all[i].Step, Reason: all[i].Reason}]
	}
	fmt.Fprintf(a.stderr, "%s looked at\n", plural(int(events), "event"))
	if summary {
		return list(a, all, []string{"RULE", "STEP", "REASON", "TIMES"}, func(n countItem) []string {
			return []string{n.Rule, n.Step, n.Reason, strconv.Itoa(n.Times)}
		})
	}
	return list(a, items, []string{"TIME", "RULE", "STEP", "KEY", "TEXT"}, func(l lineItem) []string {
		return []string{l.At, l.Rule, l.Step, l.Key, l.Text}
	})
}
