package python

import (
	"fmt"
	"strings"
)

// A Signature says what arguments a function takes, written as in Python:
//
//	value, default_value='', boolean=False, *rest, **named
//
// A default is a literal, or ? when the function asks itself whether the argument was given (it then holds Absent).
type Signature struct {
	name   string
	params []param
	need   int // how many have no default
	rest   bool
	named  bool
}

type param struct {
	name     string
	fallback any
	required bool
}

type absent struct{}

// Absent is the value of an argument that was not given and has no other default.
var Absent any = absent{}

// A Call is one call of a function, its arguments bound to the parameters.
type Call struct {
	Args  []any // by parameter
	Rest  []any // positional arguments beyond them
	Named []Named
	room  [4]any
}

// Given reports whether the argument of the parameter i was given.
func (c *Call) Given(i int) bool { return c.Args[i] != Absent }

// NewSignature reads a signature; it panics on a mistake in it.
func NewSignature(name, text string) *Signature {
	s := &Signature{name: name}
	for _, p := range splitParams(text) {
		switch {
		case strings.HasPrefix(p, "**"):
			s.named = true
		case strings.HasPrefix(p, "*"):
			s.rest = true
		default:
			id, literal, ok := strings.Cut(p, "=")
			if !ok {
				s.need++
				s.params = append(s.params, param{name: id, required: true})
				continue
			}
			s.params = append(s.params, param{name: id, fallback: literalOf(literal)})
		}
	}
	return s
}

func splitParams(text string) []string {
	var out []string
	quoted := false
	start := 0
	for i := range len(text) {
		switch {
		case text[i] == '\'':
			quoted = !quoted
		case text[i] == ',' && !quoted:
			out = append(out, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	if last := strings.TrimSpace(text[start:]); last != "" {
		out = append(out, last)
	}
	return out
}

func literalOf(s string) any {
	switch s {
	case "?":
		return Absent
	case "None":
		return nil
	case "True", "False":
		return s == "True"
	}
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	if i, ok := ParseInt(s, 10); ok {
		return i
	}
	if f, ok := ParseFloat(s); ok {
		return f
	}
	panic(fmt.Sprintf("python: bad default %q", s))
}

// Bind puts the arguments of a call to the parameters. First, when it is not nil, is one more positional
// argument before the others: what a filter filters, or the object of a method.
func (s *Signature) Bind(first *any, a Args) (*Call, error) {
	c := &Call{}
	c.Args = c.room[:0]
	if len(s.params) > len(c.room) {
		c.Args = make([]any, 0, len(s.params))
	}
	pos := a.Pos
	if first != nil {
		c.Args = append(c.Args, *first)
	}
	free := min(len(s.params)-len(c.Args), len(pos))
	if free < 0 {
		return nil, s.tooMany(1 + len(pos))
	}
	c.Args = append(c.Args, pos[:free]...)
	if c.Rest = pos[free:]; len(c.Rest) > 0 && !s.rest {
		return nil, s.tooMany(len(c.Args) + len(c.Rest))
	}
	given := len(c.Args)
	if given == len(s.params) && len(a.Named) == 0 {
		return c, nil
	}
	for _, p := range s.params[given:] {
		if p.required {
			c.Args = append(c.Args, Absent)
		} else {
			c.Args = append(c.Args, p.fallback)
		}
	}
	return c, s.bindNamed(c, given, a.Named)
}

func (s *Signature) bindNamed(c *Call, given int, named []Named) error {
	for _, n := range named {
		i := s.param(n.Name)
		switch {
		case i < 0 && s.named:
			c.Named = append(c.Named, n)
		case i < 0:
			return typeError("%s() got an unexpected keyword argument '%s'", s.name, n.Name)
		case i < given:
			return typeError("%s() got multiple values for argument '%s'", s.name, n.Name)
		default:
			c.Args[i] = n.Value
		}
	}
	var missing []string
	for i, p := range s.params {
		if p.required && c.Args[i] == Absent {
			missing = append(missing, quote(p.name))
		}
	}
	if len(missing) > 0 {
		plural := ""
		if len(missing) > 1 {
			plural = "s"
		}
		return typeError("%s() missing %d required positional argument%s: %s",
			s.name, len(missing), plural, strings.Join(missing, " and "))
	}
	return nil
}

func (s *Signature) param(name string) int {
	for i := range s.params {
		if s.params[i].name == name {
			return i
		}
	}
	return -1
}

func (s *Signature) tooMany(given int) error {
	takes := fmt.Sprint(len(s.params))
	if s.need < len(s.params) {
		takes = fmt.Sprintf("from %d to %d", s.need, len(s.params))
	}
	plural := "s"
	if takes == "1" {
		plural = ""
	}
	return typeError("%s() takes %s positional argument%s but %d were given", s.name, takes, plural, given)
}
