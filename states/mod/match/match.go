// Package match says whether targets mean this minion.
package match

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the match module.
var Module = module.Module{
	Name: "match",
	Doc: `
		Say whether a target means this minion, or another id where one may be given. A target that
		can't be read is an error.`,
	Funcs: []module.Func{
		{
			Name: "compound",
			Doc: `
				Say whether targets joined by and, or, not and parentheses mean this minion. A letter before @ says of
				what kind a target is: G grain, P grain by regular expression, I pillar, J pillar by regular
				expression, L list, E regular expression, S address, N nodegroup; without one it is a glob.`,
			Example: "'G@os:Debian and not ( web* or L@db1,db2 )'", Do: module.Call(by("compound")),
		},
		{
			Name: "filter_by", Doc: "Return the value of the first target of a dict that means this minion.",
			Example: "'{\"web*\": {port: 80}, \"db*\": {port: 5432}}' tgt_type=glob", Do: module.Call(filterBy),
		},
		{
			Name: "glob", Doc: "Say whether a glob is that of the minion's id.",
			Example: "'web*'", Do: module.Call(by("glob")),
		},
		{
			Name: "grain", Doc: "Say whether a grain is as in GRAIN:GLOB.",
			Example: "'os:Deb*'", Do: module.Call(nested("grain")),
		},
		{
			Name: "grain_pcre", Doc: "Say whether a grain is as in GRAIN:REGULAR EXPRESSION.",
			Example: "'os:(Debian|Ubuntu)'", Do: module.Call(nested("grain_pcre")),
		},
		{
			Name: "ipcidr", Doc: "Say whether the minion has an address, or one of a network.",
			Example: "10.0.0.0/8", Do: module.Call(by("ipcidr")),
		},
		{
			Name: "list", Doc: "Say whether the minion's id is one of a list.",
			Example: "web1,web2", Do: module.Call(by("list")),
		},
		{
			Name: "pcre", Doc: "Say whether the minion's id begins with what a regular expression means.",
			Example: "'web[0-9]+$'", Do: module.Call(by("pcre")),
		},
		{
			Name: "pillar", Doc: "Say whether the pillar is as in KEY:GLOB.",
			Example: "'roles:web*'", Do: module.Call(nested("pillar")),
		},
		{
			Name: "pillar_exact", Doc: "Say whether the pillar is as in KEY:VALUE, where nothing stands for anything else.",
			Example: "'roles:web'", Do: module.Call(nested("pillar_exact")),
		},
		{
			Name: "pillar_pcre", Doc: "Say whether the pillar is as in KEY:REGULAR EXPRESSION.",
			Example: "'roles:web[0-9]'", Do: module.Call(nested("pillar_pcre")),
		},
		{
			Name: "search_by", Doc: "Return the keys of a dict whose list has a target that means this minion, or nothing.",
			Example: "'{web: [\"web*\"], db: [\"db*\", \"sql*\"]}' glob", Do: module.Call(searchBy),
		},
	},
}

type targetArgs struct {
	Target any    `arg:"tgt,required" doc:"the target"`
	Minion string `arg:"minion_id" doc:"the id that is asked about; this minion's when absent"`
}

func by(kind string) func(context.Context, *host.Host, targetArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a targetArgs) (bool, error) {
		return newMinion(ctx, h, a.Minion).matches(kind, a.Target)
	}
}

type nestedArgs struct {
	Target    string `arg:"tgt,required" doc:"the target"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands between its parts"`
}

func nested(kind string) func(context.Context, *host.Host, nestedArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a nestedArgs) (bool, error) {
		if a.Delimiter == "" {
			return false, errors.New("cannot match: the delimiter is empty")
		}
		m := newMinion(ctx, h, "")
		m.language.Delimiter = a.Delimiter
		return m.matches(kind, a.Target)
	}
}

type lookupArgs struct {
	Lookup *value.Dict `arg:"lookup,required" doc:"what is returned, by target"`
	Kind   string      `arg:"tgt_type" default:"compound" doc:"the kind of the targets: the name of a function of this module"`
	Minion string      `arg:"minion_id" doc:"the id that is asked about; this minion's when absent"`
}

type filterArgs struct {
	lookupArgs
	Merge      *value.Dict `arg:"merge" doc:"a dict to lay over what is found"`
	MergeLists bool        `arg:"merge_lists" doc:"join lists that are in both; else that of merge counts"`
	Default    string      `arg:"default" default:"default" doc:"the key that counts when no target means this minion"`
}

func filterBy(ctx context.Context, h *host.Host, a filterArgs) (any, error) {
	m := newMinion(ctx, h, a.Minion)
	for key, found := range a.Lookup.All() {
		ok, err := m.matches(a.Kind, key)
		if err != nil {
			return nil, err
		}
		if ok {
			return a.over(found)
		}
	}
	v, _ := a.Lookup.Get(a.Default)
	return v, nil
}

// over lays merge over what was found.
func (a *filterArgs) over(found any) (any, error) {
	if a.Merge.Len() == 0 {
		return found, nil
	}
	c, err := value.Clone(found)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return a.Merge, nil
	}
	d, ok := c.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot merge into what was found: want a map, got %s", value.Kind(found))
	}
	return value.Merge(d, a.Merge, a.MergeLists), nil
}

func searchBy(ctx context.Context, h *host.Host, a lookupArgs) (any, error) {
	m := newMinion(ctx, h, a.Minion)
	found := value.NewList()
	for key, targets := range a.Lookup.All() {
		list, ok := targets.(*value.List)
		if !ok {
			list = value.NewList(targets)
		}
		for _, target := range list.Items {
			ok, err := m.matches(a.Kind, target)
			if err != nil {
				return nil, err
			}
			if ok {
				found.Items = append(found.Items, key)
				break
			}
		}
	}
	if len(found.Items) == 0 {
		return nil, nil
	}
	return found, nil
}
