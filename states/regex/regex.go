// Package regex is Python's regular expressions: re.compile, match, search, finditer and sub, with Python's syntax, its
// rules for matches that are empty, and its replacement texts. On bytes, as files are searched, \w means letters of
// ASCII; with the flag Unicode, as templates search their texts, letters of every script.
//
// An expression that RE2 decides as Python would runs on it, in time linear to the text. One with lookaround, references
// back, or matches that may be empty runs on a backtracking engine, with a limit of time.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// Flags are Python's, by their numbers.
type Flags int

// The flags that there are.
const (
	IgnoreCase Flags = 2
	Multiline  Flags = 8
	DotAll     Flags = 16
	Unicode    Flags = 32 // \w, \d, \s and \b mean characters of every script
	Verbose    Flags = 64
)

// How long the backtracking engine may look for one match, in files and in texts.
const (
	limit     = 5 * time.Second
	limitText = time.Second
)

// maxLength bounds an expression, and with it how deep it can be nested.
const maxLength = 10_000

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	names map[string]int // of groups
	count int            // of groups

	fast    *regexp.Regexp                  // nil when RE2 can't decide it as Python does
	slow    func() (*regexp2.Regexp, error) // compiled at first use
	further func() (*regexp2.Regexp, error) // finds no empty match where it begins to look
	begins  func() (*Regexp, error)         // matches at the start only
	limit   time.Duration                   // of slow and further

	mayBeEmpty bool // matches may be; RE2 finds the first one as Python does, and others not
	dollar     bool // there is a $ that also matches before a last line end, where RE2's does not
	scripts    bool // there is a class that means more than ASCII, which RE2's does not
}

// cache keeps expressions, since loops and templates use the same ones over and over.
var cache struct {
	sync.Mutex
	compiled map[source]*Regexp
}

type source struct {
	expr  string
	flags Flags
}

const maxCached = 500

// Compile reads an expression, or takes it from those that were read before.
func Compile(expr string, flags Flags) (*Regexp, error) {
	key := source{expr, flags}
	cache.Lock()
	re := cache.compiled[key]
	cache.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := compile(expr, flags)
	if err != nil {
		return nil, fmt.Errorf("cannot read the regular expression %s: %w", shown(expr), err)
	}
	cache.Lock()
	defer cache.Unlock()
	if len(cache.compiled) >= maxCached || cache.compiled == nil {
		cache.compiled = map[source]*Regexp{}
	}
	cache.compiled[key] = re
	return re, nil
}

// shown is an expression as errors show it, without most of a long one.
func shown(expr string) string {
	const most = 200
	if len(expr) <= most {
		return strconv.Quote(expr)
	}
	return strconv.Quote(strings.ToValidUTF8(expr[:most], "")) + "..."
}

func compile(expr string, flags Flags) (*Regexp, error) {
	if len(expr) > maxLength {
		return nil, fmt.Errorf("it is longer than %d characters", maxLength)
	}
	t := translation{src: expr, flags: flags}
	if err := t.run(); err != nil {
		return nil, err
	}
	re := &Regexp{names: t.names, count: t.groups, dollar: t.dollar, scripts: t.scripts, limit: limit}
	if flags&Unicode != 0 {
		re.limit = limitText
	}
	re.slow = re.later(t.slow.String(), t.flags)
	end := ")"
	if t.flags&Verbose != 0 {
		end = "\n)" // after a comment
	}
	re.further = re.later("(?:"+t.slow.String()+end+`(?!\G)`, t.flags)
	re.begins = sync.OnceValues(func() (*Regexp, error) { return compile(`\A(?:`+expr+end, flags) })
	fast := t.fast.String()
	parsed, bad := syntax.Parse(fast, syntax.Perl)
	if bad == nil && !t.backtracks && !emptyTurns(parsed) {
		re.fast, _ = regexp.Compile(fast) // what is too large for it is for the other
		re.mayBeEmpty = shortest(parsed) == 0
	}
	if re.fast != nil {
		return re, nil
	}
	_, err := re.slow()
	var mistake *syntax.Error
	if err != nil && !t.backtracks && errors.As(bad, &mistake) {
		err = fmt.Errorf("%s: %q", mistake.Code, mistake.Expr)
	}
	return re, err
}

// later compiles an expression for the backtracking engine when it is first asked for.
func (re *Regexp) later(expr string, flags Flags) func() (*regexp2.Regexp, error) {
	return sync.OnceValues(func() (*regexp2.Regexp, error) {
		options := regexp2.None
		if flags&Verbose != 0 {
			options = regexp2.IgnorePatternWhitespace
		}
		slow, err := regexp2.Compile(expr, options)
		if err == nil {
			slow.MatchTimeout = re.limit
		}
		return slow, err
	})
}

// emptyTurns says whether something is repeated that may be empty and is a group: the group's last turn is empty in
// Python, and none in RE2.
func emptyTurns(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		if re.MaxCap() > 0 && shortest(re.Sub[0]) == 0 {
			return true
		}
	}
	for _, sub := range re.Sub {
		if emptyTurns(sub) {
			return true
		}
	}
	return false
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

// NumGroups is how many groups the expression has.
func (re *Regexp) NumGroups() int { return re.count }

// QuoteMeta returns an expression that matches the text itself.
func QuoteMeta(text string) string { return regexp.QuoteMeta(text) }

// Escape is QuoteMeta as Python's re.escape writes it.
func Escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
