package python

import (
	"strings"
	"unicode"
)

// special are the characters whose upper case is more than one character.
var special = map[rune]string{
	'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'ΐ': "Ϊ́", 'ΰ': "Ϋ́", 'և': "ԵՒ",
	'ẖ': "H̱", 'ẗ': "T̈", 'ẘ': "W̊", 'ẙ': "Y̊", 'ẚ': "Aʾ",
	'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST",
}

// Upper is str.upper.
func Upper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for _, r := range s {
		if up, ok := special[r]; ok {
			b.WriteString(up)
		} else {
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}

// Lower is str.lower, with the Greek sigma that ends a word.
func Lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == 'Σ' && i > 0 && unicode.IsLetter(runes[i-1]) && (i+1 == len(runes) || !unicode.IsLetter(runes[i+1])):
			b.WriteRune('ς')
		case r == 'İ':
			b.WriteString("i̇")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func titled(r rune) string {
	if up, ok := special[r]; ok {
		first := []rune(up)[0]
		return string(first) + Lower(up[len(string(first)):])
	}
	return string(unicode.ToTitle(r))
}

// Capitalize is str.capitalize.
func Capitalize(s string) string {
	for i, r := range s {
		if i == 0 {
			return titled(r) + Lower(s[len(string(r)):])
		}
	}
	return s
}

// cased reports whether a character has a case.
func cased(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

// Title is str.title.
func Title(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		switch {
		case !inWord && cased(r):
			b.WriteString(titled(r))
		case inWord:
			b.WriteString(Lower(string(r)))
		default:
			b.WriteRune(r)
		}
		inWord = cased(r)
	}
	return b.String()
}

func swapcase(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteString(Lower(string(r)))
		} else {
			b.WriteString(Upper(string(r)))
		}
	}
	return b.String()
}

func casefold(s string) string {
	return Lower(strings.NewReplacer("ß", "ss", "ẞ", "ss", "ς", "σ", "ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl",
		"ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st").Replace(s))
}

// IsUpper is str.isupper.
func IsUpper(s string) bool { return inCase(s, unicode.IsUpper) }

// IsLower is str.islower.
func IsLower(s string) bool { return inCase(s, unicode.IsLower) }

func inCase(s string, is func(rune) bool) bool {
	seen := false
	for _, r := range s {
		if cased(r) && !is(r) {
			return false
		}
		seen = seen || is(r)
	}
	return seen
}

func isTitle(s string) bool {
	seen, inWord := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			seen, inWord = true, true
		case unicode.IsLower(r):
			if !inWord {
				return false
			}
		default:
			inWord = false
		}
	}
	return seen
}

func isAlnum(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func isDigit(r rune) bool {
	return unicode.Is(unicode.Nd, r) || strings.ContainsRune("²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", r)
}

func isPrintable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// IsIdentifier reports whether s may be a name in Python.
func IsIdentifier(s string) bool {
	for i, r := range s {
		start := r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r)
		if !start && (i == 0 || !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc)) {
			return false
		}
	}
	return s != ""
}
