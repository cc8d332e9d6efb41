package dump

import (
	"fmt"
	"slices"
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

func (e *emitter) lineBreak() {
	e.b.WriteByte('\n')
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
		e.indent = bestIndent
	case e.indent < 0:
		e.indent = 0
	case !indentless:
		e.indent += bestIndent
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
	if n.tag != "" {
		e.indicator(n.tag, true, false, false)
	}
	switch {
	case n.kind == 's':
		e.deeper(true, false)
		e.scalar(n, simpleKey)
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
		if e.column > bestWidth {
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
		if e.column > bestWidth {
			e.newLine()
		}
		if simple(n.items[i]) {
			e.node(n.items[i], false, true)
			e.indicator(":", false, false, false)
		} else {
			e.indicator("?", true, false, false)
			e.node(n.items[i], true, false)
			if e.column > bestWidth {
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
		if simple(n.items[i]) {
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
func simple(n *node) bool {
	if n.kind != 's' {
		return len(n.items) == 0
	}
	return len(n.text)+len(n.tag) <= maxKey && !analyze(n.text).multiline
}

// An analysis says how a text may be written.
type analysis struct {
	multiline, flowPlain, blockPlain, single, block bool
}

func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 }

func isBlankOrEnd(r rune) bool { return r == 0 || r == ' ' || r == '\t' || isBreak(r) }

// printable is what libyaml writes as it is.
func printable(r rune) bool {
	return r == '\n' || r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xfffd && r != 0xfeff && (r < 0xd800 || r > 0xdfff)
}

func analyze(s string) analysis {
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
		special = special || !printable(r)
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

func (e *emitter) scalar(n *node, simpleKey bool) {
	a := analyze(n.text)
	plain := a.blockPlain
	if e.flowLevel > 0 {
		plain = a.flowPlain
	}
	switch {
	case simpleKey && a.multiline:
		e.double(n.text, !simpleKey)
	case n.literal && a.block && e.flowLevel == 0 && !simpleKey:
		e.literal(n.text)
	case n.literal:
		e.double(n.text, !simpleKey)
	case plain && !n.quoted && (n.text != "" || e.flowLevel == 0 && !simpleKey):
		e.plain(n.text, !simpleKey)
	case a.single:
		e.single(n.text, !simpleKey)
	default:
		e.double(n.text, !simpleKey)
	}
}

func (e *emitter) plain(s string, breaks bool) {
	if !e.whitespace && s != "" {
		e.put(" ")
	}
	runes := []rune(s)
	spaces := false
	for i, r := range runes {
		if r == ' ' && breaks && !spaces && e.column > bestWidth && i < len(runes)-1 && runes[i+1] != ' ' {
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
			if breaks && !spaces && e.column > bestWidth && i > 0 && i < len(runes)-1 && runes[i+1] != ' ' {
				e.newLine()
			} else {
				e.put(" ")
			}
			spaces = true
		case isBreak(r):
			if !broken && r == '\n' {
				e.lineBreak()
			}
			e.b.WriteRune(r)
			e.column = 0
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
		case !printable(r) || isBreak(r) || r == '"' || r == '\\':
			e.put(escaped(r))
			spaces = false
		case r == ' ':
			if breaks && !spaces && e.column > bestWidth && i > 0 && i < len(runes)-1 {
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

// literal writes lines after a bar.
func (e *emitter) literal(s string) {
	e.indicator("|", true, false, false)
	if !strings.HasSuffix(s, "\n") {
		e.put("-")
	}
	e.lineBreak()
	e.whitespace, e.indention = true, true
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i := range slices.All(lines) {
		if i > 0 {
			e.lineBreak()
		}
		e.whitespace, e.indention = true, true
		e.newLine()
		e.put(lines[i])
		e.indention = false
	}
	e.whitespace = false
}
