package nftables

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// ruleArgs are the arguments of states about a rule.
type ruleArgs struct {
	Name  string `arg:"name,required" doc:"what the rule is called; it is no part of it"`
	Table name   `arg:"table" default:"filter" doc:"the table"`
	Chain name   `arg:"chain,required" doc:"the chain"`
	familyArgs
	Position *int `arg:"position" doc:"the handle of a rule: insert comes before it, delete without a description takes it away"`
	Save     keep `arg:"save" doc:"keep all rules for the next boot where this system reads them, or in the file named"`
	described
}

func (a *ruleArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Chain)} }

// CheckArgs implements module.Checker.
func (a *ruleArgs) CheckArgs() error {
	text, err := a.text(a.Family)
	if text == "" {
		err = errors.Join(err, errors.New("the rule says nothing: give it at least a jump"))
	}
	return err
}

func planAppend(ctx context.Context, h *host.Host, a ruleArgs) (module.Plan, error) {
	return a.add(ctx, h, fmt.Sprintf("add rule %s ", a.spot()))
}

func planInsert(ctx context.Context, h *host.Host, a ruleArgs) (module.Plan, error) {
	command := fmt.Sprintf("insert rule %s ", a.spot())
	if a.Position != nil {
		command += fmt.Sprintf("position %d ", *a.Position)
	}
	return a.add(ctx, h, command)
}

// add plans that a rule is there; command brings it in.
func (a *ruleArgs) add(ctx context.Context, h *host.Host, command string) (module.Plan, error) {
	text, err := a.text(a.Family)
	if err != nil {
		return module.Plan{}, err
	}
	command += text
	handles, err := a.look(ctx, h, text)
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot add rule %s: %w", a.Name, err)
	}
	p := module.Plan{
		Same:  fmt.Sprintf("nftables rule for %s already set (nft %s)", a.Name, command),
		Would: fmt.Sprintf("nftables rule for %s needs to be set (nft %s)", a.Name, command),
		Did:   fmt.Sprintf("Set nftables rule for %s to: nft %s", a.Name, command),
	}
	if len(handles) == 0 {
		if err := valid(ctx, h, command); err != nil {
			return module.Plan{}, fmt.Errorf("cannot add rule %s (nft %s): %w", a.Name, command, err)
		}
		p.Steps = []module.Step{module.Change("added", "nft "+command, func(ctx context.Context) error {
			return change(ctx, h, command)
		})}
	}
	return p, a.Save.kept(ctx, h, &p)
}

// look finds the handles of the rule.
func (a *ruleArgs) look(ctx context.Context, h *host.Host, text string) ([]int, error) {
	rs, err := now(ctx, h)
	if err == nil {
		err = rs.missing(a.spot())
	}
	if err != nil {
		return nil, err
	}
	return find(ctx, h, rs, a.spot(), text)
}

// deleteArgs are those of the state that deletes a rule.
type deleteArgs struct{ ruleArgs }

// CheckArgs implements module.Checker.
func (a *deleteArgs) CheckArgs() error {
	text, err := a.text(a.Family)
	if text == "" && a.Position == nil {
		err = errors.Join(err, errors.New("cannot tell which rule is to be deleted: describe it, or give its handle as position"))
	}
	return err
}

func planDelete(ctx context.Context, h *host.Host, a deleteArgs) (module.Plan, error) {
	text, err := a.text(a.Family)
	if err != nil {
		return module.Plan{}, err
	}
	rs, err := now(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{Same: fmt.Sprintf("nftables rule for %s already absent (%s %s)", a.Name, a.spot(), text)}
	var handles []int
	if rs.missing(a.spot()) == nil {
		if handles, err = a.found(ctx, h, rs, text); err != nil {
			return module.Plan{}, fmt.Errorf("cannot delete rule %s: %w", a.Name, err)
		}
	}
	p.Would = fmt.Sprintf("nftables rule for %s needs to be deleted (%s %s)", a.Name, a.spot(), text)
	p.Did = fmt.Sprintf("Deleted nftables rule for %s (%s %s)", a.Name, a.spot(), text)
	gone := &value.List{}
	var commands []string
	for _, handle := range handles {
		commands = append(commands, fmt.Sprintf("delete rule %s handle %d", a.spot(), handle))
		gone.Items = append(gone.Items, "nft "+commands[len(commands)-1])
	}
	if len(commands) > 0 {
		p.Steps = []module.Step{module.Change("removed", gone, func(ctx context.Context) error {
			return change(ctx, h, commands...)
		})}
	}
	return p, a.Save.kept(ctx, h, &p)
}

func (a *deleteArgs) found(ctx context.Context, h *host.Host, rs *ruleset, text string) ([]int, error) {
	if text != "" {
		return find(ctx, h, rs, a.spot(), text)
	}
	is := func(r *ruleObject) bool { return r.Handle == *a.Position }
	if slices.ContainsFunc(rs.rules(a.spot()), is) {
		return []int{*a.Position}, nil
	}
	return nil, nil
}
