package target

import (
	"fmt"
	"slices"
	"strings"
)

// dataNode asks for KEY:VALUE in grains or pillar, where both may hold the
// delimiter: every place between two parts may be the one between key and
// value, the last first.
type dataNode struct {
	pillar bool
	parts  []string
	keys   []any // the parts again, made once into what a Map asks for
	rest   []any // rest[i] is parts[i:] as it was written
	fits   []fit // fits[i] compares a value with rest[i]; nil where that can't be read
	exact  bool  // * stands for itself
}

type fit func(text string) (bool, error)

// maxParts bounds the keys of keys that one expression goes down.
const maxParts = 100

// data reads KEY:VALUE for kinds such as grain and pillar_pcre.
func (p *parser) data(kind string, s span, delimiter string) (node, error) {
	n := &dataNode{pillar: strings.HasPrefix(kind, "pillar"), parts: strings.Split(s.text, delimiter)}
	if n.pillar {
		p.state.asks.Pillar = true
		if p.group == "" {
			p.state.pillar = max(p.state.pillar, pillarUse(kind, n.parts))
			p.state.asked = append(p.state.asked, n.parts)
		}
		if p.language.Exact {
			kind, n.exact = "pillar_exact", true
		}
	} else {
		p.state.asks.Grains = true
	}
	if len(n.parts) == 1 {
		return nil, p.fail(s.at, "want KEY%[1]sVALUE, such as os%[1]sDebian", delimiter)
	}
	if len(n.parts) > maxParts {
		return nil, p.fail(s.at, "it has %d parts, at most %d are allowed", len(n.parts), maxParts)
	}
	n.keys, n.rest, n.fits = make([]any, len(n.parts)), make([]any, len(n.parts)), make([]fit, len(n.parts))
	var first error
	var where int
	at, readable := 0, false
	for i, part := range n.parts {
		n.keys[i], n.rest[i] = part, s.text[at:]
		if i > 0 {
			f, err := p.fit(kind, s.text[at:])
			if err != nil && first == nil {
				first, where = err, at
			}
			n.fits[i], readable = f, readable || err == nil
		}
		at += len(part) + len(delimiter)
	}
	if !readable {
		return nil, p.shift(span{s.text[where:], s.at + where}, first)
	}
	return n, nil
}

// pillarUse tells what an expression of a kind can find out.
func pillarUse(kind string, parts []string) Pillar {
	patterned := func(part string) bool { return strings.ContainsAny(part, "*?[") }
	if kind == "pillar_pcre" || kind == "pillar" && slices.ContainsFunc(parts, patterned) || slices.Contains(parts, "*") {
		return PillarPatterns
	}
	return PillarValues
}

// fit is the comparison of a kind. Capital and small letters are the same.
func (p *parser) fit(kind, pattern string) (fit, error) {
	switch kind {
	case "grain_pcre", "pillar_pcre":
		begins, err := p.compile(pattern, true)
		if err != nil {
			return nil, fmt.Errorf("this is no regular expression: %w", err)
		}
		return begins, nil
	case "pillar_exact":
		want := strings.ToLower(pattern)
		return func(text string) (bool, error) { return strings.ToLower(text) == want, nil }, nil
	}
	if _, err := parseGlob(pattern, true); err != nil {
		return nil, err
	}
	g, err := parseGlob(strings.ToLower(pattern), true)
	if err != nil {
		return nil, err
	}
	return func(text string) (bool, error) { return g.Match(strings.ToLower(text)), nil }, nil
}

func (n *dataNode) match(e *evaluation) (verdict, error) {
	data := e.facts.Grains
	if n.pillar {
		data = e.facts.Pillar
	}
	if data == nil {
		return e.lacks(n.pillar)
	}
	s := search{dataNode: n, e: e}
	found := s.within(data, 0)
	return verdictOf(found), s.err
}

// A search is one question to the data of one minion. The first error ends it.
type search struct {
	*dataNode
	e   *evaluation
	err error
}

// within looks for parts[from:] as keys and a value in m.
func (s *search) within(m Map, from int) bool {
	for i := len(s.parts) - 1; i > from && s.err == nil; i-- {
		if i == from+1 && s.isAny(s.parts[from]) { // everything under the top
			if m.Len() > 0 && s.inMap(m, from) {
				return true
			}
			continue
		}
		if v, ok := s.lookup(m, from, i); ok && s.at(v, i) {
			return true
		}
	}
	return false
}

// isAny tells of a part that stands for any key.
func (s *search) isAny(part string) bool { return part == "*" && !s.exact }

// lookup goes down by parts[from:to].
func (s *search) lookup(v any, from, to int) (any, bool) {
	for i := from; i < to; i++ {
		if s.err = s.e.spend(); s.err != nil {
			return nil, false
		}
		var ok bool
		if v, ok = child(v, s.parts[i], s.keys[i]); !ok {
			return nil, false
		}
	}
	return v, true
}

// at compares a value with parts[from:].
func (s *search) at(v any, from int) bool {
	if m, ok := asMap(v); ok {
		return m.Len() > 0 && s.inMap(m, from)
	}
	items, ok := asList(v)
	if !ok {
		return s.equals(v, from)
	}
	for _, item := range items {
		if m, ok := asMap(item); ok && s.inMap(m, from) || s.equals(item, from) {
			return true
		}
	}
	return false
}

// inMap asks whether parts[from:] is a key of m, or keys and a value in it.
// With * as the first part, of the mappings in m too.
func (s *search) inMap(m Map, from int) bool {
	all := s.isAny(s.parts[from]) && from+1 < len(s.parts)
	if all {
		from++
	}
	if _, ok := m.Get(s.rest[from]); ok || s.rest[from] == "*" && !s.exact || s.within(m, from) {
		return true
	}
	if !all {
		return false
	}
	for _, v := range m.All() {
		if s.err == nil {
			s.err = s.e.spend()
		}
		if s.err == nil && s.below(v, from) {
			return true
		}
	}
	return false
}

func (s *search) below(v any, from int) bool {
	if m, ok := asMap(v); ok {
		return s.inMap(m, from)
	}
	items, ok := asList(v)
	if !ok {
		return s.equals(v, from)
	}
	for _, item := range items {
		if s.equals(item, from) {
			return true
		}
	}
	return false
}

func (s *search) equals(v any, from int) bool {
	if s.fits[from] == nil || s.err != nil {
		return false
	}
	var ok bool
	ok, s.err = s.fits[from](text(v))
	return ok && s.err == nil
}
