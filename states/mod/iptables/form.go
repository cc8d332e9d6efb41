package iptables

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A form is a rule in the one way in which it is compared. Two rules of the same form do the same. Not all that do the
// same have one form: what it leaves open, such as names of services, iptables itself is asked.
type form string

// An option of a rule: its long name, what follows it, and whether it is turned round.
type option struct {
	name   string
	values []string
	not    bool
}

// options reads the words of a rule.
func options(words []string) (all []option) {
	not := false
	for _, w := range words {
		switch {
		case w == "!":
			not = true
		case isFlag(w):
			all = append(all, option{name: longName(w), not: not})
			not = false
		case len(all) > 0:
			o := &all[len(all)-1]
			o.not, not = o.not || not, false
			o.values = append(o.values, w)
		}
	}
	return all
}

// isFlag says whether a word begins an option: -x or --name.
func isFlag(w string) bool {
	rest, long := strings.CutPrefix(w, "--")
	if !long {
		rest, long = strings.CutPrefix(w, "-")
		return long && len(rest) == 1 && unicode.IsLetter(rune(rest[0]))
	}
	return rest != "" && !strings.ContainsFunc(rest, func(c rune) bool { return c != '-' && c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// longName is the one name of an option that has several.
func longName(flag string) string {
	name := strings.TrimLeft(flag, "-")
	switch name {
	case "s", "src":
		return "source"
	case "d", "dst":
		return "destination"
	case "p", "proto":
		return "protocol"
	case "i":
		return "in-interface"
	case "o":
		return "out-interface"
	case "j":
		return "jump"
	case "g":
		return "goto"
	case "m":
		return "match"
	case "f":
		return "fragment"
	case "c":
		return "set-counters"
	case "A":
		return "append"
	case "sport", "source-port":
		return "source_port" // as Salt calls them where it returns rules
	case "dport", "destination-port":
		return "destination_port"
	case "sports":
		return "source-ports"
	case "dports":
		return "destination-ports"
	}
	return name
}

// formOf brings a rule into its form; false when its order counts in ways that are not known here, as where one
// match stands twice.
func formOf(words []string, ipv6 bool) (form, bool) {
	r := reader{ipv6: ipv6}
	for _, o := range options(words) {
		r.add(o)
	}
	if r.jump == "REJECT" && !slices.ContainsFunc(r.opts, func(o option) bool { return o.name == "reject-with" }) {
		r.opts = append(r.opts, option{name: "reject-with", values: []string{r.unreachable()}})
	}
	lines := map[string]string{}
	for _, o := range r.opts {
		if _, twice := lines[o.name]; twice {
			return "", false
		}
		lines[o.name] = o.name + "\x01" + strconv.FormatBool(o.not) + "\x01" + strings.Join(o.values, "\x01")
	}
	var matches []string
	for _, m := range r.matches {
		if slices.Contains(matches, m) {
			return "", false
		}
		if m != r.protocol && (m != "icmp6" || r.protocol != "ipv6-icmp") {
			matches = append(matches, m)
		}
	}
	return form(strings.Join(matches, " ") + "\x02" + strings.Join(slices.Sorted(maps.Values(lines)), "\x02")), true
}

type reader struct {
	ipv6           bool
	protocol, jump string
	matches        []string
	opts           []option
}

func (r *reader) unreachable() string {
	if r.ipv6 {
		return "icmp6-port-unreachable"
	}
	return "icmp-port-unreachable"
}

// add takes an option in, with its value as iptables-save writes it, or leaves it out where it says nothing.
func (r *reader) add(o option) {
	one := ""
	if len(o.values) == 1 {
		one = o.values[0]
	}
	switch o.name {
	case "match":
		r.matches = append(r.matches, one)
		return
	case "protocol":
		if one = protocolName(one); one == "all" && !o.not {
			return
		}
		if !o.not {
			r.protocol = one
		}
	case "jump":
		r.jump = one
	case "source", "destination":
		one = prefix(one)
		if (one == "0.0.0.0/0" || one == "::/0") && !o.not {
			return
		}
	case "source_port", "destination_port", "source-ports", "destination-ports", "ports":
		one = ports(one)
	case "state", "ctstate":
		one = sorted(strings.ToUpper(one))
	case "limit", "hashlimit-upto", "hashlimit-above":
		one = rate(one)
	case "limit-burst":
		if one == "5" {
			return
		}
	case "log-level":
		if one = level(one); one == "4" {
			return
		}
	case "icmp-type", "icmpv6-type":
		one = icmpType(one, r.ipv6)
	case "syn":
		o.name, o.values = "tcp-flags", []string{"FIN,SYN,RST,ACK", "SYN"}
	case "mac-source":
		one = strings.ToLower(one)
	case "set-mark":
		if r.jump == "MARK" && !strings.Contains(one, "/") {
			o.name, one = "set-xmark", hex(one)+"/0xffffffff"
		}
	}
	if len(o.values) == 1 {
		o.values = []string{one}
	}
	r.opts = append(r.opts, o)
}

func protocolName(p string) string {
	p = strings.ToLower(p)
	switch p {
	case "0":
		return "all"
	case "1":
		return "icmp"
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "47":
		return "gre"
	case "50":
		return "esp"
	case "51":
		return "ah"
	case "58", "icmpv6":
		return "ipv6-icmp"
	case "132":
		return "sctp"
	}
	return p
}

// prefix writes an address as ADDRESS/BITS without the bits of hosts.
func prefix(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()).String()
	}
	addr, mask, ok := strings.Cut(text, "/")
	if m, err := netip.ParseAddr(mask); ok && err == nil && m.Is4() {
		bits, whole := maskBits(m)
		if !whole {
			return text
		}
		text = addr + "/" + strconv.Itoa(bits)
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked().String()
	}
	return text
}

// maskBits counts the bits of a mask such as 255.255.0.0; false when they don't stand together.
func maskBits(m netip.Addr) (int, bool) {
	bits, ended := 0, false
	for _, b := range m.As4() {
		for i := 7; i >= 0; i-- {
			set := b>>i&1 == 1
			if set && ended {
				return 0, false
			}
			if ended = !set; set {
				bits++
			}
		}
	}
	return bits, true
}

// ports writes the open ends of ranges.
func ports(text string) string {
	parts := strings.Split(text, ",")
	for i, p := range parts {
		if from, to, ok := strings.Cut(p, ":"); ok {
			parts[i] = cmp.Or(from, "0") + ":" + cmp.Or(to, "65535")
		}
	}
	return strings.Join(parts, ",")
}

func sorted(text string) string {
	parts := strings.Split(text, ",")
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ",")
}

// rate writes a rate such as 5/minute with the short name of its time.
func rate(text string) string {
	n, unit, _ := strings.Cut(text, "/")
	for _, u := range [][2]string{{"second", "sec"}, {"minute", "min"}, {"hour", "hour"}, {"day", "day"}} {
		if unit != "" && strings.HasPrefix(u[0], strings.ToLower(unit)) {
			return n + "/" + u[1]
		}
	}
	return text
}

func level(text string) string {
	names := []string{"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"}
	if i := slices.Index(names, strings.ToLower(text)); i >= 0 {
		return strconv.Itoa(i)
	}
	return text
}

func icmpType(text string, ipv6 bool) string {
	names := map[string]string{"echo-reply": "0", "pong": "0", "echo-request": "8", "ping": "8"}
	if ipv6 {
		names = map[string]string{"destination-unreachable": "1", "packet-too-big": "2", "echo-request": "128", "ping": "128",
			"echo-reply": "129", "pong": "129", "router-solicitation": "133", "router-advertisement": "134",
			"neighbour-solicitation": "135", "neighbor-solicitation": "135", "neighbour-advertisement": "136",
			"neighbor-advertisement": "136"}
	}
	return cmp.Or(names[text], text)
}

func hex(text string) string {
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return text
	}
	return "0x" + strconv.FormatUint(n, 16)
}
