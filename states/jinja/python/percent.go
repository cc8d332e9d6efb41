package python

import (
	"strconv"
	"strings"

	"brine/states/value"
)

// Percent is Python's "format % args".
func Percent(format string, args any) (string, error) {
	p := percent{format: format, operand: args}
	if t, ok := args.(value.Tuple); ok {
		p.args = t
	} else {
		p.args = []any{args}
	}
	return p.run()
}

// percentMarkup escapes the arguments that are not safe.
func percentMarkup(m Markup, args any) (any, error) {
	p := percent{format: string(m), operand: args, escape: true}
	if t, ok := args.(value.Tuple); ok {
		p.args = t
	} else {
		p.args = []any{args}
	}
	s, err := p.run()
	return Markup(s), err
}

type percent struct {
	format  string
	args    []any
	operand any
	used    int
	mapped  bool
	escape  bool
	at      int
	b       strings.Builder
}

// A conversion is one "%..." in a format.
type conversion struct {
	spec
	left, plus, blank bool
	verb              byte
}

func (p *percent) run() (string, error) {
	for {
		i := strings.IndexByte(p.format[p.at:], '%')
		if i < 0 {
			p.b.WriteString(p.format[p.at:])
			break
		}
		p.b.WriteString(p.format[p.at : p.at+i])
		p.at += i + 1
		if err := p.conversion(); err != nil {
			return "", err
		}
		if p.b.Len() > maxText {
			return "", tooLarge("text")
		}
	}
	if p.used < len(p.args) && !p.mapped && !indexable(p.operand) {
		return "", typeError("not all arguments converted during string formatting")
	}
	return p.b.String(), nil
}

// indexable reports whether Python takes the operand for a mapping, of which not everything must be used.
func indexable(v any) bool {
	switch v.(type) {
	case *value.Dict, *value.List, []byte, Range, Indexer, *Undefined:
		return true
	}
	return false
}

func (p *percent) peek() byte {
	if p.at < len(p.format) {
		return p.format[p.at]
	}
	return 0
}

func (p *percent) next() (any, error) {
	if p.used >= len(p.args) {
		return nil, typeError("not enough arguments for format string")
	}
	p.used++
	return p.args[p.used-1], nil
}

func (p *percent) conversion() error {
	if p.peek() == '%' {
		p.at++
		p.b.WriteByte('%')
		return nil
	}
	var arg any
	keyed := p.peek() == '('
	if keyed {
		var err error
		if arg, err = p.key(); err != nil {
			return err
		}
	}
	c, err := p.parse()
	if err != nil {
		return err
	}
	if !keyed {
		if arg, err = p.next(); err != nil {
			return err
		}
	}
	text, err := p.convert(&c, arg)
	if err != nil {
		return err
	}
	p.b.WriteString(text)
	return nil
}

// key reads "(name)" and looks the name up.
func (p *percent) key() (any, error) {
	depth, start := 0, p.at+1
	for ; p.at < len(p.format); p.at++ {
		switch p.format[p.at] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if depth != 0 {
		return nil, valueError("incomplete format key")
	}
	name := p.format[start:p.at]
	p.at++
	p.mapped = true
	d, ok := p.operand.(*value.Dict)
	if !ok {
		return nil, typeError("format requires a mapping")
	}
	v, ok := d.Get(name)
	if !ok {
		return nil, Errorf("KeyError", "%s", quote(name))
	}
	return v, nil
}

func (p *percent) parse() (conversion, error) {
	c := conversion{spec: spec{precision: -1, fill: ' '}}
	for {
		switch p.peek() {
		case '-':
			c.left = true
		case '+':
			c.plus = true
		case ' ':
			c.blank = true
		case '#':
			c.alternate = true
		case '0':
			c.zero = true
		default:
			return c, p.sizes(&c)
		}
		p.at++
	}
}

func (p *percent) sizes(c *conversion) error {
	var err error
	if c.width, err = p.size(); err != nil {
		return err
	}
	if c.width < 0 {
		c.left, c.width = true, -c.width
	}
	if p.peek() == '.' {
		p.at++
		if c.precision, err = p.size(); err != nil {
			return err
		}
		c.precision = max(c.precision, 0)
	}
	for p.peek() == 'l' || p.peek() == 'h' || p.peek() == 'L' {
		p.at++
	}
	if p.at >= len(p.format) {
		return valueError("incomplete format")
	}
	c.verb = p.format[p.at]
	p.at++
	return nil
}

// size reads a width or precision: digits, or * for the next argument.
func (p *percent) size() (int, error) {
	if p.peek() == '*' {
		p.at++
		v, err := p.next()
		if err != nil {
			return 0, err
		}
		i, ok := Int(v)
		if !ok {
			return 0, typeError("* wants int")
		}
		return checkedWidth(i)
	}
	start := p.at
	for p.peek() >= '0' && p.peek() <= '9' {
		p.at++
	}
	if start == p.at {
		return 0, nil
	}
	i, err := strconv.ParseInt(p.format[start:p.at], 10, 64)
	if err != nil {
		return 0, valueError("width too big")
	}
	return checkedWidth(i)
}

func checkedWidth(i int64) (int, error) {
	if i > maxText/64 || i < -maxText/64 {
		return 0, tooLarge("text")
	}
	return int(i), nil
}

func (p *percent) convert(c *conversion, arg any) (string, error) {
	switch c.verb {
	case 's', 'r', 'a':
		text, err := p.text(c.verb, arg)
		if err != nil {
			return "", err
		}
		return c.pad(truncated(text, c.precision)), nil
	case 'c':
		text, err := character(arg)
		return c.pad(text), err
	case 'd', 'i', 'u', 'x', 'X', 'o':
		n, err := c.integer(arg)
		if err != nil {
			return "", err
		}
		return c.number(n, c.verb == 'x' || c.verb == 'X' || c.verb == 'o'), nil
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if !IsNumber(arg) {
			return "", typeError("must be real number, not %s", TypeName(arg))
		}
		precision := c.precision
		if precision < 0 {
			precision = 6
		}
		return c.number(floatDigits(Float(arg), c.verb, precision, c.alternate), false), nil
	}
	return "", valueError("unsupported format character '%c' (0x%x) at index %d", c.verb, c.verb, p.at-1)
}

func (p *percent) text(verb byte, arg any) (string, error) {
	if verb == 's' {
		if p.escape {
			m, err := EscapeValue(arg)
			return string(m), err
		}
		return Str(arg)
	}
	text, err := Repr(arg)
	if verb == 'a' {
		text = asciiOnly(text)
	}
	if p.escape {
		text = string(Escape(text))
	}
	return text, err
}

func truncated(s string, precision int) string {
	if precision < 0 || runeLen(s) <= precision {
		return s
	}
	return string([]rune(s)[:precision])
}

func character(arg any) (string, error) {
	if i, ok := Int(arg); ok {
		if i < 0 || i > 0x10ffff {
			return "", Errorf("OverflowError", "%%c arg not in range(0x110000)")
		}
		return string(rune(i)), nil
	}
	if s, ok := Text(arg); ok && runeLen(s) == 1 {
		return s, nil
	}
	return "", typeError("%%c requires int or char")
}

// integer is the digits of an argument, with its sign.
func (c *conversion) integer(arg any) (string, error) {
	if f, ok := arg.(float64); ok && strings.IndexByte("diu", c.verb) >= 0 {
		i, err := Truncate(f)
		if err != nil {
			return "", err
		}
		arg = i
	}
	if u, ok := arg.(*Undefined); ok {
		return "", u.Err()
	}
	if !IsInt(arg) {
		want := "an integer"
		if strings.IndexByte("diu", c.verb) >= 0 {
			want = "a real number"
		}
		return "", typeError("%%%c format: %s is required, not %s", c.verb, want, TypeName(arg))
	}
	base := 10
	switch c.verb {
	case 'x', 'X':
		base = 16
	case 'o':
		base = 8
	}
	digits := bigOf(arg).Text(base)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if len(digits) < c.precision {
		digits = strings.Repeat("0", c.precision-len(digits)) + digits
	}
	if c.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	return sign + digits, nil
}

// number puts sign, prefix and padding to digits.
func (c *conversion) number(digits string, prefixed bool) string {
	sign := ""
	switch {
	case digits[0] == '-':
		sign, digits = "-", digits[1:]
	case c.plus:
		sign = "+"
	case c.blank:
		sign = " "
	}
	if prefixed && c.alternate {
		sign += "0" + string(c.verb)
	}
	if c.zero && !c.left {
		if n := c.width - len(sign) - len(digits); n > 0 {
			digits = strings.Repeat("0", n) + digits
		}
	}
	return c.pad(sign + digits)
}

func (c *conversion) pad(s string) string {
	n := c.width - runeLen(s)
	switch {
	case n <= 0:
		return s
	case c.left:
		return s + strings.Repeat(" ", n)
	}
	return strings.Repeat(" ", n) + s
}

func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	return b.String()
}

func hex(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(s)) + s
}
