package iptables

import (
	"fmt"
	"strings"
)

// A word is one argument of a command. Quoted says that it is shown in quotes.
type word struct {
	text   string
	quoted bool
}

func plain(texts ...string) []word {
	words := make([]word, len(texts))
	for i, text := range texts {
		words[i] = word{text: text}
	}
	return words
}

func texts(words []word) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = w.text
	}
	return all
}

// show writes words so that split reads them again, and so does iptables-restore.
func show(words []word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if w.quoted || w.text == "" || strings.ContainsAny(w.text, " \t\n\"'\\") {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w.text) + `"`)
		} else {
			b.WriteString(w.text)
		}
	}
	return b.String()
}

// split splits text at blanks as a shell does: quotes of both kinds hold blanks together, a backslash takes what follows
// as it is, but within single quotes.
func split(text string) ([]word, error) {
	var all []word
	var b strings.Builder
	var cur word
	quote, open, escaped := rune(0), false, false
	for _, c := range text {
		switch {
		case escaped:
			b.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open, cur.quoted = c, true, true
		case quote == 0 && strings.ContainsRune(" \t\r\n", c):
			if open {
				cur.text = b.String()
				all = append(all, cur)
			}
			b.Reset()
			cur, open = word{}, false
		default:
			b.WriteRune(c)
			open = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("cannot read %q: a quote is not closed", text)
	}
	if open {
		cur.text = b.String()
		all = append(all, cur)
	}
	return all, nil
}
