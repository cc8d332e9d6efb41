package nftables

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// keep says whether all rules are kept for the next boot, and where.
type keep struct {
	on   bool
	file string // "" is what this system reads at boot
}

func (*keep) ArgType() string { return "true or a path" }

// ParseArg implements module.ArgParser.
func (k *keep) ParseArg(v module.Value) error {
	if on, err := v.Bool(); err == nil {
		k.on = on
		return nil
	}
	text, err := v.Str()
	if err != nil || text != "" && text[0] != '/' {
		return v.Want("true, false or an absolute path")
	}
	k.on, k.file = text != "", text
	return nil
}

// path is the file that keeps rules: named, or what this system reads at boot.
func (k keep) path(h *host.Host) (string, error) {
	if k.file != "" {
		return k.file, nil
	}
	system, _ := h.Grains.Get("os_family")
	switch system {
	case "RedHat":
		return "/etc/sysconfig/nftables.conf", nil
	case "Debian", "Arch":
		return "/etc/nftables.conf", nil
	case "Alpine":
		return "/etc/nftables.nft", nil
	case "Gentoo":
		return "/var/lib/nftables/rules-save", nil
	}
	return "", fmt.Errorf("cannot tell where a system of the family %v keeps rules: name a file", system)
}

// content is what is kept: all rules, without what they counted, in place of those that are there when it is read.
func content(ctx context.Context, h *host.Host) ([]byte, error) {
	text, err := run(ctx, h, "nft", "-s", "list", "ruleset")
	if err != nil {
		return nil, fmt.Errorf("cannot list the rules: %w", err)
	}
	return []byte("#!/usr/sbin/nft -f\n\nflush ruleset\n\n" + text + "\n"), nil
}

func save(ctx context.Context, h *host.Host, name string) error {
	data, err := content(ctx, h)
	if err == nil {
		err = file.Put(ctx, h, name, data, 0o755)
	}
	return err
}

// kept adds the last step of a plan, that keeps the rules, where something changes or the file has others.
func (k keep) kept(ctx context.Context, h *host.Host, p *module.Plan) error {
	if !k.on {
		return nil
	}
	name, err := k.path(h)
	if err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		want, err := content(ctx, h)
		if err != nil {
			return err
		}
		have, err := file.Get(h, name)
		if err != nil || string(have) == string(want) {
			return err
		}
		p.Would, p.Did = p.Same, p.Same
	}
	p.Would += "\nThe rules would be saved to " + name
	p.Did += "\nSaved the rules to " + name
	p.Steps = append(p.Steps, module.Change("saved", name, func(ctx context.Context) error { return save(ctx, h, name) }))
	return nil
}
