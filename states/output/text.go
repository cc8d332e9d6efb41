package output

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The colours of a terminal as Salt uses them.
const (
	cyan        = "\x1b[0;36m"
	green       = "\x1b[0;32m"
	red         = "\x1b[0;31m"
	lightRed    = "\x1b[0;1;31m"
	lightYellow = "\x1b[0;1;33m"
	endColor    = "\x1b[0;0m"
)

// A printer collects lines.
type printer struct {
	bytes.Buffer
	o Options
}

// line writes one line. What a minion returned must not reach the terminal's controls.
func (p *printer) line(indent int, color, text, suffix string) {
	p.WriteString(strings.Repeat(" ", indent))
	p.paint(color, text)
	p.WriteString(suffix)
	p.WriteByte('\n')
}

func (p *printer) paint(color, text string) {
	if p.o.Color && color != "" {
		text = color + Harmless(text) + endColor
	} else {
		text = Harmless(text)
	}
	p.WriteString(text)
}

// Harmless replaces what a terminal would obey in a text: control characters but for tabs and
// the ends of lines, and the characters that turn the direction of writing.
func Harmless(text string) string {
	if plain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' && r != '\t' && r != '\n', r >= 0x7f && r < 0xa0,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '?'
		}
		return r
	}, text)
}

// plain tells that nothing in a text needs a closer look.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' && c != '\n' || c >= 0x7f {
			return false
		}
	}
	return true
}

// wrap breaks text at blanks into lines of a width, indented but for the first.
func wrap(text string, indent, width int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+size > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += size
	}
	return b.String()
}

// Number writes a count with its thousands apart: 4,961.
func Number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Plural writes a count with its word: "1 minion", "4,961 minions".
func Plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return Number(n) + " " + word
}

const someNames = 5

// Some lists the first few names, and how many more there are.
func Some(names []string) string { return first(names, someNames) }

func first(names []string, most int) string {
	switch {
	case len(names) <= most:
		return strings.Join(names, ", ")
	case most <= 0:
		return ""
	}
	return strings.Join(names[:most], ", ") + " and " + Number(len(names)-most) + " more"
}
