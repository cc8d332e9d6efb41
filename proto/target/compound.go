package target

import (
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds parentheses in parentheses and nodegroups in nodegroups.
const maxDepth = 100

// A parser reads one text: an expression or the definition of a nodegroup.
type parser struct {
	language Language
	text     string
	words    []span
	at       int // the next word
	depth    int
	group    string // that text defines
	within   []string
	state    *state
}

// state is what the parsers of an expression and of its nodegroups share.
type state struct {
	groups map[string]*groupNode
	asks   Asks
	pillar Pillar
	asked  [][]string
	parts  []part
}

// part is a target that is no compound, in the order in which they are read.
type part struct {
	node  node
	text  string
	group string // whose definition has it
}

func (p *parser) fail(at int, format string, args ...any) error {
	return &Error{Expression: p.text, Offset: min(at, len(p.text)), Why: fmt.Sprintf(format, args...), Group: p.group}
}

// shift says of a mistake in a part of the text where it stands in the whole.
func (p *parser) shift(s span, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return p.fail(s.at+e.Offset, "%s", e.Why)
	}
	return p.fail(s.at, "%v", err)
}

// compound reads "A and not ( B or C )": not binds closest, then and, then or.
func (p *parser) compound(words []span) (node, error) {
	p.words = words
	n, err := p.either()
	if err == nil && p.at < len(p.words) {
		return nil, p.unexpected()
	}
	return n, err
}

// next is the next word; at the end, one without text.
func (p *parser) next() span {
	if p.at == len(p.words) {
		return span{"", len(p.text)}
	}
	return p.words[p.at]
}

// unexpected says what is wrong with a word where and, or or the end belongs.
func (p *parser) unexpected() error {
	w := p.next()
	const where = "%q stands where and, or or the end is expected"
	switch operator := strings.ToLower(w.text); {
	case w.text == ")":
		return p.fail(w.at, "this ) closes nothing")
	case operator == "and" || operator == "or" || operator == "not":
		return p.fail(w.at, "%q must be written %q", w.text, operator)
	case w.text == "&&" || w.text == "&":
		return p.fail(w.at, `%q must be written "and"`, w.text)
	case w.text == "||" || w.text == "|":
		return p.fail(w.at, `%q must be written "or"`, w.text)
	case p.at > 0 && isData(p.words[p.at-1].text) && w.text != "(":
		return p.fail(w.at, where+`; for a space in a value write "?"`, w.text)
	}
	return p.fail(w.at, where, w.text)
}

func isData(word string) bool {
	engine, _, _ := engineOf(word)
	return engine != 0 && strings.IndexByte("GPIJ", engine) >= 0
}

func (p *parser) either() (node, error) {
	n, err := p.both()
	parts := orNode{n}
	for err == nil && p.next().text == "or" {
		p.at++
		n, err = p.both()
		parts = append(parts, n)
	}
	if err != nil || len(parts) == 1 {
		return n, err
	}
	return parts, nil
}

func (p *parser) both() (node, error) {
	n, err := p.negated()
	parts := andNode{n}
	for err == nil && (p.next().text == "and" || p.next().text == "not") { // as in Salt "a not b" is "a and not b"
		if p.next().text == "and" {
			p.at++
		}
		n, err = p.negated()
		parts = append(parts, n)
	}
	if err != nil || len(parts) == 1 {
		return n, err
	}
	return parts, nil
}

func (p *parser) negated() (node, error) {
	if p.next().text != "not" {
		return p.one()
	}
	p.at++
	n, err := p.one()
	if err != nil {
		return nil, err
	}
	return notNode{n}, nil
}

// one reads a target or what stands in parentheses.
func (p *parser) one() (node, error) {
	w := p.next()
	switch operator := strings.ToLower(w.text); {
	case w.text == "":
		return nil, p.fail(w.at, "it ends where a target is expected")
	case w.text == "(":
		return p.enclosed()
	case w.text == ")" && p.at > 0 && p.words[p.at-1].text == "(":
		return nil, p.fail(w.at, "there is nothing in the parentheses")
	case w.text == "not":
		return nil, p.fail(w.at, `"not" stands where a target is expected; two in a row need parentheses: not ( not ... )`)
	case w.text == ")" || w.text == "and" || w.text == "or":
		return nil, p.fail(w.at, "%q stands where a target is expected", w.text)
	case operator == "and" || operator == "or" || operator == "not":
		return nil, p.fail(w.at, "%q must be written %q", w.text, operator)
	}
	p.at++
	at := len(p.state.parts) // before those of a nodegroup
	p.state.parts = append(p.state.parts, part{nil, w.text, p.group})
	n, err := p.target(w)
	p.state.parts[at].node = n
	return n, err
}

func (p *parser) enclosed() (node, error) {
	opening := p.next()
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(opening.at, "at most %d parentheses are allowed in one another", maxDepth)
	}
	p.at++
	n, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.next().text != ")" {
		if p.at < len(p.words) {
			return nil, p.unexpected()
		}
		return nil, p.fail(opening.at, "this ( is not closed")
	}
	p.at++
	p.depth--
	return n, nil
}

// target reads one word: a letter before @ says of what kind it is.
func (p *parser) target(w span) (node, error) {
	engine, delimiter, pattern := engineOf(w.text)
	s := span{pattern, w.at + len(w.text) - len(pattern)}
	kind, data := "", false
	switch engine {
	case 0:
		return p.glob(w)
	case 'G', 'P', 'I', 'J':
		kind, data = map[byte]string{'G': "grain", 'P': "grain_pcre", 'I': "pillar", 'J': "pillar_pcre"}[engine], true
	case 'L':
		kind = "list"
	case 'E':
		kind = "pcre"
	case 'S':
		kind = "ipcidr"
	case 'N':
		kind = "nodegroup"
	case 'R':
		kind = "range"
	default:
		return nil, p.fail(w.at, "%c@ is not known: there are G@ P@ I@ J@ L@ E@ S@ N@", engine)
	}
	if delimiter != "" && !data {
		return nil, p.fail(w.at+1, "%c@ has no delimiter", engine)
	}
	if delimiter == "" {
		delimiter = p.language.Delimiter
	}
	return p.atom(kind, s, delimiter)
}

// atom reads a target that is no compound.
func (p *parser) atom(kind string, s span, delimiter string) (node, error) {
	switch kind {
	case "glob":
		return p.glob(s)
	case "list":
		return p.list(s)
	case "pcre":
		return p.pcre(s)
	case "ipcidr":
		return p.subnet(s)
	case "nodegroup":
		return p.nodegroup(s)
	case "range":
		return nil, p.fail(s.at, "ranges (R@) are not supported: nothing here asks a range server; a nodegroup (N@) can "+
			"name the same minions")
	}
	return p.data(kind, s, delimiter)
}
