// Package regex matches regular expressions in the syntax and with the meaning that they have in
// Python's re. Most run on Go's regexp, in time linear to the text; those that need more (look-around,
// back-references) run on a backtracking engine with a limit of time. This is the meaning on text, where \w is a
// letter of any script; states/regex has that on bytes.
package regex

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Flags are those of re that templates can set.
type Flags struct {
	IgnoreCase bool
	Multiline  bool
}

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	linear  *regexp.Regexp // nil when the expression needs the other engine
	full    *regexp2.Regexp
	options regexp2.RegexOptions // of full
	groups  int
	names   map[string]int
	dollar  bool // has a $ that also matches before a last line end
	unicode bool // has a class like \w that means more than ASCII
}

// limit bounds one match on the backtracking engine.
const limit = time.Second

var cache struct {
	sync.Mutex
	compiled map[cacheKey]*Regexp
}

type cacheKey struct {
	pattern string
	flags   Flags
}

// Compile reads an expression, or takes it from those that were compiled before.
func Compile(pattern string, flags Flags) (*Regexp, error) {
	k := cacheKey{pattern, flags}
	cache.Lock()
	re := cache.compiled[k]
	cache.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := compile(pattern, flags)
	if err != nil {
		return nil, err
	}
	cache.Lock()
	defer cache.Unlock()
	if len(cache.compiled) >= 500 || cache.compiled == nil {
		cache.compiled = map[cacheKey]*Regexp{}
	}
	cache.compiled[k] = re
	return re, nil
}

// maxLength bounds a pattern, and with it how deep it can be nested.
const maxLength = 10_000

func compile(pattern string, flags Flags) (*Regexp, error) {
	if len(pattern) > maxLength {
		return nil, fmt.Errorf("a regular expression longer than %d characters", maxLength)
	}
	t := translate(pattern)
	if t.err != nil {
		return nil, t.err
	}
	options := regexp2.None
	prefix := ""
	if flags.IgnoreCase {
		options |= regexp2.IgnoreCase
		prefix += "i"
	}
	if flags.Multiline {
		options |= regexp2.Multiline
		prefix += "m"
	}
	full, err := regexp2.Compile(t.full.String(), options)
	if err != nil {
		return nil, fmt.Errorf("bad regular expression %q: %v", pattern, err)
	}
	full.MatchTimeout = limit
	re := &Regexp{full: full, options: regexp2.RegexOptions(options), groups: t.groups, names: t.names, dollar: t.dollar && !flags.Multiline, unicode: t.unicode}
	if !t.backtracks {
		if prefix != "" {
			prefix = "(?" + prefix + ")"
		}
		re.linear, _ = regexp.Compile(prefix + t.linear.String()) // where it can't, the other engine can
	}
	return re, nil
}

// A Match is where an expression matched: pairs of byte offsets, the whole first, -1 for a group
// that took no part.
type Match struct {
	text string
	at   []int
}

// Group returns what a group matched; ok tells whether it took part.
func (m *Match) Group(i int) (string, bool) {
	if m.at[2*i] < 0 {
		return "", false
	}
	return m.text[m.at[2*i]:m.at[2*i+1]], true
}

// NumGroups is the number of groups in the expression.
func (re *Regexp) NumGroups() int { return re.groups }

// isLinear reports whether Go's regexp gives the same answer for this text.
func (re *Regexp) isLinear(s string) bool {
	switch {
	case re.linear == nil:
		return false
	case re.dollar && strings.HasSuffix(s, "\n"):
		return false
	}
	if re.unicode {
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf {
				return false
			}
		}
	}
	return true
}

// Search finds the first match, or nil.
func (re *Regexp) Search(s string) (*Match, error) {
	if re.isLinear(s) {
		if at := re.linear.FindStringSubmatchIndex(s); at != nil {
			return &Match{s, at}, nil
		}
		return nil, nil
	}
	m, err := re.full.FindStringMatch(s)
	if m == nil || err != nil {
		return nil, wrapTimeout(err)
	}
	return re.convert(s, offsets(s), m), nil
}

// Match is Search for a match at the start of the text.
func (re *Regexp) Match(s string) (*Match, error) {
	m, err := re.Search(s)
	if m == nil || err != nil || m.at[0] == 0 {
		return m, err
	}
	// The first match is not at the start, but another alternative may be.
	anchored, err := re.anchored()
	if err != nil {
		return nil, err
	}
	return anchored.Search(s)
}

func (re *Regexp) anchored() (*Regexp, error) {
	full, err := regexp2.Compile(`\A(?:`+re.full.String()+`)`, re.options)
	if err != nil {
		return nil, err
	}
	full.MatchTimeout = limit
	return &Regexp{full: full, groups: re.groups, names: re.names}, nil
}

func wrapTimeout(err error) error {
	if err != nil {
		return fmt.Errorf("the regular expression takes too long: %w", err)
	}
	return nil
}

// offsets maps indexes of characters to those of bytes; nil when they are the same.
func offsets(s string) []int {
	if utf8.RuneCountInString(s) == len(s) {
		return nil
	}
	out := make([]int, 0, len(s)+1)
	for i := range s {
		out = append(out, i)
	}
	return append(out, len(s))
}

func (re *Regexp) convert(s string, bytes []int, m *regexp2.Match) *Match {
	at := make([]int, 2*(re.groups+1))
	for i := range re.groups + 1 {
		g := m.GroupByNumber(i)
		if g == nil || len(g.Captures) == 0 {
			at[2*i], at[2*i+1] = -1, -1
			continue
		}
		from, to := g.Index, g.Index+g.Length
		if bytes != nil {
			from, to = bytes[from], bytes[to]
		}
		at[2*i], at[2*i+1] = from, to
	}
	return &Match{s, at}
}

// all finds all matches that do not overlap, also empty ones that touch the one before.
func (re *Regexp) all(s string) ([]*Match, error) {
	var out []*Match
	if re.isLinear(s) && !re.linear.MatchString("") {
		for _, at := range re.linear.FindAllStringSubmatchIndex(s, -1) {
			out = append(out, &Match{s, at})
		}
		return out, nil
	}
	bytes := offsets(s)
	m, err := re.full.FindStringMatch(s)
	for m != nil && err == nil {
		out = append(out, re.convert(s, bytes, m))
		m, err = re.full.FindNextMatch(m)
	}
	return out, wrapTimeout(err)
}

// Replace puts the template in the place of every match. In it \1, \g<1> and \g<name> stand for groups.
func (re *Regexp) Replace(s, template string) (string, error) {
	parts, err := re.parseTemplate(template)
	if err != nil {
		return "", err
	}
	matches, err := re.all(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	last := 0
	for _, m := range matches {
		b.WriteString(s[last:m.at[0]])
		for _, p := range parts {
			if p.group < 0 {
				b.WriteString(p.text)
				continue
			}
			text, _ := m.Group(p.group)
			b.WriteString(text)
		}
		last = m.at[1]
		if b.Len() > 64<<20 {
			return "", fmt.Errorf("the text would be too large")
		}
	}
	b.WriteString(s[last:])
	return b.String(), nil
}

// A part of a template is text or, when group is not negative, a group.
type part struct {
	text  string
	group int
}

func (re *Regexp) parseTemplate(t string) ([]part, error) {
	var parts []part
	for i := 0; i < len(t); {
		j := strings.IndexByte(t[i:], '\\')
		if j < 0 {
			return append(parts, part{t[i:], -1}), nil
		}
		if j > 0 {
			parts = append(parts, part{t[i : i+j], -1})
		}
		p, n, err := re.templateEscape(t[i+j:])
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		i += j + n
	}
	return parts, nil
}

// templateEscape reads what begins with a backslash, and returns its length.
func (re *Regexp) templateEscape(t string) (part, int, error) {
	if len(t) < 2 {
		return part{}, 0, fmt.Errorf(`bad escape (end of pattern)`)
	}
	switch c := t[1]; {
	case c == 'g':
		end := strings.IndexByte(t, '>')
		if len(t) < 3 || t[2] != '<' || end < 0 {
			return part{}, 0, fmt.Errorf("missing group name")
		}
		n, err := re.groupNamed(t[3:end])
		return part{group: n}, end + 1, err
	case c == '0' || isOctal(t[1:]):
		n := 2
		for n < 4 && n < len(t) && t[n] >= '0' && t[n] <= '7' {
			n++
		}
		code := 0
		for _, d := range t[1:n] {
			code = code*8 + int(d-'0')
		}
		return part{string(rune(code & 0xff)), -1}, n, nil
	case c >= '1' && c <= '9':
		n := 2
		if len(t) > 2 && t[2] >= '0' && t[2] <= '9' {
			n = 3
		}
		g, err := re.groupNamed(t[1:n])
		return part{group: g}, n, err
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		if i := strings.IndexByte("abfnrtv", c); i >= 0 {
			return part{string("\a\b\f\n\r\t\v"[i]), -1}, 2, nil
		}
		return part{}, 0, fmt.Errorf(`bad escape \%c`, c)
	case c == '\\':
		return part{`\`, -1}, 2, nil
	}
	_, n := utf8.DecodeRuneInString(t[1:])
	return part{t[:1+n], -1}, 1 + n, nil
}

// isOctal reports whether three octal digits follow a backslash.
func isOctal(t string) bool {
	return len(t) >= 3 && t[0] <= '3' && t[0] >= '0' && t[1] >= '0' && t[1] <= '7' && t[2] >= '0' && t[2] <= '7'
}

func (re *Regexp) groupNamed(name string) (int, error) {
	n, known := re.names[name]
	if !known {
		if _, err := fmt.Sscanf(name, "%d", &n); err != nil {
			return 0, fmt.Errorf("unknown group name %q", name)
		}
	}
	if n > re.groups {
		return 0, fmt.Errorf("invalid group reference %d", n)
	}
	return n, nil
}

// Escape is re.escape.
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
