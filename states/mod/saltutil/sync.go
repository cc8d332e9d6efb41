package saltutil

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var errNoCustom = errors.New("cannot sync: this minion keeps no modules of state trees")

type syncArgs struct {
	Saltenv   string `arg:"saltenv" doc:"the environment; that of the job when absent"`
	Refresh   bool   `arg:"refresh" default:"true" doc:"look at the host anew when grains were synced; modules are always those that are there"`
	Whitelist names  `arg:"extmod_whitelist" doc:"only these, a list or text with commas"`
	Blacklist names  `arg:"extmod_blacklist" doc:"not these"`
}

type syncAllArgs struct {
	Saltenv   string      `arg:"saltenv" doc:"the environment; that of the job when absent"`
	Refresh   bool        `arg:"refresh" default:"true" doc:"look at the host anew when grains were synced; modules are always those that are there"`
	Whitelist namesOfKind `arg:"extmod_whitelist" doc:"only these, by kind: {modules: [a, b], states: c}"`
	Blacklist namesOfKind `arg:"extmod_blacklist" doc:"not these, by kind"`
}

// names are those of modules.
type names []string

func (n *names) ArgType() string { return "list of text" }

func (n *names) ParseArg(v module.Value) (err error) {
	*n, err = v.Split("names of modules")
	return err
}

// namesOfKind are names by kind.
type namesOfKind map[string]names

func (n *namesOfKind) ArgType() string { return "map" }

func (n *namesOfKind) ParseArg(v module.Value) error {
	pairs, ok := v.Pairs()
	if !ok {
		return v.Want("a map of kinds with names, such as {modules: [a, b]}")
	}
	*n = namesOfKind{}
	for _, p := range pairs {
		kind, err := p[0].Str()
		if err != nil {
			return err
		}
		if !slices.Contains(kinds(), kind) {
			return fmt.Errorf("unknown kind %q%s: brine has grains, modules and states", kind, spell.DidYouMean(kind, kinds()))
		}
		var of names
		if err := of.ParseArg(p[1]); err != nil {
			return err
		}
		(*n)[kind] = of
	}
	return nil
}

func kinds() []string { return []string{"grains", "modules", "states"} }

// wanted is whether the lists let a name through.
func wanted(white, black names) func(string) bool {
	return func(name string) bool {
		return (len(white) == 0 || slices.Contains(white, name)) && !slices.Contains(black, name)
	}
}

// synced makes the function that syncs one kind.
func synced(kind string) func(context.Context, *host.Host, syncArgs) (*value.List, error) {
	return func(ctx context.Context, h *host.Host, a syncArgs) (*value.List, error) {
		list, errs := syncKind(ctx, h, kind, a)
		if kind == "grains" {
			errs = append(errs, anew(ctx, h, a.Refresh))
		}
		return list, told(errs, value.NewDict(kind, list))
	}
}

func syncAll(ctx context.Context, h *host.Host, a syncAllArgs) (*value.Dict, error) {
	all := &value.Dict{}
	var errs []error
	for _, kind := range kinds() {
		list, more := syncKind(ctx, h, kind, syncArgs{a.Saltenv, a.Refresh, a.Whitelist[kind], a.Blacklist[kind]})
		all.Put(kind, list)
		errs = append(errs, more...)
	}
	errs = append(errs, anew(ctx, h, a.Refresh))
	return all, told(errs, all)
}

func syncKind(ctx context.Context, h *host.Host, kind string, a syncArgs) (*value.List, []error) {
	list := value.NewList()
	if h.Custom == nil {
		return list, []error{errNoCustom}
	}
	changed, errs := h.Custom.Sync(ctx, kind, a.Saltenv, wanted(a.Whitelist, a.Blacklist))
	for _, name := range changed {
		list.Items = append(list.Items, kind+"."+name)
	}
	return list, errs
}

// anew collects grains anew, as those that were synced may be others.
func anew(ctx context.Context, h *host.Host, refresh bool) error {
	if !refresh || h.Facts == nil || h.Custom == nil {
		return nil
	}
	_, err := refreshGrains(ctx, h, refreshArgs{})
	return err
}

// told is the error of a sync, which says too what was synced all the same.
func told(errs []error, all *value.Dict) error {
	seen := map[string]bool{}
	var once []error
	for _, err := range errs {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			once = append(once, err)
		}
	}
	if len(once) == 0 {
		return nil
	}
	for _, v := range all.All() {
		for _, name := range v.(*value.List).Items {
			once = append(once, fmt.Errorf("synced all the same: %v", name))
		}
	}
	return errors.Join(once...)
}

type refreshModulesArgs struct {
	Async bool `arg:"async" default:"true" doc:"taken for Salt's sake: nothing has to be read anew, each job reads what is there"`
}

func refreshModules(context.Context, *host.Host, refreshModulesArgs) (bool, error) { return true, nil }
