package target

import (
	"fmt"
	"unicode/utf8"
)

// A Glob is a pattern as Salt reads it (Python's fnmatch, with the case of
// letters): * is any text, ? any one character, [seq] one of seq, [!seq] one
// that is not in seq. It matches whole names.
type Glob struct {
	tokens []token
}

type kind int

const (
	literal kind = iota
	one          // ?
	star         // *
	class        // [seq]
)

type token struct {
	kind   kind
	char   rune   // of a literal
	set    *chars // of a class
	offset int    // in the pattern
}

// chars are the characters of a class.
type chars struct {
	not    bool
	ranges [][2]rune
}

// ParseGlob reads a pattern. A mistake is an *Error: a "[" that is not
// closed, or a range that ends before it begins, either of which would match
// nothing in silence.
func ParseGlob(pattern string) (*Glob, error) { return parseGlob(pattern, false) }

// parseGlob reads a pattern. Where it is for values a "[" that is not closed
// stands for itself, as in Salt.
func parseGlob(pattern string, values bool) (*Glob, error) {
	g := &Glob{}
	for i := 0; i < len(pattern); {
		r, width := utf8.DecodeRuneInString(pattern[i:])
		t := token{offset: i, char: r}
		switch r {
		case '*':
			t.kind = star
		case '?':
			t.kind = one
		case '[':
			end := classEnd(pattern, i)
			if end < 0 && !values {
				return nil, &Error{Expression: pattern, Offset: i, Why: "this [ has no closing ]"}
			}
			if end < 0 {
				break
			}
			set, err := parseClass(pattern, i+1, end)
			if err != nil {
				return nil, err
			}
			t.kind, t.set, width = class, set, end+1-i
		}
		i += width
		if n := len(g.tokens); t.kind == star && n > 0 && g.tokens[n-1].kind == star {
			continue
		}
		g.tokens = append(g.tokens, t)
	}
	return g, nil
}

// classEnd finds the "]" of the class that begins with the "[" at start, or -1.
func classEnd(pattern string, start int) int {
	end := start + 1
	if end < len(pattern) && pattern[end] == '!' {
		end++
	}
	if end < len(pattern) && pattern[end] == ']' {
		end++ // right after the opening it stands for itself
	}
	for ; end < len(pattern); end++ {
		if pattern[end] == ']' {
			return end
		}
	}
	return -1
}

// parseClass reads what stands between the brackets.
func parseClass(pattern string, from, end int) (*chars, error) {
	set := &chars{not: pattern[from] == '!'}
	if set.not {
		from++
	}
	for at := from; at < end; {
		low, width := utf8.DecodeRuneInString(pattern[at:end])
		high, next := low, at+width
		if next+1 < end && pattern[next] == '-' {
			high, width = utf8.DecodeRuneInString(pattern[next+1 : end])
			next += 1 + width
		}
		if low > high {
			return nil, &Error{Expression: pattern, Offset: at,
				Why: fmt.Sprintf("the range %s ends before it begins", pattern[at:next])}
		}
		set.ranges = append(set.ranges, [2]rune{low, high})
		at = next
	}
	return set, nil
}

// Match tells whether the whole name fits the pattern. Its time grows with
// the product of both lengths at most.
func (g *Glob) Match(name string) bool {
	t, n := 0, 0
	back, resume := -1, 0 // the token after the last star, and where in name it is tried next
	for n < len(name) {
		r, width := utf8.DecodeRuneInString(name[n:])
		switch {
		case t < len(g.tokens) && g.tokens[t].kind == star:
			t++
			back, resume = t, n
		case t < len(g.tokens) && g.tokens[t].matches(r):
			t++
			n += width
		case back >= 0:
			_, width = utf8.DecodeRuneInString(name[resume:])
			resume += width
			t, n = back, resume
		default:
			return false
		}
	}
	for t < len(g.tokens) && g.tokens[t].kind == star {
		t++
	}
	return t == len(g.tokens)
}

func (t token) matches(r rune) bool {
	switch t.kind {
	case literal:
		return t.char == r
	case class:
		return t.set.has(r) != t.set.not
	default:
		return true
	}
}

func (c *chars) has(r rune) bool {
	for _, pair := range c.ranges {
		if pair[0] <= r && r <= pair[1] {
			return true
		}
	}
	return false
}
