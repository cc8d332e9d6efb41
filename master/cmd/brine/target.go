package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"brine/proto"
	"brine/proto/target"
	"brine/states/regex"
)

// targetFlags say of what kind a target is.
type targetFlags struct {
	syntax    proto.Target_Syntax // unspecified: a glob
	delimiter string
}

// targetKinds are the switches, as Salt has them.
var targetKinds = []struct {
	syntax      proto.Target_Syntax
	name, short string
	is          string
}{
	{proto.Target_COMPOUND, "compound", "C", "joins targets by and, or, not, such as 'G@os:Debian and not db*'"},
	{proto.Target_GRAIN, "grain", "G", "is GRAIN:GLOB, such as os:Debian"},
	{proto.Target_GRAIN_PCRE, "grain-pcre", "P", "is GRAIN:REGULAR EXPRESSION"},
	{proto.Target_LIST, "list", "L", "is a list of ids, separated by commas"},
	{proto.Target_NODEGROUP, "nodegroup", "N", "is the name of a nodegroup of the masters' configuration"},
	{proto.Target_PCRE, "pcre", "E", "is a regular expression that ids begin with"},
	{proto.Target_PILLAR, "pillar", "I", "is PILLAR KEY:GLOB"},
	{proto.Target_PILLAR_EXACT, "pillar-exact", "", "is PILLAR KEY:VALUE, where nothing stands for anything else"},
	{proto.Target_PILLAR_PCRE, "pillar-pcre", "J", "is PILLAR KEY:REGULAR EXPRESSION"},
	{proto.Target_IPCIDR, "ipcidr", "S", "is an address or a network, such as 10.0.0.0/8"},
}

func (f *targetFlags) add(c *cobra.Command) {
	for _, k := range targetKinds {
		c.Flags().VarPF(&kindFlag{&f.syntax, k.syntax}, k.name, k.short, "TARGET "+k.is).NoOptDefVal = "true"
	}
	c.Flags().StringVar(&f.delimiter, "delimiter", "", "what stands between the parts of KEY:VALUE (default \":\")")
}

// kindFlag is one switch of targetKinds.
type kindFlag struct {
	into *proto.Target_Syntax
	kind proto.Target_Syntax
}

var _ pflag.Value = (*kindFlag)(nil)

func (k *kindFlag) Type() string     { return "bool" }
func (k *kindFlag) IsBoolFlag() bool { return true }
func (k *kindFlag) String() string   { return fmt.Sprint(k.into != nil && *k.into == k.kind) }

func (k *kindFlag) Set(text string) error {
	switch text {
	case "true":
		if *k.into != proto.Target_SYNTAX_UNSPECIFIED && *k.into != k.kind {
			return errors.New("a target has one kind; -C joins several")
		}
		*k.into = k.kind
	case "false":
	default:
		return errors.New("want true or false")
	}
	return nil
}

// target makes a target of an expression, and finds mistakes for which no master need be asked.
func (f *targetFlags) target(expression string) (*proto.Target, error) {
	t := &proto.Target{Syntax: f.syntax, Expression: expression, Delimiter: f.delimiter}
	if f.syntax == proto.Target_SYNTAX_UNSPECIFIED {
		t.Syntax = proto.Target_GLOB
	}
	if t.Syntax == proto.Target_NODEGROUP || t.Syntax == proto.Target_COMPOUND {
		return t, nil // only masters know the nodegroups
	}
	if _, err := (target.Language{Regexp: regex.Beginning}).Read(t); err != nil {
		return nil, &exit{exitUsage, err}
	}
	return t, nil
}

// of sets the flags so that they make a target again.
func (f *targetFlags) of(t *proto.Target) { f.syntax, f.delimiter = t.GetSyntax(), t.GetDelimiter() }

// targetItem is a minion that a target means, in JSON.
type targetItem struct {
	ID     string `json:"id"`
	Online bool   `json:"online"`
}

func (a *app) targetCommand() *cobra.Command {
	f := &targetFlags{}
	c := a.outFlag(&cobra.Command{
		Use: "target TARGET", Short: "Say whom a target means, and what each part of a compound does; nothing is sent to minions",
		Example:           "  brine target 'web*'\n  brine target -C 'G@os:Debian and not N@edge'",
		ValidArgsFunction: position(a.minionIDs, nothing),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("target wants one target, as in: brine target -C 'G@os:Debian and not db*'")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			t, err := f.target(args[0])
			if err != nil {
				return err
			}
			return a.explain(c, t)
		},
	})
	f.add(c)
	return c
}

func (a *app) explain(c *cobra.Command, t *proto.Target) error {
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	reply := &proto.TargetReply{}
	if err := cl.Call(c.Context(), "minion.target", &proto.TargetRequest{Target: t}, reply); err != nil {
		return err
	}
	var items []targetItem
	for _, m := range reply.Minions {
		items = append(items, targetItem{m.Id, m.Online})
	}
	if err := list(a, items, []string{"ID", "PRESENCE"}, func(m targetItem) []string {
		return []string{m.ID, presence(m.Online)}
	}); err != nil {
		return err
	}
	if len(items) == 0 && a.out != "quiet" {
		fmt.Fprintf(a.stderr, "no minion matches %q%s\n", t.Expression, reply.Hint)
	}
	if a.out != "nested" {
		return nil
	}
	a.tellLeftOut(reply.LeftOut)
	fmt.Fprintf(a.stdout, "%d of %s\n", len(items), plural(int(reply.Accepted), "accepted minion"))
	for _, p := range reply.Parts {
		text := p.Text
		if p.Group != "" {
			text += " (in nodegroup " + p.Group + ")"
		}
		fmt.Fprintf(a.stdout, "    %6d  %s\n", p.Minions, text)
	}
	return nil
}
