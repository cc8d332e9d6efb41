// Package syntax reads Jinja templates: lex.go makes tokens of text, parse*.go nodes of tokens, and
// resolve.go decides once and for all where each name of a template is kept.
package syntax

import (
	"fmt"
	"strings"
)

// A Pos is a place in a template, counted from 1, columns in characters. The zero Pos is no place.
type Pos struct{ Line, Column int }

// An Error is a mistake in the text of a template.
type Error struct {
	Pos
	Text string
	// Compile is set for what Jinja finds only when it compiles: Salt does not call it a syntax error.
	Compile bool
}

// Error returns the text with its place.
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Text) }

// A kind is what a token is; operators are their own text.
type kind string

const (
	tokData          kind = "data"
	tokVariableBegin kind = "variable_begin"
	tokVariableEnd   kind = "variable_end"
	tokBlockBegin    kind = "block_begin"
	tokBlockEnd      kind = "block_end"
	tokName          kind = "name"
	tokString        kind = "string"
	tokInteger       kind = "integer"
	tokFloat         kind = "float"
	tokEOF           kind = "eof"
	tokError         kind = "error"
)

type token struct {
	kind kind
	text string // of data, names and strings (unescaped), and of operators
	num  any    // of integers and floats
	err  error  // of what is no token
	pos  Pos
}

// is reports whether the token is of the kind, or the name, that an expression like "name:endfor" means.
func (t *token) is(expr string) bool {
	if k, text, ok := strings.Cut(expr, ":"); ok && text != "" {
		return string(t.kind) == k && t.text == text
	}
	return string(t.kind) == expr
}

func (t *token) describe() string {
	if t.kind == tokName {
		return t.text
	}
	return describeKind(string(t.kind))
}

func describeExpr(expr string) string {
	if k, text, ok := strings.Cut(expr, ":"); ok && text != "" {
		if k == "name" {
			return text
		}
		return describeKind(k)
	}
	return describeKind(expr)
}

func describeKind(k string) string {
	switch kind(k) {
	case tokBlockBegin:
		return "begin of statement block"
	case tokBlockEnd:
		return "end of statement block"
	case tokVariableBegin:
		return "begin of print statement"
	case tokVariableEnd:
		return "end of print statement"
	case tokData:
		return "template data / text"
	case tokEOF:
		return "end of template"
	}
	return k
}
