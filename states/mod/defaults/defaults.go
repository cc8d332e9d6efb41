// Package defaults reads the defaults of formulas and merges data over them.
package defaults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

// Module is the defaults module.
var Module = module.Module{
	Name: "defaults",
	Doc:  "Read the defaults of formulas, and merge data over them.",
	Funcs: []module.Func{
		{
			Name: "deepcopy", Doc: "Return a copy of data with everything in it.",
			Example: "'{a: [1, 2]}'", Do: module.Call(deepcopy),
		},
		{
			Name: "get",
			Doc: `
				Return a value of salt://FORMULA/defaults.yaml, or of defaults.json where that is not there.
				The first part of the key is the formula.`,
			Example: "core:users:root default=none", Do: module.Call(get),
		},
		{
			Name: "merge", Doc: "Merge data into other data, dicts in dicts too, and return it.",
			Example: "'{a: {b: 1}}' '{a: {c: 2}}'", Do: module.Call(merge),
		},
		{
			Name: "update", Doc: "Lay each dict in a dict over the same defaults, and return the whole.",
			Example: "'{web1: {port: 81}, web2: {}}' '{port: 80}'", Do: module.Call(update),
		},
	},
}

type copyArgs struct {
	Source any `arg:"source,required" doc:"the data"`
}

func deepcopy(_ context.Context, _ *host.Host, a copyArgs) (any, error) { return value.Clone(a.Source) }

type getArgs struct {
	Key     string `arg:"key,required" doc:"FORMULA:KEY:..., or FORMULA for all of its defaults"`
	Default any    `arg:"default" default:"''" doc:"what is returned when there is no such value"`
}

func get(ctx context.Context, h *host.Host, a getArgs) (any, error) {
	formula, key, nested := strings.Cut(a.Key, ":")
	if h.Files == nil {
		return nil, fmt.Errorf("cannot read the defaults of %q: this host has no masters to fetch from", formula)
	}
	data, err := load(ctx, h, formula)
	if err != nil || !nested {
		return data, err
	}
	if v, ok := value.Lookup(data, key, ":"); ok {
		return v, nil
	}
	return a.Default, nil
}

// load reads the first file of defaults that a formula has; nil when it has none.
func load(ctx context.Context, h *host.Host, formula string) (any, error) {
	for _, ext := range []string{"yaml", "json"} {
		url := "salt://" + formula + "/defaults." + ext
		file, err := h.Files.Fetch(ctx, url)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q: %w", url, err)
		}
		return parse(url, text, ext == "json")
	}
	return nil, nil
}

func parse(url string, text []byte, isJSON bool) (any, error) {
	if isJSON {
		v, err := value.FromJSON(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q: %w", url, err)
		}
		return v, nil
	}
	n, err := yaml.Parse(url, text)
	if err != nil {
		return nil, err
	}
	if v := n.Data(); v != nil {
		return v, nil
	}
	return &value.Dict{}, nil
}

type how struct {
	MergeLists  bool `arg:"merge_lists" doc:"join lists that are in both; else the second replaces the first"`
	InPlace     bool `arg:"in_place" default:"true" doc:"change the first data itself, which a template may hold"`
	ConvertNone bool `arg:"convert_none" default:"true" doc:"take nothing for an empty dict; else it is an error"`
}

func (o how) check(names [2]string, a, b *value.Dict) error {
	var errs []error
	for i, d := range []*value.Dict{a, b} {
		if d == nil && !o.ConvertNone {
			errs = append(errs, fmt.Errorf("cannot merge: argument %q is nothing", names[i]))
		}
	}
	return errors.Join(errs...)
}

// into is what is changed: d or a copy.
func (o how) into(d *value.Dict) (*value.Dict, error) {
	if d == nil {
		return &value.Dict{}, nil
	}
	if o.InPlace {
		return d, nil
	}
	c, err := value.Clone(d)
	if err != nil {
		return nil, err
	}
	return c.(*value.Dict), nil
}

type mergeArgs struct {
	Dest *value.Dict `arg:"dest" doc:"the data that is merged into"`
	Src  *value.Dict `arg:"src" doc:"the data that wins"`
	how
}

func merge(_ context.Context, _ *host.Host, a mergeArgs) (*value.Dict, error) {
	if err := a.check([2]string{"dest", "src"}, a.Dest, a.Src); err != nil {
		return nil, err
	}
	dest, err := a.into(a.Dest)
	if err != nil {
		return nil, err
	}
	return value.Merge(dest, a.Src, a.MergeLists), nil
}

type updateArgs struct {
	Dest        *value.Dict `arg:"dest" doc:"dicts by name"`
	Defaults    *value.Dict `arg:"defaults" doc:"what holds in each of them that has nothing else"`
	MergeLists  bool        `arg:"merge_lists" default:"true" doc:"join lists that are in both; else that of dest counts"`
	InPlace     bool        `arg:"in_place" default:"true" doc:"change dest itself, which a template may hold"`
	ConvertNone bool        `arg:"convert_none" default:"true" doc:"take nothing for an empty dict; else it is an error"`
}

func update(_ context.Context, _ *host.Host, a updateArgs) (*value.Dict, error) {
	o := how{a.MergeLists, a.InPlace, a.ConvertNone}
	if err := o.check([2]string{"dest", "defaults"}, a.Dest, a.Defaults); err != nil {
		return nil, err
	}
	dest, err := o.into(a.Dest)
	if err != nil {
		return nil, err
	}
	for _, name := range dest.Keys() {
		v, _ := dest.Get(name)
		own, ok := v.(*value.Dict)
		if !ok && (v != nil || !a.ConvertNone) {
			return nil, fmt.Errorf("cannot lay %v over the defaults: want a map, got %s", name, value.Kind(v))
		}
		base, err := how{InPlace: false}.into(a.Defaults)
		if err != nil {
			return nil, err
		}
		_ = dest.Set(name, value.Merge(base, own, a.MergeLists)) // it was a key already
	}
	return dest, nil
}
