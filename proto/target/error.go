package target

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a mistake in a target expression. Its text shows the place.
type Error struct {
	Expression string
	Offset     int // of the byte that is wrong
	Why        string
	Group      string // the nodegroup that has the expression; "" for a target
}

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
	shown := lead + left + right + tail
	subject := fmt.Sprintf("target %q", shown)
	if e.Group != "" {
		subject = fmt.Sprintf("nodegroup %q", printable(e.Group))
	}
	return fmt.Sprintf("cannot read %s: %s\n    %s\n    %s^", subject, e.Why, shown, indent)
}

// printable keeps one column a character, whatever stands in the expression: what a terminal shows wide, narrow or not at all
// is a question mark.
func printable(s string) string {
	const latinGreekCyrillic = '\u052f'
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r >= ' ' && r <= '~' || r <= latinGreekCyrillic && unicode.IsLetter(r) {
			return r
		}
		return '?'
	}, s)
}

// An Unknown says that a target asks a minion for what is not known of it.
type Unknown struct {
	Asks       // what was asked for in vain
	Why  error // nil where nobody can tell
}

// Error says what is not known, and why.
func (u *Unknown) Error() string {
	text := "its pillar is not known"
	switch {
	case u.Grains && u.Pillar:
		text = "its grains and its pillar are not known"
	case u.Grains:
		text = "its grains are not known"
	}
	if u.Why != nil {
		text += ": " + u.Why.Error()
	}
	return text
}

// Unwrap returns the reason.
func (u *Unknown) Unwrap() error { return u.Why }
