package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/minion/files"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/render"
	"brine/states/value"
)

// A machine is a host that states are compiled for: what is known of it, and nothing that could be changed.
type machine struct {
	name   string
	grains []byte // JSON
}

func readHosts(dir string, names []string) ([]machine, error) {
	var hosts []machine
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if err != nil {
			return nil, fmt.Errorf("cannot read the grains of %s: %w", name, err)
		}
		if _, err := value.FromJSON(data); err != nil {
			return nil, fmt.Errorf("cannot read the grains of %s: %w", name, err)
		}
		hosts = append(hosts, machine{name, data})
	}
	return hosts, nil
}

// errMachine is what commands end with.
var errMachine = errors.New("it would run a command on the machine")

// host makes the host of one compile: templates may change its grains and pillar.
func (m machine) host(root string, pillar *value.Dict, modules host.Modules) *host.Host {
	grains, _ := value.FromJSON(m.grains) // it was read once
	h := &host.Host{Pillar: pillar, Modules: modules, Files: files.NewDirs("base", root)}
	h.Exec = func(context.Context, host.Command) (host.Output, error) { return host.Output{}, errMachine }
	h.Grains, _ = grains.(*value.Dict)
	id, _ := h.Grains.Get("id")
	h.Config = value.NewDict("id", id)
	h.Render = render.New(h, "base", nil)
	return h
}

// readPillar renders a pillar file as the host's pillar.
func (m machine) readPillar(ctx context.Context, path string, modules host.Modules) (*value.Dict, error) {
	if path == "" {
		return &value.Dict{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h := m.host(filepath.Dir(path), &value.Dict{}, modules)
	node, errs := render.Render(ctx, render.File{Name: filepath.Base(path), Text: text, Templates: render.Of(h)})
	if len(errs) > 0 {
		return nil, errs[0]
	}
	d, ok := node.Data().(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot use %s: it is no dictionary", path)
	}
	return d, nil
}

// functions are what templates may call: every function there is that asks nothing of the machine, and for the others
// an answer that is the same everywhere.
type functions struct {
	*module.Index
	fixed *value.Dict
}

func (f functions) Functions(patterns ...string) []string {
	names := f.Index.Functions(patterns...)
	if len(patterns) == 1 && len(names) == 0 {
		if _, ok := f.fixed.Get(patterns[0]); ok {
			return patterns
		}
	}
	return names
}

// Func makes templates take what has a fixed answer for a function, too.
func (f functions) Func(name string) (*module.Func, error) {
	if _, ok := f.fixed.Get(name); ok {
		name = "test.true"
	}
	return f.Index.Func(name)
}

func (f functions) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if v, ok := f.fixed.Get(name); ok {
		v, err := value.Clone(v)
		return v, 0, err
	}
	return f.Index.Call(ctx, h, name, args, named)
}

// index returns all modules, together with states that are not known: each takes any arguments.
func index(unknown []string) *module.Index {
	mods := all.Modules()
	for _, full := range unknown {
		name, fn, _ := strings.Cut(full, ".")
		s := module.State{Name: fn, Plan: module.Look(planNothing), Watch: module.React(watchNothing)}
		i := 0
		for i < len(mods) && mods[i].Name != name {
			i++
		}
		if i == len(mods) {
			mods = append(mods, module.Module{Name: name})
		}
		mods[i].States = append(mods[i].States[:len(mods[i].States):len(mods[i].States)], s)
	}
	return module.NewIndex(mods...)
}

type anything struct {
	Name any          `arg:"name" doc:"what the state is about"`
	Rest []module.Arg `arg:"kwargs,named" doc:"what else is said of it"`
}

func planNothing(context.Context, *host.Host, anything) (module.Plan, error) {
	return module.Plan{}, nil
}

func watchNothing(context.Context, *host.Host, anything, []string) (module.Plan, error) {
	return module.Plan{}, nil
}
