// Package slsutil has what SLS files need to work on data.
package slsutil

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the slsutil module.
var Module = module.Module{
	Name: "slsutil",
	Doc:  "Merge data, write and read it as text, and make the small texts that SLS files and templates need.",
	Funcs: []module.Func{
		{
			Name: "banner", Doc: "Return a block of comment that says that a file is managed, or something else.",
			Example: "width=60 title='web servers'", Do: module.Call(banner),
		},
		{
			Name: "boolstr", Doc: "Return one of two texts for a value that is true or false, as Python sees it.",
			Example: "True yes no", Do: module.Call(boolstr),
		},
		{
			Name: "deserialize", Doc: "Return the data that a text of json, toml, yaml and other formats stands for.",
			Example: "json '{\"a\": 1}'", Do: module.Call(deserialize),
		},
		{Name: "dir_exists", Doc: "Say whether the masters' files have a directory.", Example: "web/files", Do: module.Call(dirExists)},
		{Name: "file_exists", Doc: "Say whether the masters' files have a file.", Example: "web/init.sls", Do: module.Call(fileExists)},
		{
			Name: "findup", Doc: "Return the first of some files that is in a directory of the masters' files, or above it.",
			Example: "web/files codenamemap.jinja", Do: module.Call(findup),
		},
		{
			Name: "merge",
			Doc: `
				Return two dicts merged. The strategy recurse merges dicts in dicts; overwrite and aggregate take the
				second's where both have a key; list makes a list of both values. smart is recurse, and
				aggregate for the renderer yamlex.`,
			Example: "'{a: {b: 1}}' '{a: {c: 2}}'", Do: module.Call(merge),
		},
		{
			Name: "merge_all", Doc: "Return all dicts of a list merged, the later over the earlier.",
			Example: "'[{a: 1}, {a: 2}]'", Do: module.Call(mergeAll),
		},
		{Name: "path_exists", Doc: "Say whether the masters' files have a file or directory.", Example: "web", Do: module.Call(pathExists)},
		{
			Name: "renderer",
			Doc: `
				Return what a file or text renders to: data, or text where the last renderer makes text. Further named
				arguments are variables of its template.`,
			Example: "string='a: {{ b }}' b=1", Do: module.Call(renderer),
		},
		{
			Name: "serialize", Doc: "Return data as a text of json, toml, yaml and other formats.",
			Example: "json '{a: 1}' indent=2", Do: module.Call(serialize),
		},
		{
			Name: "update", Doc: "Merge a dict into another, which is changed and returned.",
			Example: "'{a: {b: 1}}' '{a: {c: 2}}'", Do: module.Call(update),
		},
	},
}

type updateArgs struct {
	Dest       *value.Dict `arg:"dest,required" doc:"the dict that is changed"`
	Upd        *value.Dict `arg:"upd,required" doc:"the dict that wins"`
	Recursive  bool        `arg:"recursive_update" default:"true" doc:"merge dicts in dicts too"`
	MergeLists bool        `arg:"merge_lists" doc:"join lists that are in both; else the second replaces the first"`
}

func update(_ context.Context, _ *host.Host, a updateArgs) (*value.Dict, error) {
	if a.Recursive {
		return value.Merge(a.Dest, a.Upd, a.MergeLists), nil
	}
	return replace(a.Dest, a.Upd), nil
}

// replace puts all that is in upd into dest.
func replace(dest, upd *value.Dict) *value.Dict {
	for k, v := range upd.All() {
		_ = dest.Set(k, v) // it was a key already
	}
	return dest
}

type strategy struct {
	Strategy   string `arg:"strategy" default:"smart" doc:"smart, recurse, overwrite, aggregate or list"`
	Renderer   string `arg:"renderer" default:"yaml" doc:"what smart looks at: yamlex means aggregate"`
	MergeLists bool   `arg:"merge_lists" doc:"join lists that are in both; else the second replaces the first"`
}

func (s strategy) merge(a, b *value.Dict) (*value.Dict, error) {
	c, err := value.Clone(a)
	if err != nil {
		return nil, err
	}
	d, err := value.Clone(b)
	if err != nil {
		return nil, err
	}
	under, over := c.(*value.Dict), d.(*value.Dict)
	switch s.name() {
	case "recurse":
		return value.Merge(under, over, s.MergeLists), nil
	case "overwrite", "aggregate":
		return replace(under, over), nil
	case "list":
		for k, v := range over.All() {
			if old, both := under.Get(k); both {
				v = value.NewList(old, v)
			}
			_ = under.Set(k, v) // it was a key already
		}
		return under, nil
	}
	return nil, fmt.Errorf("cannot merge by the strategy %q: known are smart, recurse, overwrite, aggregate and list", s.Strategy)
}

func (s strategy) name() string {
	switch {
	case s.Strategy == "none":
		return "recurse"
	case s.Strategy != "smart":
		return s.Strategy
	case isYamlex(s.Renderer):
		return "aggregate"
	}
	return "recurse"
}

type mergeArgs struct {
	A *value.Dict `arg:"obj_a" doc:"the dict that is merged over; it stays as it is"`
	B *value.Dict `arg:"obj_b" doc:"the dict that wins"`
	strategy
}

func merge(_ context.Context, _ *host.Host, a mergeArgs) (*value.Dict, error) {
	return a.strategy.merge(a.A, a.B)
}

type mergeAllArgs struct {
	List []*value.Dict `arg:"lst,required" doc:"the dicts, the weakest first"`
	strategy
}

func mergeAll(_ context.Context, _ *host.Host, a mergeAllArgs) (*value.Dict, error) {
	all := &value.Dict{}
	for _, d := range a.List {
		var err error
		if all, err = a.merge(all, d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

type boolArgs struct {
	Value any    `arg:"value" doc:"the value"`
	True  string `arg:"true" default:"'true'" doc:"the text when it is true"`
	False string `arg:"false" default:"'false'" doc:"the text when it is false"`
}

func boolstr(_ context.Context, _ *host.Host, a boolArgs) (string, error) {
	if value.Truth(a.Value) {
		return a.True, nil
	}
	return a.False, nil
}

func isYamlex(renderer string) bool {
	return renderer[strings.LastIndex(renderer, "|")+1:] == "yamlex" || strings.HasPrefix(renderer, "yamlex_")
}
