// Package environ reads and changes the environment of the minion itself, which its commands inherit.
package environ

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the environ module.
var Module = module.Module{
	Name: "environ",
	Doc: `
		Read and change the environment of the minion, which all commands inherit that it starts.
		Changes are gone when the minion starts again.`,
	Funcs: []module.Func{
		{
			Name: "get", Doc: "Return the value of a variable, or the default when it is not set.",
			Example: "HTTP_PROXY default=none", Do: module.Call(get),
		},
		{
			Name: "has_value", Doc: "Say whether a variable is set, and has the value when one is given.",
			Example: "LANG C.UTF-8", Do: module.Call(hasValue),
		},
		{
			Name: "item", Doc: "Return the values of variables by name; of one that is not set the default.",
			Example: "'[PATH, LANG]'", Do: module.Call(item),
		},
		{Name: "items", Doc: "Return all variables by name.", Do: module.Call(items)},
		{
			Name: "setenv", Doc: "Set variables, and return what was set by name: nothing for one that was unset.",
			Example: "'{HTTP_PROXY: \"http://proxy:3128\"}'", Do: module.Call(setenv),
		},
		{
			Name: "setval", Doc: "Set a variable and return its value: nothing when it was unset.",
			Example: "HTTP_PROXY http://proxy:3128", Do: module.Call(setval),
		},
	},
	States: []module.State{{
		Name: "setenv", Doc: "Have variables set in the environment of the minion.",
		Example: `
			BRINE_EXAMPLE:
			  environ.setenv:
			    - value: http://proxy:3128`,
		Plan: module.Look(planSetenv),
	}},
}

type getArgs struct {
	Key     string `arg:"key,required" doc:"the name of a variable"`
	Default any    `arg:"default" default:"''" doc:"what is returned when it is not set"`
}

func get(_ context.Context, _ *host.Host, a getArgs) (any, error) {
	if v, ok := os.LookupEnv(a.Key); ok {
		return v, nil
	}
	return a.Default, nil
}

type hasArgs struct {
	Key   string  `arg:"key,required" doc:"the name of a variable"`
	Value *string `arg:"value" doc:"the value that it must have; any when absent"`
}

func hasValue(_ context.Context, _ *host.Host, a hasArgs) (bool, error) {
	v, ok := os.LookupEnv(a.Key)
	return ok && (a.Value == nil || *a.Value == v), nil
}

type itemArgs struct {
	Keys    []string `arg:"keys,required" doc:"names of variables"`
	Default string   `arg:"default" doc:"what stands for one that is not set"`
}

func item(ctx context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	d := &value.Dict{}
	for _, key := range a.Keys {
		v, err := get(ctx, h, getArgs{key, a.Default})
		if err != nil {
			return nil, err
		}
		d.Put(key, v)
	}
	return d, nil
}

func items(context.Context, *host.Host, struct{}) (*value.Dict, error) {
	env := os.Environ()
	slices.Sort(env)
	d := &value.Dict{}
	for _, v := range env {
		name, val, _ := strings.Cut(v, "=")
		d.Put(name, val)
	}
	return d, nil
}

type policy struct {
	FalseUnsets  bool `arg:"false_unsets" doc:"false unsets a variable; else it makes it empty"`
	Permanent    bool `arg:"permanent" doc:"taken for Salt's sake: only Windows has such variables"`
	UpdateMinion bool `arg:"update_minion" doc:"taken for Salt's sake: it is always the minion's environment"`
}

type setvalArgs struct {
	Key string `arg:"key,required" doc:"the name of a variable"`
	Val any    `arg:"val,required" doc:"its value: text, or false"`
	policy
}

func setval(ctx context.Context, h *host.Host, a setvalArgs) (any, error) {
	v, err := a.settings(value.NewDict(a.Key, a.Val))
	if err != nil {
		return nil, err
	}
	return v[0].new, v[0].set()
}

type setenvArgs struct {
	Environ *value.Dict `arg:"environ,required" doc:"variables by name; a value is text, or false"`
	policy
	ClearAll bool `arg:"clear_all" doc:"unset all other variables"`
}

func setenv(_ context.Context, _ *host.Host, a setenvArgs) (*value.Dict, error) {
	all, err := a.settings(a.Environ)
	if err != nil {
		return nil, err
	}
	if a.ClearAll {
		all = append(all, others(all)...)
	}
	done := &value.Dict{}
	for _, s := range all {
		if err := s.set(); err != nil {
			return nil, err
		}
		done.Put(s.name, s.new)
	}
	return done, nil
}

// A setting is what a variable is to be: text, or nil for unset.
type setting struct {
	name string
	new  any
}

func (p policy) settings(d *value.Dict) ([]setting, error) {
	var all []setting
	for k, v := range d.All() {
		s := setting{}
		var err error
		if s.name, err = module.Data(k).Str(); err != nil || s.name == "" || strings.ContainsAny(s.name, "=\x00") {
			return nil, fmt.Errorf("cannot set a variable: %w", module.Data(k).Want("the name of one"))
		}
		switch {
		case v == false && p.FalseUnsets:
		case v == false:
			s.new = ""
		case v == true:
			return nil, fmt.Errorf("cannot set the variable %q: want text or false, got true", s.name)
		default:
			text, err := module.Data(v).Str()
			if err != nil || strings.Contains(text, "\x00") {
				return nil, fmt.Errorf("cannot set the variable %q: %w", s.name, module.Data(v).Want("text or false"))
			}
			s.new = text
		}
		all = append(all, s)
	}
	return all, nil
}

// others unset what is set and not among these.
func others(these []setting) []setting {
	var all []setting
	env := os.Environ()
	slices.Sort(env)
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(these, func(s setting) bool { return s.name == name }) {
			all = append(all, setting{name: name})
		}
	}
	return all
}

func (s setting) set() error {
	var err error
	if text, ok := s.new.(string); ok {
		err = os.Setenv(s.name, text)
	} else {
		err = os.Unsetenv(s.name)
	}
	if err != nil {
		return fmt.Errorf("cannot set the variable %q: %w", s.name, err)
	}
	return nil
}

// is says whether the variable is so already.
func (s setting) is() bool {
	v, ok := os.LookupEnv(s.name)
	text, set := s.new.(string)
	return ok == set && v == text
}

type setenvState struct {
	Name  string  `arg:"name,required" doc:"the name of the variable; any name when value is a map"`
	Value content `arg:"value,required" doc:"its value: text, false, or a map of variables"`
	policy
	ClearAll bool `arg:"clear_all" doc:"unset all other variables"`
}

// content is text, false, or a map of those.
type content struct{ data any }

func (c *content) ArgType() string { return "text, false or map" }

func (c *content) ParseArg(v module.Value) (err error) {
	if pairs, ok := v.Pairs(); ok {
		d := &value.Dict{}
		for _, p := range pairs {
			var val content
			if err := val.scalar(p[1]); err != nil {
				return err
			}
			if err := d.Set(p[0].Data, val.data); err != nil {
				return err
			}
		}
		c.data = d
		return nil
	}
	return c.scalar(v)
}

func (c *content) scalar(v module.Value) (err error) {
	if c.data = v.Data; v.Data == false {
		return nil
	}
	if c.data, err = v.Str(); err != nil || v.Data == true {
		return v.Want("text, false or a map of them")
	}
	return nil
}

func planSetenv(_ context.Context, _ *host.Host, a setenvState) (module.Plan, error) {
	d, ok := a.Value.data.(*value.Dict)
	if !ok {
		d = value.NewDict(a.Name, a.Value.data)
	}
	all, err := a.settings(d)
	if err != nil {
		return module.Plan{}, err
	}
	if a.ClearAll {
		all = append(all, others(all)...)
	}
	p := module.Plan{
		Same:  "Environ values are already set with the correct values",
		Would: "Environ values will be changed",
		Did:   "Environ values were set",
	}
	for _, s := range all {
		if !s.is() {
			p.Steps = append(p.Steps, module.Change(s.name, s.new, func(context.Context) error { return s.set() }))
		}
	}
	return p, nil
}
