package python

import (
	"math"
	"strconv"
	"strings"

	"brine/states/value"
)

type spec struct {
	fill      rune
	align     byte
	sign      byte
	alternate bool
	coerce    bool // of a negative zero: z
	zero      bool
	width     int
	grouping  byte
	precision int
	verb      byte
}

func parseSpec(text string) (spec, error) {
	s := spec{fill: ' ', precision: -1}
	r := []rune(text)
	isAlign := func(i int) bool { return i < len(r) && strings.ContainsRune("<>=^", r[i]) }
	i := 0
	switch {
	case isAlign(1):
		s.fill, s.align, i = r[0], byte(r[1]), 2
	case isAlign(0):
		s.align, i = byte(r[0]), 1
	}
	take := func(set string) byte {
		if i < len(r) && r[i] < 0x80 && strings.ContainsRune(set, r[i]) {
			i++
			return byte(r[i-1])
		}
		return 0
	}
	digits := func() (int, bool) {
		start := i
		for take("0123456789") != 0 {
		}
		n, err := strconv.Atoi(string(r[start:i]))
		return n, err == nil
	}
	s.sign = take("+- ")
	s.coerce = take("z") != 0
	s.alternate = take("#") != 0
	if take("0") != 0 {
		s.zero = true
		if s.align == 0 {
			s.fill, s.align = '0', '='
		}
	}
	s.width, _ = digits()
	s.grouping = take(",_")
	if take(".") != 0 {
		var ok bool
		if s.precision, ok = digits(); !ok {
			return s, valueError("Format specifier missing precision")
		}
	}
	s.verb = take("bcdeEfFgGnosxX%")
	if i < len(r) {
		return s, valueError("Invalid format specifier '%s'", text)
	}
	if s.width > maxText/64 || s.precision > maxText/64 {
		return s, tooLarge("text")
	}
	return s, nil
}

func FormatValue(v any, text string) (string, error) {
	if text == "" {
		return Str(v)
	}
	if t, ok := v.(*Time); ok {
		return t.Strftime(text), nil
	}
	s, err := parseSpec(text)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return s.text(v)
	case Markup:
		return s.text(string(v))
	case float64:
		return s.float(v)
	case *Undefined:
		return "", v.Err()
	case *Unknown:
		return v.String(), nil
	}
	if IsInt(v) {
		return s.integer(v)
	}
	return "", typeError("unsupported format string passed to %s.__format__", TypeName(v))
}

func (s *spec) text(t string) (string, error) {
	if s.verb != 0 && s.verb != 's' {
		return "", valueError("Unknown format code '%c' for object of type 'str'", s.verb)
	}
	if s.grouping != 0 {
		return "", valueError("Cannot specify '%c' with 's'.", s.grouping)
	}
	if s.coerce {
		return "", valueError("Negative zero coercion (z) not allowed in string format specifier")
	}
	if s.align == '=' {
		if !s.zero {
			return "", valueError("'=' alignment not allowed in string format specifier")
		}
		s.align = '<'
	}
	if s.sign != 0 {
		return "", valueError("Sign not allowed in string format specifier")
	}
	return s.pad(truncated(t, s.precision), '<', ""), nil
}

func (s *spec) pad(t string, align byte, sign string) string {
	if s.align != 0 {
		align = s.align
	}
	n := s.width - runeLen(sign) - runeLen(t)
	if n <= 0 {
		return sign + t
	}
	fill := func(n int) string { return strings.Repeat(string(s.fill), n) }
	switch align {
	case '<':
		return sign + t + fill(n)
	case '^':
		return fill(n/2) + sign + t + fill(n-n/2)
	case '=':
		return sign + fill(n) + t
	}
	return fill(n) + sign + t
}

func (s *spec) integer(v any) (string, error) {
	base, prefix := 10, ""
	switch s.verb {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return s.float(Float(v))
	}
	if s.coerce {
		return "", valueError("Negative zero coercion (z) not allowed in integer format specifier")
	}
	switch s.verb {
	case 'c':
		t, err := character(v)
		return s.pad(t, '<', ""), err
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x':
		base, prefix = 16, "0x"
	case 'X':
		base, prefix = 16, "0X"
	case 's':
		return "", valueError("Unknown format code 's' for object of type 'int'")
	}
	if s.precision >= 0 {
		return "", valueError("Precision not allowed in integer format specifier")
	}
	digits := bigOf(v).Text(base)
	if s.verb == 'X' {
		digits = strings.ToUpper(digits)
	}
	if !s.alternate {
		prefix = ""
	}
	group := 3
	if base != 10 {
		group = 4
	}
	return s.finish(digits, prefix, group), nil
}

func (s *spec) finish(digits, prefix string, group int) string {
	sign := ""
	switch {
	case digits[0] == '-':
		sign, digits = "-", digits[1:]
	case s.sign == '+' || s.sign == ' ':
		sign = string(s.sign)
	}
	sign += prefix
	if s.grouping != 0 {
		width := 0
		if s.align == '=' && s.fill == '0' {
			width = s.width - len(sign)
		}
		digits = grouped(digits, s.grouping, group, width)
	}
	return s.pad(digits, '>', sign)
}

func grouped(digits string, sep byte, group, width int) string {
	whole, rest := digits, ""
	if i := strings.IndexAny(digits, ".eE%"); i >= 0 {
		whole, rest = digits[:i], digits[i:]
	}
	if strings.Trim(whole, "0123456789abcdefABCDEF") != "" {
		return digits // inf, nan
	}
	count := func(n int) int { return n + (n-1)/group }
	for count(len(whole))+len(rest) < width {
		whole = "0" + whole
	}
	var b strings.Builder
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%group == 0 {
			b.WriteByte(sep)
		}
		b.WriteByte(whole[i])
	}
	return b.String() + rest
}

func (s *spec) float(f float64) (string, error) {
	precision := s.precision
	var digits string
	switch s.verb {
	case 0:
		if precision < 0 {
			digits = value.FloatText(f)
			break
		}
		digits = floatDigits(f, 'g', max(precision, 1), false)
		if exponentOf(f, max(precision, 1)) >= max(precision, 1)-1 && !strings.Contains(digits, "e") && !math.IsInf(f, 0) && !math.IsNaN(f) {
			digits = stripZeros(floatDigits(f, 'e', max(precision, 1)-1, false))
		} else if !strings.ContainsAny(digits, ".eina") {
			digits += ".0"
		}
	case '%':
		if precision < 0 {
			precision = 6
		}
		digits = floatDigits(f*100, 'f', precision, s.alternate) + "%"
	case 'e', 'E', 'f', 'F', 'g', 'G', 'n':
		if precision < 0 {
			precision = 6
		}
		verb := s.verb
		if verb == 'n' {
			verb = 'g'
		}
		digits = floatDigits(f, verb, precision, s.alternate)
	default:
		return "", valueError("Unknown format code '%c' for object of type 'float'", s.verb)
	}
	return s.finish(digits, "", 3), nil
}

func exponentOf(f float64, digits int) int {
	t := strconv.FormatFloat(f, 'e', digits-1, 64)
	_, e, _ := strings.Cut(t, "e")
	n, _ := strconv.Atoi(e)
	return n
}

func floatDigits(f float64, verb byte, precision int, alternate bool) string {
	upper := verb == 'E' || verb == 'F' || verb == 'G'
	var t string
	switch {
	case math.IsNaN(f):
		t = "nan"
	case math.IsInf(f, 0):
		t = value.FloatText(f)
	case verb == 'g' || verb == 'G':
		t = general(f, max(precision, 1), alternate)
	default:
		t = strconv.FormatFloat(f, verb|0x20, precision, 64)
		if alternate && precision == 0 {
			t += "."
		}
	}
	if upper {
		t = strings.ToUpper(t)
	}
	return t
}

func general(f float64, precision int, alternate bool) string {
	e := exponentOf(f, precision)
	var t string
	if e < -4 || e >= precision {
		t = strconv.FormatFloat(f, 'e', precision-1, 64)
	} else {
		t = strconv.FormatFloat(f, 'f', precision-1-e, 64)
	}
	switch point := strings.Contains(t, "."); {
	case alternate && !point:
		mantissa, exponent, ok := strings.Cut(t, "e")
		if ok {
			return mantissa + ".e" + exponent
		}
		return mantissa + "."
	case alternate || !point:
		return t
	}
	return stripZeros(t)
}

func stripZeros(t string) string {
	mantissa, exponent, ok := strings.Cut(t, "e")
	if !strings.Contains(mantissa, ".") {
		return t
	}
	mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	if ok {
		return mantissa + "e" + exponent
	}
	return mantissa
}
