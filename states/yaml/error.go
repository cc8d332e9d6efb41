package yaml

import (
	"fmt"
	"strings"
)

// An Error is one mistake in a document, with its place.
type Error struct {
	Name   string // of the document, as given to Parse
	Line   int    // from 1
	Column int    // from 1; 0 when only the line is known
	Text   string
}

// Error returns "name:line: text".
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.Text) }

// Errors are all mistakes of one document in the order of their lines. Parse
// returns no other type of error.
type Errors []*Error

// Error returns one line for each mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single mistakes to errors.As.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}
