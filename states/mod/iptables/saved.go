package iptables

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/value"
)

// A saved is what iptables-save writes: tables with their chains and rules.
type saved []*table

type table struct {
	name   string
	chains []*chain
}

type chain struct {
	name           string
	policy         string // "-" where it can have none
	packets, bytes string
	rules          []*rule
}

// A rule is a saved rule: its words after the chain, without counters.
type rule struct {
	text  string
	words []string
	form  form
	known bool // whether it has a form
}

// parse reads the text of iptables-save.
func parse(text string, ipv6 bool) (saved, error) {
	var all saved
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
		case line[0] == '*':
			all = append(all, &table{name: line[1:]})
		case len(all) == 0:
			err = fmt.Errorf("it belongs to no table")
		case line[0] == ':':
			all[len(all)-1].declare(line[1:])
		default:
			err = all[len(all)-1].rule(line, ipv6)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read line %d of the rules, %q: %w", n+1, line, err)
		}
	}
	return all, nil
}

// declare reads "INPUT ACCEPT [12:3456]".
func (t *table) declare(line string) {
	f := append(strings.Fields(line), "-", "-", "-")
	packets, bytes, _ := strings.Cut(strings.Trim(f[2], "[]"), ":")
	t.chains = append(t.chains, &chain{name: f[0], policy: f[1], packets: packets, bytes: bytes})
}

func (t *table) rule(line string, ipv6 bool) error {
	quoted, err := split(line)
	if err != nil {
		return err
	}
	words := texts(quoted)
	if len(words) > 0 && strings.HasPrefix(words[0], "[") { // counters, as iptables-save -c writes them
		words, quoted = words[1:], quoted[1:]
	}
	if len(words) < 2 || words[0] != "-A" && words[0] != "--append" {
		return fmt.Errorf("it is no rule")
	}
	c := t.chain(words[1])
	if c == nil {
		return fmt.Errorf("there is no chain %s", words[1])
	}
	r := &rule{text: show(quoted[2:]), words: words[2:]}
	r.form, r.known = formOf(r.words, ipv6)
	c.rules = append(c.rules, r)
	return nil
}

func (s saved) table(name string) *table {
	for _, t := range s {
		if t.name == name {
			return t
		}
	}
	return nil
}

func (t *table) chain(name string) *chain {
	if t == nil {
		return nil
	}
	for _, c := range t.chains {
		if c.name == name {
			return c
		}
	}
	return nil
}

// builtin says whether a chain is one of the kernel's own. These are there also where nothing is saved of them.
func builtin(table, chain string) bool {
	chains := map[string]string{
		"filter": "INPUT FORWARD OUTPUT", "nat": "PREROUTING INPUT OUTPUT POSTROUTING", "raw": "PREROUTING OUTPUT",
		"mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING", "security": "INPUT FORWARD OUTPUT",
	}
	return slices.Contains(strings.Fields(chains[table]), chain)
}

// has counts how often a chain has a rule, as far as it can be told from the form.
func (c *chain) has(f form) (n int) {
	if c == nil {
		return 0
	}
	for _, r := range c.rules {
		if r.known && r.form == f {
			n++
		}
	}
	return n
}

// users are the chains of the table, but the chain itself, whose rules lead to it.
func (t *table) users(name string) (users []string) {
	for _, c := range t.chains {
		leads := func(r *rule) bool {
			return slices.ContainsFunc(options(r.words), func(o option) bool {
				return (o.name == "jump" || o.name == "goto") && len(o.values) > 0 && o.values[0] == name
			})
		}
		if c.name != name && slices.ContainsFunc(c.rules, leads) {
			users = append(users, c.name)
		}
	}
	return users
}

// same says whether two texts of iptables-save have the same rules: neither comments nor counters count.
func same(a, b string) bool { return bare(a) == bare(b) }

func bare(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == ':' {
			line, _, _ = strings.Cut(line, " [")
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// dict is the rules as Salt returns them: by table and chain, each rule with the values of its options by their long names.
func (s saved) dict() *value.Dict {
	all := &value.Dict{}
	for _, t := range s {
		chains := &value.Dict{}
		for _, c := range t.chains {
			rules, comments := &value.List{}, &value.Dict{}
			for _, r := range c.rules {
				d := r.dict()
				rules.Items = append(rules.Items, d)
				if text, ok := d.Get("comment"); ok {
					comments.Put(text.(*value.List).Items[0].(string), d)
				}
			}
			chains.Put(c.name, value.NewDict("policy", c.policy, "packet count", c.packets, "byte count", c.bytes,
				"rules", rules, "rules_comment", comments))
		}
		all.Put(t.name, chains)
	}
	return all
}

func (r *rule) dict() *value.Dict {
	d := &value.Dict{}
	for _, o := range options(r.words) {
		text := strings.Join(o.values, " ")
		if o.not {
			text = strings.TrimSpace("! " + text)
		}
		old, _ := d.Get(o.name)
		list, _ := old.(*value.List)
		if list == nil {
			list = &value.List{}
		}
		list.Items = append(list.Items, text)
		d.Put(o.name, list)
	}
	return d
}
