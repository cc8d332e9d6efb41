package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/pki"
	"brine/proto"
	"brine/proto/moment"
	"brine/proto/role"
)

// operatorItem is one key of an operator in JSON.
type operatorItem struct {
	Name        string   `json:"name"`
	State       string   `json:"state"`
	Admin       bool     `json:"admin"`
	Roles       []string `json:"roles"`
	Key         string   `json:"key"`
	Fingerprint string   `json:"fingerprint"`
	Until       string   `json:"until"`
	Via         string   `json:"via"`
	AddedBy     string   `json:"added_by"`
	Changed     string   `json:"changed"`
}

func operatorItems(ops []*proto.OperatorInfo) []operatorItem {
	items := make([]operatorItem, 0, len(ops))
	for _, o := range ops {
		item := operatorItem{
			Name: o.Name, State: o.State, Admin: o.Admin, Roles: append([]string{}, role.FormatAll(o.Roles)...),
			Fingerprint: o.Fingerprint, Until: stamp(o.NotAfter * 1e6), Via: o.Via, AddedBy: o.AddedBy, Changed: stamp(o.ChangedAt),
		}
		if len(o.Key) == 32 {
			item.Key = pki.NKey(o.Key)
		}
		items = append(items, item)
	}
	return items
}

const roleHelp = `A role is written FUNCTIONS on TARGETS in ENVIRONMENTS, each a list of globs with commas between them:

  test.*,state.apply on web*,db1 in base,dev

Functions are those of modules, or brine's own verbs: @job.list, @job.show, @key.list, @key.decide, @key.token,
@minion.list, @master.list, @master.drain, @operator.list, @operator.set, @rules.list, @rules.pause, @rules.approve, @rules.test, @audit.list ... ("@*" is all of them). Targets are ids
of minions. Environments are what saltenv and pillarenv may name; without "in" it is base alone. All three must
fit within one role. Two roles have names: admin may do everything, viewer may look at everything, also at what jobs
returned that asked for pillar.

Functions that call others or render templates are as good as root on their minions: cmd.*, state.*, module.*, file.*,
cron.*, schedule.*, beacons.*, saltutil.*, mine.send, mine.update, slsutil.renderer.`

func (a *app) operatorCommand() *cobra.Command {
	return group(&cobra.Command{Use: "operator", Short: "Operators: who may ask the masters for what", Long: "Operators, their keys and their roles.\n\n" + roleHelp},
		a.operatorListCommand(), a.operatorShowCommand(), a.operatorNewCommand(), a.operatorSiteCommand(),
		a.operatorAddCommand(), a.operatorSetCommand(), a.operatorRevokeCommand(), a.operatorRotateCommand())
}

func (a *app) operators(c *cobra.Command, req *proto.OperatorListRequest) ([]operatorItem, error) {
	cl, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	reply := &proto.OperatorListReply{}
	if err := cl.Call(c.Context(), "operator.list", req, reply); err != nil {
		return nil, err
	}
	if len(req.Patterns) > 0 && len(reply.Operators) == 0 {
		return nil, usage("no operator in force matches %s (--all shows revoked and expired ones)", strings.Join(req.Patterns, " "))
	}
	return operatorItems(reply.Operators), nil
}

func (a *app) operatorListCommand() *cobra.Command {
	req := &proto.OperatorListRequest{}
	c := &cobra.Command{
		Use: "ls [GLOB...]", Short: "List operators", ValidArgsFunction: a.operatorNames,
		RunE: func(c *cobra.Command, args []string) error {
			req.Patterns = args
			items, err := a.operators(c, req)
			if err != nil {
				return err
			}
			return list(a, items, []string{"NAME", "STATE", "UNTIL", "VIA", "ADDED BY", "ROLES"}, func(o operatorItem) []string {
				return []string{o.Name, o.State, o.Until, o.Via, o.AddedBy, strings.Join(o.Roles, "; ")}
			})
		},
	}
	c.Flags().BoolVar(&req.All, "all", false, "keys too that are revoked, replaced or expired")
	return a.outFlag(c)
}

func (a *app) operatorShowCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "show [NAME]", Short: "Show an operator's keys and roles; without a name your own", ValidArgsFunction: position(a.operatorNames, nothing),
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			items, err := a.operators(c, &proto.OperatorListRequest{Patterns: args, Self: len(args) == 0, All: true})
			if err != nil {
				return err
			}
			if a.out != "nested" {
				return list(a, items, nil, nil)
			}
			for _, o := range items {
				fmt.Fprintf(a.stdout, "%s: %s\n", o.Name, o.State)
				for _, line := range [][2]string{{"key", o.Key}, {"fingerprint", o.Fingerprint}, {"until", o.Until}, {"via", o.Via},
					{"added by", o.AddedBy}, {"changed", o.Changed}} {
					if line[1] != "" {
						fmt.Fprintf(a.stdout, "  %-12s %s\n", line[0], line[1])
					}
				}
				for _, r := range o.Roles {
					fmt.Fprintf(a.stdout, "  %-12s %s\n", "role", r)
				}
			}
			return nil
		},
	})
}

// operatorFlags are those of add and set.
type operatorFlags struct {
	key, until         string
	roles, more, fewer []string
}

// request reads the flags; every mistake is in the error.
func (f *operatorFlags) request(c *cobra.Command, name string) (*proto.OperatorSetRequest, error) {
	req := &proto.OperatorSetRequest{Name: name}
	for _, l := range []struct {
		texts []string
		into  *[]*proto.Role
	}{{f.roles, &req.Roles}, {f.more, &req.MoreRoles}, {f.fewer, &req.FewerRoles}} {
		for _, text := range l.texts {
			r, err := role.Parse(text)
			if err != nil {
				return nil, usage("%v (brine operator --help tells how roles are written)", err)
			}
			*l.into = append(*l.into, r)
		}
	}
	if f.key != "" {
		key, err := pki.ParseNKey(strings.TrimSpace(f.key))
		if err != nil {
			return nil, usage("%v: want what brine operator new printed for the new operator", err)
		}
		req.Key = key
	}
	if req.End = c.Flags().Changed("until"); req.End && f.until != "never" {
		at, err := ahead(f.until, time.Now())
		if err != nil {
			return nil, &exit{exitUsage, err}
		}
		req.NotAfter = at
	}
	return req, nil
}

// ahead reads a time to come, in seconds of Unix time: how long it lasts, or when it is.
func ahead(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, fmt.Errorf("--until is empty: want such as 8h, 30d, 2027-01-31, or never")
	}
	at, err := moment.Past(text, now)
	if d, ok := moment.Duration(text); ok {
		at = now.Add(d)
	}
	if err == nil && !at.After(now) {
		err = fmt.Errorf("--until %s is over already", text)
	}
	return at.Unix(), err
}

func (a *app) operatorAddCommand() *cobra.Command {
	f := &operatorFlags{}
	c := &cobra.Command{
		Use: "add NAME --key KEY --role ROLE...", Short: "Add an operator, by the public key that brine operator new printed there",
		Long:    "Add an operator, by the public key that brine operator new printed on the operator's own machine.\n\n" + roleHelp,
		Example: "  brine operator add alice --key UAB... --role 'test.*,state.apply on web* in base' --role '@job.*'\n  brine operator add bob --key UCD... --role admin --until 30d",
		Args:    oneOperator("add"), ValidArgsFunction: nothing,
		RunE: func(c *cobra.Command, args []string) error {
			if f.key == "" || len(f.roles) == 0 {
				return usage("operator add wants --key and at least one --role (brine operator add --help)")
			}
			req, err := f.request(c, args[0])
			if err != nil {
				return err
			}
			req.Add = true
			return a.decideOperators(c, "operator.set", req)
		},
	}
	c.Flags().StringVar(&f.key, "key", "", "public key of the operator (U...)")
	c.Flags().StringArrayVar(&f.roles, "role", nil, "what the operator may do; may be given several times")
	c.Flags().StringVar(&f.until, "until", "never", "when the operator ends by itself: 8h, 30d, 2027-01-31, never")
	complete(c, "role", "admin", "viewer")
	return a.outFlag(c)
}

func (a *app) operatorSetCommand() *cobra.Command {
	f := &operatorFlags{}
	c := &cobra.Command{
		Use: "set NAME", Short: "Change an operator's roles, end or key", Long: "Change an operator's roles, end or key. A new key revokes the one before.\n\n" + roleHelp,
		Example: "  brine operator set alice --add-role 'cmd.run on web1 in base'\n  brine operator set alice --role viewer --until 7d",
		Args:    oneOperator("set"), ValidArgsFunction: position(a.operatorNames, nothing),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().NFlag() == 0 || f.key == "" && len(f.roles)+len(f.more)+len(f.fewer) == 0 && !c.Flags().Changed("until") {
				return usage("operator set wants something to change: --role, --add-role, --remove-role, --until or --key")
			}
			req, err := f.request(c, args[0])
			if err != nil {
				return err
			}
			return a.decideOperators(c, "operator.set", req)
		},
	}
	c.Flags().StringVar(&f.key, "key", "", "another public key; the one before is revoked")
	c.Flags().StringArrayVar(&f.roles, "role", nil, "a role instead of those there are; may be given several times")
	c.Flags().StringArrayVar(&f.more, "add-role", nil, "a role besides those there are")
	c.Flags().StringArrayVar(&f.fewer, "remove-role", nil, "a role to take away, as brine operator ls shows it")
	c.Flags().StringVar(&f.until, "until", "", "when the operator ends by itself: 8h, 30d, 2027-01-31, never")
	for _, flag := range []string{"role", "add-role", "remove-role"} {
		complete(c, flag, "admin", "viewer")
	}
	return a.outFlag(c)
}

func (a *app) operatorRevokeCommand() *cobra.Command {
	req := &proto.OperatorRevokeRequest{}
	var yes bool
	c := &cobra.Command{
		Use: "revoke NAME", Short: "End trust in an operator's keys, for ever, and close their connections",
		Args: oneOperator("revoke"), ValidArgsFunction: position(a.operatorNames, nothing),
		RunE: func(c *cobra.Command, args []string) error {
			req.Name = args[0]
			if !yes && atTerminal() {
				yes, err := a.confirm(c.Context(), fmt.Sprintf("revoke the keys of operator %s for ever?", req.Name))
				if err != nil {
					return err
				}
				if !yes {
					return &exit{exitFailed, errors.New("nothing done")}
				}
			}
			return a.decideOperators(c, "operator.revoke", req)
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&req.Fingerprint, "fingerprint", "", "only the key with this fingerprint")
	return a.outFlag(c)
}

func oneOperator(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("operator %s wants one name", verb)
		}
		return nil
	}
}
