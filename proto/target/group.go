package target

import (
	"slices"
	"strings"
	"unicode"
)

// nodegroup reads the definition of a nodegroup, once in an expression. A
// nodegroup is one target: "not N@a" and "N@a and b" mean all of its text.
func (p *parser) nodegroup(s span) (node, error) {
	name := s.text
	if name == "" {
		return nil, p.fail(s.at, "the name of a nodegroup is missing")
	}
	if p.language.Groups == nil || p.language.Groups.Len() == 0 {
		return nil, p.fail(s.at, "there is no nodegroup %q: none is configured", name)
	}
	def, ok := p.language.Groups.Get(name)
	if !ok {
		return nil, p.fail(s.at, "there is no nodegroup %q: there are %s", name, strings.Join(p.groupNames(), ", "))
	}
	if slices.Contains(p.within, name) {
		chain := append(slices.Clone(p.within[slices.Index(p.within, name):]), name)
		return nil, p.fail(s.at, "the nodegroup %q is part of itself: %s", name, strings.Join(chain, " -> "))
	}
	if len(p.within) >= maxDepth {
		return nil, p.fail(s.at, "at most %d nodegroups are allowed in one another", maxDepth)
	}
	if known := p.state.groups[name]; known != nil {
		return known, nil
	}
	words, whole, ok := definition(def)
	if !ok {
		return nil, p.fail(s.at, "the nodegroup %q is no text and no list", name)
	}
	inner := &parser{language: p.language, text: whole, group: name, within: append(slices.Clone(p.within), name), state: p.state}
	root, err := inner.define(words)
	if err != nil {
		return nil, err
	}
	n := &groupNode{root, len(p.state.groups)}
	p.state.groups[name] = n
	return n, nil
}

// shownGroups are how many names a mistake lists.
const shownGroups = 20

// groupNames are the first nodegroups, in order of name.
func (p *parser) groupNames() []string {
	var names []string
	for name := range p.language.Groups.All() {
		names = append(names, text(name))
	}
	slices.Sort(names)
	if len(names) > shownGroups {
		names = append(names[:shownGroups], "...")
	}
	return names
}

// definition cuts a definition at its spaces. The items of a list are words as
// they are and may hold spaces.
func definition(def any) (words []span, whole string, ok bool) {
	if s, ok := def.(string); ok {
		return fields(s), s, true
	}
	items, ok := asList(def)
	for i, item := range items {
		if i > 0 {
			whole += " "
		}
		word := text(item)
		words = append(words, span{word, len(whole)})
		whole += word
	}
	return words, whole, ok
}

func fields(text string) []span {
	var words []span
	at := 0
	for word := range strings.FieldsSeq(text) {
		at += strings.Index(text[at:], word)
		words = append(words, span{word, at})
		at += len(word)
	}
	return words
}

// define reads the words of a nodegroup: ids with nothing between them, one
// regular expression without its letter, or a compound.
func (p *parser) define(words []span) (node, error) {
	if len(words) == 0 {
		return nobody{}, nil
	}
	if slices.ContainsFunc(words, isCompound) {
		return p.compound(relex(words))
	}
	if !strings.ContainsAny(p.text, `([{\?}])`) {
		return p.ids(words)
	}
	if len(words) > 1 {
		return nil, p.fail(words[1].at, `patterns want "or" between them`)
	}
	return p.pcre(words[0])
}

// isCompound tells whether a word makes more than ids of a nodegroup.
func isCompound(w span) bool {
	engine, _, _ := engineOf(w.text)
	return engine != 0 || strings.Contains(w.text, "*") || slices.Contains([]string{"and", "or", "not", "(", ")"}, w.text)
}

// relex takes parentheses off words that have no spaces in them.
func relex(words []span) []span {
	var all []span
	for _, w := range words {
		if strings.ContainsFunc(w.text, unicode.IsSpace) {
			all = append(all, w)
			continue
		}
		for _, s := range lex(w.text) {
			all = append(all, span{s.text, s.at + w.at})
		}
	}
	return all
}

// ids reads words that are ids, or ids with commas between them.
func (p *parser) ids(words []span) (node, error) {
	var lists orNode
	for _, w := range words {
		n, err := p.list(w)
		if err != nil {
			return nil, err
		}
		lists = append(lists, n)
	}
	return lists, nil
}
