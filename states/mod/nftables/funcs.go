package nftables

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

// said is what Salt's functions return: whether it went well, and a sentence. The return code tells, too.
func said(ok bool, comment string, more ...any) module.Returned {
	r := module.Returned{Value: value.NewDict(append([]any{"result", ok, "comment", comment}, more...)...)}
	if !ok {
		r.Retcode = 1
	}
	return r
}

// outcome is said of an error; what comes of a mistake in the rules is an answer, too.
func outcome(err error, format string, args ...any) (module.Returned, error) {
	if err != nil {
		return said(false, err.Error()), nil
	}
	return said(true, fmt.Sprintf(format, args...)), nil
}

func version(ctx context.Context, h *host.Host, _ struct{}) (string, error) {
	text, err := run(ctx, h, "nft", "--version")
	if f := strings.Fields(text); err == nil && len(f) > 1 {
		return f[1], nil
	}
	return text, err
}

type buildArgs struct {
	Table    string `arg:"table" doc:"the table, for the whole command"`
	Chain    string `arg:"chain" doc:"the chain, for the whole command"`
	Command  string `arg:"command" doc:"what the whole command does: add, insert or delete"`
	Position string `arg:"position" doc:"a handle, for the whole command"`
	Full     bool   `arg:"full" doc:"return the whole command"`
	Family   family `arg:"family" default:"ipv4" doc:"ipv4, ipv6, inet, arp, bridge or netdev"`
	Save     keep   `arg:"save" doc:"taken as in the states, and says nothing here"`
	described
}

func buildRule(_ context.Context, _ *host.Host, a buildArgs) (module.Returned, error) {
	text, err := a.text(a.Family)
	for _, p := range [][2]string{{"Table", a.Table}, {"Chain", a.Chain}, {"Command", a.Command}} {
		if err == nil && a.Full && p[1] == "" {
			err = errors.New(p[0] + " needs to be specified")
		}
	}
	if err != nil {
		return said(false, err.Error(), "rule", ""), nil
	}
	if a.Full {
		text = strings.Join(strings.Fields(fmt.Sprintf("nft %s rule %s %s %s %s %s", strings.ToLower(a.Command), a.Family, a.Table, a.Chain, at(a.Position), text)), " ")
	}
	return said(true, "Successfully built rule", "rule", text), nil
}

func at(position string) string {
	if position == "" {
		return ""
	}
	return "position " + position
}

type fileArgs struct {
	ConfFile string `arg:"conf_file" doc:"the file; absent is what this system reads at boot"`
}

func getSavedRules(_ context.Context, h *host.Host, a fileArgs) (*value.List, error) {
	name, err := keep{file: a.ConfFile}.path(h)
	if err != nil {
		return nil, err
	}
	data, err := file.Get(h, name)
	if err == nil && data == nil {
		err = fmt.Errorf("cannot read %s: there is no such file", name)
	}
	rules := &value.List{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if text := strings.TrimSpace(line); text != "" && text[0] != '#' {
			rules.Items = append(rules.Items, line)
		}
	}
	return rules, err
}

type familyArgs struct {
	Family family `arg:"family" default:"ipv4" doc:"ipv4, ipv6, inet, arp, bridge or netdev"`
}

func listTables(ctx context.Context, h *host.Host, a familyArgs) (*value.List, error) {
	return listing(ctx, h, "table", "-j", "list", "tables", string(a.Family))
}

func getRulesJSON(ctx context.Context, h *host.Host, a familyArgs) (*value.List, error) {
	return listing(ctx, h, "", "-j", "list", "ruleset", string(a.Family))
}

// listing is what nft lists: of what, or with "" the objects whole.
func listing(ctx context.Context, h *host.Host, of string, args ...string) (*value.List, error) {
	text, err := run(ctx, h, append([]string{"nft"}, args...)...)
	all := &value.List{}
	if err != nil || text == "" {
		return all, err
	}
	v, err := value.FromJSON([]byte(text))
	d, _ := v.(*value.Dict)
	items, _ := d.Get("nftables")
	list, ok := items.(*value.List)
	if err != nil || !ok {
		return nil, fmt.Errorf("cannot read what nft lists: %v", err)
	}
	for _, item := range list.Items {
		if d, ok := item.(*value.Dict); ok && of != "" {
			if item, ok = d.Get(of); !ok {
				continue
			}
		}
		all.Items = append(all.Items, item)
	}
	return all, nil
}

func getRules(ctx context.Context, h *host.Host, a familyArgs) (*value.List, error) {
	rs, err := now(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.List{}
	for _, o := range rs.Objects {
		if o.Table == nil || o.Table.Family != string(a.Family) {
			continue
		}
		text, err := run(ctx, h, "nft", "list", "table", o.Table.Family, o.Table.Name)
		if err != nil {
			return nil, err
		}
		all.Items = append(all.Items, text)
	}
	return all, nil
}

type saveArgs struct {
	Filename keep   `arg:"filename" doc:"the file; absent is what this system reads at boot"`
	Family   family `arg:"family" default:"ipv4" doc:"taken as in Salt: always all rules are kept"`
}

func callSave(ctx context.Context, h *host.Host, a saveArgs) (string, error) {
	name, err := a.Filename.path(h)
	if err == nil {
		err = save(ctx, h, name)
	}
	if err != nil {
		return "", err
	}
	return "Wrote the rules to " + name, nil
}

type typedArgs struct {
	Table name   `arg:"table" default:"filter" doc:"the table"`
	Chain name   `arg:"chain,required" doc:"the chain"`
	Rule  string `arg:"rule,required" doc:"the rule as nft takes it"`
	familyArgs
}

// CheckArgs implements module.Checker.
func (a *typedArgs) CheckArgs() error { return oneRule(a.Rule) }

func (a *typedArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Chain)} }

func (a *typedArgs) find(ctx context.Context, h *host.Host) ([]int, error) {
	rs, err := now(ctx, h)
	if err == nil {
		err = rs.missing(a.spot())
	}
	if err != nil {
		return nil, err
	}
	return find(ctx, h, rs, a.spot(), a.Rule)
}

func callCheck(ctx context.Context, h *host.Host, a typedArgs) (module.Returned, error) {
	handles, err := a.find(ctx, h)
	if err == nil && len(handles) == 0 {
		err = fmt.Errorf("rule %s in %s does not exist", a.Rule, a.spot())
	}
	return outcome(err, "Rule %s in %s exists", a.Rule, a.spot())
}

func getRuleHandle(ctx context.Context, h *host.Host, a typedArgs) (module.Returned, error) {
	handles, err := a.find(ctx, h)
	if err == nil && len(handles) == 0 {
		err = fmt.Errorf("cannot find rule %s", a.Rule)
	}
	if err != nil {
		return said(false, err.Error()), nil
	}
	return module.Returned{Value: value.NewDict("result", true, "handle", int64(handles[0]))}, nil
}

func callAppend(ctx context.Context, h *host.Host, a typedArgs) (module.Returned, error) {
	return a.add(ctx, h, "add", "")
}

// add brings a rule in that isn't there.
func (a *typedArgs) add(ctx context.Context, h *host.Host, verb, position string) (module.Returned, error) {
	handles, err := a.find(ctx, h)
	if err == nil && len(handles) > 0 {
		err = fmt.Errorf("rule %s in %s already exists", a.Rule, a.spot())
	}
	if err == nil {
		err = change(ctx, h, fmt.Sprintf("%s rule %s %s %s", verb, a.spot(), at(position), a.Rule))
	}
	return outcome(err, "Added rule %q to %s.", a.Rule, a.spot())
}

type insertArgs struct {
	Table    name   `arg:"table" default:"filter" doc:"the table"`
	Chain    name   `arg:"chain,required" doc:"the chain"`
	Position *int   `arg:"position" doc:"the handle of the rule that it comes before; absent is the first place"`
	Rule     string `arg:"rule,required" doc:"the rule as nft takes it"`
	familyArgs
}

// CheckArgs implements module.Checker.
func (a *insertArgs) CheckArgs() error { return oneRule(a.Rule) }

func callInsert(ctx context.Context, h *host.Host, a insertArgs) (module.Returned, error) {
	typed, position := typedArgs{a.Table, a.Chain, a.Rule, a.familyArgs}, ""
	if a.Position != nil {
		position = fmt.Sprint(*a.Position)
	}
	return typed.add(ctx, h, "insert", position)
}

type deleteRuleArgs struct {
	Table    name   `arg:"table,required" doc:"the table"`
	Chain    name   `arg:"chain,required" doc:"the chain"`
	Position *int   `arg:"position" doc:"the handle of the rule"`
	Rule     string `arg:"rule" doc:"the rule as nft takes it"`
	familyArgs
}

// CheckArgs implements module.Checker.
func (a *deleteRuleArgs) CheckArgs() error {
	if (a.Position == nil) == (a.Rule == "") {
		return errors.New(`give one of "position" and "rule"`)
	}
	return oneRule(a.Rule)
}

func callDelete(ctx context.Context, h *host.Host, a deleteRuleArgs) (module.Returned, error) {
	typed := typedArgs{a.Table, a.Chain, a.Rule, a.familyArgs}
	if a.Position == nil {
		handles, err := typed.find(ctx, h)
		if err != nil || len(handles) == 0 {
			return callCheck(ctx, h, typed)
		}
		a.Position = &handles[0]
	}
	err := change(ctx, h, fmt.Sprintf("delete rule %s handle %d", typed.spot(), *a.Position))
	return outcome(err, "Deleted rule %d of %s.", *a.Position, typed.spot())
}

type spotArgs struct {
	Table name `arg:"table" default:"filter" doc:"the table"`
	Chain name `arg:"chain,required" doc:"the chain"`
	familyArgs
}

func (a *spotArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Chain)} }

// there says whether a table or a chain is.
func there(ctx context.Context, h *host.Host, s spot) error {
	rs, err := now(ctx, h)
	if err == nil {
		err = rs.missing(s)
	}
	return err
}

func checkChain(ctx context.Context, h *host.Host, a spotArgs) (module.Returned, error) {
	return outcome(there(ctx, h, a.spot()), "Chain %s in table %s in family %s exists", a.Chain, a.Table, a.Family)
}

type tableFuncArgs struct {
	Table name `arg:"table,required" doc:"the table"`
	familyArgs
}

func (a *tableFuncArgs) spot() spot { return spot{a.Family, string(a.Table), ""} }

func checkTable(ctx context.Context, h *host.Host, a tableFuncArgs) (module.Returned, error) {
	return outcome(there(ctx, h, a.spot()), "Table %s in family %s exists", a.Table, a.Family)
}

func newTable(ctx context.Context, h *host.Host, a tableFuncArgs) (module.Returned, error) {
	return outcome(change(ctx, h, "add table "+a.spot().String()), "Table %s in family %s created", a.Table, a.Family)
}

func deleteTable(ctx context.Context, h *host.Host, a tableFuncArgs) (module.Returned, error) {
	return outcome(change(ctx, h, "delete table "+a.spot().String()), "Table %s in family %s deleted", a.Table, a.Family)
}

type newChainArgs struct {
	Table name `arg:"table" default:"filter" doc:"the table"`
	Chain name `arg:"chain,required" doc:"the chain"`
	base
	familyArgs
}

// CheckArgs implements module.Checker.
func (a *newChainArgs) CheckArgs() error { return a.check() }

func (a *newChainArgs) spot() spot { return spot{a.Family, string(a.Table), string(a.Chain)} }

func newChain(ctx context.Context, h *host.Host, a newChainArgs) (module.Returned, error) {
	err := there(ctx, h, a.spot())
	if err == nil {
		return outcome(fmt.Errorf("chain %s already exists in %s", a.Chain, a.spot()), "")
	}
	err = change(ctx, h, "add chain "+a.spot().String()+a.spec())
	return outcome(err, "Chain %s in table %s in family %s created", a.Chain, a.Table, a.Family)
}

func deleteChain(ctx context.Context, h *host.Host, a spotArgs) (module.Returned, error) {
	return outcome(change(ctx, h, "delete chain "+a.spot().String()), "Chain %s in table %s in family %s deleted", a.Chain, a.Table, a.Family)
}

type flushFuncArgs struct {
	Table name `arg:"table" default:"filter" doc:"the table"`
	Chain name `arg:"chain" doc:"the chain; absent is every chain of the table"`
	familyArgs
}

func callFlush(ctx context.Context, h *host.Host, a flushFuncArgs) (module.Returned, error) {
	s := spot{a.Family, string(a.Table), string(a.Chain)}
	return outcome(change(ctx, h, s.flush()), "Flushed rules from %s.", s)
}

func getPolicy(ctx context.Context, h *host.Host, a spotArgs) (any, error) {
	rs, err := now(ctx, h)
	if err != nil {
		return nil, err
	}
	if c := rs.chain(a.spot()); c != nil && c.Policy != "" {
		return c.Policy, nil
	}
	return nil, nil
}

type setPolicyArgs struct {
	Table  name       `arg:"table" default:"filter" doc:"the table"`
	Chain  name       `arg:"chain,required" doc:"the chain, one that packets come to"`
	Policy policyName `arg:"policy,required" doc:"accept or drop"`
	familyArgs
}

func callSetPolicy(ctx context.Context, h *host.Host, a setPolicyArgs) (bool, error) {
	rs, err := now(ctx, h)
	if err != nil {
		return false, err
	}
	_, command, err := rs.policy(spot{a.Family, string(a.Table), string(a.Chain)}, string(a.Policy))
	if err == nil {
		err = change(ctx, h, command)
	}
	return err == nil, err
}
