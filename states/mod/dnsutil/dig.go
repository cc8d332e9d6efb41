package dnsutil

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Dig is the dig module.
var Dig = module.Module{
	Name: "dig",
	Doc: `
		Ask name servers, with the answers in the form that the program dig writes them. That program isn't needed. When
		no name server answers, there is nothing, and a warning in the minion's log; functions of dnsutil fail then.`,
	Funcs: []module.Func{
		{Name: "A", Doc: "Return the IPv4 addresses of a name, sorted.", Example: "www.example.org", Do: digAddresses("ip4")},
		{Name: "AAAA", Doc: "Return the IPv6 addresses of a name, sorted.", Example: "www.example.org", Do: digAddresses("ip6")},
		{Name: "CNAME", Doc: "Return the name that a name stands for; empty text when for none.", Example: "www.example.org", Do: module.Call(digCNAME)},
		{Name: "MX", Doc: "Return the mail servers of a domain, each as a list of its preference and name.", Example: "example.org", Do: module.Call(digMX)},
		{Name: "NS", Doc: "Return the addresses of the name servers of a domain, or their names.", Example: "example.org resolve=false", Do: module.Call(digNS)},
		{Name: "PTR", Doc: "Return the names of an address.", Example: "192.0.2.7", Do: module.Call(digPTR)},
		{Name: "SPF", Doc: "Return the networks that may send mail of a domain, of those that it includes, too.", Example: "example.org", Do: module.Call(digSPF)},
		{Name: "TXT", Doc: "Return the texts of a name, in quotes.", Example: "example.org", Do: module.Call(digTXT)},
		{Name: "check_ip", Doc: "Say whether a text is an address, or a network such as 192.0.2.0/24.", Example: "192.0.2.0/24", Do: module.Call(checkNetwork)},
	},
}

// tell asks as ask does; what went wrong it only logs.
func tell[T any](ctx context.Context, h *host.Host, a nameArgs, lookup func(context.Context, *net.Resolver) ([]T, error)) ([]T, error) {
	found, err := ask(ctx, a, lookup)
	if err == nil || ctx.Err() != nil {
		return found, err
	}
	if h.Log != nil {
		h.Log("warn", err.Error())
	}
	return nil, nil
}

// digIPs returns the addresses of a name.
func digIPs(ctx context.Context, h *host.Host, a nameArgs, family string) ([]string, error) {
	ips, err := tell(ctx, h, a, func(ctx context.Context, r *net.Resolver) ([]netip.Addr, error) {
		return r.LookupNetIP(ctx, family, full(a.Host))
	})
	texts := []string{}
	sort.Slice(ips, func(i, k int) bool { return ips[i].Less(ips[k]) })
	for _, ip := range ips {
		texts = append(texts, ip.Unmap().String())
	}
	return slices.Compact(texts), err
}

func digAddresses(family string) module.Code {
	return module.Call(func(ctx context.Context, h *host.Host, a nameArgs) ([]string, error) {
		return digIPs(ctx, h, a, family)
	})
}

func digCNAME(ctx context.Context, h *host.Host, a nameArgs) (string, error) {
	names, err := tell(ctx, h, a, func(ctx context.Context, r *net.Resolver) ([]string, error) {
		name, err := r.LookupCNAME(ctx, full(a.Host))
		return []string{name}, err
	})
	if len(names) == 0 || strings.EqualFold(names[0], full(a.Host)) {
		return "", err
	}
	return names[0], err
}

type resolveArgs struct {
	nameArgs
	Resolve bool `arg:"resolve" doc:"return the first address of each server and not its name"`
}

func digMX(ctx context.Context, h *host.Host, a resolveArgs) (*value.List, error) {
	found, err := tell(ctx, h, a.nameArgs, func(ctx context.Context, r *net.Resolver) ([]*net.MX, error) { return r.LookupMX(ctx, full(a.Host)) })
	all := &value.List{Items: []any{}}
	for _, mx := range found {
		name := mx.Host
		if a.Resolve {
			ips, err := digIPs(ctx, h, nameArgs{Host: name, Server: a.Server}, "ip4")
			if len(ips) == 0 {
				return nil, fmt.Errorf("cannot look up %q, a mail server of %s: %w", name, a.Host, err)
			}
			name = ips[0]
		}
		all.Items = append(all.Items, value.NewList(strconv.Itoa(int(mx.Pref)), name))
	}
	return all, err
}

type serversArgs struct {
	nameArgs
	Resolve bool `arg:"resolve" default:"true" doc:"return their addresses and not their names"`
}

func digNS(ctx context.Context, h *host.Host, a serversArgs) ([]string, error) {
	found, err := tell(ctx, h, a.nameArgs, func(ctx context.Context, r *net.Resolver) ([]*net.NS, error) { return r.LookupNS(ctx, full(a.Host)) })
	all := []string{}
	for _, ns := range found {
		if !a.Resolve {
			all = append(all, ns.Host)
			continue
		}
		ips, err := digIPs(ctx, h, nameArgs{Host: ns.Host, Server: a.Server}, "ip4")
		if err != nil {
			return nil, err
		}
		all = append(all, ips...)
	}
	slices.Sort(all)
	return all, err
}

func digPTR(ctx context.Context, h *host.Host, a nameArgs) ([]string, error) {
	if _, err := netip.ParseAddr(a.Host); err != nil {
		return nil, fmt.Errorf("%q is no address", a.Host)
	}
	names, err := tell(ctx, h, a, func(ctx context.Context, r *net.Resolver) ([]string, error) { return r.LookupAddr(ctx, a.Host) })
	return append([]string{}, names...), err
}

func digTXT(ctx context.Context, h *host.Host, a nameArgs) ([]string, error) {
	texts, err := tell(ctx, h, a, func(ctx context.Context, r *net.Resolver) ([]string, error) { return r.LookupTXT(ctx, full(a.Host)) })
	quoted := []string{}
	for _, text := range texts {
		quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`)
	}
	return quoted, err
}

type networkArgs struct {
	Addr string `arg:"addr,required" doc:"the text"`
}

func checkNetwork(_ context.Context, _ *host.Host, a networkArgs) (bool, error) {
	text, bits, masked := strings.Cut(a.Addr, "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || !masked {
		return err == nil, nil
	}
	n, err := strconv.Atoi(bits)
	least := map[bool]int{true: 1, false: 8}[ip.Is4()] // as Salt has it
	return err == nil && n >= least && n <= ip.BitLen(), nil
}
