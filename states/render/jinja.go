package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/jinja"
	"brine/states/plan"
)

var templateMarks = [][]byte{[]byte("{{"), []byte("{%"), []byte("{#")}

// evaluate renders a file as a template. Text without marks of one passes as Jinja itself would pass it, with line
// ends made equal.
func evaluate(ctx context.Context, f *File, text []byte) ([]byte, *origin, []*Error) {
	text = unmarked(text)
	if !marked(text) {
		f.told(text, nil)
		return text, nil, nil
	}
	templates := f.Templates
	if templates == nil {
		templates = New(nil, f.Env, nil)
	}
	s := templates.session(templates.host, f.Env)
	vars := s.vars()
	addSLS(vars, f.SLS, f.Path)
	for k, v := range f.Vars.All() {
		if name, ok := k.(string); ok {
			vars[name] = v
		}
	}
	o := &origin{}
	out, err := s.render(ctx, f.Name, string(text), vars, o)
	var je *jinja.Error
	switch {
	case errors.As(err, &je):
		text := explained(je)
		if f.Secret {
			text = withheld(je)
		}
		return nil, nil, []*Error{plan.Errorf(plan.Place{File: je.Template, Line: je.Line, Column: je.Column}, "cannot render: %s", text)}
	case err != nil:
		return nil, nil, []*Error{plan.Errorf(plan.Place{File: f.Name, Line: 1}, "cannot render: %v", err)}
	}
	o.finish(out)
	f.told([]byte(out), o)
	return []byte(out), o, nil
}

// told tells who watches what a file rendered to.
func (f *File) told(text []byte, o *origin) {
	if f.Templates == nil || f.Templates.watch.Rendered == nil {
		return
	}
	from := func(line int) int { return line }
	if o != nil {
		from = o.of
	}
	f.Templates.watch.Rendered(f.Name, text, from)
}

// unmarked is what Jinja makes of text without marks.
func unmarked(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

func marked(text []byte) bool {
	for _, m := range templateMarks {
		if bytes.Contains(text, m) {
			return true
		}
	}
	return false
}

// explained is an error without the place that it begins with.
func explained(e *jinja.Error) string {
	return strings.TrimPrefix(e.Error(), fmt.Sprintf("%s:%d:%d: ", e.Template, e.Line, e.Column))
}
