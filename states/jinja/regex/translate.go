package regex

import (
	"fmt"
	"strconv"
	"strings"
)

// A translation is a pattern of Python's in the syntax of both engines.
type translation struct {
	pattern      string
	at           int
	linear, full strings.Builder
	groups       int
	names        map[string]int
	backtracks   bool
	dollar       bool
	unicode      bool
	err          error
}

func translate(pattern string) *translation {
	t := &translation{pattern: pattern, names: map[string]int{}}
	for t.at < len(pattern) && t.err == nil {
		t.next()
	}
	return t
}

func (t *translation) both(s string) {
	t.linear.WriteString(s)
	t.full.WriteString(s)
}

// take writes the next n bytes as they are.
func (t *translation) take(n int) {
	t.both(t.pattern[t.at : t.at+n])
	t.at += n
}

func (t *translation) rest() string { return t.pattern[t.at:] }

func (t *translation) next() {
	switch c := t.pattern[t.at]; c {
	case '\\':
		t.escape(false)
	case '[':
		t.class()
	case '(':
		t.group()
	case '$':
		t.dollar = true
		t.take(1)
	case '{':
		t.repeat()
	case '*', '+', '?', '}':
		t.take(1)
		if next := t.rest(); next != "" && next[0] == '+' && c != '}' {
			t.backtracks = true // possessive, which Go does not know
			t.err = fmt.Errorf("bad regular expression %q: possessive repetition is not supported", t.pattern)
		}
	default:
		t.take(1)
	}
}

// repeat reads "{m,n}"; "{,n}" is from 0 in Python only.
func (t *translation) repeat() {
	rest := t.rest()
	end := strings.IndexByte(rest, '}')
	if end > 0 {
		low, high, comma := strings.Cut(rest[1:end], ",")
		if digits(low) && digits(high) && (low != "" || comma) && (low != "" || high != "") {
			if low == "" {
				low = "0"
			}
			t.both("{" + low)
			if comma {
				t.both("," + high)
			}
			t.both("}")
			t.at += end + 1
			if n, _ := strconv.Atoi(max(low, high)); n > 1000 {
				t.backtracks = true // Go repeats a thousand times at most
			}
			return
		}
	}
	t.both(`\{`)
	t.at++
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// group reads what follows "(": the kind of group.
func (t *translation) group() {
	rest := t.rest()
	switch {
	case strings.HasPrefix(rest, "(?P<"):
		t.named()
	case strings.HasPrefix(rest, "(?P="):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			t.err = fmt.Errorf("missing ), unterminated name")
			return
		}
		t.backtracks = true
		t.full.WriteString(`\` + strconv.Itoa(t.names[rest[4:end]]))
		t.at += end + 1
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			t.err = fmt.Errorf("missing ), unterminated comment")
			return
		}
		t.at += end + 1
	case strings.HasPrefix(rest, "(?:"):
		t.take(3)
	case strings.HasPrefix(rest, "(?"):
		t.special(rest)
	default:
		t.groups++
		t.take(1)
	}
}

func (t *translation) named() {
	rest := t.rest()
	end := strings.IndexByte(rest, '>')
	if end < 0 {
		t.err = fmt.Errorf("missing >, unterminated name")
		return
	}
	t.groups++
	t.names[rest[4:end]] = t.groups
	// Numbered, as named groups are numbered after all others in the backtracking engine.
	t.both("(")
	t.at += end + 1
}

// special reads flags, look-around, atomic and conditional groups.
func (t *translation) special(rest string) {
	end := strings.IndexAny(rest, ":)")
	if end > 0 && strings.Trim(rest[2:end], "aiLmsux-") == "" {
		flags := strings.NewReplacer("a", "", "u", "", "L", "").Replace(rest[2:end])
		if strings.Contains(flags, "x") {
			t.backtracks = true
		}
		if strings.Contains(rest[2:end], "a") {
			t.unicode = false
		}
		if flags != "" || rest[end] == ':' {
			t.both("(?" + flags + rest[end:end+1])
		}
		t.at += end + 1
		return
	}
	t.backtracks = true
	if strings.HasPrefix(rest, "(?(") {
		if end := strings.IndexByte(rest, ')'); end > 0 {
			name := rest[3:end]
			if n, ok := t.names[name]; ok {
				name = strconv.Itoa(n)
			}
			t.full.WriteString("(?(" + name + ")")
			t.at += end + 1
			return
		}
	}
	for _, p := range []string{"(?<=", "(?<!", "(?=", "(?!", "(?>"} {
		if strings.HasPrefix(rest, p) {
			t.full.WriteString(p)
			t.at += len(p)
			return
		}
	}
	t.err = fmt.Errorf("bad regular expression %q: unknown extension %s", t.pattern, rest[:min(len(rest), 3)])
}

// escape reads what begins with a backslash.
func (t *translation) escape(inClass bool) {
	rest := t.rest()
	if len(rest) < 2 {
		t.err = fmt.Errorf("bad escape (end of pattern)")
		return
	}
	switch c := rest[1]; {
	case strings.IndexByte("wWdDsSbB", c) >= 0:
		t.unicode = true
		if inClass && c == 'b' {
			t.both(`\x08`)
			t.at += 2
			return
		}
		t.take(2)
	case c == 'Z':
		t.both(`\z`)
		t.at += 2
	case c == 'A' || strings.IndexByte("afnrtv", c) >= 0:
		t.take(2)
	case c == 'x' || c == 'u' || c == 'U':
		t.code(rest)
	case c >= '1' && c <= '9' && !inClass:
		n := 2
		if len(rest) > 2 && digits(rest[2:3]) {
			n = 3
		}
		t.backtracks = true
		t.full.WriteString("(?:" + rest[:n] + ")")
		t.at += n
	case c == '0' || inClass && c >= '1' && c <= '7':
		n := 2
		for n < 4 && n < len(rest) && rest[n] >= '0' && rest[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseInt(rest[1:n], 8, 32)
		t.both(fmt.Sprintf(`\x%02x`, v&0xff))
		t.at += n
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		t.err = fmt.Errorf(`bad escape \%c at position %d`, c, t.at)
	case c >= 0x80 || c == '_' || c == ' ' || c == '"' || c == '\'' || c == '\n' || strings.IndexByte("!%,/:;<=>@`#&~", c) >= 0:
		t.at++ // the backslash says nothing
		if inClass && strings.IndexByte("&~", c) < 0 || c >= 0x80 {
			return
		}
		if c == '#' || c == ' ' {
			t.both(fmt.Sprintf(`\x%02x`, c))
			t.at++
			return
		}
		t.take(1)
	default:
		t.take(2)
	}
}

func (t *translation) code(rest string) {
	n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
	if len(rest) < 2+n {
		t.err = fmt.Errorf("incomplete escape %s", rest)
		return
	}
	v, err := strconv.ParseUint(rest[2:2+n], 16, 32)
	if err != nil {
		t.err = fmt.Errorf("incomplete escape %s", rest[:2+n])
		return
	}
	fmt.Fprintf(&t.linear, `\x{%x}`, v)
	if v > 0xffff {
		t.full.WriteRune(rune(v))
	} else {
		fmt.Fprintf(&t.full, `\u%04x`, v)
	}
	t.at += 2 + n
}

// class reads "[...]". A bracket inside has no meaning in Python.
func (t *translation) class() {
	t.take(1)
	if strings.HasPrefix(t.rest(), "^") {
		t.take(1)
	}
	if strings.HasPrefix(t.rest(), "]") {
		t.both(`\]`)
		t.at++
	}
	for t.at < len(t.pattern) && t.err == nil {
		switch t.pattern[t.at] {
		case ']':
			t.take(1)
			return
		case '[':
			t.both(`\[`)
			t.at++
		case '\\':
			t.escape(true)
		default:
			t.take(1)
		}
	}
	if t.err == nil {
		t.err = fmt.Errorf("unterminated character set")
	}
}
