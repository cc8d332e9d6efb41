package library

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// An address is one with the length of its network, when that was given.
type address struct {
	netip.Addr
	bits int // -1 when not given
}

func parseAddress(v any) (address, bool) {
	s, ok := python.Text(v)
	if !ok {
		return address{}, false
	}
	host, mask, slash := strings.Cut(s, "/")
	a, err := netip.ParseAddr(host)
	if err != nil {
		return address{}, false
	}
	if !slash {
		return address{a, -1}, true
	}
	bits, ok := prefixLength(a, mask)
	return address{a, bits}, ok
}

func prefixLength(a netip.Addr, mask string) (int, bool) {
	if i, ok := python.ParseInt(mask, 10); ok && strings.Trim(mask, "0123456789") == "" {
		n, _ := python.Int(i)
		return int(n), n >= 0 && int(n) <= a.BitLen()
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() || !a.Is4() {
		return 0, false
	}
	b := m.As4()
	ones, size := net.IPMask(b[:]).Size()
	if size == 0 { // a host mask: 0.0.0.255
		for i := range b {
			b[i] ^= 0xff
		}
		ones, size = net.IPMask(b[:]).Size()
	}
	return ones, size != 0
}

func (a address) version() int {
	if a.Is4() {
		return 4
	}
	return 6
}

// str is the address as it was given: with its network or without.
func (a address) str() string {
	if a.bits < 0 {
		return addressText(a.Addr)
	}
	return fmt.Sprintf("%s/%d", addressText(a.Addr), a.bits)
}

// addressText writes an address as Python does: one of IPv4 within IPv6 in hexadecimal digits.
func addressText(a netip.Addr) string {
	if !a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	text := fmt.Sprintf("::ffff:%x:%x", int(b[12])<<8|int(b[13]), int(b[14])<<8|int(b[15]))
	if a.Zone() != "" {
		text += "%" + a.Zone()
	}
	return text
}

// network is the network of the address; all of it when no length was given.
func (a address) network() netip.Prefix {
	bits := a.bits
	if bits < 0 {
		bits = a.BitLen()
	}
	return netip.PrefixFrom(a.Addr.WithZone(""), bits).Masked()
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

var (
	privateNetworks = prefixes("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
		"192.0.0.170/31", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::1/128", "::/128", "::ffff:0:0/96", "100::/64", "2001::/23", "2001:2::/48", "2001:db8::/32", "2001:10::/28",
		"fc00::/7", "fe80::/10")
	reservedNetworks = prefixes("240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3",
		"6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9")
	siteLocal = prefixes("fec0::/10")
)

func (a address) within(networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(a.Addr.WithZone("")) {
			return true
		}
	}
	return false
}

// has reports whether an option holds for the address. Options that are unknown hold.
func (a address) has(option string) bool {
	switch option {
	case "global", "public":
		return !a.within(privateNetworks)
	case "private":
		return a.within(privateNetworks)
	case "link-local", "linklocal", "ll", "link_local":
		return a.IsLinkLocalUnicast()
	case "loopback", "lo":
		return a.IsLoopback()
	case "multicast":
		return a.IsMulticast()
	case "reserved":
		return a.within(reservedNetworks)
	case "site-local", "sl", "site_local":
		return a.within(siteLocal)
	case "unspecified":
		return a.IsUnspecified()
	}
	return true
}

// addressOf reads an address of the version given, 0 for any, for which all options hold.
func addressOf(v any, version int, options string) (address, bool) {
	a, ok := parseAddress(v)
	if !ok || version != 0 && a.version() != version {
		return address{}, false
	}
	for _, o := range strings.Split(options, ",") {
		if !a.has(strings.TrimSpace(o)) {
			return address{}, false
		}
	}
	return a, true
}

func optionsOf(v any) (string, error) {
	if ok, err := python.Truth(v); !ok || err != nil {
		return "", err
	}
	return text(v)
}

func isAddress(version int) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		options, err := optionsOf(c.Args[1])
		if err != nil {
			return nil, err
		}
		_, ok := addressOf(c.Args[0], version, options)
		return ok, nil
	}
}

// addressesOf are the addresses in a value, which is one or a list of them. With any version IPv4 comes first.
func addressesOf(v any, version int, opt any) (list []address, many bool, err error) {
	if _, err := python.Defined(v); err != nil {
		return nil, false, err
	}
	options, err := optionsOf(opt)
	if err != nil {
		return nil, false, err
	}
	items := []any{v}
	switch v.(type) {
	case *value.List, value.Tuple, *python.Generator:
		many = true
		if items, err = python.Items(v); err != nil {
			return nil, true, err
		}
	}
	for _, want := range []int{4, 6} {
		if version != 0 && version != want {
			continue
		}
		for _, item := range items {
			if a, ok := addressOf(item, want, options); ok {
				list = append(list, a)
			}
		}
	}
	return list, many, nil
}

// oneOrMany makes a result of each address: of the only one, or a list.
func oneOrMany(list []address, many bool, make func(address) (any, error)) (any, error) {
	out := value.NewList()
	for _, a := range list {
		v, err := make(a)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	switch {
	case many:
		return out, nil
	case len(out.Items) == 0:
		return nil, nil
	}
	return out.Items[0], nil
}

func addressFilter(version int) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		list, many, err := addressesOf(c.Args[0], version, c.Args[1])
		if err != nil {
			return nil, err
		}
		return oneOrMany(list, many, func(a address) (any, error) { return a.str(), nil })
	}
}

// ofAddresses makes the filters that take options and a version, and give none for no address.
func ofAddresses(c *python.Call, make func(address) (any, error)) (any, error) {
	version := 0
	if ok, err := python.Truth(c.Args[2]); err != nil {
		return nil, err
	} else if ok {
		if version, err = intArg(c.Args[2]); err != nil {
			return nil, err
		}
	}
	list, many, err := addressesOf(c.Args[0], version, c.Args[1])
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return oneOrMany(list, many, make)
}

func filterIPHost(_ Host, c *python.Call) (any, error) {
	return ofAddresses(c, func(a address) (any, error) {
		if a.bits < 0 {
			a.bits = a.BitLen()
		}
		return a.str(), nil
	})
}

func filterNetworkSize(_ Host, c *python.Call) (any, error) {
	return ofAddresses(c, func(a address) (any, error) {
		n := a.network()
		return value.Int(new(big.Int).Lsh(big.NewInt(1), uint(a.BitLen()-n.Bits()))), nil
	})
}

// maxHosts is the largest network whose hosts are listed.
const maxHosts = 1 << 20

func filterNetworkHosts(_ Host, c *python.Call) (any, error) {
	return ofAddresses(c, func(a address) (any, error) {
		n := a.network()
		host := a.BitLen() - n.Bits()
		if host > 20 {
			return nil, python.Errorf("ValueError", "the network %s has more than %d hosts", n, maxHosts)
		}
		out := value.NewList()
		at := n.Addr()
		for i := range 1 << host {
			first, last := i == 0, i == 1<<host-1
			if host <= 1 || !first && (!last || a.Is6()) {
				out.Items = append(out.Items, addressText(at))
			}
			at = at.Next()
		}
		return out, nil
	})
}

func filterIPWrap(_ Host, c *python.Call) (any, error) {
	wrap := func(v any) (any, error) {
		if a, ok := parseAddress(v); ok && a.Is6() && a.bits < 0 {
			return "[" + a.Addr.String() + "]", nil
		}
		return v, nil
	}
	switch v := c.Args[0].(type) {
	case *value.List, value.Tuple, *python.Generator:
		items, err := python.Items(v)
		for i := range items {
			items[i], _ = wrap(items[i])
		}
		return value.NewList(items...), err
	}
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	return wrap(c.Args[0])
}

func filterByNetworks(_ Host, c *python.Call) (any, error) {
	if c.Args[0] == nil {
		return nil, nil
	}
	values, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	list, err := python.Items(c.Args[1])
	if err != nil {
		return nil, err
	}
	var networks []netip.Prefix
	for _, n := range list {
		a, ok := parseAddress(n)
		if !ok || a.network().Addr() != a.Addr {
			s, _ := text(n)
			return nil, python.Errorf("ValueError", "%s does not appear to be an IPv4 or IPv6 network", python.Quote(s))
		}
		networks = append(networks, a.network())
	}
	out := value.NewList()
	for _, v := range values {
		a, ok := parseAddress(v)
		if !ok {
			s, _ := text(v)
			return nil, python.Errorf("ValueError", "%s does not appear to be an IPv4 or IPv6 address", python.Quote(s))
		}
		if a.within(networks) {
			out.Items = append(out.Items, v)
		}
	}
	return out, nil
}

func filterGenMAC(_ Host, c *python.Call) (any, error) {
	prefix, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	return fmt.Sprintf("%s:%02X:%02X:%02X", prefix, b[0], b[1], b[2]), nil
}

func filterMACBytes(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	if len(s) == 17 {
		s = strings.ReplaceAll(s, s[2:3], "")
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 6 {
		return nil, python.Errorf("ValueError", "Invalid MAC address")
	}
	return b, nil
}

func filterDNSCheck(h Host, c *python.Call) (any, error) {
	name, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	network := "ip"
	if c.Args[3] != nil {
		v6, err := boolArg(c.Args[3])
		if err != nil {
			return nil, err
		}
		network = map[bool]string{true: "ip6", false: "ip4"}[v6]
	}
	found, err := net.DefaultResolver.LookupNetIP(h.Context(), network, name)
	if err != nil || len(found) == 0 {
		return nil, python.Errorf("SaltSystemExit", "DNS lookup or connection check of %s failed", python.Quote(name))
	}
	best := found[0].Unmap()
	for _, a := range found {
		if a.Unmap().Is4() && !best.Is4() {
			best = a.Unmap()
		}
	}
	if best.Is6() {
		return "[" + best.String() + "]", nil
	}
	return best.String(), nil
}

func filterHTTP(h Host, c *python.Call) (any, error) {
	url, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	options := &value.Dict{}
	for _, n := range c.Named {
		options.Put(n.Name, n.Value)
	}
	return h.HTTP(url, options)
}
