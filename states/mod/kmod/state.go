package kmod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type stateArgs struct {
	Name    string `arg:"name,required" doc:"the module, when mods names none"`
	Persist bool   `arg:"persist" doc:"the same at every boot"`
	Mods    []mod  `arg:"mods" doc:"the modules"`
}

// CheckArgs implements module.Checker.
func (a *stateArgs) CheckArgs() error {
	_, err := a.list()
	return err
}

// list returns the modules, each once.
func (a *stateArgs) list() ([]mod, error) {
	if len(a.Mods) == 0 {
		var m mod
		if err := m.ParseArg(module.Value{Data: a.Name}); err != nil {
			return nil, fmt.Errorf("argument %q: %w", "name", err)
		}
		return []mod{m}, nil
	}
	var list []mod
	for _, m := range a.Mods {
		if !slices.ContainsFunc(list, func(o mod) bool { return o.name == m.name }) {
			list = append(list, m)
		}
	}
	return list, nil
}

// several is a sentence about modules.
func several(one, many string, mods []string) string {
	if len(mods) == 1 {
		return fmt.Sprintf(one, mods[0])
	}
	return fmt.Sprintf(many, strings.Join(mods, ", "))
}

func planPresent(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	mods, err := a.list()
	k, err2 := look(h)
	kept, err3 := atBoot(h)
	if err := errors.Join(err, err2, err3); err != nil {
		return module.Plan{}, err
	}
	var p module.Plan
	var same, missing, changed []string
	for _, m := range mods {
		toLoad, toKeep := !k.runs(m), a.Persist && !slices.Contains(kept, m.name)
		switch {
		case toLoad && !k.has(m):
			missing = append(missing, m.name)
		case toLoad || toKeep:
			changed = append(changed, m.name)
			p.Steps = append(p.Steps, presence(h, m, toLoad, toKeep))
		default:
			same = append(same, m.name)
		}
	}
	if len(missing) > 0 { // a package that another state installs may bring it
		return module.Plan{}, module.Unknown("%s", several("Kernel module %s is unavailable", "Kernel modules %s are unavailable", missing))
	}
	p.Same = several("Kernel module %s is already present", "Kernel modules %s are already present", same)
	p.Would = several("Kernel module %s is set to be loaded", "Kernel modules %s are set to be loaded", changed)
	p.Did = several("Loaded kernel module %s", "Loaded kernel modules %s", changed)
	return p, nil
}

// presence loads a module, keeps it for the next boot, or both.
func presence(h *host.Host, m mod, toLoad, toKeep bool) module.Step {
	word := "loaded"
	if !toLoad {
		word = "loaded at boot"
	}
	return module.Change(m.name, word, func(ctx context.Context) error {
		if toLoad {
			if err := load(ctx, h, m); err != nil {
				return err
			}
		}
		if toKeep {
			return keep(ctx, h, m)
		}
		return nil
	})
}

type absentArgs struct {
	stateArgs
	Comment bool `arg:"comment" default:"true" doc:"comment out lines in the file of those that are loaded at boot, and don't take them away"`
}

func planAbsent(_ context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	mods, err := a.list()
	k, err2 := look(h)
	kept, err3 := atBoot(h)
	if err := errors.Join(err, err2, err3); err != nil {
		return module.Plan{}, err
	}
	var p module.Plan
	var all, changed []string
	for _, m := range mods {
		all = append(all, m.name)
		if slices.Contains(k.builtin, m.name) {
			return module.Plan{}, fmt.Errorf("cannot remove the kernel module %s: it is built into the kernel", m.name)
		}
		toUnload, toForget := slices.Contains(k.loaded, m.name), a.Persist && slices.Contains(kept, m.name)
		if toUnload || toForget {
			changed = append(changed, m.name)
			p.Steps = append(p.Steps, absence(h, m, toUnload, toForget, a.Comment))
		}
	}
	p.Same = several("Kernel module %s is already removed", "Kernel modules %s are already removed", all)
	p.Would = several("Kernel module %s is set to be removed", "Kernel modules %s are set to be removed", changed)
	p.Did = several("Removed kernel module %s", "Removed kernel modules %s", changed)
	return p, nil
}

// absence takes a module away now, at the next boot, or both.
func absence(h *host.Host, m mod, toUnload, toForget, comment bool) module.Step {
	return module.Change(m.name, "removed", func(ctx context.Context) error {
		if toUnload {
			if err := unload(ctx, h, m); err != nil {
				return err
			}
		}
		if toForget {
			return forget(ctx, h, m, comment)
		}
		return nil
	})
}
