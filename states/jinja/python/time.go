package python

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Time is Python's datetime.datetime.
type Time struct {
	time.Time
	Aware bool // it knows its time zone
}

// TypeName names the type.
func (t *Time) TypeName() string { return "datetime.datetime" }

// Text is the time as Python's str writes it.
func (t *Time) Text() (string, error) { return t.iso(" "), nil }

// Repr is the time as Python's repr writes it.
func (t *Time) Repr() (string, error) {
	s := fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute())
	if t.Second() != 0 || t.micro() != 0 {
		s += fmt.Sprintf(", %d", t.Second())
	}
	if t.micro() != 0 {
		s += fmt.Sprintf(", %d", t.micro())
	}
	return s + ")", nil
}

func (t *Time) micro() int { return t.Nanosecond() / 1000 }

func (t *Time) iso(sep string) string {
	s := t.Format("2006-01-02" + sep + "15:04:05")
	if us := t.micro(); us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	if t.Aware {
		s += t.Format("-07:00")
	}
	return s
}

// Attr returns the parts of the time and its methods.
func (t *Time) Attr(name string) (any, bool) {
	parts := map[string]int{
		"year": t.Year(), "month": int(t.Month()), "day": t.Day(),
		"hour": t.Hour(), "minute": t.Minute(), "second": t.Second(), "microsecond": t.micro(),
	}
	if n, ok := parts[name]; ok {
		return int64(n), true
	}
	switch name {
	case "isoformat":
		return Builtin(name, func(a Args) (any, error) { return t.iso("T"), nil }), true
	case "strftime":
		return Builtin(name, func(a Args) (any, error) {
			if len(a.Pos) != 1 {
				return nil, typeError("strftime() takes exactly 1 argument (%d given)", len(a.Pos))
			}
			f, err := textArg(a.Pos[0], "strftime() argument 1")
			return t.Strftime(f), err
		}), true
	case "timestamp":
		return Builtin(name, func(Args) (any, error) { return float64(t.UnixMicro()) / 1e6, nil }), true
	case "weekday":
		return Builtin(name, func(Args) (any, error) { return int64(t.Weekday()+6) % 7, nil }), true
	case "isoweekday":
		return Builtin(name, func(Args) (any, error) { return int64(t.Weekday()+6)%7 + 1, nil }), true
	}
	return nil, false
}

// Strftime writes the time by a format of C's strftime, in the C locale.
func (t *Time) Strftime(format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if format[i] == '-' && i+1 < len(format) {
			i++
			s := strings.TrimLeft(t.directive(format[i]), "0 ")
			if s == "" {
				s = "0"
			}
			b.WriteString(s)
			continue
		}
		b.WriteString(t.directive(format[i]))
	}
	return b.String()
}

// layouts are the directives that Go's time knows as they are.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'D': "01/02/06",
	'e': "_2", 'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'm': "01", 'M': "04", 'p': "PM", 'r': "03:04:05 PM",
	'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06",
}

func (t *Time) directive(d byte) string {
	if layout, ok := layouts[d]; ok {
		return t.Format(layout)
	}
	year, week := t.ISOWeek()
	monday := (int(t.Weekday()) + 6) % 7
	switch d {
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	case 'f':
		return fmt.Sprintf("%06d", t.micro())
	case 'G':
		return strconv.Itoa(year)
	case 'g':
		return fmt.Sprintf("%02d", year%100)
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay())
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1)
	case 'n':
		return "\n"
	case 'P':
		return strings.ToLower(t.Format("PM"))
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 't':
		return "\t"
	case 'u':
		return strconv.Itoa(monday + 1)
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
	case 'V':
		return fmt.Sprintf("%02d", week)
	case 'w':
		return strconv.Itoa(int(t.Weekday()))
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-monday)/7)
	case 'Y':
		return strconv.Itoa(t.Year())
	case 'z':
		if t.Aware {
			return t.Format("-0700")
		}
		return ""
	case 'Z':
		if t.Aware {
			return t.Format("MST")
		}
		return ""
	case '%':
		return "%"
	}
	return "%" + string(d)
}
