package store

import (
	"strings"
	"unicode/utf8"
)

// matchWords is what the index of words is asked for a filter: something that holds of each event which the filter
// chooses. It is empty when the filter says nothing about whole words.
func matchWords(f EventFilter) string {
	var all []string
	for _, list := range []struct {
		column string
		globs  []string
	}{{"tag", f.Tags}, {"origin", f.Origins}} {
		if any := anyOf(list.column, list.globs); any != "" {
			all = append(all, any)
		}
	}
	for _, text := range f.Texts {
		// Its last word may be the beginning of one. The tag and the data are looked through each by itself.
		if words := asked(wordsOf(text, func(byte) bool { return false }), true); words != "" {
			all = append(all, "(tag : ("+words+") OR data : ("+words+"))")
		}
	}
	return strings.Join(all, " AND ")
}

// anyOf asks that one of the globs may match a column; "" when one of them says nothing of words.
func anyOf(column string, globs []string) string {
	var any []string
	for _, g := range globs {
		words := asked(wordsOf(g, func(c byte) bool { return strings.IndexByte("*?[]", c) >= 0 }), false)
		if words == "" {
			return ""
		}
		any = append(any, column+" : ("+words+")")
	}
	if len(any) == 0 {
		return ""
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// wordsOf splits a text into its words, as the index does. It leaves out those next to something that may stand for anything,
// which is all between '[' and ']', and those with letters beyond ASCII, about which the index has its own mind.
func wordsOf(text string, wild func(byte) bool) []string {
	var words []string
	begin, whole, inSet := 0, true, false
	end := func(i int) {
		if whole && i > begin {
			words = append(words, text[begin:i])
		}
		begin = i + 1
	}
	for i := range len(text) {
		switch c := text[i]; {
		case inSet:
			begin, inSet = i+1, c != ']'
		case wild(c):
			whole = false
			end(i)
			inSet = c == '['
		case c >= utf8.RuneSelf:
			whole = false
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		default:
			end(i)
			whole = true
		}
	}
	end(len(text))
	return words
}

// asked asks for all words, of which the last may be only the beginning of one.
func asked(words []string, begins bool) string {
	for i, w := range words {
		words[i] = `"` + w + `"`
	}
	if len(words) > 0 && begins {
		words[len(words)-1] += " *"
	}
	return strings.Join(words, " AND ")
}
