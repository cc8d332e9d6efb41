package grains

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"brine/states/value"
)

// An Interface is a network interface with its addresses.
type Interface struct {
	Name      string
	Addresses []netip.Addr
}

// systemInterfaces asks the kernel of this machine.
func systemInterfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Interface, 0, len(all))
	for _, i := range all {
		face := Interface{Name: i.Name}
		addrs, _ := i.Addrs() // of one that went away just now there are none
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					face.Addresses = append(face.Addresses, addr.Unmap())
				}
			}
		}
		out = append(out, face)
	}
	return out, nil
}

func interfaces(p *probe) {
	all, _ := p.sys.Interfaces() // without any the grains are empty
	both, v4, v6, hw := &value.Dict{}, &value.Dict{}, &value.Dict{}, &value.Dict{}
	for _, i := range all {
		four, six := split(i.Addresses)
		v4.Put(i.Name, texts(four))
		v6.Put(i.Name, texts(six))
		both.Put(i.Name, texts(slices.Concat(four, six)))
		if mac := p.tree.text("/sys/class/net/" + i.Name + "/address"); mac != "" {
			hw.Put(i.Name, mac)
		}
	}
	p.put("ip_interfaces", both)
	p.put("ip4_interfaces", v4)
	p.put("ip6_interfaces", v6)
	p.put("hwaddr_interfaces", hw)
	four, six := split(ordered(all))
	p.put("ipv4", texts(four))
	p.put("ipv6", texts(six))
}

func split(all []netip.Addr) (four, six []string) {
	for _, a := range all {
		if a.Is4() {
			four = append(four, a.String())
		} else {
			six = append(six, a.String())
		}
	}
	return four, six
}

// ordered are all addresses, each once, in order.
func ordered(all []Interface) []netip.Addr {
	var addrs []netip.Addr
	for _, i := range all {
		addrs = append(addrs, i.Addresses...)
	}
	sort.Slice(addrs, func(i, k int) bool { return addrs[i].Less(addrs[k]) })
	return slices.Compact(addrs)
}

// gateways are addresses; true when the default route goes to an interface without one, false without a default route.
func gateways(p *probe) {
	four, six := gateway4(p.tree), gateway6(p.tree)
	p.put("ip4_gw", four)
	p.put("ip6_gw", six)
	p.put("ip_gw", four != any(false) || six != any(false))
}

// A route is a default route.
type route struct {
	metric  uint64
	gateway netip.Addr
}

// best is the grain of the route with the least metric.
func best(routes []route) any {
	if len(routes) == 0 {
		return false
	}
	r := slices.MinFunc(routes, func(a, b route) int {
		switch {
		case a.metric < b.metric:
			return -1
		case a.metric > b.metric:
			return 1
		}
		return 0
	})
	if r.gateway.IsUnspecified() {
		return true
	}
	return r.gateway.String()
}

const routeUp = 1

// gateway4 reads the kernel's table: interface, destination, gateway, flags, -, -, metric, mask.
func gateway4(t tree) any {
	var routes []route
	for _, line := range t.lines("/proc/net/route") {
		f := strings.Fields(line)
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		gateway, err1 := strconv.ParseUint(f[2], 16, 32)
		flags, err2 := strconv.ParseUint(f[3], 16, 32)
		metric, err3 := strconv.ParseUint(f[6], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil || flags&routeUp == 0 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(gateway)) // as it lies in the kernel's memory
		routes = append(routes, route{metric, netip.AddrFrom4(b)})
	}
	return best(routes)
}

// gateway6 reads the kernel's table: destination, its length, source, its length, gateway, metric, -, -, flags, interface.
func gateway6(t tree) any {
	var routes []route
	for _, line := range t.lines("/proc/net/ipv6_route") {
		f := strings.Fields(line)
		if len(f) < 10 || f[1] != "00" || strings.Trim(f[0], "0") != "" || f[9] == "lo" {
			continue
		}
		raw, err1 := hex.DecodeString(f[4])
		metric, err2 := strconv.ParseUint(f[5], 16, 64)
		flags, err3 := strconv.ParseUint(f[8], 16, 64)
		addr, ok := netip.AddrFromSlice(raw)
		if err1 != nil || err2 != nil || err3 != nil || !ok || flags&routeUp == 0 {
			continue
		}
		routes = append(routes, route{metric, addr})
	}
	return best(routes)
}

// resolverConfig is what resolv.conf says: that of systemd-resolved, whose own server would say nothing, if there is one.
func resolverConfig(p *probe) {
	file := "/run/systemd/resolve/resolv.conf"
	if !p.tree.exists(file) {
		file = "/etc/resolv.conf"
	}
	if !p.tree.exists(file) {
		return
	}
	var c resolvConf
	for _, line := range p.tree.lines(file) {
		c.take(strings.Fields(line))
	}
	four, six := split(c.servers)
	p.put("dns", value.NewDict("nameservers", texts(addrTexts(c.servers)), "ip4_nameservers", texts(four),
		"ip6_nameservers", texts(six), "sortlist", texts(c.sortlist), "domain", c.domain, "search", texts(c.search),
		"options", texts(c.options)))
}

type resolvConf struct {
	servers                   []netip.Addr
	domain                    string
	search, sortlist, options []string
}

// take reads one line.
func (c *resolvConf) take(words []string) {
	for i, w := range words {
		if w[0] == '#' || w[0] == ';' {
			words = words[:i]
			break
		}
	}
	if len(words) < 2 {
		return
	}
	switch args := words[1:]; strings.ToLower(words[0]) {
	case "nameserver":
		if a, err := netip.ParseAddr(args[0]); err == nil && !slices.Contains(c.servers, a) {
			c.servers = append(c.servers, a)
		}
	case "domain":
		c.domain = args[0]
	case "search":
		c.search = args
	case "sortlist":
		for _, net := range args {
			if net = withMask(net); net != "" && !slices.Contains(c.sortlist, net) {
				c.sortlist = append(c.sortlist, net)
			}
		}
	case "options":
		if !slices.Contains(c.options, args[0]) {
			c.options = append(c.options, args[0])
		}
	}
}

// withMask writes a network with its mask, an IPv4 address without one with that of its class; "" when it is none.
func withMask(text string) string {
	addr, mask, has := strings.Cut(text, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || !a.Is4() {
		if err == nil && has {
			return text
		}
		return ""
	}
	ip := net.IP(a.AsSlice())
	m := ip.DefaultMask()
	if has {
		if n, err := strconv.Atoi(mask); err == nil {
			m = net.CIDRMask(n, 32)
		} else {
			m = net.IPMask(net.ParseIP(mask).To4())
		}
	}
	if len(m) != 4 {
		return ""
	}
	return ip.Mask(m).String() + "/" + net.IP(m).String()
}

func addrTexts(addrs []netip.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}
