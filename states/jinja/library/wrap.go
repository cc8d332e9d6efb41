package library

import (
	"strings"
	"unicode"

	"brine/states/jinja/python"
)

func filterWordwrap(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	w := wrapper{}
	if w.width, err = intArg(c.Args[1]); err != nil {
		return nil, err
	}
	if w.width <= 0 {
		return nil, python.Errorf("ValueError", "invalid width %d (must be > 0)", w.width)
	}
	if w.long, err = boolArg(c.Args[2]); err != nil {
		return nil, err
	}
	if w.hyphens, err = boolArg(c.Args[4]); err != nil {
		return nil, err
	}
	end := "\n"
	if c.Args[3] != nil {
		if end, err = text(c.Args[3]); err != nil {
			return nil, err
		}
	}
	var lines []string
	for _, line := range python.SplitLines(s, false) {
		lines = append(lines, strings.Join(w.wrap(line), end))
	}
	return strings.Join(lines, end), nil
}

// A wrapper breaks lines as Python's textwrap does.
type wrapper struct {
	width         int
	long, hyphens bool // break long words, break after hyphens
}

func asciiBlank(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// chunks splits text into words and the blanks between them, words after their hyphens.
func (w *wrapper) chunks(s string) [][]rune {
	var out [][]rune
	runes := []rune(s)
	start := 0
	for i := 1; i <= len(runes); i++ {
		if i == len(runes) || asciiBlank(runes[i]) != asciiBlank(runes[i-1]) ||
			w.hyphens && afterHyphen(runes, i) {
			out = append(out, runes[start:i])
			start = i
		}
	}
	return out
}

// afterHyphen reports whether a word may be broken before the ith character.
func afterHyphen(r []rune, i int) bool {
	letter := func(j int) bool { return j >= 0 && j < len(r) && (unicode.IsLetter(r[j]) || r[j] == '_') }
	if r[i-1] != '-' {
		return dashes(r, i)
	}
	before := letter(i-2) && (letter(i-3) || i >= 4 && r[i-3] == '-' && letter(i-4))
	after := letter(i) && (letter(i+1) || i+1 < len(r) && r[i+1] == '-' && letter(i+2))
	return before && after || dashesEnd(r, i)
}

func wordChar(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// dashes reports whether two or more dashes between words begin at i.
func dashes(r []rune, i int) bool {
	if r[i] != '-' || !wordChar(r[i-1]) && !strings.ContainsRune("!\"'&.,?", r[i-1]) {
		return false
	}
	end := i
	for end < len(r) && r[end] == '-' {
		end++
	}
	return end-i >= 2 && end < len(r) && wordChar(r[end])
}

func dashesEnd(r []rune, i int) bool {
	start := i
	for start > 0 && r[start-1] == '-' {
		start--
	}
	return i-start >= 2 && start > 0 && r[i] != '-' && dashes(r, start)
}

func isBlank(chunk []rune) bool { return strings.TrimFunc(string(chunk), python.IsSpace) == "" }

func (w *wrapper) wrap(s string) []string {
	var lines []string
	rest := w.chunks(s)
	for len(rest) > 0 {
		if isBlank(rest[0]) && len(lines) > 0 {
			rest = rest[1:]
		}
		var line [][]rune
		n := 0
		for len(rest) > 0 && n+len(rest[0]) <= w.width {
			line, n, rest = append(line, rest[0]), n+len(rest[0]), rest[1:]
		}
		if len(rest) > 0 && len(rest[0]) > w.width {
			line, rest = w.longWord(line, rest, w.width-n)
		}
		if len(line) > 0 && isBlank(line[len(line)-1]) {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			var b strings.Builder
			for _, chunk := range line {
				b.WriteString(string(chunk))
			}
			lines = append(lines, b.String())
		}
	}
	return lines
}

// longWord puts of a word that fits on no line what fits on this one.
func (w *wrapper) longWord(line, rest [][]rune, room int) ([][]rune, [][]rune) {
	word := rest[0]
	switch {
	case w.long:
		end := room
		if w.hyphens && len(word) > room {
			for i := room - 1; i > 0; i-- {
				if word[i] == '-' && strings.Trim(string(word[:i]), "-") != "" {
					end = i + 1
					break
				}
			}
		}
		return append(line, word[:end]), append([][]rune{word[end:]}, rest[1:]...)
	case len(line) == 0:
		return append(line, word), rest[1:]
	}
	return line, rest
}
