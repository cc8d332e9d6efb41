package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
)

// A Kind says what sort of mistake an Error is.
type Kind uint8

// The kinds of errors.
const (
	Failed    Kind = iota // whatever is none of the others
	Undefined             // something that is not defined was used
	Syntax                // the template can't be read, or asks for what is not allowed
	Limit                 // the template ran too long, too deep, or wrote too much
)

// A Place is where in which template.
type Place struct {
	Template     string
	Line, Column int    // from 1; columns count characters
	Source       string // the line
}

// An Error is why a template could not be read or rendered.
type Error struct {
	Kind Kind
	Place
	Text  string  // in the words of Jinja and Salt
	Chain []Place // from where the template was imported, included or called, innermost first
	Err   error   // what caused it, or nil
}

// Error returns the place, the text, the line with a mark below the place, and the chain.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.Template, e.Line, e.Column, e.Message())
	if strings.TrimSpace(e.Source) != "" {
		mark := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, string([]rune(e.Source)[:min(max(e.Column-1, 0), len([]rune(e.Source)))]))
		fmt.Fprintf(&b, "\n    %s\n    %s^", e.Source, mark)
	}
	for _, p := range e.Chain {
		fmt.Fprintf(&b, "\n  used by %s:%d: %s", p.Template, p.Line, strings.TrimSpace(p.Source))
	}
	return b.String()
}

// Message is the text alone, as Salt words it.
func (e *Error) Message() string {
	switch e.Kind {
	case Undefined:
		return "Jinja variable " + e.Text
	case Syntax:
		return "Jinja syntax error: " + e.Text
	case Limit:
		return "Jinja limit reached: " + e.Text
	}
	return "Jinja error: " + e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func placeOf(name, source string, at syntax.Pos) Place {
	p := Place{Template: name, Line: max(at.Line, 1), Column: max(at.Column, 1)}
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	for n := 1; n < p.Line; n++ {
		_, rest, ok := strings.Cut(source, "\n")
		if !ok {
			return p
		}
		source = rest
	}
	p.Source, _, _ = strings.Cut(source, "\n")
	return p
}

// limitError is the error of a limit that was reached.
type limitError struct{ text string }

func (e *limitError) Error() string { return e.text }

// locate puts a place to an error that has none, and adds to the chain when the error
// comes out of another template.
func (f *frame) locate(err error, at syntax.Pos) error {
	if e, ok := err.(*Error); ok {
		last := e.Template
		if len(e.Chain) > 0 {
			last = e.Chain[len(e.Chain)-1].Template
		}
		if last != f.tpl.name && len(e.Chain) < 50 {
			e.Chain = append(e.Chain, placeOf(f.tpl.name, f.tpl.tree.Source, at))
		}
		return e
	}
	e := &Error{Place: placeOf(f.tpl.name, f.tpl.tree.Source, at), Text: err.Error(), Err: err}
	var pe *python.Error
	var limit *limitError
	switch {
	case errors.As(err, &limit), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Kind = Limit
	case errors.As(err, &pe):
		e.Kind = kindOf(pe.Type)
	}
	return e
}

func kindOf(exception string) Kind {
	switch exception {
	case "UndefinedError":
		return Undefined
	case "SecurityError", "TemplateRuntimeError", "TemplateSyntaxError", "TemplateAssertionError",
		"FilterArgumentError":
		return Syntax
	case "MemoryError", "RecursionError":
		return Limit
	}
	return Failed
}
