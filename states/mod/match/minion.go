package match

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
)

// A minion is what targets ask about.
type minion struct {
	facts    target.Facts
	language target.Language
}

// Targets returns what tells whether a target means the host; kind is the name of a function of this module, or
// nodegroup. It must not be called by two goroutines at once.
func Targets(ctx context.Context, h *host.Host) func(kind, target string) (bool, error) {
	m := newMinion(ctx, h, "")
	return func(kind, target string) (bool, error) { return m.matches(kind, target) }
}

// ByGrains returns what names the parts of a target that ask what minions say of themselves: grains, but for the id, which a
// key proves, and addresses. It is as safe as Targets.
func ByGrains(ctx context.Context, h *host.Host) func(kind, target string) []string {
	m := newMinion(ctx, h, "")
	return func(kind, text string) []string {
		t, err := m.language.Parse(kind, text)
		if err != nil || !t.Asks().Grains {
			return nil
		}
		parts := t.Parts()
		if len(parts) == 0 && !strings.HasPrefix(text, "id:") {
			return []string{kind + " " + text}
		}
		var all []string
		for _, p := range parts {
			if asksGrain(p.Text) {
				all = append(all, p.Text)
			}
		}
		return all
	}
}

// asksGrain tells whether a part of a compound asks a grain but the id: G@os:Debian, P%@role%web.
func asksGrain(part string) bool {
	before, rest, ok := strings.Cut(part, "@")
	if !ok || before == "" || !strings.ContainsAny(before[:1], "GPS") {
		return false
	}
	delimiter := before[1:]
	if delimiter == "" {
		delimiter = ":"
	}
	return !strings.HasPrefix(rest, "id"+delimiter)
}

func newMinion(ctx context.Context, h *host.Host, id string) *minion {
	grains := h.Grains
	if h.Facts != nil {
		grains = h.Facts.Now(ctx)
	}
	if id == "" {
		own, _ := grains.Get("id")
		id, _ = own.(string)
	}
	m := &minion{facts: target.Facts{ID: id, Grains: grains, Pillar: h.Pillar}, language: target.Language{Regexp: regex.Beginning}}
	if h.Missing != nil {
		m.facts.Pillar, m.facts.Why = nil, h.Missing
	}
	if groups, ok := h.Config.Get("nodegroups"); ok {
		if groups, ok := groups.(*value.Dict); ok {
			m.language.Groups = groups
		}
	}
	return m
}

// matches asks a target of a kind.
func (m *minion) matches(kind string, tgt any) (bool, error) {
	if list, ok := tgt.(*value.List); ok && kind == "list" {
		return slices.Contains(list.Items, any(m.facts.ID)), nil
	}
	text, err := module.Data(tgt).Str()
	if err != nil {
		return false, fmt.Errorf("cannot match: the target: %w", err)
	}
	if kinds := target.Kinds(); kind != "range" && !slices.Contains(kinds, kind) {
		return false, fmt.Errorf("cannot match by %q%s: known are %s", kind, spell.DidYouMean(kind, kinds), strings.Join(kinds, ", "))
	}
	t, err := m.language.Parse(kind, text)
	if err != nil {
		return false, err
	}
	return t.Decide(m.facts)
}
