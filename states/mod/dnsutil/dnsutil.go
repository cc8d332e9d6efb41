// Package dnsutil asks name servers: the modules dnsutil and dig.
package dnsutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the dnsutil module.
var Module = module.Module{
	Name: "dnsutil",
	Doc:  "Ask name servers.",
	Funcs: []module.Func{
		{
			Name: "A",
			Doc: `
				Return the IPv4 addresses of a name, sorted, so that what is rendered of them stays the same; none when the
				name has none. No answer of the name server is an error.`,
			Example: "www.example.org", Do: addresses("ip4"),
		},
		{Name: "AAAA", Doc: "Return the IPv6 addresses of a name, as A does.", Example: "www.example.org", Do: addresses("ip6")},
		{Name: "MX", Doc: "Return the mail servers of a domain, as texts such as 10 mail.example.org.", Example: "example.org", Do: module.Call(mailServers)},
		{Name: "NS", Doc: "Return the name servers of a domain, sorted.", Example: "example.org", Do: module.Call(nameServers)},
		{Name: "check_ip", Doc: "Say whether a text is an IPv4 or IPv6 address.", Example: "127.0.0.1", Do: module.Call(checkIP)},
		{Name: "parse_hosts", Doc: "Return the names in a file of hosts, by their addresses.", Do: module.Call(parseHosts)},
		{
			Name: "serial", Doc: "Return the serial number of a zone, YYYYMMDDnn, that a grain keeps; with update the next one.",
			Example: "example.com update=True", Do: module.Call(serial),
		},
	},
}

type nameArgs struct {
	Host   string `arg:"host,required,alias=domain" doc:"the name"`
	Server string `arg:"nameserver" doc:"the name server to ask, as ADDRESS or ADDRESS:PORT; the host's own when absent"`
}

const patience = 15 * time.Second

// resolver is what is asked.
func (a nameArgs) resolver() *net.Resolver {
	if a.Server == "" {
		return net.DefaultResolver
	}
	at := a.Server
	if _, _, err := net.SplitHostPort(at); err != nil {
		at = net.JoinHostPort(at, "53")
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}}
}

// ask asks for a while. That there is nothing is no error.
func ask[T any](ctx context.Context, a nameArgs, lookup func(context.Context, *net.Resolver) ([]T, error)) ([]T, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	found, err := lookup(ctx, a.resolver())
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look up %q: %w", a.Host, err)
	}
	return found, nil
}

// full is a name that no search list is put behind.
func full(name string) string { return strings.TrimRight(name, ".") + "." }

func addresses(family string) module.Code {
	return module.Call(func(ctx context.Context, _ *host.Host, a nameArgs) ([]string, error) {
		ips, err := ask(ctx, a, func(ctx context.Context, r *net.Resolver) ([]netip.Addr, error) {
			return r.LookupNetIP(ctx, family, a.Host)
		})
		texts := []string{}
		sort.Slice(ips, func(i, k int) bool { return ips[i].Less(ips[k]) })
		for _, ip := range ips {
			texts = append(texts, ip.Unmap().String())
		}
		return slices.Compact(texts), err
	})
}

func mailServers(ctx context.Context, _ *host.Host, a nameArgs) ([]string, error) {
	found, err := ask(ctx, a, func(ctx context.Context, r *net.Resolver) ([]*net.MX, error) { return r.LookupMX(ctx, full(a.Host)) })
	texts := []string{}
	for _, mx := range found {
		texts = append(texts, fmt.Sprintf("%d %s", mx.Pref, mx.Host))
	}
	return texts, err
}

func nameServers(ctx context.Context, _ *host.Host, a nameArgs) ([]string, error) {
	found, err := ask(ctx, a, func(ctx context.Context, r *net.Resolver) ([]*net.NS, error) { return r.LookupNS(ctx, full(a.Host)) })
	texts := []string{}
	for _, ns := range found {
		texts = append(texts, ns.Host)
	}
	slices.Sort(texts)
	return texts, err
}

type ipArgs struct {
	Addr string `arg:"ip_addr,required" doc:"the text"`
}

func checkIP(_ context.Context, _ *host.Host, a ipArgs) (bool, error) {
	_, err := netip.ParseAddr(a.Addr)
	return err == nil, nil
}

type hostsArgs struct {
	File string `arg:"hostsfile" default:"/etc/hosts" doc:"the file"`
}

func parseHosts(_ context.Context, h *host.Host, a hostsArgs) (*value.Dict, error) {
	data, err := os.ReadFile(h.Path(a.File))
	if err != nil {
		return nil, fmt.Errorf("cannot read the hosts: %w", err)
	}
	hosts := &value.Dict{}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		old, _ := hosts.Get(f[0])
		names, _ := old.(*value.List)
		if names == nil {
			names = value.NewList()
		}
		for _, name := range f[1:] {
			names.Items = append(names.Items, name)
		}
		hosts.Put(f[0], names)
	}
	return hosts, nil
}
