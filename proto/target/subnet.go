package target

import (
	"errors"
	"net/netip"
	"strings"
)

// subnetNode means minions that have an address of a network.
type subnetNode struct {
	network netip.Prefix
	grain   string // that has the addresses
}

func (p *parser) subnet(s span) (node, error) {
	network, err := p.network(s)
	if err != nil {
		return nil, err
	}
	p.state.asks.Grains = true
	n := subnetNode{network, "ipv6"}
	if network.Addr().Is4() {
		n.grain = "ipv4"
	}
	return n, nil
}

func (p *parser) network(s span) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s.text); err == nil {
		return netip.PrefixFrom(addr.WithZone(""), addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s.text)
	if text, mask, ok := strings.Cut(s.text, "/"); ok && err != nil {
		network, err = masked(text, mask)
	}
	if err != nil {
		return network, p.fail(s.at, "%q is no address and no network", s.text)
	}
	if m := network.Masked(); m != network {
		return network, p.fail(s.at, "%q has bits set beyond the length of the network; %s is the network", s.text, m)
	}
	return network, nil
}

var errMask = errors.New("no mask")

// masked reads a network that is written with a mask, such as
// 10.0.0.0/255.0.0.0, or with the inverse of one.
func masked(text, mask string) (netip.Prefix, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() || !addr.Is4() {
		return netip.Prefix{}, errMask
	}
	ones := 0
	four := m.As4()
	bits := uint32(four[0])<<24 | uint32(four[1])<<16 | uint32(four[2])<<8 | uint32(four[3])
	if bits>>31 == 0 && bits != 0 {
		bits = ^bits // of a host, not of a network
	}
	for ; bits&(1<<31) != 0; bits <<= 1 {
		ones++
	}
	if bits != 0 {
		return netip.Prefix{}, errMask
	}
	return netip.PrefixFrom(addr, ones), nil
}

func (n subnetNode) match(e *evaluation) (verdict, error) {
	if e.facts.Grains == nil {
		return e.lacks(false)
	}
	own, _ := e.facts.Grains.Get(n.grain)
	addrs, ok := asList(own)
	if !ok {
		addrs = []any{own}
	}
	for _, a := range addrs {
		s, _ := a.(string)
		if addr, err := netip.ParseAddr(s); err == nil && n.network.Contains(addr.WithZone("")) {
			return yes, nil
		}
	}
	return no, nil
}
