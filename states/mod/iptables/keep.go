package iptables

import (
	"context"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
)

// keep says whether rules are kept for the next boot, and where.
type keep struct {
	on   bool
	file string // "" is where this system reads them at boot
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

// path is where rules of a family are kept.
func (k keep) path(h *host.Host, f family) (string, error) {
	if k.file != "" {
		return k.file, nil
	}
	return standard(h, f)
}

// standard is where this system reads rules at boot.
func standard(h *host.Host, f family) (string, error) {
	system, _ := h.Grains.Get("os_family")
	v4, v6 := "", ""
	switch system {
	case "RedHat":
		v4, v6 = "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"
	case "Debian":
		v4, v6 = "/etc/iptables/rules.v4", "/etc/iptables/rules.v6"
	case "Arch", "Void":
		v4, v6 = "/etc/iptables/iptables.rules", "/etc/iptables/ip6tables.rules"
	case "Gentoo":
		v4, v6 = "/var/lib/iptables/rules-save", "/var/lib/ip6tables/rules-save"
	case "Alpine":
		v4, v6 = "/etc/iptables/rules-save", "/etc/iptables/rules6-save"
	case "NILinuxRT":
		v4, v6 = "/etc/natinst/share/iptables.conf", "/etc/natinst/share/ip6tables.conf"
	default:
		return "", fmt.Errorf("cannot tell where a system of the family %v keeps rules for %s: name a file", system, f)
	}
	if f.ipv6() {
		return v6, nil
	}
	return v4, nil
}

// unread is a warning where rules are kept in the standard file and nothing reads it at boot; "" where it is read.
func (k keep) unread(h *host.Host, name string) string {
	if k.file != "" {
		return ""
	}
	system, _ := h.Grains.Get("os_family")
	reader, with := "", ""
	switch system {
	case "Debian":
		reader, with = "/usr/share/netfilter-persistent/plugins.d", "iptables-persistent"
	case "RedHat":
		reader, with = "/usr/libexec/iptables", "iptables-services"
	default:
		return ""
	}
	if _, err := os.Stat(h.Path(reader)); err == nil {
		return ""
	}
	return fmt.Sprintf("nothing reads %s at boot: install %s", name, with)
}

// filtered leaves out the lines that a site does not want to be kept, such as rules that a daemon makes again.
func filtered(ctx context.Context, h *host.Host, text string) (string, error) {
	patterns, err := filters(ctx, h)
	if err != nil || len(patterns) == 0 {
		return text, err
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		drop := false
		for _, p := range patterns {
			hit, err := p.Match([]byte(strings.TrimSuffix(line, "\n")))
			if err != nil {
				return "", err
			}
			drop = drop || hit
		}
		if !drop {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// filters are the regular expressions of iptables.save_filters in the configuration, the grains or the pillar.
func filters(ctx context.Context, h *host.Host) (all []*regex.Regexp, err error) {
	grains := h.Grains
	if h.Facts != nil {
		grains = h.Facts.Now(ctx)
	}
	for _, d := range []*value.Dict{h.Config, grains, h.Pillar} {
		v, ok := d.Get("iptables.save_filters")
		if !ok {
			continue
		}
		for _, item := range module.Data(v).Each() {
			text, err := item.Str()
			if err != nil {
				return nil, fmt.Errorf("cannot read iptables.save_filters: %w", err)
			}
			p, err := regex.Compile(text, 0)
			if err != nil {
				return nil, fmt.Errorf("cannot read iptables.save_filters: %w", err)
			}
			all = append(all, p)
		}
		return all, nil
	}
	return nil, nil
}

// stale says whether a file has other rules than the kernel.
func stale(ctx context.Context, h *host.Host, f family, name string) (bool, error) {
	s, err := now(ctx, h, f)
	if err != nil {
		return false, err
	}
	text, err := filtered(ctx, h, s.text)
	if err != nil {
		return false, err
	}
	have, err := file.Get(h, name)
	return have == nil || !same(text, string(have)), err
}

// save writes the rules as they are now into a file.
func save(ctx context.Context, h *host.Host, f family, name string) error {
	text, err := run(ctx, h, f.program()+"-save")
	if err == nil {
		text, err = filtered(ctx, h, text)
	}
	if err != nil {
		return fmt.Errorf("cannot save the rules of %s: %w", f, err)
	}
	return file.Put(ctx, h, name, []byte(text+"\n"), 0o600)
}
