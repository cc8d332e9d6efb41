package render

import (
	"bytes"

	"brine/states/plan"
)

var templateMarks = [][]byte{[]byte("{{"), []byte("{%"), []byte("{#")}

// jinja passes text without template marks as Jinja itself would, with line ends
// made equal. Text with them is refused: this version evaluates no templates.
func jinja(name string, text []byte) ([]byte, []*Error) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	first, mark := len(text), ""
	for _, m := range templateMarks {
		if i := bytes.Index(text[:first], m); i >= 0 {
			first, mark = i, string(m)
		}
	}
	if mark == "" {
		return text, nil
	}
	line := 1 + bytes.Count(text[:first], []byte("\n"))
	return nil, []*Error{plan.Errorf(plan.Place{File: name, Line: line},
		"cannot evaluate the template mark %s: templates are not read yet in this version; "+
			"if none is meant, begin the file with #!yaml", mark)}
}
