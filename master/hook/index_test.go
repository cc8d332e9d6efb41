package hook_test

import (
	"fmt"
	"slices"
	"testing"

	"brine/master/hook"
)

func TestFind(t *testing.T) {
	x := hook.NewIndex([]hook.Host{
		{Minion: "Web1", Names: []string{"web1.example.com", "web1", "localhost"}, Addresses: []string{"127.0.0.1", "192.0.2.1", "2001:db8::1", "fe80::1"}},
		{Minion: "db1.example.com", Names: []string{"db1.example.com", "db1"}, Addresses: []string{"127.0.0.1", "192.0.2.2", "10.0.0.1"}},
		{Minion: "db2", Names: []string{"db1", "localhost"}, Addresses: []string{"10.0.0.1"}},
		{Minion: "thief", Names: []string{"web1"}, Addresses: []string{"fe80::1"}},
		{Minion: "a.one"}, {Minion: "a.two"}, {Minion: "b.one"},
	}, map[string]string{"Shop": "Web1", "old": "gone"})
	for host, want := range map[string]string{
		"web1": "Web1", "WEB1:9100": "Web1", "web1.example.com.": "Web1", "https://web1.example.com/metrics": "Web1",
		"192.0.2.1": "Web1", "192.0.2.2:9100": "db1.example.com", "[2001:db8::1]:9100": "Web1", "2001:DB8:0::1": "Web1", "::ffff:192.0.2.1": "Web1",
		"shop": "Web1", "shop:443": "Web1", "b": "b.one",
		"db1": `"db1" may be db1.example.com, db2: an alias can tell which`, "10.0.0.1": `"10.0.0.1" may be db1.example.com, db2: an alias can tell which`,
		"a": `"a" may be a.one, a.two: an alias can tell which`, "old": `the alias "old" means minion "gone", which is not accepted`,
		"localhost:9100": `no minion is known as "localhost"`, "127.0.0.1": `no minion is known as "127.0.0.1"`, "fe80::1": `no minion is known as "fe80::1"`,
		"web1.other.com": `no minion is known as "web1.other.com"`, "": "the alert names no host", ":9100": "the alert names no host",
	} {
		minion, why := x.Find(host)
		if minion+why != want {
			t.Errorf("%s: got %q %q, want %q", host, minion, why, want)
		}
	}
	for host, want := range map[string][]string{"wbe1": {"Web1"}, "db3": {"db2"}, "web1.other.com": {"Web1"}, "unlike-any-other": nil} {
		if got := x.Nearest(host, 1); !slices.Equal(got, want) {
			t.Errorf("nearest to %s: got %v, want %v", host, got, want)
		}
	}
}

func fleet(n int) []hook.Host {
	var hosts []hook.Host
	for i := range n {
		name := fmt.Sprintf("web%05d", i)
		hosts = append(hosts, hook.Host{Minion: name, Names: []string{name + ".example.com", name},
			Addresses: []string{"127.0.0.1", fmt.Sprintf("10.0.%d.%d", i/256, i%256), fmt.Sprintf("2001:db8::%x", i)}})
	}
	return hosts
}

func BenchmarkNewIndex(b *testing.B) {
	hosts := fleet(10_000)
	for b.Loop() {
		hook.NewIndex(hosts, nil)
	}
}

func BenchmarkFind(b *testing.B) {
	x := hook.NewIndex(fleet(10_000), nil)
	for b.Loop() {
		if id, _ := x.Find("WEB07777.example.com:9100"); id == "" {
			b.Fatal("not found")
		}
	}
}
