// Package target reads the expressions that say which minions are meant, and
// matches minions against them.
package target

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"brine/proto"
	"brine/proto/subject"
)

// MaxExpression is the longest expression, in bytes, that Parse reads. Every
// minion that is asked gets the whole expression.
const MaxExpression = 256 << 10

// Facts are what a target may ask of a minion.
type Facts struct {
	ID string
}

// A Matcher is a target that was read. It never changes, so any number of
// goroutines may use it.
type Matcher struct {
	glob *Glob               // of a glob
	ids  []string            // of a list, in the order of the expression
	set  map[string]struct{} // of a list
}

// Error is a mistake in a target expression. Its text shows the place.
type Error struct {
	Expression string
	Offset     int // of the byte that is wrong
	Why        string
}

// Parse reads a target. A mistake is an *Error.
func Parse(t *proto.Target) (*Matcher, error) {
	expr := t.GetExpression()
	fail := func(offset int, why string) (*Matcher, error) {
		return nil, &Error{Expression: expr, Offset: offset, Why: why}
	}
	if len(expr) > MaxExpression {
		return fail(MaxExpression, fmt.Sprintf("it has %d bytes, at most %d are allowed", len(expr), MaxExpression))
	}
	if expr == "" {
		return fail(0, "it is empty; '*' means every minion")
	}
	switch t.GetSyntax() {
	case proto.Target_GLOB:
		return parseGlob(expr)
	case proto.Target_LIST:
		return parseList(expr)
	case proto.Target_SYNTAX_UNSPECIFIED:
		return fail(0, "it does not say whether it is a glob or a list")
	default:
		return fail(0, fmt.Sprintf("syntax %d is not known to this version", t.GetSyntax()))
	}
}

// parseGlob refuses what no minion id can match: a target never matches
// nobody for a reason that can be told.
func parseGlob(expr string) (*Matcher, error) {
	g, err := ParseGlob(expr)
	if err != nil {
		return nil, err
	}
	for _, t := range g.tokens {
		if t.kind == literal && !idByte(t.char) {
			return nil, &Error{Expression: expr, Offset: t.offset, Why: notInID(expr, t.offset)}
		}
	}
	return &Matcher{glob: g}, nil
}

func parseList(expr string) (*Matcher, error) {
	m := &Matcher{set: map[string]struct{}{}}
	start := 0
	for id := range strings.SplitSeq(expr, ",") {
		if err := checkListed(expr, id, start); err != nil {
			return nil, err
		}
		if _, twice := m.set[id]; !twice {
			m.set[id] = struct{}{}
			m.ids = append(m.ids, id)
		}
		start += len(id) + 1
	}
	return m, nil
}

// checkListed checks one id of a list, which begins at start in expr.
func checkListed(expr, id string, start int) error {
	if id == "" {
		return &Error{Expression: expr, Offset: start, Why: "an id is missing"}
	}
	for i := range len(id) {
		switch c := id[i]; {
		case idByte(c):
		case c == '*' || c == '?' || c == '[':
			return &Error{Expression: expr, Offset: start + i, Why: "a list holds whole ids, no patterns"}
		default:
			return &Error{Expression: expr, Offset: start + i, Why: notInID(expr, start+i)}
		}
	}
	if subject.CheckID(id) != nil {
		if len(id) > subject.MaxID {
			return &Error{Expression: expr, Offset: start + subject.MaxID,
				Why: fmt.Sprintf("an id has at most %d bytes", subject.MaxID)}
		}
		return &Error{Expression: expr, Offset: start, Why: fmt.Sprintf("an id does not begin with %q", id[0])}
	}
	return nil
}

func idByte(c byte) bool { return subject.CheckID("x"+string(rune(c))) == nil }

// notInID says why the character at offset cannot be there, and what may have been meant.
func notInID(expr string, offset int) string {
	r, _ := utf8.DecodeRuneInString(expr[offset:])
	why := fmt.Sprintf("%q does not occur in a minion id", r)
	switch r {
	case ',':
		return why + "; ids with commas between them are a list"
	case ' ':
		return why + "; leave the space out"
	case '{', '}':
		return why + "; [ab] stands for a or b, there are no braces"
	}
	return why
}

// Match tells whether a minion is meant.
func (m *Matcher) Match(f Facts) bool {
	if m.glob != nil {
		return m.glob.Match(f.ID)
	}
	_, ok := m.set[f.ID]
	return ok
}

// IDs returns the ids that a list names, each once; of any other target nil.
func (m *Matcher) IDs() []string { return slices.Clone(m.ids) }

// Error returns three lines: what is wrong, the expression, and a caret
// under the mistake.
func (e *Error) Error() string {
	const before, after = 50, 20 // bytes shown of a long expression
	from, to := max(0, e.Offset-before), min(len(e.Expression), e.Offset+after)
	for from < e.Offset && !utf8.RuneStart(e.Expression[from]) {
		from++
	}
	for to < len(e.Expression) && !utf8.RuneStart(e.Expression[to]) {
		to++
	}
	lead, tail := "", ""
	if from > 0 {
		lead = "..."
	}
	if to < len(e.Expression) {
		tail = "..."
	}
	left := printable(e.Expression[from:min(e.Offset, len(e.Expression))])
	right := printable(e.Expression[min(e.Offset, to):to])
	indent := strings.Repeat(" ", len(lead)+utf8.RuneCountInString(left))
	return fmt.Sprintf("cannot read target %q: %s\n    %s\n    %s^",
		lead+left+right+tail, e.Why, lead+left+right+tail, indent)
}

// printable keeps one column a character, whatever stands in the expression.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
