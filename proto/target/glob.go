package target

import "fmt"

// A Glob is a pattern as Salt reads it (Python's fnmatch, with the case of
// letters): * is any text, ? any one character, [seq] one of seq, [!seq] one
// that is not in seq. It matches whole names, byte by byte.
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
	char   byte       // of a literal
	set    *[256]bool // of a class
	offset int        // in the pattern
}

// ParseGlob reads a pattern. A mistake is an *Error: a "[" that is not
// closed, or a range that ends before it begins, either of which would match
// nothing in silence.
func ParseGlob(pattern string) (*Glob, error) {
	g := &Glob{}
	for i := 0; i < len(pattern); {
		t := token{offset: i}
		width := 1
		switch pattern[i] {
		case '*':
			t.kind = star
		case '?':
			t.kind = one
		case '[':
			set, n, err := parseClass(pattern, i)
			if err != nil {
				return nil, err
			}
			t.kind, t.set, width = class, set, n
		default:
			t.char = pattern[i]
		}
		i += width
		if n := len(g.tokens); t.kind == star && n > 0 && g.tokens[n-1].kind == star {
			continue
		}
		g.tokens = append(g.tokens, t)
	}
	return g, nil
}

// parseClass reads the class that begins with the "[" at start, and returns
// how many bytes of the pattern it takes.
func parseClass(pattern string, start int) (*[256]bool, int, error) {
	i := start + 1
	not := i < len(pattern) && pattern[i] == '!'
	if not {
		i++
	}
	end := i
	if end < len(pattern) && pattern[end] == ']' {
		end++ // right after the opening it stands for itself
	}
	for end < len(pattern) && pattern[end] != ']' {
		end++
	}
	if end >= len(pattern) {
		return nil, 0, &Error{Expression: pattern, Offset: start, Why: "this [ has no closing ]"}
	}
	var set [256]bool
	for i < end {
		low, high := pattern[i], pattern[i]
		if i+2 < end && pattern[i+1] == '-' {
			high = pattern[i+2]
		}
		if low > high {
			return nil, 0, &Error{Expression: pattern, Offset: i,
				Why: fmt.Sprintf("the range %s ends before it begins", pattern[i:i+3])}
		}
		for c := int(low); c <= int(high); c++ {
			set[c] = true
		}
		if i+2 < end && pattern[i+1] == '-' {
			i += 2
		}
		i++
	}
	if not {
		for c := range set {
			set[c] = !set[c]
		}
	}
	return &set, end + 1 - start, nil
}

// Match tells whether the whole name fits the pattern. Its time grows with
// the product of both lengths at most.
func (g *Glob) Match(name string) bool {
	t, n := 0, 0
	back, resume := -1, 0 // the token after the last star, and where in name it is tried next
	for n < len(name) {
		switch {
		case t < len(g.tokens) && g.tokens[t].kind == star:
			t++
			back, resume = t, n
		case t < len(g.tokens) && g.tokens[t].matches(name[n]):
			t++
			n++
		case back >= 0:
			resume++
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

func (t token) matches(c byte) bool {
	switch t.kind {
	case literal:
		return t.char == c
	case class:
		return t.set[c]
	default:
		return true
	}
}
