package nftables

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
)

// family is what packets are of, as nft calls it.
type family string

const families = "ipv4, ipv6, inet, arp, bridge or netdev"

func (*family) ArgType() string { return families }

// ParseArg implements module.ArgParser.
func (f *family) ParseArg(v module.Value) error {
	text, _ := v.Str()
	switch text {
	case "ipv4", "ip4", "ip":
		*f = "ip"
	case "ipv6", "ip6":
		*f = "ip6"
	case "inet", "arp", "bridge", "netdev":
		*f = family(text)
	default:
		return v.Want(families)
	}
	return nil
}

// name is a name of a table or a chain.
type name string

func (*name) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (n *name) ParseArg(v module.Value) error {
	text, err := v.Str()
	bad := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-./\\", c)
	}
	if err != nil || text == "" || strings.ContainsFunc(text, bad) || text[0] == '-' {
		return v.Want("a name of letters, digits and -")
	}
	*n = name(text)
	return nil
}

// A ruleset is all that nft lists.
type ruleset struct {
	Objects []object `json:"nftables"`
}

// An object is one of these.
type object struct {
	Table *tableObject
	Chain *chainObject
	Rule  *ruleObject
	Set   *setObject
	Map   *setObject
	Add   *object // in what nft echoes
}

type tableObject struct{ Family, Name string }

type chainObject struct {
	Family, Table, Name string
	Type, Hook, Policy  string
	Prio                json.Number
	Dev                 any
}

type ruleObject struct {
	Family, Table, Chain string
	Handle               int
	Comment              string
	Expr                 any
}

type setObject struct {
	Family, Table, Name string
	Type, Map, Flags    any
}

// run runs nft. That it is not installed may be what another state changes.
func run(ctx context.Context, h *host.Host, argv ...string) (string, error) {
	out, err := h.Run(ctx, argv...)
	if errors.Is(err, os.ErrNotExist) {
		return "", module.Unknown("%s is not installed on this host", argv[0])
	}
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) {
		return "", &refused{reason(exit.Stderr)}
	}
	return out, err
}

// A refused is what nft said where it did not do something.
type refused struct{ text string }

func (r *refused) Error() string { return "nft refuses it: " + r.text }

// reason is the line of nft that says what is wrong.
func reason(stderr string) string {
	line, _, _ := strings.Cut(stderr, "\n")
	if _, text, ok := strings.Cut(line, "Error: "); ok {
		return text
	}
	return line
}

type rulesetKey struct{}

// now returns all that holds now; many states of a run ask nft once.
func now(ctx context.Context, h *host.Host) (*ruleset, error) {
	return host.Remember(h.Memo, rulesetKey{}, time.Minute, func() (*ruleset, error) { return listed(ctx, h) })
}

// listed asks nft. Steps do, as what is remembered is of before them.
func listed(ctx context.Context, h *host.Host) (*ruleset, error) {
	text, err := run(ctx, h, "nft", "-j", "list", "ruleset")
	if err != nil {
		return nil, fmt.Errorf("cannot list the rules: %w", err)
	}
	return decode(text)
}

func decode(text string) (*ruleset, error) {
	rs := &ruleset{}
	if strings.TrimSpace(text) == "" {
		return rs, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(rs); err != nil {
		return nil, fmt.Errorf("cannot read what nft lists: %w", err)
	}
	return rs, nil
}

// A spot is a table, or a chain in it.
type spot struct {
	family       family
	table, chain string
}

func (s spot) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", s.family, s.table, s.chain))
}

func (rs *ruleset) hasTable(s spot) bool {
	return slices.ContainsFunc(rs.Objects, func(o object) bool {
		return o.Table != nil && o.Table.Family == string(s.family) && o.Table.Name == s.table
	})
}

// chains are those of a table.
func (rs *ruleset) chains(s spot) (all []*chainObject) {
	for _, o := range rs.Objects {
		if o.Chain != nil && o.Chain.Family == string(s.family) && o.Chain.Table == s.table {
			all = append(all, o.Chain)
		}
	}
	return all
}

func (rs *ruleset) chain(s spot) *chainObject {
	for _, c := range rs.chains(s) {
		if c.Name == s.chain {
			return c
		}
	}
	return nil
}

// rules are those of a chain, or without one of the whole table.
func (rs *ruleset) rules(s spot) (all []*ruleObject) {
	for _, o := range rs.Objects {
		if r := o.Rule; r != nil && r.Family == string(s.family) && r.Table == s.table && (s.chain == "" || r.Chain == s.chain) {
			all = append(all, r)
		}
	}
	return all
}

// missing is the error of a table or a chain that isn't there, which another state may make; nil when it is.
func (rs *ruleset) missing(s spot) error {
	switch {
	case !rs.hasTable(s):
		return module.Unknown("there is no table %s of the family %s", s.table, s.family)
	case s.chain != "" && rs.chain(s) == nil:
		return module.Unknown("there is no chain %s in table %s of the family %s", s.chain, s.table, s.family)
	}
	return nil
}

// users are the chains of the table, but the chain itself, whose rules lead to it.
func (rs *ruleset) users(s spot) (users []string) {
	for _, r := range rs.rules(spot{s.family, s.table, ""}) {
		if r.Chain != s.chain && leads(r.Expr, s.chain) && !slices.Contains(users, r.Chain) {
			users = append(users, r.Chain)
		}
	}
	return users
}

// leads finds a jump or goto to a chain in an expression.
func leads(v any, chain string) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(v any) bool { return leads(v, chain) })
	case map[string]any:
		for key, item := range v {
			to, _ := item.(map[string]any)
			if (key == "jump" || key == "goto") && to["target"] == chain || leads(item, chain) {
				return true
			}
		}
	}
	return false
}

// form is a rule in the one way in which it is compared: counters without their numbers, sets in one order.
func (r *ruleObject) form() string {
	return encode(settled(r.Expr)) + "\x00" + r.Comment
}

func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it was JSON before
	return b.String()
}

func settled(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = settled(v[i])
		}
	case map[string]any:
		for key, item := range v {
			v[key] = settled(item)
			parts, isList := v[key].([]any)
			_, isMap := item.(map[string]any)
			switch {
			case key == "counter" && isMap:
				v[key] = nil
			case key == "used":
				delete(v, key)
			case key == "set" && isList:
				slices.SortFunc(parts, func(a, b any) int { return cmp.Compare(encode(a), encode(b)) })
			}
		}
	}
	return v
}
