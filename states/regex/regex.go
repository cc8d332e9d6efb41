// Package regex is Python's regular expressions on bytes: re.compile, search, finditer and sub, with
// Python's syntax, its rules for matches that are empty, and its replacement texts.
//
// An expression that RE2 can decide runs on it, in time linear to the text. One with lookaround, references back,
// or matches that may be empty runs on a backtracking engine, with a limit of time.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Flags are Python's, by their numbers.
type Flags int

// The flags that change something on bytes.
const (
	IgnoreCase Flags = 2
	Multiline  Flags = 8
	DotAll     Flags = 16
	Verbose    Flags = 64
)

// limit is how long a backtracking engine may look for one match.
const limit = 10 * time.Second

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	fast  *regexp.Regexp
	slow  *regexp2.Regexp
	names map[string]int // of groups
	count int            // of groups
}

// QuoteMeta returns an expression that matches the text itself.
func QuoteMeta(text string) string { return regexp.QuoteMeta(text) }

// Compile reads an expression.
func Compile(expr string, flags Flags) (*Regexp, error) {
	t := translation{src: expr, flags: flags}
	if err := t.run(); err != nil {
		return nil, fmt.Errorf("cannot read the regular expression %q: %w", expr, err)
	}
	if !t.backtracks {
		if re := fast(t.fast.String()); re != nil {
			return &Regexp{fast: re, names: t.names, count: t.groups}, nil
		}
	}
	options := regexp2.None
	if t.flags&Verbose != 0 {
		options = regexp2.IgnorePatternWhitespace
	}
	re, err := regexp2.Compile(t.slow.String(), options)
	if err != nil {
		var syntaxError *syntax.Error
		if _, bad := syntax.Parse(t.fast.String(), syntax.Perl); errors.As(bad, &syntaxError) && !t.backtracks {
			err = fmt.Errorf("%s: %q", syntaxError.Code, syntaxError.Expr)
		}
		return nil, fmt.Errorf("cannot read the regular expression %q: %w", expr, err)
	}
	re.MatchTimeout = limit
	return &Regexp{slow: re, names: t.names, count: t.groups}, nil
}

// fast compiles what RE2 decides as Python would: nil for anything else. Of matches that may be empty the two have
// other rules.
func fast(expr string) *regexp.Regexp {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || shortest(parsed) == 0 {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil
	}
	return re
}

// shortest is how few characters can match.
func shortest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		return min(re.Min, 1) * shortest(re.Sub[0])
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n += shortest(sub)
		}
		return n
	case syntax.OpAlternate:
		n := shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, shortest(sub))
		}
		return n
	}
	return 0
}

// Match says whether the expression matches anywhere in text.
func (re *Regexp) Match(text []byte) (bool, error) {
	if re.fast != nil {
		return re.fast.Match(text), nil
	}
	ok, err := re.slow.MatchRunes(runes(text))
	return ok, timeout(err)
}

// Find returns where the expression matches, at most n times, without end for n < 1. Each match is pairs of
// the bytes where it and its groups begin and end; -1 for a group that has no part in it.
func (re *Regexp) Find(text []byte, n int) ([][]int, error) {
	if n < 1 {
		n = -1
	}
	if re.fast != nil {
		return re.fast.FindAllSubmatchIndex(text, n), nil
	}
	return re.backtrack(text, n)
}

// backtrack finds matches by Python's rule: one that is empty may follow another at once, but not an empty one there.
func (re *Regexp) backtrack(text []byte, n int) ([][]int, error) {
	in := runes(text)
	at := offsets(text, len(in))
	var all [][]int
	for pos := 0; pos <= len(in) && n != len(all); {
		m, err := re.slow.FindRunesMatchStartingAt(in, pos)
		if err != nil {
			return nil, timeout(err)
		}
		if m == nil {
			break
		}
		all = append(all, re.place(m, at))
		pos = m.Index + m.Length
		if m.Length == 0 {
			pos++
		}
	}
	return all, nil
}

func (re *Regexp) place(m *regexp2.Match, at []int) []int {
	pairs := []int{at[m.Index], at[m.Index+m.Length]}
	for i := range re.count {
		g := m.GroupByNumber(i + 1)
		if g == nil || len(g.Captures) == 0 {
			pairs = append(pairs, -1, -1)
			continue
		}
		pairs = append(pairs, at[g.Index], at[g.Index+g.Length])
	}
	return pairs
}

// runes are the characters of text, or its bytes when it is no UTF-8.
func runes(text []byte) []rune {
	if utf8.Valid(text) {
		return []rune(string(text))
	}
	all := make([]rune, len(text))
	for i, b := range text {
		all[i] = rune(b)
	}
	return all
}

// offsets are where the runes of text begin in it, and where it ends.
func offsets(text []byte, n int) []int {
	at := make([]int, 0, n+1)
	if n == len(text) {
		for i := range n {
			at = append(at, i)
		}
	} else {
		for i := range string(text) {
			at = append(at, i)
		}
	}
	return append(at, len(text))
}

func timeout(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot decide the regular expression: it takes more than %v", limit)
}
