// Package mine asks for what other minions tell of themselves, and tells them of this one.
package mine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the mine module.
var Module = module.Module{
	Name: "mine",
	Doc:  "Ask for what other minions tell of themselves, and tell them of this one.",
	Funcs: []module.Func{
		{
			Name: "delete", Doc: "Take what this minion tells under a name out of the mine.",
			Example: "network.interfaces", Do: module.Call(remove),
		},
		{Name: "flush", Doc: "Take all that this minion tells out of the mine.", Do: module.Call(flush)},
		{
			Name: "get",
			Doc: `
				Return what a function of the mine returned on the minions of a target, by their ids; of several
				functions a map of such maps. What a minion's allow_tgt keeps from this one is left out, and pillar
				in the target is compared with whole values alone.

				Without a master (brine-minion call) the answer is an empty map, and the log says so.`,
			Example: "'web*' network.ip_addrs tgt_type=glob", Do: module.Call(get),
		},
		{
			Name: "send",
			Doc: `
				Call a function and tell others what it returns, under its name or under one of its own. Arguments
				that are not named here go to the function.`,
			Example: "addresses mine_function=network.ip_addrs allow_tgt='web*'", Do: module.Call(send),
		},
		{
			Name: "update",
			Doc: `
				Call the functions of mine_functions (minion.toml and pillar) and tell others what they return. The
				minion does so by itself at its start, at each mine_interval, and when pillar names other functions.
				One that fails is left as it was told last; the log says why. Null when there are none.`,
			Example: "clear=True", Do: module.Call(update),
		},
		{Name: "valid", Doc: "Return the functions of mine_functions that this minion has, with their arguments.", Do: module.Call(valid)},
	},
}

type getArgs struct {
	Target  string `arg:"tgt,required" doc:"the minions"`
	Fun     any    `arg:"fun,required" doc:"the function; several are a list or stand between commas"`
	Type    string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read: glob, grain, compound and the like"`
	Without bool   `arg:"exclude_minion" doc:"leave this minion out"`
}

func get(ctx context.Context, h *host.Host, a getArgs) (*value.Dict, error) {
	functions, several, err := a.functions()
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	if h.Mine == nil {
		tell(h, "warn", "mine.get has no answer: no master is there to ask")
		return all, nil
	}
	items, err := h.Mine.Get(ctx, host.MineQuery{Target: a.Target, Type: a.Type, Functions: functions})
	if err != nil {
		return nil, err
	}
	own, _ := h.Grains.Get("id")
	for _, i := range items {
		if a.Without && own == i.Minion {
			continue
		}
		d := all
		if several {
			if v, ok := all.Get(i.Function); ok {
				d = v.(*value.Dict)
			} else {
				d = &value.Dict{}
				all.Put(i.Function, d)
			}
		}
		d.Put(i.Minion, i.Value)
	}
	return all, nil
}

// functions tells which are asked for, and whether the answer is by function.
func (a getArgs) functions() (names []string, several bool, err error) {
	switch f := a.Fun.(type) {
	case string:
		names = strings.Split(f, ",")
	case *value.List:
		several = true
		for _, item := range f.Items {
			names = append(names, fmt.Sprint(item))
		}
	default:
		return nil, false, fmt.Errorf("cannot use fun = %v: want a function or a list of them", a.Fun)
	}
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names, several || len(names) > 1, nil
}

type sendArgs struct {
	Name  string      `arg:"name,required" doc:"what it is told under"`
	Args  []any       `arg:"args,rest" doc:"what the function is called with"`
	Fun   string      `arg:"mine_function" doc:"the function; absent: that of the name"`
	Allow any         `arg:"allow_tgt" doc:"a target: only these minions may get it"`
	How   string      `arg:"allow_tgt_type" doc:"how allow_tgt is read; absent: as glob"`
	Named *value.Dict `arg:"kwargs,named" doc:"what the function is called with by name"`
}

func send(ctx context.Context, h *host.Host, a sendArgs) (bool, error) {
	d := definition{name: a.Name, function: a.Fun, args: a.Args, named: a.Named, allow: a.Allow, how: a.How}
	e, err := d.call(ctx, h)
	if err != nil {
		return false, fmt.Errorf("cannot send %s: %w", a.Name, err)
	}
	return edit(ctx, h, func(own map[string]host.MineEntry) { own[a.Name] = e })
}

type updateArgs struct {
	Clear     bool `arg:"clear" doc:"take all else that this minion tells out of the mine"`
	Functions any  `arg:"mine_functions" doc:"these instead of those that are set: a list of names, or a map as mine_functions is"`
}

func update(ctx context.Context, h *host.Host, a updateArgs) (any, error) {
	all, err := definitions(ctx, h, a.Functions)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	found := map[string]host.MineEntry{}
	for _, d := range all {
		e, err := d.call(ctx, h)
		if err != nil {
			tell(h, "error", fmt.Sprintf("%s is not told to the mine: %v", d.name, err))
			continue
		}
		found[d.name] = e
	}
	return edit(ctx, h, func(own map[string]host.MineEntry) {
		if a.Clear {
			clear(own)
		}
		for name, e := range found {
			own[name] = e
		}
	})
}

type deleteArgs struct {
	Fun string `arg:"fun,required" doc:"the name"`
}

func remove(ctx context.Context, h *host.Host, a deleteArgs) (bool, error) {
	return edit(ctx, h, func(own map[string]host.MineEntry) { delete(own, a.Fun) })
}

type noArgs struct{}

func flush(ctx context.Context, h *host.Host, _ noArgs) (bool, error) {
	return edit(ctx, h, func(own map[string]host.MineEntry) { clear(own) })
}

func edit(ctx context.Context, h *host.Host, change func(map[string]host.MineEntry)) (bool, error) {
	if h.Mine == nil {
		return false, errors.New("cannot change the mine: no minion runs here that could tell a master")
	}
	err := h.Mine.Edit(ctx, change)
	return err == nil, err
}

func valid(ctx context.Context, h *host.Host, _ noArgs) (any, error) {
	all, err := definitions(ctx, h, nil)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	out := &value.Dict{}
	for _, d := range all {
		if len(h.Modules.Functions(d.called())) == 0 {
			continue
		}
		out.Put(d.name, d.shown())
	}
	return out, nil
}

func tell(h *host.Host, level, message string) {
	if h.Log != nil {
		h.Log(level, message)
	}
}
