package iptables

import (
	"context"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// noLoader is the program that iptables may call instead of modprobe where it only looks.
const noLoader = "--modprobe=/bin/false"

// loads says whether asking iptables for a rule would make the kernel load modules, which is no mere looking. Then no rule of the chain is the one: the
// kernel has loaded what its rules use.
func (e *entry) loads(ctx context.Context, h *host.Host, s snapshot) (bool, error) {
	wants := e.extensions(s)
	if s.rules.table(e.table) == nil {
		wants = append(wants, strings.TrimSuffix(e.family.program(), "s")+"_"+e.table)
	}
	if len(wants) == 0 {
		return false, nil
	}
	out, err := h.Exec(ctx, host.Command{Argv: append([]string{"modprobe", "-a", "-n", "-v", "-q", "--"}, wants...), Env: []string{"LC_ALL=C"}})
	if err != nil || !strings.Contains("\n"+string(out.Stdout), "\ninsmod ") {
		return false, nil // where nothing can be loaded, nothing is
	}
	return true, e.leads(s)
}

// extensions are the names of modules that the kernel asks for what the rule uses, but for what rules use already.
func (e *entry) extensions(s snapshot) (wants []string) {
	prefix := "ipt_"
	if e.family.ipv6() {
		prefix = "ip6t_"
	}
	for _, o := range options(texts(e.words)) {
		if len(o.values) != 1 || o.name != "match" && o.name != "jump" && o.name != "protocol" {
			continue
		}
		name := o.values[0]
		if o.name == "protocol" {
			name = protocolName(name)
			if !slices.Contains([]string{"tcp", "udp", "udplite", "sctp", "dccp"}, name) {
				continue
			}
		}
		if o.name == "jump" && (verdict(name) || s.rules.table(e.table).chain(name) != nil) || s.uses(name) {
			continue
		}
		wants = append(wants, prefix+name)
	}
	return wants
}

func verdict(target string) bool {
	return slices.Contains([]string{"ACCEPT", "DROP", "RETURN", "QUEUE"}, target)
}

// uses says whether a rule has a match or a target.
func (s snapshot) uses(name string) bool {
	has := func(r *rule) bool {
		for i, word := range r.words {
			if word == name && i > 0 && (longName(r.words[i-1]) == "match" || longName(r.words[i-1]) == "jump") {
				return true
			}
		}
		return false
	}
	for _, t := range s.rules {
		for _, c := range t.chains {
			if slices.ContainsFunc(c.rules, has) {
				return true
			}
		}
	}
	return false
}

// leads finds that a rule leads to a chain that isn't there, without asking iptables: targets of the kernel are in capitals.
func (e *entry) leads(s snapshot) error {
	for _, o := range options(texts(e.words)) {
		if o.name != "jump" && o.name != "goto" || len(o.values) != 1 {
			continue
		}
		if to := o.values[0]; s.rules.table(e.table).chain(to) == nil && (o.name == "goto" || strings.ToUpper(to) != to) {
			return &errMissing{module.Unknown("Chain '%s' does not exist", to)}
		}
	}
	return nil
}

// looking are the words of a rule but for what says how modules are loaded.
func looking(words []string) (rest []string) {
	for i := 0; i < len(words); i++ {
		switch name, _, whole := strings.Cut(words[i], "="); {
		case name == "--modprobe" && whole:
		case name == "--modprobe", name == "-M":
			i++
		default:
			rest = append(rest, words[i])
		}
	}
	return rest
}
