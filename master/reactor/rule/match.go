package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// index finds rules by what their tags begin with.
type index struct {
	lengths  []int // of the beginnings, ascending
	byPrefix map[string][]entry
}

// entry is a rule that may be meant, by its match or by its close.
type entry struct {
	rule    *Rule
	closing bool
}

func newIndex(rules []*Rule) index {
	x := index{byPrefix: map[string][]entry{}}
	add := func(r *Rule, m *Match, closing bool) {
		if m == nil {
			return
		}
		prefixes := slices.Clone(m.prefixes)
		slices.Sort(prefixes)
		last := "\x00"
		for _, p := range prefixes {
			if strings.HasPrefix(p, last) {
				continue // a shorter one finds it too
			}
			last = p
			x.byPrefix[p] = append(x.byPrefix[p], entry{r, closing})
		}
	}
	for _, r := range rules {
		add(r, &r.Match, false)
		add(r, r.Close, true)
	}
	lengths := map[int]bool{}
	for p := range x.byPrefix {
		lengths[len(p)] = true
	}
	x.lengths = slices.Sorted(maps.Keys(lengths))
	return x
}

// MayMatch tells whether a rule may be for a tag that begins with a prefix.
func (s *Set) MayMatch(prefix string) bool {
	for p := range s.index.byPrefix {
		if strings.HasPrefix(p, prefix) || strings.HasPrefix(prefix, p) {
			return true
		}
	}
	return false
}

// literal is what every text that a glob matches begins with.
func literal(glob string) string {
	if i := strings.IndexAny(glob, "*?[\\"); i >= 0 {
		return glob[:i]
	}
	return glob
}

// A Hit is a rule that an event is for.
type Hit struct {
	Rule    *Rule
	Key     string
	Opens   bool  // else it ends what an earlier event of the key began
	Problem error // an expression could not be worked out; then it does neither
}

// Hits are the rules that an event is for, in order of name.
func (s *Set) Hits(e *Event) []Hit {
	var hits []Hit
	for _, n := range s.index.lengths {
		if n > len(e.Tag) {
			break
		}
		for _, x := range s.index.byPrefix[e.Tag[:n]] {
			if h, ok := x.hit(e); ok {
				hits = append(hits, h)
			}
		}
	}
	if len(hits) > 1 {
		slices.SortStableFunc(hits, func(a, b Hit) int { return strings.Compare(a.Rule.Name, b.Rule.Name) })
	}
	return hits
}

// Own is what the actor of a rule's steps is called.
func Own(name string) string { return "rule " + name }

func (x entry) hit(e *Event) (Hit, bool) {
	m := &x.rule.Match
	if x.closing {
		m = x.rule.Close
	}
	if !m.chooses(e) || quiet(e) || e.Actor == Own(x.rule.Name) {
		return Hit{}, false
	}
	h := Hit{Rule: x.rule, Opens: !x.closing}
	if m.Condition != nil {
		holds, err := m.Condition.Holds(e, nil)
		switch {
		case err != nil:
			h.Problem = fmt.Errorf("condition: %w", err)
			return h, true
		case !holds && (x.closing || x.rule.Close != nil || x.rule.For == 0):
			return h, false
		case !holds:
			h.Opens = false
		}
	}
	var err error
	if h.Key, err = x.rule.key(e); err != nil {
		h.Problem = fmt.Errorf("key: %w", err)
	}
	return h, true
}

// key is what an event belongs to.
func (r *Rule) key(e *Event) (string, error) {
	if r.Key == nil {
		return e.Origin, nil
	}
	out, err := r.Key.eval(e, nil)
	text, _ := out.(string)
	if len(text) > maxKey {
		return "", fmt.Errorf("%s: it makes a key of more than %d bytes", r.Key.short(), maxKey)
	}
	return text, err
}

// chooses tells whether the tag and the filter choose an event.
func (m *Match) chooses(e *Event) bool {
	for _, g := range m.Tags {
		if g.Match(e.Tag) {
			return m.Filter == nil || m.Filter.Match(e.Event)
		}
	}
	return false
}

// Tags of the steps of rules begin with it, of one rule with its name behind.
const TagPrefix = "brine/rule/"

// quiet tells whether an event only says that a rule does nothing: to react to it would go on without an end.
func quiet(e *Event) bool {
	if !strings.HasPrefix(e.Tag, TagPrefix) {
		return false
	}
	step := e.Tag[strings.LastIndexByte(e.Tag, '/')+1:]
	return step == "suppressed" || step == "would-fire"
}
