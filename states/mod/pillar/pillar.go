// Package pillar tells what masters tell this minion alone.
package pillar

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/value"
)

// Module is the pillar module.
var Module = module.Module{
	Name: "pillar",
	Doc:  "Read the pillar: data that masters give this minion alone.",
	Funcs: []module.Func{
		{Name: "fetch", Doc: "The same as get.", Example: "web:port default=80", Do: module.Call(get)},
		{
			Name: "get", Doc: "Return a value of the pillar, or the default where there is none.",
			Example: "web:port default=80", Do: module.Call(get),
		},
		{
			Name: "item", Doc: "Return some values of the pillar by their keys. A key that is not there gives the default.",
			Example: "web db:user", Do: module.Call(item),
		},
		{Name: "items", Doc: "Return the whole pillar.", Do: module.Call(items)},
		{
			Name: "keys", Doc: "Return the keys of a dict in the pillar.",
			Example: "web:sites", Do: module.Call(keys),
		},
		{Name: "ls", Doc: "Return the keys of the pillar, without its values.", Do: module.Call(ls)},
		{
			Name: "obfuscate", Doc: "Return the whole pillar with the type of each value in its place, to show what there is and no secret.",
			Do: module.Call(obfuscate),
		},
		{
			Name: "raw", Doc: "Return the whole pillar, or one of its keys at the top.",
			Example: "web", Do: module.Call(raw),
		},
	},
}

type getArgs struct {
	Key       string `arg:"key,required" doc:"where the value is: keys of dicts and indexes of lists, with colons between"`
	Default   any    `arg:"default" default:"''" doc:"what is returned where there is none"`
	Merge     bool   `arg:"merge" doc:"lay the value over the default, where both are dicts or lists"`
	Lists     bool   `arg:"merge_nested_lists" doc:"with merge: put the lists in dicts together too"`
	Delimiter string `arg:"delimiter" default:":" doc:"what stands between the keys"`
	Pillarenv string `arg:"pillarenv" doc:"the environment of the pillar: that of the job, no other can be asked for"`
	Saltenv   string `arg:"saltenv" doc:"likewise"`
}

func get(_ context.Context, h *host.Host, a getArgs) (any, error) {
	if a.Delimiter == "" {
		return nil, errors.New("cannot read the pillar: the delimiter is empty")
	}
	for _, env := range []string{a.Pillarenv, a.Saltenv} {
		if own := environment(h); env != "" && env != own {
			return nil, fmt.Errorf("cannot read the pillar of environment %q: this minion has that of %q", env, own)
		}
	}
	v, ok := value.Lookup(h.Pillar, a.Key, a.Delimiter)
	switch {
	case !ok:
		return a.Default, nil
	case !a.Merge:
		return v, nil
	}
	return merged(a.Default, v, a.Lists)
}

// environment is that of the run.
func environment(h *host.Host) string {
	env, _ := h.Config.Get("saltenv")
	if name, ok := env.(string); ok && name != "" {
		return name
	}
	return "base"
}

// merged lays a value over a default. What of a list is in the default's stands once.
func merged(def, v any, lists bool) (any, error) {
	switch v := v.(type) {
	case *value.Dict:
		if under, ok := def.(*value.Dict); ok {
			all, err := value.Clone(under)
			if err != nil {
				return nil, err
			}
			return value.Merge(all.(*value.Dict), v, lists), nil
		}
	case *value.List:
		if under, ok := def.(*value.List); ok {
			all := &value.List{Items: slices.Clone(under.Items)}
			for _, item := range v.Items {
				if !slices.ContainsFunc(under.Items, func(old any) bool { return value.Equal(old, item) }) {
					all.Items = append(all.Items, item)
				}
			}
			return all, nil
		}
	}
	return v, nil
}

type itemArgs struct {
	Keys      []string `arg:"keys,rest,required" doc:"where the values are"`
	Default   any      `arg:"default" default:"''" doc:"what stands for a value that is not there"`
	Delimiter string   `arg:"delimiter" default:":" doc:"what stands between the keys"`
}

func item(_ context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	if a.Delimiter == "" {
		return nil, errors.New("cannot read the pillar: the delimiter is empty")
	}
	d := &value.Dict{}
	for _, key := range a.Keys {
		v, ok := value.Lookup(h.Pillar, key, a.Delimiter)
		if !ok {
			v = a.Default
		}
		d.Put(key, v)
	}
	return d, nil
}

type itemsArgs struct {
	Pillar *value.Dict `arg:"pillar" doc:"data laid over the pillar, to see what comes of it"`
}

func items(_ context.Context, h *host.Host, a itemsArgs) (*value.Dict, error) {
	return pillar.Merge(h.Pillar, a.Pillar), nil
}

type keysArgs struct {
	Key       string `arg:"key,required" doc:"where the dict is"`
	Delimiter string `arg:"delimiter" default:":" doc:"what stands between the keys"`
}

func keys(_ context.Context, h *host.Host, a keysArgs) ([]any, error) {
	if a.Delimiter == "" {
		return nil, errors.New("cannot read the pillar: the delimiter is empty")
	}
	v, ok := value.Lookup(h.Pillar, a.Key, a.Delimiter)
	if !ok {
		return nil, fmt.Errorf("cannot list the keys of %q: the pillar has none of that name", a.Key)
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot list the keys of %q: it is no map but %s", a.Key, value.Kind(v))
	}
	return d.Keys(), nil
}

type noArgs struct{}

func ls(_ context.Context, h *host.Host, _ noArgs) ([]any, error) { return h.Pillar.Keys(), nil }

func obfuscate(_ context.Context, h *host.Host, _ noArgs) (any, error) {
	if h.Pillar == nil {
		return &value.Dict{}, nil
	}
	return hidden(h.Pillar), nil
}

// hidden puts the name of its type in the place of each value.
func hidden(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		d := &value.Dict{}
		for k, item := range v.All() {
			_ = d.Set(k, hidden(item)) // it was a key already
		}
		return d
	case *value.List:
		l := &value.List{}
		for _, item := range v.Items {
			l.Items = append(l.Items, hidden(item))
		}
		return l
	}
	return "<" + value.Kind(v) + ">"
}

type rawArgs struct {
	Key string `arg:"key" doc:"the key at the top; everything when absent"`
}

func raw(_ context.Context, h *host.Host, a rawArgs) (any, error) {
	if a.Key == "" {
		return pillar.Merge(h.Pillar, nil), nil
	}
	if v, ok := h.Pillar.Get(a.Key); ok {
		return v, nil
	}
	return &value.Dict{}, nil // as in Salt
}
