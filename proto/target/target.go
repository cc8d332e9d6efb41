// Package target reads the expressions that say which minions are meant, and
// matches minions against them.
//
// It is Salt's language: globs and lists of ids, regular expressions, grains,
// pillar, addresses, nodegroups, and compounds of all of these. What Salt
// takes for "no minion" in silence because it can't be read is an *Error here.
// Other than in Salt, parentheses may touch words, a nodegroup is always one
// target (Salt puts the words of one that names no other in its place, so that
// "N@a and b" can mean half of it), * goes down a level with any delimiter,
// a ":" is no second delimiter beside another one, and capital classes such as
// \S keep their meaning in P@ and J@.
package target

import (
	"fmt"
	"slices"
	"strings"

	"brine/proto"
)

// MaxExpression is the longest expression, in bytes, that Parse reads. Every
// minion that is asked gets the whole expression.
const MaxExpression = 256 << 10

// A Matcher is a target that was read. It never changes, so any number of
// goroutines may use it.
type Matcher struct {
	root   node
	ids    []string // of a list, in the order of the expression
	groups []string // nodegroups in it, by number
	asks   Asks
	pillar Pillar
	asked  [][]string
	parts  []part
}

// Pillar is how an expression asks for pillar itself, its nodegroups aside:
// whoever may write one could find out a secret by who answers.
type Pillar int

// The ways, from harmless to telling.
const (
	NoPillar       Pillar = iota
	PillarValues          // for whole values
	PillarPatterns        // for values that are like a pattern: a secret comes out letter by letter
)

// Pillar tells how the expression itself asks for pillar.
func (m *Matcher) Pillar() Pillar { return m.pillar }

// PillarAsked are the questions to pillar of the expression itself, each KEY:VALUE cut at its delimiters, in their order.
func (m *Matcher) PillarAsked() [][]string { return m.asked }

// Asks is what a target needs to know of a minion besides its id.
type Asks struct{ Grains, Pillar bool }

// ID tells whether the id is enough.
func (a Asks) ID() bool { return a == Asks{} }

// A Language is what expressions may refer to besides what a minion has. The
// zero value knows no nodegroups and no regular expressions.
type Language struct {
	// Regexp reads a regular expression of Python's.
	Regexp Regexp
	// Groups are the nodegroups by name. Each is text or a List of words.
	Groups Map
	// Delimiter stands between the parts of KEY:VALUE; "" means ":".
	Delimiter string
	// Exact compares pillar with whole values of keys that are named, whatever the kind: so whoever asks can't find out a
	// secret bit by bit, nor without knowing where it stands.
	Exact bool
}

// A Regexp reads an expression and returns what tells whether a text begins
// with a match of it, as Python's re.match does.
type Regexp func(expr string, ignoreCase bool) (func(text string) (bool, error), error)

// Kinds returns the kinds of expressions that are known, in order, by the
// names that Salt gives them.
func Kinds() []string {
	return []string{"compound", "glob", "grain", "grain_pcre", "ipcidr", "list", "nodegroup", "pcre", "pillar",
		"pillar_exact", "pillar_pcre"}
}

// Parse reads a target of a message that refers to nothing but what minions
// have. A mistake is an *Error.
func Parse(t *proto.Target) (*Matcher, error) { return Language{}.Read(t) }

// Read reads a target of a message. A mistake is an *Error.
func (l Language) Read(t *proto.Target) (*Matcher, error) {
	syntax, expr := t.GetSyntax(), t.GetExpression()
	if syntax == proto.Target_SYNTAX_UNSPECIFIED {
		return nil, &Error{Expression: expr, Why: "it does not say of what kind it is"}
	}
	kind := strings.ToLower(syntax.String())
	if !slices.Contains(Kinds(), kind) {
		return nil, &Error{Expression: expr, Why: fmt.Sprintf("syntax %d is not known to this version", syntax)}
	}
	if t.GetDelimiter() != "" {
		l.Delimiter = t.Delimiter
	}
	return l.Parse(kind, expr)
}

// Parse reads an expression of a kind. A mistake is an *Error.
func (l Language) Parse(kind, expr string) (*Matcher, error) {
	if len(expr) > MaxExpression {
		return nil, &Error{Expression: expr, Offset: MaxExpression,
			Why: fmt.Sprintf("it has %d bytes, at most %d are allowed", len(expr), MaxExpression)}
	}
	if expr == "" {
		return nil, &Error{Expression: expr, Why: "it is empty; '*' means every minion"}
	}
	if l.Delimiter == "" {
		l.Delimiter = ":"
	}
	p := &parser{language: l, text: expr, state: &state{groups: map[string]*groupNode{}}}
	if kind == "compound" {
		return p.finish(p.compound(lex(expr)))
	}
	if kind != "range" && !slices.Contains(Kinds(), kind) {
		return nil, &Error{Expression: expr, Why: fmt.Sprintf("the kind %q is not known: there are %s", kind,
			strings.Join(Kinds(), ", "))}
	}
	return p.finish(p.atom(kind, span{text: expr}, l.Delimiter))
}

func (p *parser) finish(root node, err error) (*Matcher, error) {
	if err != nil {
		return nil, err
	}
	m := &Matcher{root: root, groups: make([]string, len(p.state.groups)), asks: p.state.asks, pillar: p.state.pillar, asked: p.state.asked, parts: p.state.parts}
	for name, g := range p.state.groups {
		m.groups[g.number] = name
	}
	if l, ok := root.(*listNode); ok {
		m.ids = l.ids
	}
	return m, nil
}

// Match tells whether a minion is meant. Where that can't be decided, which
// Decide says, it is not.
func (m *Matcher) Match(f Facts) bool {
	ok, err := m.Decide(f)
	return ok && err == nil
}

// Decide tells whether a minion is meant, or why that can't be decided: a
// regular expression or a search with many * takes too long, or, which is an
// *Unknown, it depends on what is not known of the minion. Of what is not known
// neither an expression nor its opposite holds.
func (m *Matcher) Decide(f Facts) (bool, error) {
	e := &evaluation{facts: &f, groups: make([]verdict, len(m.groups))}
	v, err := m.root.match(e)
	if err == nil && v == unknown {
		err = &Unknown{Asks: e.missing, Why: f.Why}
	}
	return v == yes && err == nil, err
}

// IDs returns the ids that a list names, each once; of any other target nil.
func (m *Matcher) IDs() []string { return slices.Clone(m.ids) }

// Asks returns what is needed to decide.
func (m *Matcher) Asks() Asks { return m.asks }

// Groups returns the names of the nodegroups that the target refers to, and
// those that they refer to, in order of name.
func (m *Matcher) Groups() []string { return slices.Sorted(slices.Values(m.groups)) }

// A Part is one target of a compound.
type Part struct {
	Text    string // as it was written
	Group   string // the nodegroup whose definition has it; "" for the expression itself
	Matcher *Matcher
}

// Parts returns the targets of a compound, and of the nodegroups in it, in
// the order in which they are read; of any other target nothing.
func (m *Matcher) Parts() []Part {
	var all []Part
	for _, p := range m.parts {
		all = append(all, Part{p.text, p.group, &Matcher{root: p.node, groups: m.groups, asks: m.asks}})
	}
	return all
}
