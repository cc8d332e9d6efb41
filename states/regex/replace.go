package regex

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Template is a text that takes the place of matches, as Python's re.sub reads it: \1, \g<1>, \g<name>, \n and the
// like.
type Template struct{ parts []part }

// A part is text, or a group when group is not negative.
type part struct {
	text  string
	group int
}

// Literal is a Template that stands for itself.
func Literal(text string) Template { return Template{[]part{{text, -1}}} }

// Template reads a replacement for matches of this expression.
func (re *Regexp) Template(text string) (Template, error) {
	var t Template
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t.parts = append(t.parts, part{plain.String(), -1})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			plain.WriteByte(text[i])
			i++
			continue
		}
		literal, group, n, err := re.escape(text[i:])
		if err == nil && group > re.count {
			err = fmt.Errorf("there is no group %d", group)
		}
		if err != nil {
			return t, fmt.Errorf("cannot read the replacement %q: %w", text, err)
		}
		i += n
		if group < 0 {
			plain.WriteString(literal)
			continue
		}
		flush()
		t.parts = append(t.parts, part{group: group})
	}
	flush()
	return t, nil
}

// escapes are the letters that stand for a character.
var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'f': "\f", 'v': "\v", 'a': "\a", 'b': "\b", '\\': `\`}

// escape reads what a backslash begins, n bytes of it: a character, or a group when group is not negative.
func (re *Regexp) escape(text string) (literal string, group, n int, err error) {
	if len(text) == 1 {
		return "", -1, 1, errors.New("it ends with a backslash")
	}
	switch c := text[1]; {
	case c == 'g':
		return re.groupNamed(text)
	case c >= '0' && c <= '9':
		return number(text)
	case escapes[c] != "":
		return escapes[c], -1, 2, nil
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return "", -1, 2, fmt.Errorf(`\%c means nothing`, c)
	}
	return text[:2], -1, 2, nil
}

// groupNamed reads \g<NAME> and \g<NUMBER>.
func (re *Regexp) groupNamed(text string) (string, int, int, error) {
	name, _, ok := strings.Cut(strings.TrimPrefix(text, `\g<`), ">")
	if !ok || !strings.HasPrefix(text, `\g<`) {
		return "", -1, 2, errors.New(`\g wants <NAME>`)
	}
	length := len(`\g<`) + len(name) + 1
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return "", n, length, nil
	}
	group, ok := re.names[name]
	if !ok {
		return "", -1, length, fmt.Errorf("there is no group %q", name)
	}
	return "", group, length, nil
}

// number reads \1 and \12; as in Python \0 and three digits are a character.
func number(text string) (string, int, int, error) {
	end := 2
	for end < len(text) && end < 4 && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	digits := text[1:end]
	octal := strings.Trim(digits, "01234567") == ""
	if digits[0] == '0' || len(digits) == 3 && octal {
		for !octal || len(digits) > 3 {
			digits = digits[:len(digits)-1]
			octal = strings.Trim(digits, "01234567") == ""
		}
		n, err := strconv.ParseUint(digits, 8, 8)
		return string([]byte{byte(n)}), -1, 1 + len(digits), err
	}
	digits = digits[:min(len(digits), 2)]
	n, err := strconv.Atoi(digits)
	return "", n, 1 + len(digits), err
}

// maxGrowth is how much longer replacing may make a text.
const maxGrowth = 64 << 20

// Sub replaces matches, at most n, all of them for n < 1. It returns how many were replaced.
func (re *Regexp) Sub(text []byte, by Template, n int) ([]byte, int, error) {
	found, err := re.Find(text, n)
	if err != nil || len(found) == 0 {
		return text, 0, err
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	at := 0
	for _, m := range found {
		out = append(out, text[at:m[0]]...)
		if out = by.Expand(out, text, m); len(out) > len(text)+maxGrowth {
			return nil, 0, fmt.Errorf("cannot replace matches: the text would grow by more than %d bytes", maxGrowth)
		}
		at = m[1]
	}
	return append(out, text[at:]...), len(found), nil
}

// Expand appends what takes the place of a match.
func (t Template) Expand(to, text []byte, match []int) []byte {
	for _, p := range t.parts {
		if p.group < 0 {
			to = append(to, p.text...)
		} else if from := match[2*p.group]; from >= 0 {
			to = append(to, text[from:match[2*p.group+1]]...)
		}
	}
	return to
}
