package regex

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A translation writes a Python expression for both engines.
type translation struct {
	src   string
	flags Flags

	fast, slow strings.Builder
	backtracks bool // RE2 can't decide it
	dollar     bool // there is a $ by which a last line end may stand
	scripts    bool // there is a class of characters of every script
	names      map[string]int
	groups     int
	pos        int
}

func (t *translation) both(s string) {
	t.fast.WriteString(s)
	t.slow.WriteString(s)
}

func (t *translation) run() error {
	t.names = map[string]int{}
	var on string
	for _, f := range []struct {
		flag   Flags
		letter string
	}{{IgnoreCase, "i"}, {Multiline, "m"}, {DotAll, "s"}} {
		if t.flags&f.flag != 0 {
			on += f.letter
		}
	}
	if on != "" {
		t.both("(?" + on + ")")
	}
	t.backtracks = t.flags&Verbose != 0
	for t.pos < len(t.src) {
		if err := t.one(); err != nil {
			return err
		}
	}
	return nil
}

// one translates what begins here.
func (t *translation) one() error {
	switch c := t.src[t.pos]; c {
	case '\\':
		return t.escape(false)
	case '[':
		return t.class()
	case '(':
		return t.group()
	case '$':
		if t.flags&Multiline == 0 {
			t.dollar = true // before a newline at the end too, which RE2's is not
			t.both("$")
			t.pos++
			return nil
		}
	case '#':
		if t.flags&Verbose != 0 {
			t.comment()
			return nil
		}
	case '{':
		if strings.HasPrefix(t.src[t.pos:], "{,") && strings.IndexByte(t.src[t.pos:], '}') > 1 {
			t.both("{0")
			t.pos++
			return nil
		}
	case '+':
		if t.pos > 0 && strings.ContainsRune("*+?}", rune(t.src[t.pos-1])) && t.possessive() {
			return errors.New("possessive repeats are not known")
		}
	}
	_, n := utf8.DecodeRuneInString(t.src[t.pos:])
	t.both(t.src[t.pos : t.pos+n])
	t.pos += n
	return nil
}

// possessive says whether the repeat before this + is one, and no escaped character.
func (t *translation) possessive() bool {
	slashes := 0
	for i := t.pos - 2; i >= 0 && t.src[i] == '\\'; i-- {
		slashes++
	}
	return slashes%2 == 0
}

func (t *translation) comment() {
	end := strings.IndexByte(t.src[t.pos:], '\n')
	if end < 0 {
		end = len(t.src) - t.pos
	}
	t.slow.WriteString(t.src[t.pos : t.pos+end])
	t.pos += end
}

// inClass returns what \d, \s and \w mean inside brackets: of ASCII, and of every script for the backtracking engine;
// "" for other letters.
func inClass(c byte) (ascii, scripts string) {
	switch c {
	case 'd':
		return "0-9", `\d`
	case 's':
		return ` \t\n\r\f\v`, `\s\x1c-\x1f`
	case 'w':
		return "a-zA-Z0-9_", `\p{L}\p{N}_`
	}
	return "", ""
}

// escape translates what a backslash begins.
func (t *translation) escape(class bool) error {
	if t.pos+1 == len(t.src) {
		return errors.New("it ends with a backslash")
	}
	c := t.src[t.pos+1]
	t.pos += 2
	lower := c | 0x20
	switch ascii, _ := inClass(lower); {
	case ascii != "":
		t.letters(lower, c != lower, class)
	case c == 'u' || c == 'U':
		return t.unicode(c)
	case c == '0' || class && c >= '0' && c <= '7':
		t.octal(c)
	case c >= '1' && c <= '9':
		if rest := t.src[t.pos:]; c <= '3' && len(rest) >= 2 && strings.Trim(rest[:2], "01234567") == "" {
			t.octal(c)
			return nil
		}
		return t.reference(c)
	case c == 'Z' && !class:
		t.both(`\z`)
	case c == 'A' || c == 'b' || c == 'B':
		t.edge(c, class)
	case strings.IndexByte("afnrtvx", c) >= 0:
		t.both(`\` + string(c))
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return fmt.Errorf(`\%c means nothing`, c)
	default:
		t.pos--
		t.literal()
	}
	return nil
}

// letters translates \d, \s and \w, or what is not in them.
func (t *translation) letters(c byte, not, class bool) {
	ascii, scripts := inClass(c)
	if t.flags&Unicode == 0 {
		scripts = ascii
	} else {
		t.scripts = true
	}
	switch {
	case class && not:
		t.both(`\` + string(c-0x20)) // what both take for the opposite is the best that brackets allow
	case class:
		t.fast.WriteString(ascii)
		t.slow.WriteString(scripts)
	case not:
		t.fast.WriteString("[^" + ascii + "]")
		t.slow.WriteString("[^" + scripts + "]")
	default:
		t.fast.WriteString("[" + ascii + "]")
		t.slow.WriteString("[" + scripts + "]")
	}
}

// literal writes a character that stands for itself after a backslash.
func (t *translation) literal() {
	_, n := utf8.DecodeRuneInString(t.src[t.pos:])
	if c := t.src[t.pos]; c < utf8.RuneSelf && c != '_' {
		t.both(`\`)
	}
	t.both(t.src[t.pos : t.pos+n])
	t.pos += n
}

// edge translates places between characters; in brackets \b is a backspace.
func (t *translation) edge(c byte, class bool) {
	if class {
		t.both(`\x08`)
		return
	}
	t.scripts = t.scripts || c != 'A' && t.flags&Unicode != 0
	t.both(`\` + string(c))
}

func (t *translation) unicode(c byte) error {
	n := 4
	if c == 'U' {
		n = 8
	}
	if t.pos+n > len(t.src) {
		return fmt.Errorf(`\%c wants %d digits`, c, n)
	}
	var r rune
	if _, err := fmt.Sscanf(t.src[t.pos:t.pos+n], "%x", &r); err != nil {
		return fmt.Errorf(`\%c wants %d digits`, c, n)
	}
	t.both(QuoteMeta(string(r)))
	t.pos += n
	return nil
}

func (t *translation) octal(first byte) {
	n := rune(first - '0')
	for i := 0; i < 2 && t.pos < len(t.src) && t.src[t.pos] >= '0' && t.src[t.pos] <= '7'; i++ {
		n = n*8 + rune(t.src[t.pos]-'0')
		t.pos++
	}
	t.both(fmt.Sprintf(`\x%02x`, n&0xff))
}

// reference translates \1.
func (t *translation) reference(c byte) error {
	n := int(c - '0')
	if t.pos < len(t.src) && t.src[t.pos] >= '0' && t.src[t.pos] <= '9' {
		n = n*10 + int(t.src[t.pos]-'0')
		t.pos++
	}
	if n > t.groups {
		return fmt.Errorf(`\%d refers to no group`, n)
	}
	t.backtracks = true
	fmt.Fprintf(&t.slow, `(?:\%d)`, n)
	return nil
}

// class translates what is in brackets.
func (t *translation) class() error {
	start := t.pos
	t.both("[")
	t.pos++
	if strings.HasPrefix(t.src[t.pos:], "^") {
		t.both("^")
		t.pos++
	}
	for first := true; t.pos < len(t.src); first = false {
		switch c := t.src[t.pos]; {
		case c == ']' && !first:
			t.both("]")
			t.pos++
			return nil
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case c == '[' || c == ']':
			t.both(`\` + string(c))
			t.pos++
		default:
			_, n := utf8.DecodeRuneInString(t.src[t.pos:])
			t.both(t.src[t.pos : t.pos+n])
			t.pos += n
		}
	}
	return fmt.Errorf("the bracket at %d is not closed", start)
}

// group translates what begins with a parenthesis.
func (t *translation) group() error {
	rest := t.src[t.pos:]
	switch {
	case !strings.HasPrefix(rest, "(?"):
		t.groups++
		t.both("(")
		t.pos++
	case strings.HasPrefix(rest, "(?P<"):
		return t.named(rest)
	case strings.HasPrefix(rest, "(?P="):
		return t.nameReference(rest)
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errors.New("a comment is not closed")
		}
		t.pos += end + 1
	case strings.HasPrefix(rest, "(?:"):
		t.both("(?:")
		t.pos += 3
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?>"):
		t.only(rest[:3])
	case strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		t.only(rest[:4])
	case strings.HasPrefix(rest, "(?("):
		return t.condition(rest)
	default:
		return t.inlineFlags(rest)
	}
	return nil
}

// only is for what RE2 has not.
func (t *translation) only(s string) {
	t.backtracks = true
	t.slow.WriteString(s)
	t.pos += len(s)
}

// condition translates (?(NUMBER) and (?(NAME).
func (t *translation) condition(rest string) error {
	name, _, ok := strings.Cut(rest[len("(?("):], ")")
	group := t.names[name]
	if n, err := strconv.Atoi(name); err == nil {
		group = n
	}
	if !ok || group < 1 || group > t.groups {
		return fmt.Errorf("there is no group %q", name)
	}
	t.backtracks = true
	fmt.Fprintf(&t.slow, "(?(%d)", group)
	t.pos += len("(?(") + len(name) + 1
	return nil
}

func (t *translation) named(rest string) error {
	name, _, ok := strings.Cut(rest[len("(?P<"):], ">")
	if !ok || name == "" {
		return errors.New("the name of a group is not closed")
	}
	if t.names[name] != 0 {
		return fmt.Errorf("two groups are named %q", name)
	}
	t.groups++
	t.names[name] = t.groups
	t.both("(") // by number, as Python counts it too
	t.pos += len("(?P<") + len(name) + 1
	return nil
}

func (t *translation) nameReference(rest string) error {
	name, _, ok := strings.Cut(rest[len("(?P="):], ")")
	if !ok || t.names[name] == 0 {
		return fmt.Errorf("there is no group %q", name)
	}
	t.backtracks = true
	fmt.Fprintf(&t.slow, `(?:\%d)`, t.names[name])
	t.pos += len("(?P=") + len(name) + 1
	return nil
}

// inlineFlags translates (?im) and (?i:...).
func (t *translation) inlineFlags(rest string) error {
	end := strings.IndexAny(rest, ":)")
	if end < 0 {
		return errors.New("a group is not closed")
	}
	letters := rest[2:end]
	if strings.Trim(letters, "aiLmsux-") != "" || letters == "" {
		return fmt.Errorf("%q begins no group that is known", rest[:min(len(rest), end+1)])
	}
	if strings.Contains(letters, "a") {
		t.flags &^= Unicode
	}
	kept := strings.NewReplacer("a", "", "L", "", "u", "").Replace(letters)
	on, _, _ := strings.Cut(kept, "-")
	if strings.Contains(on, "m") && rest[end] == ')' {
		t.flags |= Multiline
	}
	if strings.Contains(on, "x") {
		t.backtracks = true
		if rest[end] == ')' {
			t.flags |= Verbose
		}
	}
	switch {
	case kept != "":
		t.both("(?" + kept + string(rest[end]))
	case rest[end] == ':':
		t.both("(?:")
	}
	t.pos += end + 1
	return nil
}
