package iptables

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// chainArgs are the arguments of states about a chain.
type chainArgs struct {
	Name chainName `arg:"name,required" doc:"the chain"`
	where
}

// find returns a chain as it is now; nil when there is none.
func find(ctx context.Context, h *host.Host, w where, name string) (*table, *chain, error) {
	s, err := now(ctx, h, w.Family)
	t := s.rules.table(string(w.Table))
	return t, t.chain(name), err
}

func planChainPresent(ctx context.Context, h *host.Host, a chainArgs) (module.Plan, error) {
	name := string(a.Name)
	_, c, err := find(ctx, h, a.where, name)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("iptables %s chain already exists in %s table for %s", name, a.Table, a.Family),
		Would: fmt.Sprintf("iptables %s chain in %s table needs to be set for %s", name, a.Table, a.Family),
		Did:   fmt.Sprintf("iptables %s chain in %s table created for %s", name, a.Table, a.Family),
	}
	if c != nil || builtin(string(a.Table), name) {
		return p, nil
	}
	p.Steps = []module.Step{module.Replace(name, "absent", "present", func(ctx context.Context) error {
		return newChain(ctx, h, a.where, name)
	})}
	return p, nil
}

func newChain(ctx context.Context, h *host.Host, w where, name string) error {
	if err := change(ctx, h, w.Family, string(w.Table), "-N", name); err != nil {
		return fmt.Errorf("cannot create chain %s: %w", name, err)
	}
	return nil
}

func planChainAbsent(ctx context.Context, h *host.Host, a chainArgs) (module.Plan, error) {
	name := string(a.Name)
	if builtin(string(a.Table), name) {
		return module.Plan{}, fmt.Errorf("cannot delete chain %s: it is the kernel's own", name)
	}
	t, c, err := find(ctx, h, a.where, name)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("iptables %s chain is already absent in %s table for %s", name, a.Table, a.Family),
		Would: fmt.Sprintf("iptables %s chain in %s table needs to be removed for %s", name, a.Table, a.Family),
		Did:   fmt.Sprintf("iptables %s chain in %s table deleted for %s", name, a.Table, a.Family),
	}
	if c == nil {
		return p, nil
	}
	if users := t.users(name); len(users) > 0 {
		return module.Plan{}, module.Unknown("cannot delete chain %s: rules of %s lead to it", name, strings.Join(users, ", "))
	}
	p.Steps = []module.Step{module.Replace(name, "present", "absent", func(ctx context.Context) error {
		err := flush(ctx, h, a.where, name)
		if err == nil {
			err = deleteChain(ctx, h, a.where, name)
		}
		return err
	})}
	return p, nil
}

func deleteChain(ctx context.Context, h *host.Host, w where, name string) error {
	if err := change(ctx, h, w.Family, string(w.Table), "-X", name); err != nil {
		return fmt.Errorf("cannot delete chain %s: %w", name, err)
	}
	return nil
}

// flush empties a chain, or with "" all of a table.
func flush(ctx context.Context, h *host.Host, w where, name string) error {
	args := []string{"-F"}
	if name != "" {
		args = append(args, name)
	}
	if err := change(ctx, h, w.Family, string(w.Table), args...); err != nil {
		return fmt.Errorf("cannot flush %s: %w", strings.TrimSpace("table "+string(w.Table)+" "+name), err)
	}
	return nil
}

type flushArgs struct {
	Name string `arg:"name,required" doc:"what the state is called; it says nothing here"`
	where
	Chain chainName `arg:"chain" doc:"the chain; absent is every chain of the table"`
	Save  keep      `arg:"save" doc:"keep the rules for the next boot where this system reads them, or in the file named"`
}

func planFlush(ctx context.Context, h *host.Host, a flushArgs) (module.Plan, error) {
	t, c, err := find(ctx, h, a.where, string(a.Chain))
	if err != nil {
		return module.Plan{}, err
	}
	chains := []*chain{c}
	switch {
	case a.Chain == "" && t != nil:
		chains = t.chains
	case a.Chain != "" && c == nil && !builtin(string(a.Table), string(a.Chain)):
		return module.Plan{}, module.Unknown("cannot flush chain %s: there is none in table %s of %s", a.Chain, a.Table, a.Family)
	}
	gone := &value.List{}
	for _, c := range chains {
		if c == nil {
			continue
		}
		for _, r := range c.rules {
			gone.Items = append(gone.Items, "-A "+c.name+" "+r.text)
		}
	}
	what := strings.TrimSpace(fmt.Sprintf("table %s %s", a.Table, a.Chain))
	w := work{h: h}
	if len(gone.Items) == 0 {
		w.say(fmt.Sprintf("iptables has no rules in %s for %s", what, a.Family), "", "")
	} else {
		w.say("", fmt.Sprintf("iptables rules in %s need to be flushed for %s", what, a.Family),
			fmt.Sprintf("Flushed iptables rules in %s for %s", what, a.Family))
		w.plan.Steps = []module.Step{module.Change("removed", gone, func(ctx context.Context) error {
			return flush(ctx, h, a.where, string(a.Chain))
		})}
	}
	if err := w.keep(ctx, a.Save, a.Family, len(gone.Items) > 0); err != nil {
		return module.Plan{}, err
	}
	w.finish()
	return w.plan, nil
}

// policyName is what happens to what no rule of a chain decides.
type policyName string

func (*policyName) ArgType() string { return "ACCEPT or DROP" }

// ParseArg implements module.ArgParser.
func (p *policyName) ParseArg(v module.Value) error {
	text, err := v.Str()
	text = strings.ToUpper(text)
	if err != nil || text != "ACCEPT" && text != "DROP" {
		return v.Want("ACCEPT or DROP")
	}
	*p = policyName(text)
	return nil
}

type policyArgs struct {
	Name string `arg:"name,required" doc:"what the state is called; it says nothing here"`
	where
	Chain  chainName  `arg:"chain,required" doc:"the chain, one of the kernel's own"`
	Policy policyName `arg:"policy,required" doc:"ACCEPT or DROP"`
	Save   keep       `arg:"save" doc:"keep the rules for the next boot where this system reads them, or in the file named"`
}

// CheckArgs implements module.Checker.
func (a *policyArgs) CheckArgs() error { return hasPolicy(a.where, a.Chain) }

func hasPolicy(w where, c chainName) error {
	if !builtin(string(w.Table), string(c)) {
		return fmt.Errorf("argument \"chain\": only the kernel's own chains have a policy, and %s is none of table %s", c, w.Table)
	}
	return nil
}

// policy is that of one of the kernel's own chains. Where nothing is listed of it nothing was ever changed.
func policy(ctx context.Context, h *host.Host, w where, name string) (string, error) {
	_, c, err := find(ctx, h, w, name)
	switch {
	case err != nil:
		return "", err
	case c != nil:
		return c.policy, nil
	case builtin(string(w.Table), name):
		return "ACCEPT", nil
	}
	return "", errNoChain
}

var errNoChain = errors.New("there is no such chain")

func planPolicy(ctx context.Context, h *host.Host, a policyArgs) (module.Plan, error) {
	name, want := string(a.Chain), string(a.Policy)
	have, err := policy(ctx, h, a.where, name)
	if err != nil {
		return module.Plan{}, err
	}
	w := work{h: h}
	what := fmt.Sprintf("default policy for chain %s on table %s for %s", name, a.Table, a.Family)
	if have == want {
		w.say(fmt.Sprintf("iptables %s already set to %s", what, want), "", "")
	} else {
		w.say("", fmt.Sprintf("iptables %s needs to be set to %s", what, want), fmt.Sprintf("Set %s to %s", what, want))
		w.plan.Steps = []module.Step{module.Replace(name, have, want, func(ctx context.Context) error {
			return setPolicy(ctx, h, a.where, name, want)
		})}
	}
	if err := w.keep(ctx, a.Save, a.Family, have != want); err != nil {
		return module.Plan{}, err
	}
	w.finish()
	return w.plan, nil
}

func setPolicy(ctx context.Context, h *host.Host, w where, name, policy string) error {
	if err := change(ctx, h, w.Family, string(w.Table), "-P", name, policy); err != nil {
		return fmt.Errorf("cannot set the policy of chain %s: %w", name, err)
	}
	return nil
}
