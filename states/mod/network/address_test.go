package network

import (
	"net/netip"
	"slices"
	"testing"

	"brine/states/value"
)

func at(text, broadcast, label, scope string, secondary bool) address {
	p := netip.MustParsePrefix(text)
	a := address{ip: p.Addr(), bits: p.Bits(), label: label, scope: scope, secondary: secondary}
	if broadcast != "" {
		a.broadcast = netip.MustParseAddr(broadcast)
	}
	return a
}

var recorded = []face{
	{name: "lo", hwaddr: "00:00:00:00:00:00", up: true, addrs: []address{
		at("127.0.0.1/8", "", "lo", "host", false), at("::1/128", "", "", "host", false)}},
	{name: "eth0", hwaddr: "02:42:ac:11:00:02", up: true, parent: "if5", addrs: []address{
		at("192.0.2.20/24", "192.0.2.255", "eth0", "global", false), at("192.0.2.3/24", "192.0.2.255", "eth0:1", "global", true),
		at("fe80::1/64", "", "", "link", false)}},
	{name: "eth1", addrs: []address{at("8.8.4.4/30", "", "eth1", "global", false)}},
}

func TestInterfacesAreShownAsInSalt(t *testing.T) {
	for i, want := range []string{
		`{"up":true,"hwaddr":"00:00:00:00:00:00","inet":[{"address":"127.0.0.1","netmask":"255.0.0.0","broadcast":null,"label":"lo"}],` +
			`"inet6":[{"address":"::1","prefixlen":"128","scope":"host"}]}`,
		`{"up":true,"parent":"if5","hwaddr":"02:42:ac:11:00:02",` +
			`"inet":[{"address":"192.0.2.20","netmask":"255.255.255.0","broadcast":"192.0.2.255","label":"eth0"}],` +
			`"secondary":[{"type":"inet","address":"192.0.2.3","netmask":"255.255.255.0","broadcast":"192.0.2.255","label":"eth0:1"}],` +
			`"inet6":[{"address":"fe80::1","prefixlen":"64","scope":"link"}]}`,
	} {
		if json, _ := value.MarshalJSON(recorded[i].dict()); string(json) != want {
			t.Errorf("%s: got %s, want %s", recorded[i].name, json, want)
		}
	}
}

func TestSelection(t *testing.T) {
	for _, tt := range []struct {
		s       selection
		six     bool
		ips     []string
		subnets []string
	}{
		{selection{}, false, []string{"8.8.4.4", "192.0.2.3", "192.0.2.20"}, []string{"8.8.4.4/30", "192.0.2.0/24"}},
		{selection{Loopback: true}, true, []string{"::1", "fe80::1"}, []string{"::1/128", "fe80::/64"}},
		{selection{Interface: []string{"eth1", "l*"}, Loopback: true}, false, []string{"8.8.4.4", "127.0.0.1"},
			[]string{"8.8.4.4/30", "127.0.0.0/8"}},
		{selection{Interface: []string{"wlan*"}}, false, nil, []string{}},
	} {
		found, err := tt.s.of(recorded, tt.six)
		var ips []string
		for _, a := range found {
			ips = append(ips, a.ip.String())
		}
		if err != nil || !slices.Equal(ips, tt.ips) || !slices.Equal(networksOf(found), tt.subnets) {
			t.Errorf("%+v: got %v, %v, %v, want %v, %v", tt.s, ips, networksOf(found), err, tt.ips, tt.subnets)
		}
	}
	if _, err := (selection{Interface: []string{"["}}).of(recorded, false); err == nil {
		t.Error("a bad pattern is taken")
	}
}

func TestTheKernelKnowsLoopback(t *testing.T) {
	all, err := faces()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(f face) bool { return f.name == "lo" })
	if i < 0 {
		t.Skip("this machine has no loopback interface") // a bare network namespace
	}
	for _, a := range all[i].addrs {
		if !a.ip.IsValid() || a.ip.Is4() && (a.label != "lo" || a.scope != "host") {
			t.Errorf("got %+v", a)
		}
	}
}
