package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"sort"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

func netmask(bits int) string { return net.IP(net.CIDRMask(bits, 32)).String() }

// dict is an address as Salt shows it.
func (a address) dict() *value.Dict {
	if a.ip.Is6() {
		return value.NewDict("address", a.ip.String(), "prefixlen", fmt.Sprint(a.bits), "scope", a.scope)
	}
	d := value.NewDict("address", a.ip.String(), "netmask", netmask(a.bits), "broadcast", nil, "label", a.label)
	if a.broadcast.IsValid() {
		d.Put("broadcast", a.broadcast.String())
	}
	return d
}

func (f face) dict() *value.Dict {
	d := value.NewDict("up", f.up)
	if f.parent != "" {
		d.Put("parent", f.parent)
	}
	if f.hwaddr != "" {
		d.Put("hwaddr", f.hwaddr)
	}
	lists := map[string]*value.List{}
	for _, a := range f.addrs {
		kind, item := "inet", a.dict()
		if a.ip.Is6() {
			kind = "inet6"
		}
		if a.secondary {
			item = value.NewDict("type", kind)
			for k, v := range a.dict().All() {
				item.Put(k.(string), v)
			}
			kind = "secondary"
		}
		if lists[kind] == nil {
			lists[kind] = value.NewList()
			d.Put(kind, lists[kind])
		}
		lists[kind].Items = append(lists[kind].Items, item)
	}
	return d
}

func interfaces(context.Context, *host.Host, struct{}) (*value.Dict, error) {
	all, err := faces()
	d := &value.Dict{}
	for _, f := range all {
		d.Put(f.name, f.dict())
	}
	return d, err
}

type ifaceArgs struct {
	Iface string `arg:"iface,required" doc:"the name of an interface"`
}

func (a ifaceArgs) find() (*face, error) {
	all, err := faces()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range all {
		if f.name == a.Iface {
			return &f, nil
		}
		names = append(names, f.name)
	}
	return nil, fmt.Errorf("cannot find the interface %q%s: there are %s",
		a.Iface, spell.DidYouMean(a.Iface, names), strings.Join(names, ", "))
}

func hwAddr(_ context.Context, _ *host.Host, a ifaceArgs) (string, error) {
	f, err := a.find()
	if err != nil {
		return "", err
	}
	return f.hwaddr, nil
}

func interfaceOf(_ context.Context, _ *host.Host, a ifaceArgs) (*value.List, error) {
	f, err := a.find()
	if err != nil {
		return nil, err
	}
	list := value.NewList()
	for _, addr := range f.addrs {
		if addr.ip.Is4() && !addr.secondary {
			list.Items = append(list.Items, addr.dict())
		}
	}
	return list, nil
}

func interfaceIP(_ context.Context, _ *host.Host, a ifaceArgs) (any, error) {
	f, err := a.find()
	if err != nil {
		return nil, err
	}
	for _, addr := range f.addrs {
		if addr.ip.Is4() {
			return addr.ip.String(), nil
		}
	}
	return nil, nil
}

type prefixArgs struct {
	CIDR string `arg:"cidr,required" doc:"how the address begins"`
}

func ifaceStartsWith(_ context.Context, _ *host.Host, a prefixArgs) ([]string, error) {
	all, err := faces()
	names := []string{}
	for _, f := range all {
		for _, addr := range f.addrs {
			if addr.ip.Is4() && strings.HasPrefix(addr.ip.String(), a.CIDR) && !slices.Contains(names, f.name) {
				names = append(names, f.name)
			}
		}
	}
	return names, err
}

type selection struct {
	Interface []string `arg:"interface" doc:"only of these interfaces; names or globs"`
	Loopback  bool     `arg:"include_loopback" doc:"take the addresses of loopback too"`
}

// of returns the addresses of a family that are asked for, in order, each once.
func (s selection) of(all []face, six bool) ([]address, error) {
	var found []address
	for _, f := range all {
		ok := len(s.Interface) == 0
		for _, pattern := range s.Interface {
			match, err := path.Match(pattern, f.name)
			if err != nil {
				return nil, fmt.Errorf("cannot look for the interface %q: it is no pattern", pattern)
			}
			ok = ok || match
		}
		for _, a := range f.addrs {
			if ok && a.ip.Is6() == six && (s.Loopback || !a.ip.IsLoopback()) {
				found = append(found, a)
			}
		}
	}
	sort.Slice(found, func(i, k int) bool { return found[i].ip.Less(found[k].ip) })
	return slices.CompactFunc(found, func(a, b address) bool { return a.ip == b.ip }), nil
}

type addrs4Args struct {
	selection
	CIDR string `arg:"cidr" doc:"only those in this network"`
	Type string `arg:"type" doc:"only those that are public, or private"`
}

func addrs4(_ context.Context, _ *host.Host, a addrs4Args) ([]string, error) {
	if a.Type != "" && a.Type != "public" && a.Type != "private" {
		return nil, fmt.Errorf("cannot look for addresses of type %q: there are public and private", a.Type)
	}
	return filtered(a.selection, false, a.CIDR, func(ip netip.Addr) bool {
		return a.Type == "" || private(ip) == (a.Type == "private")
	})
}

type addrs6Args struct {
	selection
	CIDR string `arg:"cidr" doc:"only those in this network"`
}

func addrs6(_ context.Context, _ *host.Host, a addrs6Args) ([]string, error) {
	return filtered(a.selection, true, a.CIDR, func(netip.Addr) bool { return true })
}

func filtered(s selection, six bool, cidr string, keep func(netip.Addr) bool) ([]string, error) {
	var within netip.Prefix
	if cidr != "" {
		var err error
		if within, err = prefix(cidr); err != nil {
			return nil, err
		}
	}
	all, err := faces()
	if err != nil {
		return nil, err
	}
	found, err := s.of(all, six)
	texts := []string{}
	for _, a := range found {
		if keep(a.ip) && (cidr == "" || within.Contains(a.ip)) {
			texts = append(texts, a.ip.String())
		}
	}
	return texts, err
}

type networksArgs struct {
	selection
	Verbose bool `arg:"verbose" doc:"return them by name with prefixlen, netmask, num_addresses and address"`
}

func networks4(_ context.Context, _ *host.Host, a networksArgs) (any, error) {
	return a.networks(false)
}

func networks6(_ context.Context, _ *host.Host, a networksArgs) (any, error) { return a.networks(true) }

func (a networksArgs) networks(six bool) (any, error) {
	all, err := faces()
	if err != nil {
		return nil, err
	}
	found, err := a.of(all, six)
	if err != nil {
		return nil, err
	}
	nets := networksOf(found)
	if !a.Verbose {
		return nets, nil
	}
	d := &value.Dict{}
	for _, text := range nets {
		p := netip.MustParsePrefix(text)
		mask := net.IP(net.CIDRMask(p.Bits(), p.Addr().BitLen())).String()
		d.Put(text, value.NewDict("address", p.Addr().String(), "prefixlen", int64(p.Bits()), "netmask", mask))
	}
	return d, nil
}

// networksOf are the networks of addresses, in order, each once.
func networksOf(addrs []address) []string {
	var nets []netip.Prefix
	for _, a := range addrs {
		nets = append(nets, a.prefix().Masked())
	}
	sort.Slice(nets, func(i, k int) bool {
		a, b := nets[i], nets[k]
		return a.Addr().Less(b.Addr()) || a.Addr() == b.Addr() && a.Bits() < b.Bits()
	})
	texts := []string{}
	for _, n := range slices.Compact(nets) {
		texts = append(texts, n.String())
	}
	return texts
}

type subnetsArgs struct {
	Interfaces []string `arg:"interfaces" doc:"only of these interfaces; names or globs"`
}

func subnets4(_ context.Context, _ *host.Host, a subnetsArgs) (any, error) {
	return networksArgs{selection: selection{Interface: a.Interfaces}}.networks(false)
}

func subnets6(_ context.Context, _ *host.Host, a subnetsArgs) (any, error) {
	return networksArgs{selection: selection{Interface: a.Interfaces}}.networks(true)
}

type cidrArgs struct {
	CIDR string `arg:"cidr,required" doc:"a network in CIDR notation"`
}

func inSubnet(_ context.Context, _ *host.Host, a cidrArgs) (bool, error) {
	p, err := prefix(a.CIDR)
	if err != nil {
		return false, err
	}
	found, err := filtered(selection{Loopback: true}, p.Addr().Is6(), a.CIDR, func(netip.Addr) bool { return true })
	return len(found) > 0, err
}

func prefix(cidr string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(cidr)
	if err == nil {
		return p.Masked(), nil
	}
	if ip, bad := netip.ParseAddr(cidr); bad == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return p, fmt.Errorf("cannot read the network %q: want one such as 10.0.0.0/8", cidr)
}

type ipArgs struct {
	IP string `arg:"ip_addr,required" doc:"an address"`
}

func (a ipArgs) parse() (netip.Addr, error) {
	ip, err := netip.ParseAddr(a.IP)
	if err != nil {
		return ip, fmt.Errorf("cannot read the address %q", a.IP)
	}
	return ip.Unmap(), nil
}

type ipInSubnetArgs struct {
	ipArgs
	cidrArgs
}

func ipInSubnet(_ context.Context, _ *host.Host, a ipInSubnetArgs) (bool, error) {
	ip, err1 := a.parse()
	p, err2 := prefix(a.CIDR)
	return p.Contains(ip), errors.Join(err1, err2)
}

func isLoopback(_ context.Context, _ *host.Host, a ipArgs) (bool, error) {
	ip, err := a.parse()
	return ip.IsLoopback(), err
}

func isPrivate(_ context.Context, _ *host.Host, a ipArgs) (bool, error) {
	ip, err := a.parse()
	return err == nil && private(ip), err
}

// privateNetworks are those that Python's is_private knows: IANA's special purpose registries.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.0.0.0/29"),
	netip.MustParsePrefix("192.0.0.170/31"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("::ffff:0:0/96"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:2::/48"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:10::/28"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

func private(ip netip.Addr) bool {
	return slices.ContainsFunc(privateNetworks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func reverseIP(_ context.Context, _ *host.Host, a ipArgs) (string, error) {
	ip, err := a.parse()
	if err != nil {
		return "", err
	}
	var labels []string
	if ip.Is4() {
		for _, b := range ip.AsSlice() {
			labels = append(labels, fmt.Sprint(b))
		}
		slices.Reverse(labels)
		return strings.Join(labels, ".") + ".in-addr.arpa", nil
	}
	for _, digit := range strings.ReplaceAll(ip.WithZone("").StringExpanded(), ":", "") {
		labels = append(labels, string(digit))
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".") + ".ip6.arpa", nil
}

type calcArgs struct {
	ipArgs
	Netmask string `arg:"netmask" doc:"its netmask; that of CIDR notation when absent"`
}

func calcNet(_ context.Context, _ *host.Host, a calcArgs) (string, error) {
	text := a.IP
	if a.Netmask != "" {
		mask, err := netip.ParseAddr(a.Netmask)
		if err != nil || !mask.Is4() {
			return "", fmt.Errorf("cannot read the netmask %q", a.Netmask)
		}
		ones, size := net.IPMask(mask.AsSlice()).Size()
		if size == 0 {
			return "", fmt.Errorf("cannot read the netmask %q: its ones are not all before its zeros", a.Netmask)
		}
		text += fmt.Sprintf("/%d", ones)
	}
	p, err := prefix(text)
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

func convertCIDR(_ context.Context, _ *host.Host, a cidrArgs) (*value.Dict, error) {
	p, err := prefix(a.CIDR)
	if err != nil {
		return nil, err
	}
	mask := net.IP(net.CIDRMask(p.Bits(), p.Addr().BitLen())).String()
	return value.NewDict("network", p.Addr().String(), "netmask", mask), nil
}
