package network

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// A face is a network interface.
type face struct {
	name, parent string
	hwaddr       string
	up           bool
	addrs        []address
}

// An address is one of an interface.
type address struct {
	ip        netip.Addr
	bits      int
	broadcast netip.Addr // invalid when there is none
	label     string
	scope     string
	secondary bool
}

func (a address) prefix() netip.Prefix { return netip.PrefixFrom(a.ip, a.bits) }

// faces asks the kernel for all interfaces, in order of their numbers.
func faces() ([]face, error) {
	fail := func(err error) ([]face, error) {
		return nil, fmt.Errorf("cannot ask the kernel for network interfaces: %w", err)
	}
	links, err := ask(syscall.RTM_GETLINK)
	if err != nil {
		return fail(err)
	}
	var all []face
	at, parents := map[int32]int{}, map[int]int32{}
	for _, m := range links {
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		index, flags := int32(binary.NativeEndian.Uint32(m.Data[4:])), binary.NativeEndian.Uint32(m.Data[8:])
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return fail(err)
		}
		at[index] = len(all)
		f := face{up: flags&syscall.IFF_UP != 0}
		for _, a := range attrs {
			switch a.Attr.Type {
			case syscall.IFLA_IFNAME:
				f.name = text(a.Value)
			case syscall.IFLA_ADDRESS:
				f.hwaddr = net.HardwareAddr(a.Value).String()
			case syscall.IFLA_LINK:
				if len(a.Value) == 4 {
					parents[len(all)] = int32(binary.NativeEndian.Uint32(a.Value))
				}
			}
		}
		all = append(all, f)
	}
	for i, parent := range parents {
		if p, ok := at[parent]; ok && p != i {
			all[i].parent = all[p].name
		}
	}
	if err := addresses(all, at); err != nil {
		return fail(err)
	}
	return all, nil
}

func addresses(all []face, at map[int32]int) error {
	messages, err := ask(syscall.RTM_GETADDR)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return err
		}
		i, ok := at[int32(binary.NativeEndian.Uint32(m.Data[4:]))]
		if a := readAddress(m.Data, attrs); ok && a.ip.IsValid() {
			all[i].addrs = append(all[i].addrs, a)
		}
	}
	return nil
}

// readAddress reads a struct ifaddrmsg: family, length, flags, scope, interface.
func readAddress(info []byte, attrs []syscall.NetlinkRouteAttr) address {
	a := address{bits: int(info[1]), secondary: info[2]&syscall.IFA_F_SECONDARY != 0}
	a.scope = map[uint8]string{
		syscall.RT_SCOPE_UNIVERSE: "global", syscall.RT_SCOPE_SITE: "site", syscall.RT_SCOPE_LINK: "link", syscall.RT_SCOPE_HOST: "host",
	}[info[3]]
	for _, attr := range attrs {
		ip, _ := netip.AddrFromSlice(attr.Value)
		switch attr.Attr.Type {
		case syscall.IFA_LOCAL: // where the other is that of the peer
			a.ip = ip
		case syscall.IFA_ADDRESS:
			if !a.ip.IsValid() {
				a.ip = ip
			}
		case syscall.IFA_BROADCAST:
			a.broadcast = ip
		case syscall.IFA_LABEL:
			a.label = text(attr.Value)
		}
	}
	if a.secondary && a.ip.Is6() {
		a.secondary = false // the same bit says that it is temporary
	}
	return a
}

func ask(what int) ([]syscall.NetlinkMessage, error) {
	data, err := syscall.NetlinkRIB(what, syscall.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	return syscall.ParseNetlinkMessage(data)
}

// text is a name that ends with a NUL.
func text(b []byte) string {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return string(b)
}
