package grains

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"brine/states/value"
)

// A Resolver asks name servers. *net.Resolver is one.
type Resolver interface {
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

var _ Resolver = (*net.Resolver)(nil)

// names are the grains that hang on name servers, as they are kept on disk.
type names struct {
	FQDN  string   `json:"fqdn"`
	FQDNs []string `json:"fqdns"`
	IP4   []string `json:"fqdn_ip4"`
	IP6   []string `json:"fqdn_ip6"`
}

func (n names) put(into *value.Dict) {
	host, domain, _ := strings.Cut(n.FQDN, ".")
	into.Put("fqdn", n.FQDN)
	into.Put("host", host)
	into.Put("domain", domain)
	into.Put("fqdns", texts(n.FQDNs))
	into.Put("fqdn_ip4", texts(n.IP4))
	into.Put("fqdn_ip6", texts(n.IP6))
}

// A hosts file: addresses with their names, the first of which is the canonical one.
type hosts []hostLine

type hostLine struct {
	addr  netip.Addr
	names []string
}

func readHosts(t tree) hosts {
	var all hosts
	for _, line := range t.lines("/etc/hosts") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if a, err := netip.ParseAddr(f[0]); err == nil {
			all = append(all, hostLine{a.Unmap(), f[1:]})
		}
	}
	return all
}

// named are the lines that have a name.
func (h hosts) named(name string) hosts {
	var out hosts
	for _, l := range h {
		if slices.ContainsFunc(l.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			out = append(out, l)
		}
	}
	return out
}

// canonical is the full name of a name; IPv6 lines come first, as in the C library. "" when it is not there.
func (h hosts) canonical(name string) string {
	found := h.named(name)
	for _, l := range found {
		if l.addr.Is6() {
			return l.names[0]
		}
	}
	if len(found) > 0 {
		return found[0].names[0]
	}
	return ""
}

// reverse is the name of an address; "" when it is not there.
func (h hosts) reverse(a netip.Addr) string {
	for _, l := range h {
		if l.addr == a.WithZone("") {
			return l.names[0]
		}
	}
	return ""
}

// A lookUp finds the names of one host. What the hosts file tells is not asked of name servers.
type lookUp struct {
	node  string
	addrs []netip.Addr // of all interfaces
	hosts hosts
	dns   Resolver // nil: there are none
}

// local is what is known without name servers, and whether that is all.
func (l lookUp) local() (names, bool) {
	n := names{FQDN: l.hosts.canonical(l.node)}
	whole := n.FQDN != ""
	if !whole {
		n.FQDN = l.node
	}
	n.IP4, n.IP6 = l.hostAddrs(n.FQDN)
	four, six := l.families()
	whole = whole && (len(n.IP4) > 0 || !four) && (len(n.IP6) > 0 || !six)
	for _, a := range l.public() {
		if name := l.hosts.reverse(a); name != "" {
			n.FQDNs = append(n.FQDNs, name)
		} else {
			whole = false
		}
	}
	return n.tidy(), whole || l.dns == nil || l.node == ""
}

// families tells whether the host has addresses of each kind: of another no address of its name is looked for.
func (l lookUp) families() (four, six bool) {
	for _, a := range l.addrs {
		four, six = four || a.Is4(), six || a.Is6()
	}
	return four, six
}

// public are the addresses whose names are looked for.
func (l lookUp) public() []netip.Addr {
	return slices.DeleteFunc(slices.Clone(l.addrs), func(a netip.Addr) bool { return a.IsLoopback() })
}

func (l lookUp) hostAddrs(name string) (four, six []string) {
	var addrs []netip.Addr
	for _, line := range l.hosts.named(name) {
		addrs = append(addrs, line.addr)
	}
	four, six = split(addrs)
	hasFour, hasSix := l.families()
	if !hasFour {
		four = nil
	}
	if !hasSix {
		six = nil
	}
	return four, six
}

// ask finds what local leaves open, all at the same time, until ctx ends. It is
// not sure of what it found when a name server was silent, or broken.
func (l lookUp) ask(ctx context.Context) (n names, sure bool) {
	n, _ = l.local()
	var unsure atomic.Bool
	told := func(err error) bool {
		var d *net.DNSError
		if err != nil && !(errors.As(err, &d) && d.IsNotFound) {
			unsure.Store(true)
		}
		return err == nil
	}
	var mu sync.Mutex // guards n.FQDNs
	var wait sync.WaitGroup
	for _, a := range l.public() {
		if l.hosts.reverse(a) != "" {
			continue
		}
		wait.Go(func() {
			if all, err := l.dns.LookupAddr(ctx, a.String()); told(err) && len(all) > 0 {
				mu.Lock()
				defer mu.Unlock()
				n.FQDNs = append(n.FQDNs, strings.TrimSuffix(all[0], "."))
			}
		})
	}
	wait.Go(func() {
		if l.hosts.canonical(l.node) == "" {
			if name, err := l.dns.LookupCNAME(ctx, l.node); told(err) && name != "" {
				n.FQDN = strings.TrimSuffix(name, ".")
			}
		}
		n.IP4, n.IP6 = l.hostAddrs(n.FQDN)
		four, six := l.families()
		if four && len(n.IP4) == 0 {
			n.IP4 = l.addresses(ctx, "ip4", n.FQDN, told)
		}
		if six && len(n.IP6) == 0 {
			n.IP6 = l.addresses(ctx, "ip6", n.FQDN, told)
		}
	})
	wait.Wait()
	return n.tidy(), !unsure.Load()
}

func (l lookUp) addresses(ctx context.Context, network, name string, told func(error) bool) []string {
	addrs, err := l.dns.LookupNetIP(ctx, network, name)
	if !told(err) {
		return nil
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrTexts(addrs)
}

// tidy puts lists into order, each item once.
func (n names) tidy() names {
	for _, list := range []*[]string{&n.FQDNs, &n.IP4, &n.IP6} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return n
}
