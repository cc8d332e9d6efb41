package nftables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// find returns the handles of a rule in a chain. The kernel itself says what the rule comes to: it is loaded into an empty
// network namespace that ends with the command, so that there is nothing to clean up and no packet meets it. Where that
// can't be, the text is compared.
func find(ctx context.Context, h *host.Host, rs *ruleset, s spot, text string) ([]int, error) {
	form, err := loaded(ctx, h, rs.declarations(s)+fmt.Sprintf("add rule %s %s\n", s, text))
	if errors.Is(err, errOpen) {
		return findText(ctx, h, s, text)
	}
	if err != nil {
		return nil, err
	}
	var handles []int
	for _, r := range rs.rules(s) {
		if r.form() == form {
			handles = append(handles, r.Handle)
		}
	}
	return handles, nil
}

// errOpen says that a rule could not be loaded elsewhere.
var errOpen = errors.New("cannot tell what the rule comes to")

// loaded is the form of the one rule in commands.
func loaded(ctx context.Context, h *host.Host, commands string) (string, error) {
	out, err := h.Run(ctx, "unshare", "--net", "nft", "-j", "-e", commands)
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) || errors.Is(err, os.ErrNotExist) {
		return "", errOpen
	}
	if err != nil {
		return "", err
	}
	rs, err := decode(out)
	if err != nil {
		return "", errOpen
	}
	for _, o := range rs.Objects {
		if o.Add != nil && o.Add.Rule != nil && o.Add.Rule.Expr != nil {
			return o.Add.Rule.form(), nil
		}
	}
	return "", errOpen
}

// declarations make the table of a rule with all that the rule can name: chains, sets and maps.
func (rs *ruleset) declarations(s spot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "add table %s %s\n", s.family, s.table)
	for _, c := range rs.chains(s) {
		fmt.Fprintf(&b, "add chain %s %s %s\n", s.family, s.table, c.Name)
	}
	for _, o := range rs.Objects {
		for kind, set := range map[string]*setObject{"set": o.Set, "map": o.Map} {
			if set != nil && set.Family == string(s.family) && set.Table == s.table {
				b.WriteString(set.declaration(kind))
			}
		}
	}
	return b.String()
}

func (o *setObject) declaration(kind string) string {
	types, ok := joined(o.Type, " . ")
	if !ok {
		return ""
	}
	if kind == "map" {
		to, ok := joined(o.Map, " . ")
		if !ok {
			return ""
		}
		types += " : " + to
	}
	flags, ok := joined(o.Flags, ",")
	if ok && flags != "" {
		flags = "flags " + flags + "; "
	}
	return fmt.Sprintf("add %s %s %s %s { type %s; %s}\n", kind, o.Family, o.Table, o.Name, types, flags)
}

func joined(v any, between string) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []any:
		var parts []string
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, between), true
	}
	return "", v == nil
}

// findText finds a rule by its text as nft lists it.
func findText(ctx context.Context, h *host.Host, s spot, text string) ([]int, error) {
	out, err := run(ctx, h, "nft", "-s", "-a", "list", "chain", string(s.family), s.table, s.chain)
	if err != nil {
		return nil, err
	}
	var handles []int
	for line := range strings.Lines(out) {
		rule, handle, ok := strings.Cut(strings.TrimSpace(line), " # handle ")
		n := 0
		if _, err := fmt.Sscan(handle, &n); ok && err == nil && plainText(rule) == plainText(text) {
			handles = append(handles, n)
		}
	}
	return handles, nil
}

// plainText is the text of a rule with single blanks, sets in one order and without braces where they have one member, and
// without quotes.
func plainText(text string) string {
	var b strings.Builder
	rest := strings.ReplaceAll(text, `"`, "")
	for {
		before, after, ok := strings.Cut(rest, "{")
		set, behind, closed := strings.Cut(after, "}")
		if !ok || !closed {
			b.WriteString(rest)
			break
		}
		b.WriteString(before + " " + oneSet(set) + " ")
		rest = behind
	}
	return strings.TrimPrefix(strings.Join(strings.Fields(b.String()), " "), "meta ")
}

func oneSet(text string) string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.Join(strings.Fields(parts[i]), " ")
	}
	slices.Sort(parts)
	if len(parts) == 1 {
		return parts[0]
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// valid asks nft whether the kernel would take a command.
func valid(ctx context.Context, h *host.Host, command string) error {
	_, err := run(ctx, h, "nft", "-c", command)
	if r := (*refused)(nil); errors.As(err, &r) && strings.Contains(r.text, "No such file or directory") {
		return module.Unknown("it names what is not there: %w", err)
	}
	return err
}

// change has nft do commands, all or none.
func change(ctx context.Context, h *host.Host, commands ...string) error {
	if _, err := run(ctx, h, "nft", strings.Join(commands, "\n")); err != nil {
		return fmt.Errorf("cannot do %q: %w", strings.Join(commands, "; "), err)
	}
	return nil
}
