package file

import (
	"context"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"brine/states/module"
	"brine/states/regex"
	"golang.org/x/sys/unix"
)

// setTests makes the tests of the options that are given, those first that need no more than the name.
func (f *finder) setTests() error {
	if err := f.nameTests(); err != nil {
		return err
	}
	if f.Type != nil {
		f.tests = append(f.tests, func(e *hit) (bool, error) { return f.Type[e.kindBits()] || f.Type[e.led.kindBits()], nil })
	}
	if err := f.ownerTests(); err != nil {
		return err
	}
	if f.Mode.how != 0 {
		f.tests = append(f.tests, func(e *hit) (bool, error) { return f.Mode.fits(e.led.bits()), nil })
	}
	if f.Size.set {
		f.tests = append(f.tests, func(e *hit) (bool, error) { return e.led.Size >= f.Size.min && e.led.Size <= f.Size.max, nil })
	}
	if f.Mtime.set {
		since := time.Now().Add(-f.Mtime.age).Unix()
		f.tests = append(f.tests, func(e *hit) (bool, error) {
			return e.led.Mtim.Sec >= since == f.Mtime.younger || e.led.Mtim.Sec == since, nil
		})
	}
	return f.grepTest()
}

func (f *finder) nameTests() error {
	for _, p := range []struct {
		expr  string
		flags regex.Flags
	}{
		{f.Glob.regex(), 0}, {f.IGlob.regex(), regex.IgnoreCase},
		{anchored(f.Regex), 0}, {anchored(f.IRegex), regex.IgnoreCase},
	} {
		if p.expr == "" {
			continue
		}
		re, err := regex.Compile(p.expr, p.flags)
		if err != nil {
			return err
		}
		f.tests = append(f.tests, func(e *hit) (bool, error) { return re.Match([]byte(path.Base(e.full))) })
	}
	return nil
}

func anchored(x expression) string {
	if x == "" {
		return ""
	}
	return `\A(?:` + string(x) + `)`
}

func (f *finder) ownerTests() error {
	for _, one := range []struct {
		names  string
		lookup func(context.Context, string) (uint32, error)
		of     func(*info) uint32
	}{
		{f.Owner, f.host.UserID, func(i *info) uint32 { return i.Uid }},
		{f.Group, f.host.GroupID, func(i *info) uint32 { return i.Gid }},
	} {
		if one.names == "" {
			continue
		}
		ids := map[uint32]bool{}
		for _, name := range strings.FieldsFunc(one.names, func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := id(f.ctx, name, one.lookup)
			if err != nil {
				return err
			}
			ids[uint32(n)] = true
		}
		f.tests = append(f.tests, func(e *hit) (bool, error) { return ids[one.of(e.led)], nil })
	}
	return nil
}

func (f *finder) grepTest() error {
	if f.Grep == "" {
		return nil
	}
	re, err := regex.Compile(string(f.Grep), 0)
	f.tests = append(f.tests, func(e *hit) (bool, error) {
		if !e.led.isFile() || e.led.Size > editMax {
			return false, nil
		}
		data, err := contentOf(f.ctx, f.host, e.full)
		if err != nil {
			return false, nil // it can't be read, or is gone
		}
		return re.Match(data)
	})
	return err
}

// A patternArg is a glob of a name.
type patternArg string

func (p *patternArg) ArgType() string { return "glob" }

func (p *patternArg) ParseArg(v module.Value) error {
	text, err := v.Str()
	*p = patternArg(text)
	return err
}

func (p patternArg) regex() string {
	if p == "" {
		return ""
	}
	return globRegex(string(p))
}

// fileTypes are kinds of files by their bits.
type fileTypes map[uint32]bool

var typeLetters = []struct {
	letter byte
	bits   uint32
}{
	{'b', unix.S_IFBLK}, {'c', unix.S_IFCHR}, {'d', unix.S_IFDIR}, {'f', unix.S_IFREG}, {'l', unix.S_IFLNK},
	{'p', unix.S_IFIFO}, {'s', unix.S_IFSOCK},
}

func letterOf(i *info) string {
	for _, t := range typeLetters {
		if t.bits == i.kindBits() {
			return string(t.letter)
		}
	}
	return "?"
}

func (t *fileTypes) ArgType() string { return "letters of b, c, d, f, l, p, s; a is all" }

func (t *fileTypes) ParseArg(v module.Value) error {
	text, err := v.Str()
	if v.Data == true {
		text = "f"
	}
	if err != nil || text == "" {
		return v.Want("letters of b, c, d, f, l, p, s")
	}
	*t = fileTypes{}
	for _, c := range []byte(text) {
		known := c == ',' || c == ' '
		for _, one := range typeLetters {
			if one.letter == c || c == 'a' {
				(*t)[one.bits], known = true, true
			}
		}
		if !known {
			return v.Want("letters of b, c, d, f, l, p, s")
		}
	}
	return nil
}

// A findMode is permissions to look for: '=' exactly, '-' all of them, '/' any.
type findMode struct {
	how  byte
	bits uint32
}

func (m *findMode) ArgType() string { return "mode" }

func (m *findMode) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil || text == "" {
		return v.Want("a mode such as 0644, -0002 or /6000")
	}
	m.how = '='
	if text[0] == '-' || text[0] == '/' {
		m.how, text = text[0], text[1:]
	}
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil || bits > 0o7777 {
		return v.Want("a mode such as 0644, -0002 or /6000")
	}
	m.bits = uint32(bits)
	return nil
}

func (m findMode) fits(bits uint32) bool {
	switch m.how {
	case '-':
		return bits&m.bits == m.bits
	case '/':
		return bits&m.bits != 0 || m.bits == 0
	}
	return bits == m.bits
}

// A sizeRange is sizes from min to max.
type sizeRange struct {
	set      bool
	min, max int64
}

func (s *sizeRange) ArgType() string { return "size" }

func (s *sizeRange) ParseArg(v module.Value) error {
	text, err := v.Str()
	number := strings.TrimLeft(text, "+-")
	unit := int64(1)
	if n := len(number); n > 0 {
		if shift, ok := map[byte]int{'b': 0, 'k': 10, 'm': 20, 'g': 30, 't': 40}[number[n-1]|0x20]; ok {
			unit, number = 1<<shift, strings.TrimSpace(number[:n-1])
		}
	}
	n, bad := strconv.ParseFloat(number, 64)
	if err != nil || bad != nil || n < 0 || n*float64(unit) > math.MaxInt64/2 || len(text)-len(strings.TrimLeft(text, "+-")) > 1 {
		return v.Want("a size such as 10k, +1m or -1g")
	}
	bytes := int64(n * float64(unit))
	switch text[0] {
	case '-':
		*s = sizeRange{true, 0, bytes}
	case '+':
		*s = sizeRange{true, bytes, math.MaxInt64}
	default:
		*s = sizeRange{true, bytes, bytes + unit - 1}
	}
	return nil
}

// An age is how long ago something changed.
type age struct {
	set, younger bool
	age          time.Duration
}

func (a *age) ArgType() string { return "age" }

func (a *age) ParseArg(v module.Value) error {
	const want = "an age such as 7d, -1h30m or +2w"
	text, err := v.Str()
	if err != nil || text == "" {
		return v.Want(want)
	}
	a.set, a.younger = true, text[0] == '-'
	text = strings.ReplaceAll(strings.TrimLeft(strings.ToLower(text), "+-"), " ", "")
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "d"
	}
	const units = "wdhms"
	for at := 0; text != ""; {
		i := strings.IndexAny(text, units)
		if i < 1 || strings.IndexByte(units, text[i]) < at {
			return v.Want(want)
		}
		n, err := strconv.ParseFloat(text[:i], 64)
		if err != nil || n < 0 || n > 1e6 {
			return v.Want(want)
		}
		at = strings.IndexByte(units, text[i])
		unit := [...]time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}[at]
		a.age += time.Duration(n * float64(unit))
		at, text = at+1, text[i+1:]
	}
	return nil
}
