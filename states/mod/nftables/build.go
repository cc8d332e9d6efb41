package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"brine/states/module"
)

// described are the arguments that make a rule.
type described struct {
	Rule        string `arg:"rule" doc:"the rule as nft takes it, instead of all that follows"`
	If          string `arg:"if,alias=in-interface" doc:"the interface by which a packet came"`
	Of          string `arg:"of,alias=out-interface" doc:"the interface by which it goes"`
	Proto       string `arg:"proto,alias=protocol" doc:"the protocol, such as tcp"`
	Match       any    `arg:"match" doc:"not needed: nft knows what to match by"`
	State       string `arg:"state" doc:"taken as in Salt, and says nothing: see connstate"`
	Connstate   list   `arg:"connstate" doc:"states of the connection, such as new and established"`
	IcmpType    list   `arg:"icmp-type" doc:"types of ICMP"`
	Pkttype     list   `arg:"pkttype" doc:"kinds of packets, such as broadcast"`
	Counter     flag   `arg:"counter" doc:"count packets and bytes"`
	Source      list   `arg:"source,alias=saddr" doc:"where it comes from"`
	Destination list   `arg:"destination,alias=daddr" doc:"where it goes"`
	Dport       list   `arg:"dport" doc:"the port that it goes to, or a range"`
	Sport       list   `arg:"sport" doc:"the port that it comes from, or a range"`
	Dports      list   `arg:"dports" doc:"several ports that it goes to"`
	Sports      list   `arg:"sports" doc:"several ports that it comes from"`
	Jump        string `arg:"jump,alias=j,alias=target" doc:"what happens: accept, drop, reject, the name of a chain, or any statement of nft"`
	RedirectTo  string `arg:"redirect-to,alias=to-port" doc:"the port to redirect to"`
	ToPorts     string `arg:"to-ports" doc:"the ports to redirect or masquerade to"`
	ToSource    string `arg:"to-source" doc:"of the statement snat: the address"`
	ToDest      string `arg:"to-destination" doc:"of the statement dnat: the address"`
	RejectWith  string `arg:"reject-with" doc:"what a reject answers, such as tcp reset"`
	Comment     string `arg:"comment" doc:"a comment that the kernel keeps"`
}

// list is values with commas between, of which one may be turned round by "!".
type list struct {
	items []string
	not   bool
}

func (*list) ArgType() string { return "list of text" }

// ParseArg implements module.ArgParser.
func (l *list) ParseArg(v module.Value) error {
	items, err := v.Split("a list")
	if err != nil {
		return err
	}
	for i, item := range items {
		rest, not := strings.CutPrefix(item, "!")
		if word, ok := strings.CutPrefix(item, "not "); ok {
			rest, not = word, true
		}
		items[i], l.not = strings.TrimSpace(strings.TrimPrefix(rest, "=")), l.not || not
		if strings.ContainsAny(items[i], ";{}\n\r") {
			return v.Want("a list without braces and semicolons")
		}
	}
	l.items = items
	return nil
}

// set writes the values as a set, turned round or not.
func (l *list) set() string {
	text := "{ " + strings.Join(l.items, ", ") + " }"
	if l.not {
		return "!= " + text
	}
	return text
}

// single writes one value as it is, and several as a set.
func (l *list) single() string {
	if len(l.items) != 1 {
		return l.set()
	}
	if l.not {
		return "!= " + l.items[0]
	}
	return l.items[0]
}

// flag is something that is there or not; it is there when it has no value, too.
type flag bool

func (*flag) ArgType() string { return "boolean" }

// ParseArg implements module.ArgParser.
func (f *flag) ParseArg(v module.Value) error {
	if v.Data == "" {
		*f = true
		return nil
	}
	on, err := v.Bool()
	*f = flag(on)
	return err
}

// text makes the rule of the arguments.
func (d *described) text(f family) (string, error) {
	if d.Rule != "" {
		return strings.Join(strings.Fields(d.Rule), " "), oneRule(d.Rule)
	}
	var parts []string
	add := func(given bool, part string) {
		if given {
			parts = append(parts, part)
		}
	}
	add(d.If != "", "meta iifname "+d.If)
	add(d.Of != "", "meta oifname "+d.Of)
	add(d.Proto != "" && !d.hasPorts(), "meta l4proto "+d.Proto)
	add(d.Connstate.items != nil, "ct state "+strings.ToLower(d.Connstate.set()))
	add(d.IcmpType.items != nil, icmp(f, d.Proto)+" type "+d.IcmpType.set())
	add(d.Pkttype.items != nil, "meta pkttype "+d.Pkttype.set())
	add(bool(d.Counter), "counter")
	add(d.Source.items != nil, d.Source.address(f)+" saddr "+d.Source.single())
	add(d.Destination.items != nil, d.Destination.address(f)+" daddr "+d.Destination.single())
	for _, p := range d.ports() {
		add(p.list.items != nil, d.Proto+" "+p.what+" "+strings.ReplaceAll(p.list.set(), ":", "-"))
	}
	parts = append(parts, d.verdict()...)
	add(d.Comment != "", "comment "+strconv.Quote(d.Comment))
	text := strings.Join(parts, " ")
	return text, errors.Join(d.check(), oneRule(text))
}

type portList struct {
	what string
	list list
}

func (d *described) ports() []portList {
	return []portList{{"dport", d.Dport}, {"sport", d.Sport}, {"dport", d.Dports}, {"sport", d.Sports}}
}

func (d *described) hasPorts() bool {
	for _, p := range d.ports() {
		if p.list.items != nil {
			return true
		}
	}
	return false
}

func (d *described) check() error {
	var errs []error
	if d.Proto == "" && d.hasPorts() {
		errs = append(errs, errors.New(`ports need the argument "proto"`))
	}
	if strings.ContainsAny(d.Comment, "\"\\\n") || len(d.Comment) > 127 {
		errs = append(errs, errors.New(`argument "comment": nft takes at most 127 characters, and no quotes, backslashes and line ends`))
	}
	return errors.Join(errs...)
}

// oneRule refuses text that would be more than a rule: nft ends a command at a semicolon or a line end outside of quotes.
func oneRule(text string) error {
	depth, quoted := 0, false
	for _, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ';', c == '\n', c == '\r', c == '#':
			return fmt.Errorf("a rule ends at %q: %s", c, text)
		}
		if depth < 0 {
			break
		}
	}
	if quoted || depth != 0 {
		return fmt.Errorf("a quote or a brace has no other: %s", text)
	}
	return nil
}

func icmp(f family, proto string) string {
	if f == "ip6" || strings.EqualFold(proto, "icmpv6") || strings.EqualFold(proto, "ipv6-icmp") {
		return "icmpv6"
	}
	return "icmp"
}

// address is the protocol of the addresses: that of the family, or where it has both that of the first.
func (l *list) address(f family) string {
	if f == "ip6" {
		return "ip6"
	}
	for _, item := range l.items {
		text, _, _ := strings.Cut(item, "/")
		if addr, err := netip.ParseAddr(text); err == nil && addr.Is6() {
			return "ip6"
		}
	}
	return "ip"
}

// verdict is what happens to a packet.
func (d *described) verdict() []string {
	jump := statement(d.Jump)
	var parts []string
	if d.RejectWith != "" {
		parts, jump = append(parts, "reject with "+d.RejectWith), without(jump, "reject")
	}
	if d.RedirectTo != "" {
		parts, jump = append(parts, "redirect to "+port(d.RedirectTo)), without(jump, "redirect")
	}
	if d.ToPorts != "" {
		parts = append(parts, "to "+port(d.ToPorts))
	}
	for _, address := range []string{d.ToSource, d.ToDest} {
		if address != "" {
			parts = append(parts, address)
		}
	}
	if jump != "" {
		parts = append([]string{jump}, parts...)
	}
	return parts
}

func without(jump, word string) string {
	if jump == word {
		return ""
	}
	return jump
}

// statement reads what stands in jump: a statement of nft, or the name of a chain.
func statement(jump string) string {
	switch word := strings.ToLower(jump); word {
	case "accept", "drop", "return", "continue", "queue", "reject", "masquerade", "redirect", "snat", "dnat", "log", "notrack":
		return word
	}
	if jump == "" || strings.ContainsAny(jump, " \t") {
		return jump
	}
	return "jump " + jump
}

func port(text string) string {
	if text != "" && text[0] >= '0' && text[0] <= '9' && !strings.ContainsAny(text, ".:") {
		return ":" + text
	}
	return text
}
