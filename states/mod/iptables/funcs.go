package iptables

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

type familyArgs struct {
	Family family `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func version(ctx context.Context, h *host.Host, a familyArgs) (string, error) {
	text, err := run(ctx, h, a.Family.program(), "--version")
	if f := strings.Fields(text); err == nil && len(f) > 1 {
		return f[1], nil
	}
	return text, err
}

type buildArgs struct {
	Table    string       `arg:"table" default:"filter" doc:"the table, for the whole command"`
	Chain    string       `arg:"chain" doc:"the chain, for the whole command"`
	Command  string       `arg:"command" doc:"what the whole command does, such as A, I or D, or a long name such as append"`
	Position string       `arg:"position" doc:"where, in the whole command"`
	Full     bool         `arg:"full" doc:"return the whole command"`
	Family   family       `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
	Options  []module.Arg `arg:"options,named" doc:"the rule, as in the states of this module"`
}

// CheckArgs implements module.Checker.
func (a *buildArgs) CheckArgs() error {
	_, err := build(a.options())
	for name, text := range map[string]string{"chain": a.Chain, "command": a.Command} {
		if a.Full && text == "" {
			err = errors.Join(err, fmt.Errorf("argument %q is missing: the whole command needs it", name))
		}
	}
	return err
}

func (a *buildArgs) options() (all []module.Arg) {
	for _, o := range a.Options {
		if o.Name != "save" {
			all = append(all, o)
		}
	}
	return all
}

func buildRule(_ context.Context, _ *host.Host, a buildArgs) (string, error) {
	words, err := build(a.options())
	if err != nil || !a.Full {
		return show(words), err
	}
	all := plain(a.Family.program(), "--wait", "-t", a.Table, dashed(a.Command), a.Chain)
	if a.Position != "" {
		all = append(all, plain(a.Position)...)
	}
	return show(append(all, words...)), nil
}

type savedArgs struct {
	ConfFile string `arg:"conf_file" doc:"the file; absent is where this system reads rules at boot"`
	Family   family `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func (a *savedArgs) read(h *host.Host) (saved, error) {
	name, err := keep{file: a.ConfFile}.path(h, a.Family)
	if err != nil {
		return nil, err
	}
	data, err := file.Get(h, name)
	if err == nil && data == nil {
		err = fmt.Errorf("cannot read %s: there is no such file", name)
	}
	if err != nil {
		return nil, err
	}
	return parse(string(data), a.Family.ipv6())
}

func getSavedRules(_ context.Context, h *host.Host, a savedArgs) (*value.Dict, error) {
	s, err := a.read(h)
	return s.dict(), err
}

func getRules(ctx context.Context, h *host.Host, a familyArgs) (*value.Dict, error) {
	s, err := now(ctx, h, a.Family)
	return s.rules.dict(), err
}

type savedPolicyArgs struct {
	Table tableName `arg:"table" default:"filter" doc:"the table"`
	Chain chainName `arg:"chain,required" doc:"the chain"`
	savedArgs
}

func getSavedPolicy(_ context.Context, h *host.Host, a savedPolicyArgs) (any, error) {
	s, err := a.read(h)
	if c := s.table(string(a.Table)).chain(string(a.Chain)); err == nil && c != nil {
		return c.policy, nil
	}
	return nil, err
}

type onChain struct {
	Table  tableName `arg:"table" default:"filter" doc:"the table"`
	Chain  chainName `arg:"chain,required" doc:"the chain"`
	Family family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func (a *onChain) where() where { return where{a.Table, a.Family} }

func getPolicy(ctx context.Context, h *host.Host, a onChain) (any, error) {
	p, err := policy(ctx, h, a.where(), string(a.Chain))
	if errors.Is(err, errNoChain) {
		return nil, nil
	}
	return p, err
}

type setPolicyArgs struct {
	Table  tableName  `arg:"table" default:"filter" doc:"the table"`
	Chain  chainName  `arg:"chain,required" doc:"the chain, one of the kernel's own"`
	Policy policyName `arg:"policy,required" doc:"ACCEPT or DROP"`
	Family family     `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func callSetPolicy(ctx context.Context, h *host.Host, a setPolicyArgs) (bool, error) {
	w := where{a.Table, a.Family}
	err := hasPolicy(w, a.Chain)
	if err == nil {
		err = setPolicy(ctx, h, w, string(a.Chain), string(a.Policy))
	}
	return err == nil, err
}

type saveArgs struct {
	Filename keep   `arg:"filename" doc:"the file; absent is where this system reads rules at boot"`
	Family   family `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func callSave(ctx context.Context, h *host.Host, a saveArgs) (string, error) {
	name, err := a.Filename.path(h, a.Family)
	if err == nil {
		err = save(ctx, h, a.Family, name)
	}
	if err != nil {
		return "", err
	}
	return "Wrote the rules of " + string(a.Family) + " to " + name, nil
}

type typedRuleArgs struct {
	Table  tableName `arg:"table" default:"filter" doc:"the table"`
	Chain  chainName `arg:"chain,required" doc:"the chain"`
	Rule   string    `arg:"rule,required" doc:"the rule as iptables takes it"`
	Family family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func (a *typedRuleArgs) entry() (entry, error) {
	words, err := split(a.Rule)
	return entry{"given", string(a.Table), a.Family, string(a.Chain), nil, words, keep{}}, err
}

func callCheck(ctx context.Context, h *host.Host, a typedRuleArgs) (bool, error) {
	e, err := a.entry()
	if err != nil {
		return false, err
	}
	return e.found(ctx, h)
}

func callAppend(ctx context.Context, h *host.Host, a typedRuleArgs) (bool, error) {
	e, err := a.entry()
	if err != nil {
		return false, err
	}
	return e.ensure(ctx, h, "-A")
}

type insertArgs struct {
	Table    tableName `arg:"table" default:"filter" doc:"the table"`
	Chain    chainName `arg:"chain,required" doc:"the chain"`
	Position int       `arg:"position,required" doc:"where: 1 is the first, -1 before the last one"`
	Rule     string    `arg:"rule,required" doc:"the rule as iptables takes it"`
	Family   family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func callInsert(ctx context.Context, h *host.Host, a insertArgs) (bool, error) {
	typed := typedRuleArgs{a.Table, a.Chain, a.Rule, a.Family}
	e, err := typed.entry()
	if err == nil && a.Position == 0 {
		err = errors.New(`argument "position": the first rule is 1`)
	}
	if err != nil {
		return false, err
	}
	e.position = &a.Position
	return e.ensure(ctx, h, "-I")
}

// ensure adds a rule that isn't there, and says whether it did.
func (e *entry) ensure(ctx context.Context, h *host.Host, verb string) (bool, error) {
	there, err := e.has(ctx, h)
	if there || err != nil {
		return false, err
	}
	if err := e.add(ctx, h, verb); err != nil {
		return false, fmt.Errorf("cannot do %s: %w", e.command(verb), err)
	}
	return true, nil
}

type deleteRuleArgs struct {
	Table    tableName `arg:"table,required" doc:"the table"`
	Chain    chainName `arg:"chain,required" doc:"the chain"`
	Position *int      `arg:"position" doc:"which rule, from 1; or give the rule itself"`
	Rule     string    `arg:"rule" doc:"the rule as iptables takes it"`
	Family   family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

// CheckArgs implements module.Checker.
func (a *deleteRuleArgs) CheckArgs() error {
	if (a.Position == nil) == (a.Rule == "") {
		return errors.New(`give one of "position" and "rule"`)
	}
	return nil
}

func callDelete(ctx context.Context, h *host.Host, a deleteRuleArgs) (bool, error) {
	typed := typedRuleArgs{a.Table, a.Chain, a.Rule, a.Family}
	e, err := typed.entry()
	if err != nil {
		return false, err
	}
	e.position = a.Position
	there, err := e.found(ctx, h)
	if err != nil || !there {
		return false, err
	}
	if err := e.remove(ctx, h); err != nil {
		return false, fmt.Errorf("cannot do %s: %w", e.told("-D"), err)
	}
	return true, nil
}

func checkChain(ctx context.Context, h *host.Host, a onChain) (bool, error) {
	_, c, err := find(ctx, h, a.where(), string(a.Chain))
	return c != nil || err == nil && builtin(string(a.Table), string(a.Chain)), err
}

func callNewChain(ctx context.Context, h *host.Host, a onChain) (bool, error) {
	err := newChain(ctx, h, a.where(), string(a.Chain))
	return err == nil, err
}

func callDeleteChain(ctx context.Context, h *host.Host, a onChain) (bool, error) {
	err := deleteChain(ctx, h, a.where(), string(a.Chain))
	return err == nil, err
}

type flushFuncArgs struct {
	Table  tableName `arg:"table" default:"filter" doc:"the table"`
	Chain  chainName `arg:"chain" doc:"the chain; absent is every chain of the table"`
	Family family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

func callFlush(ctx context.Context, h *host.Host, a flushFuncArgs) (bool, error) {
	err := flush(ctx, h, where{a.Table, a.Family}, string(a.Chain))
	return err == nil, err
}
