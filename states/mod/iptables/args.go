package iptables

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"brine/states/module"
)

// where is the chain that an argument struct is about.
type where struct {
	Table  tableName `arg:"table" default:"filter" doc:"the table of the chain: filter, nat, mangle, raw or security"`
	Family family    `arg:"family" default:"ipv4" doc:"ipv4 or ipv6"`
}

// ruleArgs are the arguments of states about rules.
type ruleArgs struct {
	Name string `arg:"name,required" doc:"what the rule is called; it is no part of it"`
	where
	Chain    chainName    `arg:"chain" doc:"the chain; it may be left out only where rules has one"`
	Position *int         `arg:"position" doc:"insert: where, 1 is the first and the default, -1 before the last one. delete: which rule goes when none is described"`
	Save     keep         `arg:"save" doc:"keep the rules for the next boot where this system reads them, or in the file named"`
	Rules    rules        `arg:"rules" doc:"instead of one rule, several: maps of these same arguments; what one lacks of table, family, chain and save it has from the state"`
	Options  []module.Arg `arg:"options,named" doc:"every other argument is an option of iptables by its long name, such as source, jump or reject-with; also if, of, proto, match, connstate (for --state), dports, sports, match-set and name_ (for --name). An option without a value is empty. \"!\" or \"not\" before a value turns it round"`
}

// rules are the maps of several rules.
type rules []module.Value

func (*rules) ArgType() string { return "list of maps" }

// ParseArg implements module.ArgParser.
func (r *rules) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		return v.Want("a list of rules, each a map")
	}
	for _, item := range items {
		if _, ok := item.Pairs(); !ok {
			return v.Want("a list of rules, each a map")
		}
	}
	*r = items
	return nil
}

// An entry is one rule of the kernel, and where it belongs.
type entry struct {
	name     string
	table    string
	family   family
	chain    string
	position *int
	words    []word
	save     keep
}

// entries are the rules that the arguments describe, one for each pair of addresses.
func (a *ruleArgs) entries() ([]entry, error) {
	if a.Rules == nil {
		return a.own()
	}
	var all []entry
	var errs []error
	for i, v := range a.Rules {
		r, err := a.rule(v)
		if err == nil {
			var own []entry
			own, err = r.own()
			all = append(all, own...)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	return all, errors.Join(errs...)
}

// rule reads one of several rules; what it lacks is the state's.
func (a *ruleArgs) rule(v module.Value) (*ruleArgs, error) {
	r := *a
	r.Rules, r.Options, r.Position = nil, nil, nil
	pairs, _ := v.Pairs()
	var errs []error
	for _, p := range pairs {
		name, _ := p[0].Str()
		if err := r.set(name, p[1]); err != nil {
			errs = append(errs, fmt.Errorf("argument %q: %w", name, err))
		}
	}
	return &r, errors.Join(errs...)
}

func (a *ruleArgs) set(name string, v module.Value) (err error) {
	switch name {
	case "name":
		a.Name, err = v.Str()
	case "table":
		return a.Table.ParseArg(v)
	case "family":
		return a.Family.ParseArg(v)
	case "chain":
		return a.Chain.ParseArg(v)
	case "save":
		a.Save = keep{}
		return a.Save.ParseArg(v)
	case "position":
		n, is := v.Data.(int64)
		if !is {
			return v.Want("an integer")
		}
		at := int(n)
		a.Position = &at
	default:
		a.Options = append(a.Options, module.Arg{Name: name, Value: v})
	}
	return err
}

// own is the rule that is described without a list.
func (a *ruleArgs) own() ([]entry, error) {
	words, err := build(a.Options)
	if a.Chain == "" {
		err = errors.Join(errors.New(`argument "chain" is missing`), err)
	}
	if a.Position != nil && *a.Position == 0 {
		err = errors.Join(errors.New(`argument "position": the first rule is 1`), err)
	}
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, w := range each(words) {
		all = append(all, entry{a.Name, string(a.Table), a.Family, string(a.Chain), a.Position, w, a.Save})
	}
	return all, nil
}

// each makes of a rule with several addresses, with commas between, one for each, as iptables does.
func each(words []word) [][]word {
	for i := 1; i < len(words); i++ {
		name := longName(words[i-1].text)
		several := strings.Split(words[i].text, ",")
		if !isFlag(words[i-1].text) || name != "source" && name != "destination" || len(several) < 2 {
			continue
		}
		var all [][]word
		for _, address := range several {
			one := slices.Clone(words)
			one[i].text = strings.TrimSpace(address)
			all = append(all, each(one)...)
		}
		return all
	}
	return [][]word{words}
}

// check finds every mistake that can be found without the host; says tells what a rule without a word is.
func (a *ruleArgs) check(says func(*entry) error) error {
	all, err := a.entries()
	for _, e := range all {
		err = errors.Join(err, e.families())
		if len(e.words) == 0 {
			err = errors.Join(err, says(&e))
		}
	}
	return err
}

// addArgs are the arguments of states that add rules.
type addArgs struct{ ruleArgs }

// CheckArgs implements module.Checker.
func (a *addArgs) CheckArgs() error {
	return a.check(func(*entry) error { return errors.New("the rule says nothing: give it at least a jump") })
}

// deleteArgs are those of the state that deletes rules.
type deleteArgs struct{ ruleArgs }

// CheckArgs implements module.Checker.
func (a *deleteArgs) CheckArgs() error {
	return a.check(func(e *entry) error {
		if e.position != nil {
			return nil
		}
		return errors.New("cannot tell which rule is to be deleted: describe it, or give its position")
	})
}

// families finds addresses of the other version of the protocol.
func (e *entry) families() error {
	for _, o := range options(texts(e.words)) {
		if o.name != "source" && o.name != "destination" || len(o.values) != 1 {
			continue
		}
		text, _, _ := strings.Cut(o.values[0], "/")
		if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() != e.family.ipv6() {
			return fmt.Errorf("argument %q: %s is no address of %s: set \"family\"", o.name, o.values[0], e.family)
		}
	}
	return nil
}

// command is what changes a chain by the rule, as it is told: -A, -I or -D.
func (e *entry) command(verb string) string {
	words := append(plain(e.family.program(), "-t", e.table, verb, e.chain), e.words...)
	return show(words)
}
