package python

// Undefined is the value of a name, key or attribute that is not there.
// A strict one may be asked whether it is defined and nothing else.
type Undefined struct {
	Hint     string // the whole message, when not empty
	Of       any    // what has no such attribute or element, when OfSet
	OfSet    bool
	Name     any
	Lenient  bool // reads as empty text, as Jinja's own default does
	Security bool // the attribute is there, but templates may not reach it
}

// Text says what is undefined, in Jinja's words.
func (u *Undefined) Text() string {
	switch {
	case u.Hint != "":
		return u.Hint
	case !u.OfSet:
		return reprOr(u.Name) + " is undefined"
	}
	if _, ok := u.Name.(string); ok {
		return quote(describe(u.Of)) + " has no attribute " + reprOr(u.Name)
	}
	return describe(u.Of) + " has no element " + reprOr(u.Name)
}

// Err is the error of using the value.
func (u *Undefined) Err() error {
	if u.Security {
		return &Error{Type: "SecurityError", Text: u.Text()}
	}
	return &Error{Type: "UndefinedError", Text: u.Text()}
}

// describe names a value as messages do: "dict object", "None".
func describe(v any) string {
	if v == nil {
		return "None"
	}
	return TypeName(v) + " object"
}

func reprOr(v any) string {
	s, err := Repr(v)
	if err != nil {
		return "?"
	}
	return s
}

// Defined is v, or the error of using it when it is undefined.
func Defined(v any) (any, error) {
	if u, ok := v.(*Undefined); ok && !u.Lenient {
		return nil, u.Err()
	}
	return v, nil
}
