package cmd

import (
	"errors"
	"strings"
)

// split makes words of text as a POSIX shell does: blanks between them, quotes and backslashes, and
// nothing else of a shell.
func split(text string) ([]string, error) {
	var s splitter
	for _, c := range text {
		s.take(c)
	}
	if s.quote != 0 || s.escaped {
		return nil, errors.New("cannot split the text into words: a quote is not closed")
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	words   []string
	word    strings.Builder
	open    bool // a word has begun, maybe an empty one in quotes
	quote   rune
	escaped bool
}

func (s *splitter) take(c rune) {
	switch {
	case s.escaped:
		if s.quote == '"' && c != '"' && c != '\\' {
			s.word.WriteRune('\\')
		}
		s.word.WriteRune(c)
		s.escaped = false
	case c == '\\' && s.quote != '\'':
		s.escaped, s.open = true, true
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.word.WriteRune(c)
	case c == '\'' || c == '"':
		s.quote, s.open = c, true
	case strings.ContainsRune(" \t\r\n", c):
		s.end()
	default:
		s.word.WriteRune(c)
		s.open = true
	}
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}
