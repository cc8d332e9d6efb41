package target

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"brine/proto/subject"
)

// globNode means minions by a pattern of their id.
type globNode struct{ glob *Glob }

func (n globNode) match(e *evaluation) (verdict, error) {
	return verdictOf(n.glob.Match(e.facts.ID)), nil
}

// listNode means minions by their whole ids.
type listNode struct {
	ids []string // in the order of the expression
	set map[string]struct{}
}

func (n *listNode) match(e *evaluation) (verdict, error) {
	_, ok := n.set[e.facts.ID]
	return verdictOf(ok), nil
}

// glob refuses what no minion id can match: a target never matches nobody for
// a reason that can be told.
func (p *parser) glob(s span) (node, error) {
	g, err := ParseGlob(s.text)
	if err != nil {
		return nil, p.shift(s, err)
	}
	for _, t := range g.tokens {
		if t.kind == literal && !idRune(t.char) {
			why := notInID(s.text, t.offset)
			if engine, _, _ := engineOf(s.text); engine != 0 {
				why += "; a letter before @ makes a compound"
			}
			return nil, p.fail(s.at+t.offset, "%s", why)
		}
	}
	return globNode{g}, nil
}

// list passes over empty places, as Salt does: a trailing comma means nothing.
func (p *parser) list(s span) (node, error) {
	n := &listNode{set: map[string]struct{}{}}
	start := s.at
	for id := range strings.SplitSeq(s.text, ",") {
		if id != "" {
			if err := p.listed(span{id, start}); err != nil {
				return nil, err
			}
			if _, twice := n.set[id]; !twice {
				n.set[id] = struct{}{}
				n.ids = append(n.ids, id)
			}
		}
		start += len(id) + 1
	}
	if len(n.ids) == 0 {
		return nil, p.fail(s.at, "there is no id in the list")
	}
	return n, nil
}

// listed checks one id of a list.
func (p *parser) listed(s span) error {
	id := s.text
	for i, r := range id {
		switch {
		case idRune(r):
		case r == '*' || r == '?' || r == '[':
			return p.fail(s.at+i, "a list holds whole ids, no patterns")
		default:
			return p.fail(s.at+i, "%s", notInID(id, i))
		}
	}
	if len(id) > subject.MaxID {
		return p.fail(s.at+subject.MaxID, "an id has at most %d bytes", subject.MaxID)
	}
	if subject.CheckID(id) != nil {
		return p.fail(s.at, "an id does not begin with %q", id[0])
	}
	return nil
}

func idRune(r rune) bool { return r < utf8.RuneSelf && subject.CheckID("x"+string(r)) == nil }

// notInID says why the character at offset cannot be there, and what may have been meant.
func notInID(text string, offset int) string {
	r, _ := utf8.DecodeRuneInString(text[offset:])
	why := fmt.Sprintf("%q does not occur in a minion id", r)
	switch r {
	case ',':
		return why + "; ids with commas between them are a list"
	case ' ':
		return why + "; leave the space out"
	case '{', '}':
		return why + "; [ab] stands for a or b, there are no braces"
	case '&':
		return why + `; write "and" between targets`
	case '|':
		return why + `; write "or" between targets`
	case ':', '/', '!':
		if engine, _, _ := engineOf(text); engine == 0 && (r != '!' || offset == 0) {
			return why + map[rune]string{':': "; in a compound G@KEY:VALUE asks for a grain",
				'/': "; in a compound S@NETWORK asks for an address", '!': `; "not" turns a target round in a compound`}[r]
		}
	}
	return why
}

// regexpNode means minions whose id begins with a match.
type regexpNode struct{ begins func(string) (bool, error) }

func (n regexpNode) match(e *evaluation) (verdict, error) {
	ok, err := n.begins(e.facts.ID)
	return verdictOf(ok), err
}

func (p *parser) pcre(s span) (node, error) {
	if s.text == "" {
		return nil, p.fail(s.at, "a regular expression is missing")
	}
	begins, err := p.compile(s.text, false)
	if err != nil {
		return nil, p.fail(s.at, "this is no regular expression: %v", err)
	}
	return regexpNode{begins}, nil
}

func (p *parser) compile(expr string, ignoreCase bool) (func(string) (bool, error), error) {
	if p.language.Regexp == nil {
		return nil, fmt.Errorf("regular expressions are not known here")
	}
	return p.language.Regexp(expr, ignoreCase)
}
