package nftables

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// base is what makes packets come to a chain.
type base struct {
	Type     string `arg:"table_type" doc:"filter, nat or route: what the chain does; with hook and priority"`
	Hook     string `arg:"hook" doc:"where packets meet it, such as input"`
	Priority string `arg:"priority" doc:"when, among the chains of that hook: a number, or a name such as filter"`
}

// spec is how nft takes it; "" for a chain that is only jumped to.
func (b *base) spec() string {
	if b.Hook == "" {
		return ""
	}
	return fmt.Sprintf(" { type %s hook %s priority %s; }", b.Type, b.Hook, b.Priority)
}

func (b *base) check() error {
	given := 0
	for _, text := range []string{b.Type, b.Hook, b.Priority} {
		if strings.ContainsAny(text, ";{}\n\r\"") {
			return fmt.Errorf("%q is no part of a chain", text)
		}
		if text != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		return errors.New(`"table_type", "hook" and "priority" go together: give all of them, or none`)
	}
	return nil
}

type chainArgs struct {
	Name  name `arg:"name,required" doc:"the chain"`
	Table name `arg:"table" default:"filter" doc:"the table"`
	familyArgs
}

func (a *chainArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Name)} }

type chainPresentArgs struct {
	chainArgs
	base
}

// CheckArgs implements module.Checker.
func (a *chainPresentArgs) CheckArgs() error { return a.check() }

func planChainPresent(ctx context.Context, h *host.Host, a chainPresentArgs) (module.Plan, error) {
	rs, err := now(ctx, h)
	if err == nil {
		err = rs.missing(spot{a.Family, string(a.Table), ""})
	}
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot create chain %s: %w", a.Name, err)
	}
	p := module.Plan{
		Same:  fmt.Sprintf("nftables chain %s already exists in table %s for %s", a.Name, a.Table, a.Family),
		Would: fmt.Sprintf("nftables chain %s would be created in table %s for %s", a.Name, a.Table, a.Family),
		Did:   fmt.Sprintf("nftables chain %s created in table %s for %s", a.Name, a.Table, a.Family),
	}
	if c := rs.chain(a.spot()); c != nil {
		if text := a.differs(c); text != "" {
			p.Warnings = []string{text}
		}
		return p, nil
	}
	command := "add chain " + a.spot().String() + a.spec()
	if err := valid(ctx, h, command); err != nil {
		return module.Plan{}, fmt.Errorf("cannot create chain %s: %w", a.Name, err)
	}
	p.Steps = []module.Step{module.Replace(string(a.Name), "absent", "present", func(ctx context.Context) error {
		return change(ctx, h, command)
	})}
	return p, nil
}

// differs is a warning of a chain that is elsewhere than it is described. nft can't move it.
func (a *chainPresentArgs) differs(c *chainObject) string {
	_, err := strconv.Atoi(a.Priority)
	same := c.Type == a.Type && c.Hook == a.Hook && (err != nil || c.Prio.String() == a.Priority)
	if a.Hook == "" || same {
		return ""
	}
	return fmt.Sprintf("chain %s has type %q, hook %q and priority %q: remove it first to have it elsewhere", c.Name, c.Type, c.Hook, c.Prio)
}

func planChainAbsent(ctx context.Context, h *host.Host, a chainArgs) (module.Plan, error) {
	rs, err := now(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("nftables chain %s is already absent in table %s for %s", a.Name, a.Table, a.Family),
		Would: fmt.Sprintf("nftables chain %s would be deleted in table %s for %s", a.Name, a.Table, a.Family),
		Did:   fmt.Sprintf("nftables chain %s deleted in table %s for %s", a.Name, a.Table, a.Family),
	}
	if rs.chain(a.spot()) == nil {
		return p, nil
	}
	if users := rs.users(a.spot()); len(users) > 0 {
		return module.Plan{}, module.Unknown("cannot delete chain %s: rules of %s lead to it", a.Name, strings.Join(users, ", "))
	}
	p.Steps = []module.Step{module.Replace(string(a.Name), "present", "absent", func(ctx context.Context) error {
		return change(ctx, h, "flush chain "+a.spot().String(), "delete chain "+a.spot().String())
	})}
	return p, nil
}

type flushArgs struct {
	Name  string `arg:"name,required" doc:"what the state is called; it says nothing here"`
	Table name   `arg:"table" default:"filter" doc:"the table"`
	Chain name   `arg:"chain" doc:"the chain; absent is every chain of the table"`
	familyArgs
	Ignore bool `arg:"ignore_absence" doc:"it is no mistake that there is no such table or chain"`
}

func (a *flushArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Chain)} }

func (s spot) flush() string {
	if s.chain == "" {
		return "flush table " + s.String()
	}
	return "flush chain " + s.String()
}

func planFlush(ctx context.Context, h *host.Host, a flushArgs) (module.Plan, error) {
	rs, err := now(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("nftables has no rules in %s", a.spot()),
		Would: fmt.Sprintf("nftables rules in %s would be flushed", a.spot()),
		Did:   fmt.Sprintf("Flushed nftables rules in %s", a.spot()),
	}
	if err := rs.missing(a.spot()); err != nil {
		if a.Ignore {
			return p, nil
		}
		return module.Plan{}, fmt.Errorf("cannot flush %s: %w", a.spot(), err)
	}
	if n := len(rs.rules(a.spot())); n > 0 {
		p.Steps = []module.Step{module.Replace("rules", int64(n), int64(0), func(ctx context.Context) error {
			return change(ctx, h, a.spot().flush())
		})}
	}
	return p, nil
}

// policyName is what happens to what no rule of a chain decides.
type policyName string

func (*policyName) ArgType() string { return "accept or drop" }

// ParseArg implements module.ArgParser.
func (p *policyName) ParseArg(v module.Value) error {
	text, err := v.Str()
	text = strings.ToLower(text)
	if err != nil || text != "accept" && text != "drop" {
		return v.Want("accept or drop")
	}
	*p = policyName(text)
	return nil
}

type policyArgs struct {
	Name   string     `arg:"name,required" doc:"what the state is called; it says nothing here"`
	Table  name       `arg:"table" default:"filter" doc:"the table"`
	Chain  name       `arg:"chain,required" doc:"the chain, one that packets come to"`
	Policy policyName `arg:"policy,required" doc:"accept or drop"`
	familyArgs
	Save keep   `arg:"save" doc:"keep all rules for the next boot where this system reads them, or in the file named"`
	File string `arg:"save_filename" doc:"with save: the file"`
}

func planPolicy(ctx context.Context, h *host.Host, a policyArgs) (module.Plan, error) {
	s := spot{a.Family, string(a.Table), string(a.Chain)}
	rs, err := now(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	have, command, err := rs.policy(s, string(a.Policy))
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("nftables default policy for %s already set to %s", s, a.Policy),
		Would: fmt.Sprintf("nftables default policy for %s needs to be set to %s", s, a.Policy),
		Did:   fmt.Sprintf("Set default policy for %s to %s", s, a.Policy),
	}
	if have != string(a.Policy) {
		p.Steps = []module.Step{module.Replace(string(a.Chain), have, string(a.Policy), func(ctx context.Context) error {
			return change(ctx, h, command)
		})}
	}
	if a.Save.on && a.File != "" {
		a.Save.file = a.File
	}
	return p, a.Save.kept(ctx, h, &p)
}

// policy returns the policy of a chain, and the command that sets another.
func (rs *ruleset) policy(s spot, want string) (have, command string, err error) {
	if err := rs.missing(s); err != nil {
		return "", "", fmt.Errorf("cannot set the policy of %s: %w", s, err)
	}
	c := rs.chain(s)
	if c.Hook == "" {
		return "", "", fmt.Errorf("cannot set the policy of %s: it has no hook, so packets only come to it by a jump", s)
	}
	device := ""
	if dev, ok := c.Dev.(string); ok {
		device = " device " + strconv.Quote(dev)
	}
	return c.Policy, fmt.Sprintf("add chain %s { type %s hook %s%s priority %s; policy %s; }", s, c.Type, c.Hook, device, c.Prio, want), nil
}

type tableArgs struct {
	Name name `arg:"name,required" doc:"the table"`
	familyArgs
}

func planTable(present bool) func(context.Context, *host.Host, tableArgs) (module.Plan, error) {
	verb, same, did, states := "delete", "is already absent", "deleted", [2]string{"present", "absent"}
	if present {
		verb, same, did, states = "add", "already exists", "created", [2]string{"absent", "present"}
	}
	return func(ctx context.Context, h *host.Host, a tableArgs) (module.Plan, error) {
		s := spot{a.Family, string(a.Name), ""}
		rs, err := now(ctx, h)
		if err != nil {
			return module.Plan{}, err
		}
		p := module.Plan{
			Same:  fmt.Sprintf("nftables table %s %s for %s", a.Name, same, a.Family),
			Would: fmt.Sprintf("nftables table %s would be %s for %s", a.Name, did, a.Family),
			Did:   fmt.Sprintf("nftables table %s %s for %s", a.Name, did, a.Family),
		}
		if rs.hasTable(s) != present {
			p.Steps = []module.Step{module.Change(string(a.Name), value.NewDict("old", states[0], "new", states[1]), func(ctx context.Context) error {
				return change(ctx, h, verb+" table "+s.String())
			})}
		}
		return p, nil
	}
}
