package syntax

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"brine/states/jinja/python"
)

// Options are the rules of white space.
type Options struct {
	TrimBlocks   bool // the line end after a block is removed
	LstripBlocks bool // blanks between the start of a line and a block are removed
}

// normalize makes all line ends equal and removes the last one.
func normalize(source string) string {
	if strings.Contains(source, "\r") {
		source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	}
	return strings.TrimSuffix(source, "\n")
}

type lexer struct {
	Options
	source  string
	at      int
	line    int
	lineAt  int // where line begins
	counted int // how far into source the characters of line are counted
	column  int // how many those are
	tokens  []token
	open    []byte // the closing brackets that are still to come
	newLine bool   // what was read last ends a line, or nothing was read yet
}

// lex reads a template. Its tokens end with an EOF, or with an error, which only counts when the parser
// comes that far: a mistake that stands before it is found first.
func lex(source string, o Options) []token {
	l := &lexer{Options: o, source: normalize(source), line: 1, newLine: true}
	for l.at < len(l.source) {
		if err := l.text(); err != nil {
			l.tokens = append(l.tokens, token{kind: tokError, err: err})
			return l.tokens
		}
	}
	l.add(tokEOF, "", l.pos())
	return l.tokens
}

// pos is where the lexer is. Characters are counted on from where it was asked before, since a line may have thousands of tokens.
func (l *lexer) pos() Pos {
	if l.counted < l.lineAt {
		l.counted, l.column = l.lineAt, 0
	}
	l.column += utf8.RuneCountInString(l.source[l.counted:l.at])
	l.counted = l.at
	return Pos{l.line, l.column + 1}
}

func (l *lexer) add(k kind, text string, pos Pos) {
	l.tokens = append(l.tokens, token{kind: k, text: text, pos: pos})
}

func (l *lexer) fail(pos Pos, text string) error { return &Error{Pos: pos, Text: text} }

// advance moves over n bytes.
func (l *lexer) advance(n int) {
	part := l.source[l.at : l.at+n]
	if c := strings.Count(part, "\n"); c > 0 {
		l.line += c
		l.lineAt = l.at + strings.LastIndexByte(part, '\n') + 1
	}
	if n > 0 {
		l.newLine = part[n-1] == '\n'
	}
	l.at += n
}

func (l *lexer) rest() string { return l.source[l.at:] }

var rawBegin = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\{%([-+]?)\s*raw\s*(?:-%\}\s*|%\})`) })

// text reads data up to the next tag, and the tag.
func (l *lexer) text() error {
	rest := l.rest()
	i := nextTag(rest)
	if i < 0 {
		l.data(rest, "", false)
		l.advance(len(rest))
		return nil
	}
	if m := rawBegin().FindStringSubmatch(rest[i:]); m != nil {
		l.data(rest[:i], m[1], true)
		l.advance(i)
		begin := l.pos()
		l.advance(len(m[0]))
		return l.raw(begin)
	}
	sign := ""
	if i+2 < len(rest) && (rest[i+2] == '-' || rest[i+2] == '+') {
		sign = rest[i+2 : i+3]
	}
	l.data(rest[:i], sign, rest[i+1] != '{')
	l.advance(i)
	pos := l.pos()
	l.advance(2 + len(sign))
	switch rest[i+1] {
	case '#':
		return l.comment(pos)
	case '%':
		l.add(tokBlockBegin, "", pos)
		return l.code("%}", tokBlockEnd)
	}
	l.add(tokVariableBegin, "", pos)
	return l.code("}}", tokVariableEnd)
}

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		j := strings.IndexByte(s[i:], '{')
		if j < 0 || i+j+1 >= len(s) {
			return -1
		}
		i += j
		if c := s[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
	return -1
}

// data adds text that stands before a tag with the sign given.
func (l *lexer) data(text, sign string, block bool) {
	switch {
	case sign == "-":
		text = strings.TrimRightFunc(text, python.IsSpace)
	case sign == "" && block && l.LstripBlocks:
		start := strings.LastIndexByte(text, '\n') + 1
		if (start > 0 || l.newLine) && strings.TrimFunc(text[start:], python.IsSpace) == "" {
			text = text[:start]
		}
	}
	if text != "" {
		l.add(tokData, text, l.pos())
	}
}

// tagEnd returns the length of what follows the end of a tag and belongs to it.
func (l *lexer) after(at int, sign byte, block bool) int {
	rest := l.source[at:]
	switch {
	case sign == '-':
		return len(rest) - len(strings.TrimLeftFunc(rest, python.IsSpace))
	case sign != '+' && block && l.TrimBlocks && strings.HasPrefix(rest, "\n"):
		return 1
	}
	return 0
}

func (l *lexer) comment(begin Pos) error {
	rest := l.rest()
	i := strings.Index(rest, "#}")
	if i < 0 {
		if rest == "" {
			return nil // Jinja overlooks a comment that begins at the very end
		}
		return l.fail(begin, "Missing end of comment tag")
	}
	sign := byte(0)
	if i > 0 {
		sign = rest[i-1]
	}
	l.advance(i + 2 + l.after(l.at+i+2, sign, true))
	return nil
}

var rawEnd = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{%([-+]?)\s*endraw\s*([-+]?)%\}`) })

func (l *lexer) raw(begin Pos) error {
	rest := l.rest()
	m := rawEnd().FindStringSubmatchIndex(rest)
	if m == nil {
		if rest == "" {
			return nil
		}
		return l.fail(begin, "Missing end of raw directive")
	}
	l.data(rest[:m[0]], rest[m[2]:m[3]], true)
	sign := byte(0)
	if m[4] < m[5] {
		sign = rest[m[4]]
	}
	l.advance(m[1] + l.after(l.at+m[1], sign, true))
	return nil
}

// maxTag bounds how long a tag may be, and with it how deep its expressions can be nested.
const maxTag = 100_000

// code reads the inside of a tag and its end.
func (l *lexer) code(end string, endKind kind) error {
	limit := len(l.tokens) + maxTag
	for {
		if len(l.tokens) > limit {
			return l.fail(l.pos(), "a tag of more than "+python.Itoa(maxTag)+" words")
		}
		rest := l.rest()
		if rest == "" {
			return nil
		}
		if len(l.open) == 0 {
			if n := l.end(rest, end); n > 0 {
				l.add(endKind, "", l.pos())
				sign := rest[0]
				l.advance(n)
				l.advance(l.after(l.at, sign, endKind == tokBlockEnd))
				return nil
			}
		}
		if n := len(rest) - len(strings.TrimLeftFunc(rest, python.IsSpace)); n > 0 {
			l.advance(n)
			continue
		}
		if err := l.one(rest); err != nil {
			return err
		}
	}
}

// end returns the length of the end of a tag, when rest begins with it.
func (l *lexer) end(rest, end string) int {
	switch {
	case strings.HasPrefix(rest, end):
		return len(end)
	case strings.HasPrefix(rest[1:], end) && (rest[0] == '-' || rest[0] == '+' && end == "%}"):
		return len(end) + 1
	}
	return 0
}

var (
	floatToken = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?i:(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+\-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+))`)
	})
	integerToken = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?i:0b(?:_?[0-1])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*)`)
	})
	operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")",
		"{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}
)

// one reads the token that rest begins with.
func (l *lexer) one(rest string) error {
	pos := l.pos()
	if c := rest[0]; c >= '0' && c <= '9' {
		if l.number(rest, pos) {
			return nil
		}
	}
	if n := nameLength(rest); n > 0 {
		if !python.IsIdentifier(rest[:n]) {
			return l.fail(pos, "Invalid character in identifier")
		}
		l.add(tokName, rest[:n], pos)
		l.advance(n)
		return nil
	}
	if rest[0] == '\'' || rest[0] == '"' {
		if n := stringLength(rest); n > 0 {
			s, err := unescape(rest[1 : n-1])
			if err != "" {
				return l.fail(pos, err)
			}
			l.add(tokString, s, pos)
			l.advance(n)
			return nil
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return l.operator(op, pos)
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	at := utf8.RuneCountInString(l.source[:l.at])
	return l.fail(pos, "unexpected char "+python.Quote(string(r))+" at "+python.Itoa(at))
}

func (l *lexer) number(rest string, pos Pos) bool {
	if m := floatToken().FindString(rest); m != "" && (l.at == 0 || l.source[l.at-1] != '.') {
		f, _ := python.ParseFloat(m)
		l.tokens = append(l.tokens, token{kind: tokFloat, num: f, pos: pos})
		l.advance(len(m))
		return true
	}
	m := integerToken().FindString(rest)
	if m == "" {
		return false
	}
	i, ok := python.ParseInt(m, 0)
	if !ok {
		return false
	}
	l.tokens = append(l.tokens, token{kind: tokInteger, num: i, pos: pos})
	l.advance(len(m))
	return true
}

func (l *lexer) operator(op string, pos Pos) error {
	switch op {
	case "(":
		l.open = append(l.open, ')')
	case "[":
		l.open = append(l.open, ']')
	case "{":
		l.open = append(l.open, '}')
	case ")", "]", "}":
		if len(l.open) == 0 {
			return l.fail(pos, "unexpected '"+op+"'")
		}
		want := l.open[len(l.open)-1]
		l.open = l.open[:len(l.open)-1]
		if op[0] != want {
			return l.fail(pos, "unexpected '"+op+"', expected '"+string(want)+"'")
		}
	}
	l.add(kind(op), op, pos)
	l.advance(len(op))
	return nil
}

func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Mn, unicode.Mc) {
			return i
		}
	}
	return len(s)
}

// stringLength is the length of the string literal that s begins with, or 0 when it does not end.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}
