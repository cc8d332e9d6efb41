// Package beacons configures what the minion watches.
package beacons

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

// Module is the beacons module.
var Module = module.Module{
	Name: "beacons",
	Doc: `
		Configure what the minion watches, and tells masters of. What these functions change lasts until the minion ends, or
		for good with beacons.save; beacons of pillar are changed there alone.`,
	Funcs: []module.Func{
		{
			Name: "add", Doc: "Watch something more.",
			Example: "ps '[{processes: {nginx: stopped}}]'", Do: module.Call(add),
		},
		{Name: "delete", Doc: "Watch something no more.", Example: "ps", Do: module.Call(remove)},
		{Name: "disable", Doc: "Have all beacons rest.", Do: module.Call(switchAll(false))},
		{Name: "disable_beacon", Doc: "Have a beacon rest.", Example: "ps", Do: module.Call(switchOne(false))},
		{Name: "enable", Doc: "Have beacons work again, but those that rest by themselves.", Do: module.Call(switchAll(true))},
		{Name: "enable_beacon", Doc: "Have a beacon work again.", Example: "ps", Do: module.Call(switchOne(true))},
		{
			Name: "list", Doc: "Return the configuration of all beacons, those of pillar and those of the minion itself.",
			Example: "return_yaml=False", Do: module.Call(list),
		},
		{
			Name: "list_available", Doc: "Return which kinds of beacons there are.",
			Example: "return_yaml=False", Do: module.Call(available),
		},
		{
			Name: "modify", Doc: "Give a beacon another configuration.",
			Example: "ps '[{processes: {nginx: running}}]'", Do: module.Call(modify),
		},
		{Name: "reset", Doc: "Watch nothing but what pillar says.", Do: module.Call(reset)},
		{Name: "save", Doc: "Keep what these functions changed for later starts of the minion.", Do: module.Call(save)},
	},
}

// reply is what these functions return.
func reply(ok bool, format string, args ...any) *value.Dict {
	return value.NewDict("result", ok, "comment", fmt.Sprintf(format, args...))
}

func beaconsOf(h *host.Host) (host.Beacons, error) {
	if h.Beacons == nil {
		return nil, errors.New("no minion runs here that would watch something")
	}
	return h.Beacons, nil
}

type listArgs struct {
	YAML   bool `arg:"return_yaml" default:"true" doc:"return YAML"`
	Pillar bool `arg:"include_pillar" default:"true" doc:"those of pillar too"`
	Opts   bool `arg:"include_opts" default:"true" doc:"those of the minion itself too"`
}

func list(_ context.Context, h *host.Host, a listArgs) (any, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return nil, err
	}
	return shown(b.List(a.Pillar, a.Opts), a.YAML)
}

// shown is something under the name beacons, in YAML, or by itself.
func shown(v any, inYAML bool) (any, error) {
	if !inYAML {
		return v, nil
	}
	text, err := yaml.Dump(value.NewDict("beacons", v))
	return string(text), err
}

type availableArgs struct {
	YAML bool `arg:"return_yaml" default:"true" doc:"return YAML"`
}

func available(_ context.Context, h *host.Host, a availableArgs) (any, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return nil, err
	}
	names := value.NewList()
	for _, n := range b.Available() {
		names.Items = append(names.Items, n)
	}
	return shown(names, a.YAML)
}

type nameArgs struct {
	Name string `arg:"name,required" doc:"the beacon"`
	testArgs
}

type testArgs struct {
	Test    bool    `arg:"test" doc:"only say what would change"`
	Timeout float64 `arg:"timeout" doc:"for calls written for Salt: nothing is waited for"`
}

type dataArgs struct {
	Name string `arg:"name,required" doc:"the beacon"`
	Data any    `arg:"beacon_data,required" doc:"its configuration: a list of dicts of one key each, or a dict"`
	testArgs
}

func add(_ context.Context, h *host.Host, a dataArgs) (*value.Dict, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return nil, err
	}
	if _, ok := b.List(true, true).Get(a.Name); ok {
		return reply(true, "Beacon %s is already configured.", a.Name), nil
	}
	kind := kindOf(a.Name, a.Data)
	switch {
	case !slices.Contains(b.Available(), kind):
		return reply(false, "Beacon %q is not available.%s", kind, spell.DidYouMean(kind, b.Available())), nil
	case a.Test:
		return reply(true, "Beacon: %s would be added.", a.Name), nil
	}
	if err := b.Check(a.Name, a.Data); err != nil {
		return reply(false, "Beacon %s configuration invalid, not adding.\n%v", a.Name, err), nil
	}
	b.Edit(func(own *value.Dict) { own.Put(a.Name, a.Data) })
	return reply(true, "Added beacon: %s.", a.Name), nil
}

// kindOf is which kind a beacon is of.
func kindOf(name string, data any) string {
	for _, d := range dicts(data) {
		if kind, ok := d.Get("beacon_module"); ok {
			return fmt.Sprint(kind)
		}
	}
	return name
}

// dicts are those of a configuration, which is one or a list of them.
func dicts(config any) (all []*value.Dict) {
	items := []any{config}
	if l, ok := config.(*value.List); ok {
		items = l.Items
	}
	for _, item := range items {
		if d, ok := item.(*value.Dict); ok {
			all = append(all, d)
		}
	}
	return all
}

// ofPillar says that only pillar changes a beacon; nil for one that is changed here.
func ofPillar(b host.Beacons, verb, name string) *value.Dict {
	if _, ok := b.List(true, false).Get(name); ok {
		return reply(false, "Cannot %s beacon item %s, it is configured in pillar.", verb, name)
	}
	return nil
}

func modify(_ context.Context, h *host.Host, a dataArgs) (*value.Dict, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return nil, err
	}
	now, ok := b.List(true, true).Get(a.Name)
	if !ok {
		return reply(true, "Beacon %s is not configured.", a.Name), nil
	}
	if a.Test {
		r := reply(true, "Beacon: %s would be modified.", a.Name)
		r.Put("changes", changes(now, a.Data))
		return r, nil
	}
	if err := b.Check(a.Name, a.Data); err != nil {
		return reply(false, "Beacon %s configuration invalid, not modifying.\n%v", a.Name, err), nil
	}
	if value.Equal(now, a.Data) {
		return reply(true, "Job %s in correct state", a.Name), nil
	}
	r := ofPillar(b, "modify", a.Name)
	if r == nil {
		b.Edit(func(own *value.Dict) { own.Put(a.Name, a.Data) })
		r = reply(true, "Modified beacon: %s.", a.Name)
	}
	r.Put("changes", changes(now, a.Data))
	return r, nil
}

// changes is how configurations differ.
func changes(old, new any) *value.Dict {
	before, after := settings(old), settings(new)
	var b strings.Builder
	b.WriteString("--- \n+++ \n")
	for _, line := range before {
		if !slices.Contains(after, line) {
			b.WriteString("-" + line + "\n")
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			b.WriteString("+" + line + "\n")
		}
	}
	return value.NewDict("diff", b.String())
}

// settings are the keys of a configuration with their values, a line each.
func settings(config any) (lines []string) {
	for _, d := range dicts(config) {
		for k, v := range d.All() {
			text, err := value.MarshalJSON(v)
			if err != nil {
				text = []byte(err.Error())
			}
			lines = append(lines, value.KeyText(k)+":"+string(text))
		}
	}
	return lines
}

func remove(_ context.Context, h *host.Host, a nameArgs) (*value.Dict, error) {
	b, err := beaconsOf(h)
	switch {
	case err != nil:
		return nil, err
	case a.Test:
		return reply(true, "Beacon: %s would be deleted.", a.Name), nil
	}
	if r := ofPillar(b, "delete", a.Name); r != nil {
		return r, nil
	}
	b.Edit(func(own *value.Dict) { own.Delete(a.Name) })
	return reply(true, "Deleted beacon: %s.", a.Name), nil
}

// switchAll makes the function that enables or disables all beacons.
func switchAll(on bool) func(context.Context, *host.Host, testArgs) (*value.Dict, error) {
	return func(_ context.Context, h *host.Host, a testArgs) (*value.Dict, error) {
		b, err := beaconsOf(h)
		switch {
		case err != nil:
			return nil, err
		case a.Test:
			return reply(true, "Beacons would be %s.", done(on)), nil
		}
		b.Edit(func(own *value.Dict) { own.Put("enabled", on) })
		word := "Disabled"
		if on {
			word = "Enabled"
		}
		return reply(true, "%s beacons on minion.", word), nil
	}
}

func done(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// switchOne makes the function that enables or disables a beacon.
func switchOne(on bool) func(context.Context, *host.Host, nameArgs) (*value.Dict, error) {
	return func(_ context.Context, h *host.Host, a nameArgs) (*value.Dict, error) {
		b, err := beaconsOf(h)
		switch {
		case err != nil:
			return nil, err
		case a.Test:
			return reply(true, "Beacon %s would be %s.", a.Name, done(on)), nil
		}
		config, ok := b.List(true, true).Get(a.Name)
		if !ok {
			return reply(false, "Beacon %s is not currently configured.", a.Name), nil
		}
		if r := ofPillar(b, strings.TrimSuffix(done(on), "d"), a.Name); r != nil {
			return r, nil
		}
		switched, err := withEnabled(config, on)
		if err != nil {
			return reply(false, "%v", err), nil
		}
		b.Edit(func(own *value.Dict) { own.Put(a.Name, switched) })
		word := "Disabled"
		if on {
			word = "Enabled"
		}
		return reply(true, "%s beacon %s on minion.", word, a.Name), nil
	}
}

// withEnabled is a configuration with another enabled in it.
func withEnabled(config any, on bool) (any, error) {
	config, err := value.Clone(config)
	if err != nil {
		return nil, err
	}
	switch c := config.(type) {
	case *value.Dict:
		c.Put("enabled", on)
	case *value.List:
		for _, item := range c.Items {
			if d, ok := item.(*value.Dict); ok {
				if _, has := d.Get("enabled"); has {
					d.Put("enabled", on)
					return c, nil
				}
			}
		}
		c.Items = append(c.Items, value.NewDict("enabled", on))
	}
	return config, nil
}

func reset(_ context.Context, h *host.Host, a testArgs) (*value.Dict, error) {
	b, err := beaconsOf(h)
	switch {
	case err != nil:
		return nil, err
	case a.Test:
		return reply(true, "Beacons would be reset."), nil
	}
	b.Edit(func(own *value.Dict) {
		for _, k := range own.Keys() {
			own.Delete(k)
		}
	})
	return reply(true, "Beacon configuration reset."), nil
}

type saveArgs struct {
	Timeout float64 `arg:"timeout" doc:"for calls written for Salt: nothing is waited for"`
}

func save(_ context.Context, h *host.Host, _ saveArgs) (*value.Dict, error) {
	b, err := beaconsOf(h)
	if err != nil {
		return nil, err
	}
	path, err := b.Save()
	if err != nil {
		return reply(false, "Unable to write to beacons file: %v", err), nil
	}
	return reply(true, "Beacons saved to %s.", path), nil
}
