package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"brine/states/value"
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

// nested shows values by indentation: dicts under a line of dashes, items of lists after "- ".
func nested(w io.Writer, minion string, returned []byte, o Options) error {
	p := &printer{color: o.Color}
	p.value(value.NewDict(minion, read(returned)), 0, "")
	_, err := w.Write(p.Bytes())
	return err
}

// A printer collects lines.
type printer struct {
	bytes.Buffer
	color bool
}

// line writes one line. What a minion returned must not reach the terminal's controls.
func (p *printer) line(indent int, color, text, suffix string) {
	p.WriteString(strings.Repeat(" ", indent))
	p.paint(color, text)
	p.WriteString(suffix)
	p.WriteByte('\n')
}

func (p *printer) paint(color, text string) {
	if p.color {
		text = color + harmless(text) + endColor
	} else {
		text = harmless(text)
	}
	p.WriteString(text)
}

// harmless replaces control characters, but not tabs and the ends of lines.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

func (p *printer) value(v any, indent int, prefix string) {
	switch v := v.(type) {
	case nil:
		p.line(indent, lightYellow, prefix+"None", "")
	case bool:
		p.line(indent, lightYellow, prefix+map[bool]string{true: "True", false: "False"}[v], "")
	case float64:
		p.line(indent, lightYellow, prefix+value.FloatText(v), "")
	case string:
		p.text(v, indent, prefix)
	case *value.List:
		p.list(v, indent)
	case *value.Dict:
		p.dict(v, indent, prefix)
	default:
		p.line(indent, lightYellow, prefix+fmt.Sprint(v), "")
	}
}

func (p *printer) text(s string, indent int, prefix string) {
	if s == "" {
		return
	}
	s = strings.TrimSuffix(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n")
	for l := range strings.SplitSeq(s, "\n") {
		p.line(indent, green, prefix+l, "")
		prefix = strings.Repeat(" ", len(prefix))
	}
}

func (p *printer) list(l *value.List, indent int) {
	for _, item := range l.Items {
		switch item.(type) {
		case *value.Dict:
			p.line(indent, green, "|_", "")
			p.value(item, indent+2, "")
		case *value.List:
			p.line(indent, green, "|_", "")
			p.value(item, indent+2, "- ")
		default:
			p.value(item, indent, "- ")
		}
	}
}

func (p *printer) dict(d *value.Dict, indent int, prefix string) {
	if indent > 0 {
		p.line(indent, cyan, "----------", "")
	}
	for k, v := range d.All() {
		p.line(indent, cyan, prefix+fmt.Sprint(k), ":")
		p.value(v, indent+4, "")
	}
}
