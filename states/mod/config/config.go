// Package config finds settings wherever an operator may have put them: the minion's configuration, grains, pillar.
package config

import (
	"context"
	"fmt"
	"path"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the config module.
var Module = module.Module{
	Name: "config",
	Doc: `
		Find settings wherever they may be. The minion's configuration comes first, then grains, pillar,
		and the pillar's "master".`,
	Funcs: []module.Func{
		{
			Name: "get",
			Doc: `
				Return a setting from the first place that has it; nested ones with colons between their names.
				With merge all places count, those before over those behind.`,
			Example: "apache:user default=www-data", Do: module.Call(get),
		},
		{Name: "items", Doc: "Return the minion's configuration.", Do: module.Call(items)},
		{
			Name: "merge", Doc: "Return a setting of all places but grains, dicts and lists merged.",
			Example: "schedule", Do: module.Call(merge),
		},
		{
			Name: "option", Doc: "Return a setting from the first place that has it, or all whose names match a pattern.",
			Example: "'redis.*' wildcard=True", Do: module.Call(option),
		},
	},
}

type omissions struct {
	OmitOpts   bool `arg:"omit_opts" doc:"leave the minion's configuration out"`
	OmitPillar bool `arg:"omit_pillar" doc:"leave the pillar out"`
	OmitMaster bool `arg:"omit_master" doc:"leave the pillar's \"master\" out"`
}

type grainless struct {
	OmitGrains bool `arg:"omit_grains" doc:"leave grains out"`
}

// builtin is what holds where no one has set anything.
var builtin = value.NewDict(
	"aliases.file", "/etc/aliases",
	"ca.cert_base_path", "/etc/pki",
	"hosts.file", "/etc/hosts",
)

// places are where settings are, the first before all.
type places struct{ config, grains, pillar, master *value.Dict }

func of(ctx context.Context, h *host.Host, o omissions, g grainless) places {
	var p places
	if !o.OmitOpts {
		p.config = h.Config
	}
	if !g.OmitGrains {
		p.grains = h.Grains
		if h.Facts != nil {
			p.grains = h.Facts.Now(ctx)
		}
	}
	if !o.OmitPillar {
		p.pillar = h.Pillar
	}
	if !o.OmitMaster {
		m, _ := h.Pillar.Get("master")
		p.master, _ = m.(*value.Dict)
	}
	return p
}

type getArgs struct {
	Key       string `arg:"key,required" doc:"the setting"`
	Default   any    `arg:"default" default:"''" doc:"what is returned when no place has it"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands between the names of nested settings"`
	Merge     way    `arg:"merge" doc:"recurse: merge dicts in dicts. overwrite: only those at the top"`
	omissions
	grainless
}

// way is how places are merged; "" is not at all.
type way string

func (w *way) ArgType() string { return "recurse or overwrite" }

func (w *way) ParseArg(v module.Value) error {
	switch v.Data {
	case "recurse", true:
		*w = "recurse"
	case "overwrite":
		*w = "overwrite"
	case false:
	default:
		return v.Want("recurse or overwrite")
	}
	return nil
}

func get(ctx context.Context, h *host.Host, a getArgs) (any, error) {
	p := of(ctx, h, a.omissions, a.grainless)
	in := []*value.Dict{p.config, p.grains, p.pillar, p.master, builtin}
	if a.Merge != "" {
		all, err := a.Merge.merge(builtin, p.master, p.pillar, p.grains, p.config)
		if err != nil {
			return nil, err
		}
		in = []*value.Dict{all}
	}
	for _, d := range in {
		if v, ok := value.Lookup(d, a.Key, a.Delimiter); ok {
			return value.Clone(v)
		}
	}
	return a.Default, nil
}

// merge lays places over one another, the last over all.
func (w way) merge(in ...*value.Dict) (*value.Dict, error) {
	all := &value.Dict{}
	for _, d := range in {
		c, err := value.Clone(d)
		if err != nil {
			return nil, err
		}
		if w == "recurse" {
			value.Merge(all, c.(*value.Dict), false)
			continue
		}
		for k, v := range c.(*value.Dict).All() {
			_ = all.Set(k, v) // it was a key already
		}
	}
	return all, nil
}

func items(_ context.Context, h *host.Host, _ struct{}) (any, error) { return value.Clone(h.Config) }

type optionArgs struct {
	Value   string `arg:"value,required" doc:"the setting; with wildcard a pattern such as redis.*"`
	Default any    `arg:"default" doc:"what is returned when no place has it; nothing stands for empty text, with wildcard for an empty dict"`
	omissions
	grainless
	OmitAll  bool `arg:"omit_all" doc:"leave all places out: only what is built in counts"`
	Wildcard bool `arg:"wildcard" doc:"return all settings whose names match the pattern, by name"`
}

func option(ctx context.Context, h *host.Host, a optionArgs) (any, error) {
	var p places
	if !a.OmitAll {
		p = of(ctx, h, a.omissions, a.grainless)
	}
	if a.Wildcard {
		return a.matching(builtin, p.master, p.pillar, p.grains, p.config)
	}
	if v, ok := p.option(a.Value); ok {
		return value.Clone(v)
	}
	if a.Default == nil {
		return "", nil
	}
	return a.Default, nil
}

func (p places) option(name string) (any, bool) {
	for _, d := range []*value.Dict{p.config, p.grains, p.pillar, p.master, builtin} {
		if v, ok := d.Get(name); ok {
			return v, true
		}
	}
	return nil, false
}

// Option returns a setting of a module by its whole name, such as postgres.port, as text, from the first place that has
// it: the minion's configuration, grains, pillar. It is "" where no one has set it.
func Option(ctx context.Context, h *host.Host, name string) string {
	v, ok := of(ctx, h, omissions{}, grainless{}).option(name)
	if !ok || v == nil {
		return ""
	}
	return value.KeyText(v)
}

// matching is the settings whose names match, the last places before all.
func (a *optionArgs) matching(in ...*value.Dict) (any, error) {
	if _, err := path.Match(a.Value, ""); err != nil {
		return nil, fmt.Errorf("cannot look for %q: it is no pattern", a.Value)
	}
	found := &value.Dict{}
	for _, d := range in {
		for k, v := range d.All() {
			name, isText := k.(string)
			if ok, _ := path.Match(a.Value, name); ok && isText {
				found.Put(name, v)
			}
		}
	}
	if found.Len() == 0 && a.Default != nil {
		return a.Default, nil
	}
	return value.Clone(found)
}

type mergeArgs struct {
	Value   string `arg:"value,required" doc:"the setting"`
	Default any    `arg:"default" default:"''" doc:"what is returned when no place has it"`
	omissions
}

func merge(ctx context.Context, h *host.Host, a mergeArgs) (any, error) {
	p := of(ctx, h, a.omissions, grainless{true})
	var found any
	for _, d := range []*value.Dict{p.config, p.master, p.pillar} {
		v, ok := d.Get(a.Value)
		if !ok {
			continue
		}
		c, err := value.Clone(v)
		if err != nil {
			return nil, err
		}
		if found = under(found, c); isText(found) {
			return found, nil
		}
	}
	if found == nil {
		if v, ok := builtin.Get(a.Value); ok {
			return v, nil
		}
		return a.Default, nil
	}
	return found, nil
}

// under lays what was found before over v, or puts lists together; other things stay as they were found.
func under(found, v any) any {
	switch f := found.(type) {
	case nil:
		return v
	case *value.Dict:
		if d, ok := v.(*value.Dict); ok {
			for k, item := range f.All() {
				_ = d.Set(k, item) // it was a key already
			}
			return d
		}
	case *value.List:
		if l, ok := v.(*value.List); ok {
			return value.NewList(append(f.Items, l.Items...)...)
		}
	}
	return found
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}
