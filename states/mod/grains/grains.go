// Package grains reads the facts of a host, and sets those that are kept in
// its file of custom grains.
package grains

import (
	"context"
	"errors"
	"slices"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the grains module.
var Module = module.Module{
	Name: "grains",
	Doc: `
		Read the facts of a host, and set custom ones.

		What is set is kept in /etc/brine/grains. The minion's configuration counts more than that file, and the file more
		than what is found out about the host. The file is written in one step; comments in it are lost.`,
	Funcs: []module.Func{
		{
			Name: "append", Doc: "Add a value, or each of a list, to a grain that is a list; it is made when it is not there.",
			Example: "roles web", Do: module.Call(appendTo),
		},
		{Name: "delkey", Doc: "Delete a custom grain.", Example: "roles", Do: module.Call(delKey)},
		{
			Name: "delval", Doc: "Set a custom grain to nothing, or delete it.",
			Example: "roles destructive=true", Do: module.Call(delVal),
		},
		{
			Name: "equals", Doc: "Say whether a grain has this value, compared as text.",
			Example: "systemd:version 252", Do: module.Call(equals),
		},
		{Name: "fetch", Doc: "Return a grain; the same as grains.get.", Example: "os", Do: module.Call(get)},
		{
			Name: "filter_by",
			Doc: `
				Return the value of a map whose key the grain has. Keys are globs; of a grain that is a list the first item counts that
				any key fits. Then merge is laid over it, and it over base.`,
			Example: "'{Debian: apache2, RedHat: httpd}' default=Debian", Do: module.Call(filterBy),
		},
		{
			Name: "get", Doc: "Return a grain, or what is inside of one: a:b is b in a, and a:0 the first of a list.",
			Example: "os", Do: module.Call(get),
		},
		{Name: "has_value", Doc: "Say whether there is such a grain.", Example: "os", Do: module.Call(hasValue)},
		{Name: "item", Doc: "Return some grains by name.", Example: "os osrelease oscodename", Do: module.Call(item)},
		{Name: "items", Doc: "Return all grains.", Example: "sanitize=true", Do: module.Call(items)},
		{Name: "ls", Doc: "Return the names of all grains.", Do: module.Call(ls)},
		{Name: "remove", Doc: "Take a value out of a grain that is a list.", Example: "roles web", Do: module.Call(removeFrom)},
		{
			Name: "set", Doc: "Set a custom grain, or what is inside of one, unless that would overwrite a list or map.",
			Example: "apps:web:port 8080", Do: module.Call(set),
		},
		{Name: "setval", Doc: "Set a custom grain, whatever it was.", Example: "role web", Do: module.Call(setVal)},
		{Name: "setvals", Doc: "Set several custom grains.", Example: "'{role: web, rack: 7}'", Do: module.Call(setVals)},
		{
			Name: "warnings", Doc: "Return what of the custom grains could not be used, and why.",
			Do: module.Call(warnings),
		},
	},
	States: states,
}

const colon = ":"

// now returns the grains as they are, which no one may change.
func now(ctx context.Context, h *host.Host) *value.Dict {
	if h.Facts != nil {
		return h.Facts.Now(ctx)
	}
	return h.Grains
}

type getArgs struct {
	Key       string `arg:"key,required" doc:"the grain"`
	Default   any    `arg:"default" default:"''" doc:"what is returned when there is none"`
	Delimiter string `arg:"delimiter" default:"':'" doc:"what stands between the names of nested grains"`
	Ordered   bool   `arg:"ordered" default:"true" doc:"taken for Salt's sake: the order is always kept"`
}

func get(ctx context.Context, h *host.Host, a getArgs) (any, error) {
	if v, ok := lookup(now(ctx, h), a.Key, a.Delimiter); ok {
		return value.Clone(v)
	}
	return a.Default, nil
}

type keyArgs struct {
	Key string `arg:"key,required" doc:"the grain"`
}

func hasValue(ctx context.Context, h *host.Host, a keyArgs) (bool, error) {
	_, ok := lookup(now(ctx, h), a.Key, colon)
	return ok, nil
}

type noArgs struct{}

func ls(ctx context.Context, h *host.Host, _ noArgs) ([]string, error) {
	names := []string{}
	for k := range now(ctx, h).All() {
		if name, ok := k.(string); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

type itemsArgs struct {
	Sanitize bool `arg:"sanitize" doc:"hide names and the serial number"`
}

func items(ctx context.Context, h *host.Host, a itemsArgs) (*value.Dict, error) {
	v, err := value.Clone(now(ctx, h))
	if err != nil {
		return nil, err
	}
	all := v.(*value.Dict)
	if a.Sanitize {
		sanitize(all)
	}
	return all, nil
}

type itemArgs struct {
	Names     []string `arg:"names,rest" doc:"the grains"`
	Default   any      `arg:"default" default:"''" doc:"what is returned for one that is not there"`
	Delimiter string   `arg:"delimiter" default:"':'" doc:"what stands between the names of nested grains"`
	Sanitize  bool     `arg:"sanitize" doc:"hide names and the serial number"`
}

func item(ctx context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	out := &value.Dict{}
	for _, name := range a.Names {
		v, ok := lookup(now(ctx, h), name, a.Delimiter)
		if !ok {
			v = a.Default
		}
		c, err := value.Clone(v)
		if err != nil {
			return nil, err
		}
		out.Put(name, c)
	}
	if a.Sanitize {
		sanitize(out)
	}
	return out, nil
}

// sanitize hides what tells one host from another, as Salt does.
func sanitize(d *value.Dict) {
	for name, instead := range map[string]string{
		"domain": "DOMAINNAME", "fqdn": "MINION.DOMAINNAME", "host": "MINION", "id": "MINION.DOMAINNAME",
		"localhost": "MINION", "nodename": "MINION",
	} {
		if _, ok := d.Get(name); ok {
			d.Put(name, instead)
		}
	}
	v, _ := d.Get("serialnumber")
	if s, ok := v.(string); ok {
		b := []byte(s)
		for i := len(b) * 3 / 4; i < len(b); i++ {
			b[i] = 'X'
		}
		d.Put("serialnumber", string(b))
	}
}

type equalsArgs struct {
	Key   string `arg:"key,required" doc:"the grain"`
	Value any    `arg:"value,required" doc:"what it is compared with"`
}

func equals(ctx context.Context, h *host.Host, a equalsArgs) (bool, error) {
	v, ok := lookup(now(ctx, h), a.Key, colon)
	if !ok {
		v = ""
	}
	return text(v) == text(a.Value), nil
}

func warnings(ctx context.Context, h *host.Host, _ noArgs) ([]string, error) {
	if h.Facts == nil {
		return []string{}, nil
	}
	return append([]string{}, h.Facts.Warnings(ctx)...), nil
}

var errNoFacts = errors.New("cannot set grains: this host has no place for custom ones")
