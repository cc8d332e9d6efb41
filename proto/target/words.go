package target

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A span is a piece of an expression and where it begins in it.
type span struct {
	text string
	at   int
}

// lex cuts a compound into words. Parentheses may touch what they enclose;
// those inside a pattern, such as E@web(1|2), belong to it.
func lex(text string) []span {
	var words []span
	for i := 0; i < len(text); {
		r, width := utf8.DecodeRuneInString(text[i:])
		if unicode.IsSpace(r) {
			i += width
			continue
		}
		end := i + width
		if r != '(' && r != ')' {
			end = wordEnd(text, i)
		}
		words = append(words, span{text[i:end], i})
		i = end
	}
	return words
}

// wordEnd finds the end of the word that begins at i.
func wordEnd(text string, i int) int {
	engine, _, pattern := engineOf(text[i:])
	if engine == 0 {
		end := strings.IndexFunc(text[i:], func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' })
		if end < 0 {
			return len(text)
		}
		return i + end
	}
	return patternEnd(text, len(text)-len(pattern), engine == 'E' || engine == 'P' || engine == 'J')
}

// patternEnd finds where the pattern that begins at i ends: at white space, or
// at a parenthesis that the pattern did not open.
func patternEnd(text string, i int, regular bool) int {
	depth := 0
	for i < len(text) {
		r, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsSpace(r) || r == ')' && depth == 0:
			return i
		case r == '\\' && regular && i+1 < len(text):
			_, next := utf8.DecodeRuneInString(text[i+1:])
			width += next
		case r == '[':
			width += bracketed(text[i+1:], regular)
		case r == '(':
			depth++
		case r == ')':
			depth--
		}
		i += width
	}
	return len(text)
}

// bracketed is how many bytes follow the "[" of a class up to its "]"; 0 when
// nothing closes it in this word.
func bracketed(text string, regular bool) int {
	i := 0
	if strings.HasPrefix(text, "!") || strings.HasPrefix(text, "^") {
		i++
	}
	if strings.HasPrefix(text[i:], "]") {
		i++
	}
	for i < len(text) {
		r, width := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == ']':
			return i + 1
		case unicode.IsSpace(r):
			return 0
		case r == '\\' && regular && i+1 < len(text):
			width++
		}
		i += width
	}
	return 0
}

// engineOf splits G@os:Debian, or G|@os|Debian, where any one character may
// be the delimiter. A word that has no such beginning has engine 0.
func engineOf(word string) (engine byte, delimiter, pattern string) {
	if word == "" || word[0] < 'A' || word[0] > 'Z' {
		return 0, "", word
	}
	rest := word[1:]
	r, width := utf8.DecodeRuneInString(rest)
	if width > 0 && strings.HasPrefix(rest[width:], "@") && !unicode.IsSpace(r) &&
		(strings.IndexByte("GPIJ", word[0]) >= 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '@') {
		return word[0], rest[:width], rest[width+1:]
	}
	if strings.HasPrefix(rest, "@") {
		return word[0], "", rest[1:]
	}
	return 0, "", word
}
