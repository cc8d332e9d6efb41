package dump

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	bestWidth  = 80
	bestIndent = 2
	maxKey     = 128 // characters of a key that is written without "? "
)

// An emitter writes nodes in the layout of libyaml.
type emitter struct {
	width int
	step  int    // of indentation
	ascii bool   // other characters are written as escapes
	end   string // of lines

	b          strings.Builder
	column     int
	indent     int
	indents    []int
	flowLevel  int
	whitespace bool // what was written last is a blank
	indention  bool // the line so far is indentation only
}

func (e *emitter) put(s string) {
	e.b.WriteString(s)
	e.column += utf8.RuneCountInString(s)
}

func newEmitter() *emitter {
	return &emitter{width: bestWidth, step: bestIndent, end: "\n", indent: -1, whitespace: true, indention: true}
}

func (e *emitter) lineBreak() {
	e.b.WriteString(e.end)
	e.column = 0
}

// breakLine writes a break that a text has.
func (e *emitter) breakLine(r rune) {
	if r == '\n' {
		e.b.WriteString(e.end)
	} else {
		e.b.WriteRune(r)
	}
	e.column = 0
}

func (e *emitter) indicator(s string, needSpace, whitespace, indention bool) {
	if needSpace && !e.whitespace {
		e.put(" ")
	}
	e.put(s)
	e.whitespace = whitespace
	e.indention = e.indention && indention
}

func (e *emitter) deeper(flow, indentless bool) {
	e.indents = append(e.indents, e.indent)
	switch {
	case e.indent < 0 && flow:
		e.indent = e.step
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += e.step
	}
}

func (e *emitter) back() {
	e.indent = e.indents[len(e.indents)-1]
	e.indents = e.indents[:len(e.indents)-1]
}

// newLine goes to the indentation of a new line, unless that is where it is.
func (e *emitter) newLine() {
	indent := max(e.indent, 0)
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak()
	}
	if e.column < indent {
		e.put(strings.Repeat(" ", indent-e.column))
	}
	e.whitespace, e.indention = true, true
}

// node writes a node: as a value of a mapping, or as a key that stands before its colon on one line.
func (e *emitter) node(n *node, inMapping, simpleKey bool) {
	if n.anchor != "" {
		if n.shown {
			e.indicator("*"+n.anchor, true, false, false)
			return
		}
		n.shown = true
		e.indicator("&"+n.anchor, true, false, false)
	}
	style := byte(0)
	if n.kind == 's' {
		if style = e.style(n, simpleKey); style != 0 && n.other && n.tag == "" {
			e.indicator("!", true, false, false) // it is no text, and libyaml doesn't know what
		}
	}
	if n.tag != "" {
		e.indicator(n.tag, true, false, false)
	}
	switch {
	case n.kind == 's':
		e.deeper(true, false)
		e.scalar(n.text, style, simpleKey)
		e.back()
	case n.kind == 'l' && (e.flowLevel > 0 || n.flow || len(n.items) == 0):
		e.flowList(n)
	case n.kind == 'l':
		e.blockList(n, inMapping)
	case e.flowLevel > 0 || n.flow || len(n.items) == 0:
		e.flowMap(n)
	default:
		e.blockMap(n)
	}
}

func (e *emitter) flowList(n *node) {
	e.indicator("[", true, true, false)
	e.deeper(true, false)
	e.flowLevel++
	for i, item := range n.items {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		if e.column > e.width {
			e.newLine()
		}
		e.node(item, false, false)
	}
	e.flowLevel--
	e.back()
	e.indicator("]", false, false, false)
}

func (e *emitter) flowMap(n *node) {
	e.indicator("{", true, true, false)
	e.deeper(true, false)
	e.flowLevel++
	for i := 0; i < len(n.items); i += 2 {
		if i > 0 {
			e.indicator(",", false, false, false)
		}
		if e.column > e.width {
			e.newLine()
		}
		if e.simple(n.items[i]) {
			e.node(n.items[i], false, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, false)
			e.node(n.items[i], true, false)
			if e.column > e.width {
				e.newLine()
			}
			e.indicator(":", true, false, false)
		}
		e.node(n.items[i+1], true, false)
	}
	e.flowLevel--
	e.back()
	e.indicator("}", false, false, false)
}

func (e *emitter) blockList(n *node, inMapping bool) {
	e.deeper(false, inMapping && !e.indention)
	for _, item := range n.items {
		e.newLine()
		e.indicator("-", true, false, true)
		e.node(item, false, false)
	}
	e.back()
}

func (e *emitter) blockMap(n *node) {
	e.deeper(false, false)
	for i := 0; i < len(n.items); i += 2 {
		e.newLine()
		if e.simple(n.items[i]) {
			e.node(n.items[i], false, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, true)
			e.node(n.items[i], true, false)
			e.newLine()
			e.indicator(":", true, false, true)
		}
		e.node(n.items[i+1], true, false)
	}
	e.back()
}

// simple reports whether a key can stand before its colon on one line.
func (e *emitter) simple(n *node) bool {
	if n.kind != 's' {
		return len(n.items) == 0
	}
	return len(n.text)+len(n.tag) <= maxKey && !e.analyze(n.text).multiline
}

// An analysis says how a text may be written.
type analysis struct {
	multiline, flowPlain, blockPlain, single, block bool
}

func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 }

func isBlankOrEnd(r rune) bool { return r == 0 || r == ' ' || r == '\t' || isBreak(r) }

// shows says whether a character is written as it is.
func (e *emitter) shows(r rune) bool { return printable(r) && (!e.ascii || r < 0x80) }

// printable is what libyaml writes as it is.
func printable(r rune) bool {
	return r == '\n' || r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xfffd && r != 0xfeff && (r < 0xd800 || r > 0xdfff)
}

func (e *emitter) analyze(s string) analysis {
	if s == "" {
		return analysis{flowPlain: false, blockPlain: true, single: true}
	}
	runes := []rune(s)
	last := len(runes) - 1
	flowInd := strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...")
	blockInd := flowInd
	var special, edge, trailingSpace, breakSpace, spaceBreak, lineBreaks bool
	for i, r := range runes {
		next := rune(0)
		if i < last {
			next = runes[i+1]
		}
		flow, block := indicators(r, next, i == 0, i == 0 || isBlankOrEnd(runes[i-1]))
		flowInd, blockInd = flowInd || flow, blockInd || block
		lineBreaks = lineBreaks || isBreak(r)
		special = special || !e.shows(r)
		if r == ' ' || isBreak(r) {
			edge = edge || i == 0 || i == last
			trailingSpace = trailingSpace || r == ' ' && i == last
			if i > 0 {
				breakSpace = breakSpace || r == ' ' && isBreak(runes[i-1])
				spaceBreak = spaceBreak || isBreak(r) && runes[i-1] == ' '
			}
		}
	}
	plain := !edge && !breakSpace && !spaceBreak && !special && !lineBreaks
	return analysis{
		multiline:  lineBreaks,
		flowPlain:  plain && !flowInd,
		blockPlain: plain && !blockInd,
		single:     !breakSpace && !spaceBreak && !special,
		block:      !trailingSpace && !spaceBreak && !special,
	}
}

// indicators tells whether a character has a meaning in flow and in block style.
func indicators(r, next rune, first, afterBlank bool) (flow, block bool) {
	if first {
		switch {
		case strings.ContainsRune("#,[]{}&*!|>'\"%@`", r):
			return true, true
		case r == '?' || r == ':':
			return true, isBlankOrEnd(next)
		case r == '-' && isBlankOrEnd(next):
			return true, true
		}
		return false, false
	}
	switch {
	case strings.ContainsRune(",?[]{}", r):
		return true, false
	case r == ':':
		return true, isBlankOrEnd(next)
	case r == '#' && afterBlank:
		return true, true
	}
	return false, false
}

// style is how a scalar is written: 0 for plain, or one of the characters ' " | and >.
func (e *emitter) style(n *node, simpleKey bool) byte {
	a := e.analyze(n.text)
	plain := a.blockPlain
	if e.flowLevel > 0 {
		plain = a.flowPlain
	}
	want := n.style
	if want == 0 && (n.quoted || !plain || n.text == "" && (e.flowLevel > 0 || simpleKey)) {
		want = '\''
	}
	switch {
	case simpleKey && a.multiline, want == '\'' && !a.single:
		return '"'
	case (want == '|' || want == '>') && (!a.block || e.flowLevel > 0 || simpleKey):
		return '"'
	}
	return want
}

func (e *emitter) scalar(s string, style byte, simpleKey bool) {
	switch style {
	case 0:
		e.plain(s, !simpleKey)
	case '\'':
		e.single(s, !simpleKey)
	case '"':
		e.double(s, !simpleKey)
	default:
		e.block(s, style == '>')
	}
}

func (e *emitter) plain(s string, breaks bool) {
	if !e.whitespace && s != "" {
		e.put(" ")
	}
	runes := []rune(s)
	spaces := false
	for i, r := range runes {
		if r == ' ' && breaks && !spaces && e.column > e.width && i < len(runes)-1 && runes[i+1] != ' ' {
			e.newLine()
		} else {
			e.put(string(r))
		}
		spaces = r == ' '
		e.indention = false
	}
	e.whitespace = false
}

func (e *emitter) single(s string, breaks bool) {
	e.indicator("'", true, false, false)
	runes := []rune(s)
	spaces, broken := false, false
	for i, r := range runes {
		switch {
		case r == ' ':
			if breaks && !spaces && e.column > e.width && i > 0 && i < len(runes)-1 && runes[i+1] != ' ' {
				e.newLine()
			} else {
				e.put(" ")
			}
			spaces = true
		case isBreak(r):
			if !broken && r == '\n' {
				e.lineBreak()
			}
			e.breakLine(r)
			e.indention, broken = true, true
		default:
			if broken {
				e.newLine()
			}
			if r == '\'' {
				e.put("'")
			}
			e.put(string(r))
			e.indention, spaces, broken = false, false, false
		}
	}
	if broken {
		e.newLine()
	}
	e.indicator("'", false, false, false)
}

var doubleEscapes = map[rune]string{
	0: `\0`, 7: `\a`, 8: `\b`, 9: `\t`, 10: `\n`, 11: `\v`, 12: `\f`, 13: `\r`, 27: `\e`, '"': `\"`, '\\': `\\`,
	0x85: `\N`, 0xa0: `\_`, 0x2028: `\L`, 0x2029: `\P`,
}

func (e *emitter) double(s string, breaks bool) {
	e.indicator(`"`, true, false, false)
	runes := []rune(s)
	spaces := false
	for i, r := range runes {
		switch {
		case !e.shows(r) || isBreak(r) || r == '"' || r == '\\':
			e.put(escaped(r))
			spaces = false
		case r == ' ':
			if breaks && !spaces && e.column > e.width && i > 0 && i < len(runes)-1 {
				e.newLine()
				if runes[i+1] == ' ' {
					e.put(`\`)
				}
			} else {
				e.put(" ")
			}
			spaces = true
		default:
			e.put(string(r))
			spaces = false
		}
	}
	e.indicator(`"`, false, false, false)
}

func escaped(r rune) string {
	if s, ok := doubleEscapes[r]; ok {
		return s
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// block writes lines after a bar, or after > folded.
func (e *emitter) block(s string, fold bool) {
	mark := "|"
	if fold {
		mark = ">"
	}
	e.indicator(mark+e.hints(s), true, false, false)
	e.lineBreak()
	e.whitespace, e.indention = true, true
	runes := []rune(s)
	broken, leading := true, true
	for i, r := range runes {
		if isBreak(r) {
			if fold && !broken && !leading && r == '\n' && folds(runes[i+1:]) {
				e.lineBreak()
			}
			e.breakLine(r)
			e.indention, broken = true, true
			continue
		}
		if broken {
			e.newLine()
			leading = r == ' ' || r == '\t'
		}
		next := i+1 < len(runes) && runes[i+1] == ' '
		if fold && !broken && r == ' ' && !next && e.column > e.width {
			e.newLine()
		} else {
			e.put(string(r))
		}
		e.indention, broken = false, false
	}
}

// hints say how a block is read: its indentation where the text begins with blanks, and what its end is.
func (e *emitter) hints(s string) string {
	runes := []rune(s)
	if len(runes) == 0 {
		return "-"
	}
	hint := ""
	if runes[0] == ' ' || isBreak(runes[0]) {
		hint = fmt.Sprint(e.step)
	}
	switch last := len(runes) - 1; {
	case !isBreak(runes[last]):
		return hint + "-"
	case last == 0 || isBreak(runes[last-1]):
		return hint + "+"
	}
	return hint
}

// folds says whether text goes on after breaks: a break before it takes one more when it is folded.
func folds(rest []rune) bool {
	for _, r := range rest {
		if !isBreak(r) {
			return r != ' ' && r != '\t' && r != 0
		}
	}
	return false
}
