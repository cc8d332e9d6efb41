package render

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"brine/states/jinja"
)

// Mistakes in a secret file tell what is wrong and where, and nothing of what the file holds: no line of it, no value.

// marks of Jinja, and what stands between quotes in an expression.
var (
	codeMark    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{|\{%|\}\}|%\}`) })
	codeText    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"(\\.|[^"\\])*"?|'(\\.|[^'\\])*'?`) })
	codeName    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z_]\w*`) })
	lineKey     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^[\s-]*["']?([\w.-]+)["']?\s*:(\s|$)`) })
	typeOfValue = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\w+ object|int|float|bool|str|list|tuple|dict|set|NoneType|Undefined|[^\pL\pN]*)$`)
	})
)

// withheld is the text of a mistake in a secret template.
func withheld(e *jinja.Error) string {
	names := codeName().FindAllString(codeOf(e.Source), -1)
	text := unquoted(e.Message(), names)
	for _, p := range e.Chain {
		text += fmt.Sprintf("\n  used by %s:%d", p.Template, p.Line)
	}
	return text
}

// withhold takes what a secret file holds, but for its keys, out of mistakes in it.
func (f *File) withhold(errs []*Error) {
	if !f.Secret || len(errs) == 0 {
		return
	}
	var keys []string
	for _, m := range lineKey().FindAllSubmatch(f.Text, -1) {
		keys = append(keys, string(m[1]))
	}
	for _, e := range errs {
		e.Text = unquoted(e.Text, keys)
	}
}

// codeOf is what Jinja evaluates of a line of a template, without texts in quotes. A line without any mark stands in the
// middle of an expression.
func codeOf(line string) string {
	var code strings.Builder
	from, inside := 0, true
	for i, at := range codeMark().FindAllStringIndex(line, -1) {
		opens := line[at[0]] == '{'
		if inside && (i > 0 || !opens) {
			code.WriteString(line[from:at[0]] + " ")
		}
		from, inside = at[1], opens
	}
	if inside {
		code.WriteString(line[from:])
	}
	return codeText().ReplaceAllString(code.String(), " ")
}

// unquoted is the first line of a message, in which what stands in quotes is left out, unless it is one of some names or
// tells only a type. A quote that is not closed hides the rest.
func unquoted(text string, names []string) string {
	text, _, _ = strings.Cut(text, "\n")
	var out strings.Builder
	for {
		at := quoteIn(text)
		if at < 0 {
			return out.String() + text
		}
		quote := text[at]
		out.WriteString(text[:at+1])
		rest := text[at+1:]
		end := closing(rest, quote)
		if end < 0 {
			return out.String() + "..." + string(quote)
		}
		if inner := rest[:end]; slices.Contains(names, inner) || typeOfValue().MatchString(inner) {
			out.WriteString(inner)
		} else {
			out.WriteString("...")
		}
		out.WriteByte(quote)
		text = rest[end+1:]
	}
}

// quoteIn is where the first quote stands that is no apostrophe in a word; -1 for nowhere.
func quoteIn(text string) int {
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\'' && (i == 0 || strings.IndexByte(" ([{:=,.", text[i-1]) >= 0) {
			return i
		}
	}
	return -1
}

// closing is where a quote ends, before which \ stands for itself with what follows; -1 for nowhere.
func closing(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return -1
}
