package python

import "fmt"

// An Error is what Python would raise: the name of its exception and its text.
type Error struct {
	Type string // "TypeError", "UndefinedError" ...
	Text string
}

// Error returns the text alone, as Python's str of an exception does.
func (e *Error) Error() string { return e.Text }

// Errorf makes an Error of the exception type named.
func Errorf(exception, format string, args ...any) error {
	return &Error{Type: exception, Text: fmt.Sprintf(format, args...)}
}

// WrongType is the TypeError of a value of the wrong type, whose name the format has a place for. Of one that is
// undefined it says that too.
func WrongType(v any, format string) error {
	text := fmt.Sprintf(format, TypeName(v))
	if u, ok := v.(*Undefined); ok {
		text += ": " + u.Text()
	}
	return &Error{"TypeError", text}
}

func typeError(format string, args ...any) error  { return Errorf("TypeError", format, args...) }
func valueError(format string, args ...any) error { return Errorf("ValueError", format, args...) }

// Bounds of what one operation may make. A template that reaches them is mistaken.
const (
	maxText  = 64 << 20   // bytes of one text
	maxItems = 10_000_000 // items of one sequence
	maxBits  = 1 << 20    // bits of one integer
	maxDepth = 200        // levels of one value that is written
)

func tooLarge(what string) error {
	return Errorf("MemoryError", "the %s would be too large", what)
}
