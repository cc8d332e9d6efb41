// Package pillar tells what masters tell this minion alone.
package pillar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"slices"

	"brine/states/host"
	"brine/states/mod/grains"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/value"
)

// Module is the pillar module.
var Module = module.Module{
	Name: "pillar",
	Doc:  "Read the pillar: data that masters give this minion alone.",
	Funcs: []module.Func{
		{Name: "data", Doc: "The same as items.", Do: module.Call(items)},
		{Name: "fetch", Doc: "The same as get.", Example: "web:port default=80", Do: module.Call(get)},
		{
			Name:    "file_exists",
			Doc:     "Tell whether there is a file among those that pillar is made of. Only templates of pillar can ask, on masters.",
			Example: "web/init.sls", Do: module.Call(fileExists),
		},
		{
			Name: "filter_by",
			Doc: `
				Return the value of a map whose key a value of the pillar has. Keys are globs; of a value that is a list the first item
				counts that any key fits. Then merge is laid over it, and it over base.`,
			Example: "'{web: nginx, db: mariadb, default: none}' role", Do: module.Call(filterBy),
		},
		{
			Name: "get", Doc: "Return a value of the pillar, or the default where there is none.",
			Example: "web:port default=80", Do: module.Call(get),
		},
		{
			Name: "item", Doc: "Return some values of the pillar by their keys. A key that is not there gives the default.",
			Example: "web db:user", Do: module.Call(item),
		},
		{Name: "items", Doc: "Return the whole pillar, made anew; with keys, that alone, as item does.", Do: module.Call(items)},
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
	Pillarenv string `arg:"pillarenv" doc:"the environment of the pillar; in a template only that of the job"`
	Saltenv   string `arg:"saltenv" doc:"as in Salt, it says nothing about pillar"`
}

func get(_ context.Context, h *host.Host, a getArgs) (any, error) {
	if a.Delimiter == "" {
		return nil, errors.New("cannot read the pillar: the delimiter is empty")
	}
	if err := sameEnvironment(h, a.Pillarenv); err != nil {
		return nil, err
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

// sameEnvironment refuses another environment of pillar than that which the job has; "" is any.
func sameEnvironment(h *host.Host, env string) error {
	v, _ := h.Config.Get("pillarenv")
	switch own, _ := v.(string); {
	case env == "" || env == own:
		return nil
	case own == "":
		return fmt.Errorf("cannot read the pillar of environment %q: this run has that of all environments (give it pillarenv=%s)", env, env)
	default:
		return fmt.Errorf("cannot read the pillar of environment %q: this run has that of %q", env, own)
	}
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
	Pillarenv string   `arg:"pillarenv" doc:"the environment of the pillar; in a template only that of the job"`
	Saltenv   string   `arg:"saltenv" doc:"as in Salt, it says nothing about pillar"`
}

func item(_ context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	if a.Delimiter == "" {
		return nil, errors.New("cannot read the pillar: the delimiter is empty")
	}
	if err := sameEnvironment(h, a.Pillarenv); err != nil {
		return nil, err
	}
	return some(h.Pillar, a.Keys, a.Default, a.Delimiter), nil
}

// some returns the values of keys.
func some(d *value.Dict, keys []string, otherwise any, delimiter string) *value.Dict {
	found := &value.Dict{}
	for _, key := range keys {
		v, ok := value.Lookup(d, key, delimiter)
		if !ok {
			v = otherwise
		}
		found.Put(key, v)
	}
	return found
}

type itemsArgs struct {
	Keys      []string    `arg:"keys,rest" doc:"where the values are; everything when absent"`
	Pillar    *value.Dict `arg:"pillar" doc:"data laid over the pillar, to see what comes of it"`
	Pillarenv string      `arg:"pillarenv" doc:"the environment of the pillar; all environments when absent; in a template only that of the job"`
	Saltenv   string      `arg:"saltenv" doc:"as in Salt, it says nothing about pillar"`
}

func items(_ context.Context, h *host.Host, a itemsArgs) (*value.Dict, error) {
	if err := sameEnvironment(h, a.Pillarenv); err != nil {
		return nil, err
	}
	all := pillar.Merge(h.Pillar, a.Pillar)
	if len(a.Keys) > 0 {
		return some(all, a.Keys, "", ":"), nil
	}
	return all, nil
}

type existsArgs struct {
	Path    string `arg:"path,required" doc:"the file, from the root of its environment"`
	Saltenv string `arg:"saltenv" doc:"the environment; any when absent"`
}

func fileExists(ctx context.Context, h *host.Host, a existsArgs) (bool, error) {
	if role, _ := h.Config.Get("__role"); role != "master" || h.Files == nil {
		return false, errors.New("cannot tell of files of pillar: they are on masters, where templates of pillar can ask")
	}
	_, err := h.Files.Stat(ctx, "salt://"+a.Path+"?saltenv="+url.QueryEscape(a.Saltenv))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

type filterArgs struct {
	Lookup  *value.Dict `arg:"lookup_dict,required" doc:"what is returned, by values of the pillar; keys may be globs"`
	Pillar  string      `arg:"pillar,required" doc:"where the value is: keys of dicts and indexes of lists, with colons between"`
	Merge   any         `arg:"merge" doc:"a map that is laid over what was found"`
	Default any         `arg:"default" default:"default" doc:"the key that counts when none fits"`
	Base    any         `arg:"base" doc:"the key of a map over which what was found is laid"`
}

func filterBy(_ context.Context, h *host.Host, a filterArgs) (any, error) {
	v, there := value.Lookup(h.Pillar, a.Pillar, ":")
	return grains.Filter{By: v, There: there, Lookup: a.Lookup, Merge: a.Merge, Default: a.Default, Base: a.Base}.Do()
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

func ls(ctx context.Context, h *host.Host, a itemsArgs) ([]any, error) {
	d, err := items(ctx, h, a)
	return d.Keys(), err
}

func obfuscate(ctx context.Context, h *host.Host, a itemsArgs) (any, error) {
	d, err := items(ctx, h, a)
	if err != nil {
		return nil, err
	}
	return hidden(d), nil
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
	return "<" + pythonType(v) + ">"
}

// pythonType is what Salt calls the type of a value.
func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	}
	return value.Kind(v)
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
