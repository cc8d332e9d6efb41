package python

import (
	"strconv"
	"strings"

	"brine/states/value"
)

// Format is Python's str.format.
func Format(format string, a Args) (string, error) {
	f := formatter{args: a}
	return f.run(format, 2)
}

type formatter struct {
	args   Args
	dict   *value.Dict // of format_map
	auto   int
	manual bool
	escape bool
}

func (f *formatter) run(format string, depth int) (string, error) {
	if depth < 0 {
		return "", valueError("Max string recursion exceeded")
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '{' && c != '}' {
			b.WriteByte(c)
			continue
		}
		if i+1 < len(format) && format[i+1] == c {
			b.WriteByte(c)
			i++
			continue
		}
		if c == '}' {
			return "", valueError("Single '}' encountered in format string")
		}
		end, err := fieldEnd(format, i+1)
		if err != nil {
			return "", err
		}
		text, err := f.field(format[i+1:end], depth)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		if b.Len() > maxText {
			return "", tooLarge("text")
		}
		i = end
	}
	return b.String(), nil
}

func fieldEnd(format string, from int) (int, error) {
	depth := 1
	bracket := false
	for i := from; i < len(format); i++ {
		switch c := format[i]; {
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case bracket:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i, nil
			}
		}
	}
	if from == len(format) {
		return 0, valueError("Single '{' encountered in format string")
	}
	return 0, valueError("expected '}' before end of string")
}

// field evaluates what stands between braces: name, !conversion, :spec.
func (f *formatter) field(field string, depth int) (string, error) {
	name, spec := field, ""
	conversion := byte(0)
	if i := fieldNameEnd(field); i < len(field) {
		name = field[:i]
		rest := field[i:]
		if rest[0] == '!' {
			if len(rest) < 2 || len(rest) > 2 && rest[2] != ':' {
				return "", valueError("expected ':' after conversion specifier")
			}
			conversion, rest = rest[1], rest[2:]
		}
		spec = strings.TrimPrefix(rest, ":")
	}
	v, err := f.lookup(name)
	if err != nil {
		return "", err
	}
	if strings.IndexByte(spec, '{') >= 0 {
		if spec, err = f.run(spec, depth-1); err != nil {
			return "", err
		}
	}
	return f.convert(v, conversion, spec)
}

func fieldNameEnd(field string) int {
	bracket := false
	for i := range len(field) {
		switch c := field[i]; {
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case !bracket && (c == '!' || c == ':'):
			return i
		}
	}
	return len(field)
}

func (f *formatter) convert(v any, conversion byte, spec string) (string, error) {
	var err error
	switch conversion {
	case 's':
		v, err = Str(v)
	case 'r', 'a':
		var s string
		if s, err = Repr(v); conversion == 'a' {
			s = asciiOnly(s)
		}
		v = s
	case 0:
	default:
		return "", valueError("Unknown conversion specifier '%c'", conversion)
	}
	if err != nil {
		return "", err
	}
	text, err := FormatValue(v, spec)
	if _, safe := v.(Markup); f.escape && !safe {
		text = string(Escape(text))
	}
	return text, err
}

// lookup finds "0", "name", "name.attr", "name[key]", or the next argument for "".
func (f *formatter) lookup(name string) (any, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v, err := f.first(name[:end])
	if err != nil {
		return nil, err
	}
	rest := name[end:]
	for rest != "" && err == nil {
		if rest[0] == '.' {
			end = strings.IndexAny(rest[1:], ".[") + 1
			if end <= 0 {
				end = len(rest)
			}
			v, err = formatAttr(v, rest[1:end])
			rest = rest[end:]
			continue
		}
		end = strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			return nil, valueError("Missing ']' in format string")
		}
		v, err = formatItem(v, rest[1:end])
		rest = rest[end+1:]
	}
	return v, err
}

func (f *formatter) first(name string) (any, error) {
	if name == "" {
		if f.manual {
			return nil, valueError("cannot switch from manual field specification to automatic field numbering")
		}
		name = strconv.Itoa(f.auto)
		f.auto++
	} else if _, err := strconv.Atoi(name); err == nil {
		if f.auto > 0 {
			return nil, valueError("cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
	}
	if i, err := strconv.Atoi(name); err == nil && f.dict == nil {
		if i < 0 || i >= len(f.args.Pos) {
			return nil, Errorf("IndexError", "Replacement index %d out of range for positional args tuple", i)
		}
		return f.args.Pos[i], nil
	}
	for _, n := range f.args.Named {
		if n.Name == name {
			return n.Value, nil
		}
	}
	if f.dict != nil {
		if v, ok := f.dict.Get(name); ok {
			return v, nil
		}
	}
	return nil, Errorf("KeyError", "%s", quote(name))
}

func formatAttr(v any, name string) (any, error) {
	if name == "" {
		return nil, valueError("Empty attribute in format string")
	}
	a, err := GetAttr(v, name, false)
	if err != nil {
		return nil, err
	}
	return Defined(a)
}

func formatItem(v any, key string) (any, error) {
	if key == "" {
		return nil, valueError("Empty attribute in format string")
	}
	var k any = key
	if strings.Trim(key, "0123456789") == "" {
		k, _ = ParseInt(key, 10) // digits
	}
	item, err := GetItem(v, k, false)
	if err != nil {
		return nil, err
	}
	return Defined(item)
}

// A spec is a format specification: [[fill]align][sign][#][0][width][grouping][.precision][type].
// FormatValue is Python's format(v, spec).
// pad fills t to the width; sign stands before the filling where that goes between sign and digits.
// finish puts sign, grouping and padding to digits that may begin with a minus.
// grouped separates the digits before the point, with zeros in front up to a width.
// exponentOf is the decimal exponent of a number once it is rounded to so many digits.
// floatDigits writes a float in the style of C's printf.
// stripZeros removes the zeros at the end of the digits after the point.
