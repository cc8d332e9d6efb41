package match

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"brine/states/value"
)

// compound evaluates "A and not ( B or C )". Groups are the nodegroups that it stands in.
func (m *minion) compound(text string, groups []string) (bool, error) {
	p := parser{m: m, text: text, words: split(text), groups: groups}
	ok, err := p.either()
	if err == nil && p.at < len(p.words) {
		err = p.fail("%q stands where and, or or the end is expected", p.words[p.at])
	}
	return ok && err == nil, err
}

// split makes words; parentheses may touch their neighbours unless they are those of a regular expression.
func split(text string) []string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		var after []string
		if rest, ok := strings.CutPrefix(word, "not("); ok {
			words, word = append(words, "not"), "("+rest
		}
		for strings.HasPrefix(word, "(") {
			words, word = append(words, "("), word[1:]
		}
		for strings.HasSuffix(word, ")") && strings.Count(word, ")") > strings.Count(word, "(") {
			after, word = append(after, ")"), word[:len(word)-1]
		}
		if word != "" {
			words = append(words, word)
		}
		words = append(words, after...)
	}
	return words
}

type parser struct {
	m      *minion
	text   string
	words  []string
	at     int
	groups []string
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("cannot read the target %q: %s", p.text, fmt.Sprintf(format, args...))
}

func (p *parser) next() string {
	if p.at == len(p.words) {
		return ""
	}
	return p.words[p.at]
}

func (p *parser) either() (bool, error) {
	ok, err := p.both()
	for err == nil && p.next() == "or" {
		p.at++
		var also bool
		also, err = p.both()
		ok = ok || also
	}
	return ok, err
}

func (p *parser) both() (bool, error) {
	ok, err := p.negated()
	for err == nil && (p.next() == "and" || p.next() == "not") { // as in Salt "a not b" is "a and not b"
		if p.next() == "and" {
			p.at++
		}
		var also bool
		also, err = p.negated()
		ok = ok && also
	}
	return ok, err
}

func (p *parser) negated() (bool, error) {
	if p.next() != "not" {
		return p.one()
	}
	p.at++
	ok, err := p.one()
	return !ok, err
}

func (p *parser) one() (bool, error) {
	word := p.next()
	p.at++
	switch word {
	case "":
		return false, p.fail("it ends where a target is expected")
	case "and", "or", "not", ")":
		return false, p.fail("%q stands where a target is expected", word)
	case "AND", "OR", "NOT":
		return false, p.fail("%q must be written %q", word, strings.ToLower(word))
	case "(":
		ok, err := p.either()
		if err == nil && p.next() != ")" {
			err = p.fail("a parenthesis is not closed")
		}
		p.at++
		return ok, err
	}
	return p.target(word)
}

var engine = regexp.MustCompile(`^([A-Z])([^A-Za-z0-9_@]?)@(.*)$`)

var kinds = map[string]string{
	"G": "grain", "P": "grain_pcre", "I": "pillar", "J": "pillar_pcre", "L": "list", "E": "pcre", "S": "ipcidr", "N": "nodegroup",
}

func (p *parser) target(word string) (bool, error) {
	f := engine.FindStringSubmatch(word)
	if f == nil {
		return p.m.matches("glob", word)
	}
	kind := kinds[f[1]]
	switch {
	case kind == "":
		return false, p.fail("%s@ is not known: there are G@ P@ I@ J@ L@ E@ S@ N@", f[1])
	case f[2] != "" && !strings.Contains("GPIJ", f[1]):
		return false, p.fail("%s@ has no delimiter", f[1])
	case f[2] != "":
		return p.m.nested(kind, f[3], f[2])
	case kind == "nodegroup":
		return p.m.group(f[3], p.groups)
	}
	return p.m.matches(kind, f[3])
}

// group evaluates a nodegroup: a compound target, a list of its words, or a list of ids.
func (m *minion) group(name string, within []string) (bool, error) {
	def, ok := m.groups.Get(name)
	if !ok {
		return false, fmt.Errorf("cannot match: there is no nodegroup %q", name)
	}
	if slices.Contains(within, name) {
		return false, fmt.Errorf("cannot match: the nodegroup %q is part of itself", name)
	}
	text := ""
	switch d := def.(type) {
	case string:
		text = d
	case *value.List:
		words := make([]string, len(d.Items))
		for i, item := range d.Items {
			words[i] = fmt.Sprint(item)
		}
		text = strings.Join(words, " ")
		if !strings.Contains(text, "@") && !slices.ContainsFunc(words, func(w string) bool {
			return w == "and" || w == "or" || w == "not"
		}) {
			return slices.Contains(words, m.id), nil
		}
	default:
		return false, fmt.Errorf("cannot match: the nodegroup %q is no text and no list", name)
	}
	return m.compound(text, append(slices.Clone(within), name))
}
