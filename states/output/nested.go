package output

import (
	"fmt"
	"io"
	"strings"

	"brine/states/value"
)

// nested shows values by indentation: dicts under a line of dashes, items of lists after "- ".
func nested(w io.Writer, minion string, returned []byte, o Options) error {
	p := &printer{o: o}
	p.value(value.NewDict(minion, read(returned)), 0, "")
	_, err := w.Write(p.Bytes())
	return err
}

// Bare shows a value that is of no minion as nested does.
func Bare(w io.Writer, v any, o Options) error {
	p := &printer{o: o}
	p.value(v, 0, "")
	_, err := w.Write(p.Bytes())
	return err
}

func (p *printer) value(v any, indent int, prefix string) {
	switch v := v.(type) {
	case string:
		p.text(v, indent, prefix)
	case *value.List:
		p.list(v, indent)
	case *value.Dict:
		p.dict(v, indent, prefix)
	default:
		p.line(indent, lightYellow, prefix+scalar(v), "")
	}
}

// scalar is a value that is no text and holds no others, as Python writes it.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case float64:
		return value.FloatText(v)
	}
	return fmt.Sprint(v)
}

func (p *printer) text(s string, indent int, prefix string) {
	if s == "" {
		return
	}
	for l := range strings.SplitSeq(ended(s), "\n") {
		p.line(indent, green, prefix+l, "")
		prefix = strings.Repeat(" ", len(prefix))
	}
}

// ended is a text of lines that end with \n, the last without.
func ended(s string) string {
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	return strings.TrimSuffix(s, "\n")
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
