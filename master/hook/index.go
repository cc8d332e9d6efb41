package hook

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"brine/proto/spell"
)

// A Host is what is known of a minion's host.
type Host struct {
	Minion    string
	Names     []string // FQDN, host and node name
	Addresses []string
}

// An Index finds the minion of a host. It does not change, and may be used from many goroutines.
type Index struct {
	ids     map[string][]string // by how they look in small letters
	names   map[string][]string
	first   map[string][]string // by the first part of an id with dots
	address map[netip.Addr][]string
	aliases map[string]string
	all     []string
}

// NewIndex makes an Index. aliases are ids of minions by other names of their hosts.
func NewIndex(hosts []Host, aliases map[string]string) *Index {
	x := &Index{ids: make(map[string][]string, len(hosts)), names: make(map[string][]string, 2*len(hosts)), first: make(map[string][]string, len(hosts)),
		address: make(map[netip.Addr][]string, 2*len(hosts)), aliases: make(map[string]string, len(aliases))}
	for alias, id := range aliases {
		x.aliases[plain(alias)] = id
	}
	for _, h := range hosts {
		id := strings.ToLower(h.Minion)
		x.all = append(x.all, h.Minion)
		put(x.ids, id, h.Minion)
		if begin, _, ok := strings.Cut(id, "."); ok && begin != "" {
			put(x.first, begin, h.Minion)
		}
		for _, name := range h.Names {
			if name = plain(name); name != "" && name != "localhost" && !strings.HasPrefix(name, "localhost.") {
				put(x.names, name, h.Minion)
			}
		}
		for _, text := range h.Addresses {
			if a, err := netip.ParseAddr(text); err == nil && own(a) {
				put(x.address, a.Unmap().WithZone(""), h.Minion)
			}
		}
	}
	return x
}

// own tells whether an address can be that of one host alone.
func own(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast()
}

func put[K comparable](into map[K][]string, key K, id string) {
	if !slices.Contains(into[key], id) {
		into[key] = append(into[key], id)
	}
}

// Find gives the minion that a host is, by its alias, its id, the names that it says it has, or its address; with none the
// reason. What masters know comes before what minions say of themselves.
func (x *Index) Find(host string) (minion, why string) { return x.FindWith(host, nil) }

// FindWith is Find with further aliases, which come first.
func (x *Index) FindWith(host string, aliases map[string]string) (minion, why string) {
	name := plain(host)
	if name == "" {
		return "", "the alert names no host"
	}
	for alias, id := range aliases {
		if plain(alias) == name {
			return x.alias(name, id)
		}
	}
	if id, ok := x.aliases[name]; ok {
		return x.alias(name, id)
	}
	by := [][]string{x.ids[name], x.names[name], x.first[name]}
	if a, err := netip.ParseAddr(name); err == nil {
		by = append(by, x.address[a.Unmap().WithZone("")])
	}
	for _, ids := range by {
		switch len(ids) {
		case 0:
		case 1:
			return ids[0], ""
		default:
			ids = slices.Sorted(slices.Values(ids))
			return "", fmt.Sprintf("%q may be %s: an alias can tell which", name, some(ids))
		}
	}
	return "", fmt.Sprintf("no minion is known as %q", name)
}

func (x *Index) alias(name, id string) (minion, why string) {
	if slices.Contains(x.ids[strings.ToLower(id)], id) {
		return id, ""
	}
	return "", fmt.Sprintf("the alias %q means minion %q, which is not accepted", name, id)
}

const maxNamed = 5

// some names the first few.
func some(ids []string) string {
	text := strings.Join(ids[:min(len(ids), maxNamed)], ", ")
	if n := len(ids) - maxNamed; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// findFirst looks for one host by several names, of which the first that is one minion counts.
func (x *Index) findFirst(hosts []string, aliases map[string]string) (minion, why string) {
	if len(hosts) == 0 {
		return "", "the alert names no host"
	}
	for _, host := range hosts {
		id, reason := x.FindWith(host, aliases)
		if id != "" {
			return id, ""
		}
		why = cmp.Or(why, reason)
	}
	return "", why
}

// plain is a host's name or address in small letters, without what may stand around it: http://Web1:9100/metrics is web1.
func plain(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	if strings.Contains(host, "://") {
		if u, err := url.Parse(host); err == nil {
			host = u.Host
		}
	}
	host, _, _ = strings.Cut(host, "/")
	if inner, ok := strings.CutPrefix(host, "["); ok { // [::1]:9100
		host, _, _ = strings.Cut(inner, "]")
	} else if name, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		host = name
	}
	return strings.TrimSuffix(host, ".")
}

// Nearest are the ids that are most like a host's name, the nearest first.
func (x *Index) Nearest(host string, most int) []string {
	name := plain(host)
	type near struct {
		id   string
		away int
	}
	var all []near
	limit := len(name)/3 + 1
	for _, id := range x.all {
		low := strings.ToLower(id)
		d := spell.Distance(name, low, limit+1)
		short, _, _ := strings.Cut(low, ".")
		begin, _, _ := strings.Cut(name, ".")
		if d = min(d, spell.Distance(begin, short, limit+1)+1); d <= limit {
			all = append(all, near{id, d})
		}
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(cmp.Compare(a.away, b.away), strings.Compare(a.id, b.id)) })
	var ids []string
	for _, n := range all[:min(len(all), most)] {
		ids = append(ids, n.id)
	}
	return ids
}
