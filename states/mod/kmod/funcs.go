package kmod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

func availableFunc(_ context.Context, h *host.Host, _ struct{}) ([]string, error) {
	k, err := look(h)
	all := append(append([]string{}, k.builtin...), k.others...)
	slices.Sort(all)
	return slices.Compact(all), err
}

type modArgs struct {
	Mod mod `arg:"mod,required" doc:"the module, such as br_netfilter"`
}

func checkAvailable(_ context.Context, h *host.Host, a modArgs) (bool, error) {
	k, err := look(h)
	return err == nil && k.has(a.Mod), err
}

func isLoaded(_ context.Context, h *host.Host, a modArgs) (bool, error) {
	k, err := look(h)
	return err == nil && k.runs(a.Mod), err
}

func lsmod(_ context.Context, h *host.Host, _ struct{}) (*value.List, error) {
	all, err := loaded(h)
	list := &value.List{Items: []any{}}
	for _, u := range all {
		deps := &value.List{Items: []any{}}
		for _, by := range u.by {
			deps.Items = append(deps.Items, by)
		}
		list.Items = append(list.Items, value.NewDict("size", u.size, "module", u.name, "depcount", u.count, "deps", deps))
	}
	return list, err
}

type listArgs struct {
	OnlyPersist bool `arg:"only_persist" doc:"those that are loaded at boot"`
}

func modList(_ context.Context, h *host.Host, a listArgs) ([]string, error) {
	if a.OnlyPersist {
		return atBoot(h)
	}
	all, err := loaded(h)
	return names(all), err
}

type loadArgs struct {
	modArgs
	Persist bool `arg:"persist" doc:"load it at every boot, too"`
}

type removeArgs struct {
	modArgs
	Persist bool `arg:"persist" doc:"don't load it at boot any longer, either"`
	Comment bool `arg:"comment" default:"true" doc:"comment out its line in the file of those that are loaded at boot, and don't take the line away"`
}

func loadFunc(ctx context.Context, h *host.Host, a loadArgs) ([]string, error) {
	return around(h, a.Mod, a.Persist, func() error {
		if err := load(ctx, h, a.Mod); err != nil || !a.Persist {
			return err
		}
		if kept, err := atBoot(h); err != nil || slices.Contains(kept, a.Mod.name) {
			return err
		}
		return keep(ctx, h, a.Mod)
	})
}

func removeFunc(ctx context.Context, h *host.Host, a removeArgs) ([]string, error) {
	return around(h, a.Mod, a.Persist, func() error {
		if err := unload(ctx, h, a.Mod); err != nil || !a.Persist {
			return err
		}
		return forget(ctx, h, a.Mod, a.Comment)
	})
}

// around does something and returns the modules that came or went by it. With persist the one asked for also counts when
// it only came or went at boot.
func around(h *host.Host, m mod, persist bool, do func() error) ([]string, error) {
	before, err := loaded(h)
	kept, err2 := atBoot(h)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	after, err := loaded(h)
	now, err2 := atBoot(h)
	changed := difference(names(before), names(after))
	if persist && slices.Contains(kept, m.name) != slices.Contains(now, m.name) {
		changed = append(changed, m.name)
	}
	slices.Sort(changed)
	return slices.Compact(changed), errors.Join(err, err2)
}

// difference returns what is in one of both.
func difference(a, b []string) []string {
	list := []string{}
	for _, name := range append(slices.Clone(a), b...) {
		if slices.Contains(a, name) != slices.Contains(b, name) {
			list = append(list, name)
		}
	}
	return list
}

func load(ctx context.Context, h *host.Host, m mod) error {
	argv := append([]string{"modprobe"}, strings.Fields(m.line)...)
	if _, err := h.Run(ctx, argv...); err != nil {
		return fmt.Errorf("cannot load the kernel module %s: %w", m.name, err)
	}
	return nil
}

func unload(ctx context.Context, h *host.Host, m mod) error {
	if _, err := h.Run(ctx, "rmmod", m.name); err != nil {
		return fmt.Errorf("cannot remove the kernel module %s: %w", m.name, err)
	}
	return nil
}
