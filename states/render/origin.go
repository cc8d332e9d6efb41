package render

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"brine/states/yaml"
)

// An origin knows which line of a template each line of its output comes from.
type origin struct {
	pieces []piece
	text   string // the output
	starts []int  // of its lines
	last   spot   // that was asked for last
}

// A spot is a character of the output, and the byte that it begins at. Values come in the order of the text: from one spot
// to the next is a short way also in a line of megabytes.
type spot struct{ line, column, at int }

// A piece of output begins at a byte of it and comes from a line of the template.
type piece struct {
	at, line int
	literal  bool // its own line ends are those of the template
}

func (o *origin) note(written, line int, literal bool) {
	o.pieces = append(o.pieces, piece{written, line, literal})
}

// finish sets the output once it is known.
func (o *origin) finish(text string) {
	o.text, o.starts = text, []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			o.starts = append(o.starts, i+1)
		}
	}
}

// of returns the template's line of a line of the output. What counts is where the first letter of the line comes from.
func (o *origin) of(line int) int {
	line = min(max(line, 1), len(o.starts))
	from := o.starts[line-1]
	from += len(o.text[from:]) - len(strings.TrimLeft(o.text[from:], " \t"))
	i := sort.Search(len(o.pieces), func(i int) bool { return o.pieces[i].at > from }) - 1
	if i < 0 {
		return line
	}
	p := o.pieces[i]
	if p.literal {
		return p.line + line - o.lineAt(p.at)
	}
	return p.line
}

// lineAt returns the line of the output that a byte of it stands in.
func (o *origin) lineAt(at int) int {
	return sort.SearchInts(o.starts, at+1)
}

// place returns the line and column of the template that a character of the output comes from; column 0 when what stands
// before it in its line is not all written in the template.
func (o *origin) place(line, column int) (int, int) {
	first := o.starts[min(max(line, 1), len(o.starts))-1]
	end := o.byteAt(line, column, first)
	next := sort.Search(len(o.pieces), func(i int) bool { return o.pieces[i].at >= first })
	// A piece that begins where the line does may stand in the middle of a line of the template.
	if next == 0 || !o.pieces[next-1].literal || next < len(o.pieces) && o.pieces[next].at < end {
		column = 0
	}
	return o.of(line), column
}

// byteAt returns the byte that a character of a line begins at; first is that of the line.
func (o *origin) byteAt(line, column, first int) int {
	if o.last.line != line || o.last.column > column {
		o.last = spot{line, 1, first}
	}
	for o.last.column < column && o.last.at < len(o.text) {
		_, size := utf8.DecodeRuneInString(o.text[o.last.at:])
		o.last.at += size
		o.last.column++
	}
	return o.last.at
}

// shown is a line of the output.
func (o *origin) shown(line int) string {
	line = min(max(line, 1), len(o.starts))
	text, _, _ := strings.Cut(o.text[o.starts[line-1]:], "\n")
	return text
}

var lineNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bline [0-9]+\b`) })

// blame gives mistakes in the output their lines of the template, and tells the line that was rendered unless it is secret.
func (o *origin) blame(errs []*Error, secret bool) {
	for _, e := range errs {
		rendered := e.Place.Line
		e.Place.Line, e.Place.Column = o.place(rendered, e.Place.Column)
		e.Text = lineNumber().ReplaceAllStringFunc(e.Text, func(s string) string {
			n, _ := strconv.Atoi(s[len("line "):]) // digits; a number that is too large is the last line
			return fmt.Sprintf("line %d", o.of(n))
		})
		if secret {
			e.Text += fmt.Sprintf(" (it is line %d of what the template renders)", rendered)
			continue
		}
		e.Text += fmt.Sprintf(" (it is line %d of what the template renders: %q)", rendered, cut(o.shown(rendered), 120))
	}
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "..."
	}
	return s
}

// rewrite gives the values of the output their places of the template.
func (o *origin) rewrite(n *yaml.Node) {
	if n != nil {
		o.visit(n, map[*yaml.Node]bool{})
	}
}

func (o *origin) visit(n *yaml.Node, seen map[*yaml.Node]bool) {
	if seen[n] {
		return // an alias
	}
	seen[n] = true
	n.Line, n.Column = o.place(n.Line, n.Column)
	for _, item := range n.Items {
		o.visit(item, seen)
	}
	for _, p := range n.Pairs {
		o.visit(p.Key, seen)
		o.visit(p.Value, seen)
	}
}
