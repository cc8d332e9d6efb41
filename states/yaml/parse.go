package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	yaml3 "go.yaml.in/yaml/v3"
)

// Parse reads one document. An empty one gives a null node. The error is of type
// Errors and holds every mistake with its line; name is what it calls the
// document. Beside keys that stand twice the node comes all the same. Safe for concurrent use.
func Parse(name string, data []byte) (*Node, error) {
	data = directives().ReplaceAll(data, []byte("${1}1"))
	doc, err := read(name, data)
	if err != nil {
		if hidden := hideQuestions(data); hidden != nil {
			doc, err = read(name, hidden)
			restore(doc, err)
		}
	}
	switch {
	case err != nil:
		return nil, Errors{err}
	case doc == nil:
		return &Node{Kind: ScalarNode, Line: 1, Column: 1}, nil
	}
	return build(name, data, doc)
}

// read reads the only document; nil when there is none.
func read(name string, data []byte) (*yaml3.Node, *Error) {
	dec := yaml3.NewDecoder(bytes.NewReader(data))
	doc, err := decode(dec)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, syntaxError(name, data, dec, err)
	}
	switch more, err := decode(dec); {
	case errors.Is(err, io.EOF):
		return doc, nil
	case err != nil:
		return nil, syntaxError(name, data, dec, err)
	default:
		return nil, &Error{name, more.Line, more.Column, "expected a single document in the stream but found another document"}
	}
}

// stand is a character that has no meaning, as long as it stands for a question mark.
const stand = '\uf73f'

// hideQuestions puts something else for question marks inside plain scalars, as in [http://a/?b=c]: in brackets the parser
// takes each for the beginning of a key, libyaml does not. It returns nil when there are none.
func hideQuestions(data []byte) []byte {
	if !utf8.Valid(data) {
		return nil // what is no UTF-8 would be lost
	}
	text := []rune(string(data))
	found := false
	for i, r := range text {
		if r == stand {
			return nil
		}
		if r == '?' && insidePlain(text[:i]) {
			text[i], found = stand, true
		}
	}
	if !found {
		return nil
	}
	return []byte(string(text))
}

// insidePlain says whether what stands before a character makes it part of a scalar, and no sign.
func insidePlain(before []rune) bool {
	end := len(before)
	for end > 0 && isBlank(before[end-1]) {
		end--
	}
	if end == len(before) {
		return end > 0 && !strings.ContainsRune("\r\n[{,", before[end-1])
	}
	start := end
	for start > 0 && !isBlank(before[start-1]) && !strings.ContainsRune("\r\n[{,", before[start-1]) {
		start--
	}
	word := string(before[start:end])
	return word != "" && !strings.ContainsRune("&!-?", rune(word[0])) && !strings.HasSuffix(word, ":")
}

// restore puts the question marks back.
func restore(n *yaml3.Node, err *Error) {
	if err != nil {
		err.Text = strings.ReplaceAll(err.Text, string(stand), "?")
	}
	if n == nil {
		return
	}
	n.Value = strings.ReplaceAll(n.Value, string(stand), "?")
	n.Tag = strings.ReplaceAll(n.Tag, string(stand), "?")
	n.Anchor = strings.ReplaceAll(n.Anchor, string(stand), "?")
	for _, c := range n.Content {
		restore(c, nil)
	}
}

// directives finds a document that says it is of YAML 1.2, which libyaml reads as 1.1 and our parser refuses.
var directives = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A((?:\x{feff})?(?:[ \t]*(?:#[^\r\n]*)?[\r\n]+)*%YAML[ \t]+1\.)2`)
})

func build(name string, data []byte, doc *yaml3.Node) (*Node, error) {
	b := &builder{name: name, done: map[*yaml3.Node]*Node{}, open: map[*yaml3.Node]bool{}}
	if bytes.IndexByte(data, '!') >= 0 || bytes.Contains(data, []byte("{{")) {
		b.source = newSource(data)
	}
	n := b.node(doc.Content[0])
	if len(b.done) > 0 && !b.lost && expanded(n, map[*Node]int{}) > maxExpanded {
		b.fail(doc.Content[0], "aliases expand to more than %d values", maxExpanded)
	}
	if len(b.errs) > 0 {
		slices.SortStableFunc(b.errs, func(x, y *Error) int { return x.Line - y.Line })
		if b.lost {
			return nil, b.errs
		}
		return n, b.errs
	}
	return n, nil
}

// decode reads the next document. The parser panics on a few malformed inputs
// instead of failing; those are errors of the input all the same.
func decode(dec *yaml3.Decoder) (doc *yaml3.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be read: %v", r)
		}
	}()
	doc = new(yaml3.Node)
	if err := dec.Decode(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// A source gives the text at a place. It keeps the line asked for last, as
// documents of one long line are common where programs wrote them.
type source struct {
	lines []string
	line  int
	runes []rune
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

func newSource(data []byte) *source {
	text := strings.TrimPrefix(string(data), "\ufeff")
	return &source{lines: strings.Split(lineBreaks.Replace(text), "\n")}
}

// from returns the rest of a line from a column on; both count from 1.
func (s *source) from(line, column int) []rune {
	if line < 1 || line > len(s.lines) {
		return nil
	}
	if line != s.line {
		s.line, s.runes = line, []rune(s.lines[line-1])
	}
	return s.runes[min(column-1, len(s.runes)):]
}

// syntaxError finds the place of what the parser complained about. Its own text
// gives the start of the enclosing mapping, often a hundred lines above the
// mistake, so the exact mark is read out of the parser.
func syntaxError(name string, data []byte, dec *yaml3.Decoder, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if _, after, ok := strings.Cut(rest, ": "); ok {
			text = after
		}
	}
	e := &Error{Name: name, Line: 1, Text: text}
	parser := field(reflect.ValueOf(dec), "parser")
	state := field(parser, "parser")
	switch {
	case strings.HasPrefix(text, "unknown anchor"):
		e.Text = "found undefined alias" + strings.TrimSuffix(text[len("unknown anchor"):], " referenced")
		e.Line, e.Column = mark(field(field(parser, "event"), "start_mark"))
	case strings.HasSuffix(text, "UTF-8 octet") || strings.HasSuffix(text, "UTF-8 octet sequence"):
		at := notUTF8(data)
		e.Line = 1 + bytes.Count(data[:at], []byte("\n"))
		e.Text = fmt.Sprintf("the byte %#02x is not UTF-8: save the file as UTF-8", data[at])
	case strings.HasPrefix(text, "control characters") || strings.Contains(text, "UTF-"):
		offset := min(number(field(state, "problem_offset")), len(data))
		e.Line = 1 + bytes.Count(data[:offset], []byte("\n"))
		if c := number(field(state, "problem_value")); c > 0 {
			e.Text = fmt.Sprintf("unacceptable character #x%04x: %s", c, text)
		}
	default:
		e.Line, e.Column = mark(field(state, "problem_mark"))
	}
	if context := field(state, "context"); context.IsValid() && context.String() != "" {
		if line, _ := mark(field(state, "context_mark")); line != e.Line {
			e.Text = fmt.Sprintf("%s, %s that began at line %d", e.Text, context.String(), line)
		}
	}
	e.Text += advice(e.Text, data, e.Line)
	return e
}

// notUTF8 returns where the first byte is that is no part of a character in UTF-8; the last one when all are.
func notUTF8(data []byte) int {
	at := 0
	for at < len(data)-1 {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return min(at, len(data)-1)
}

// advice adds what to do to the messages that puzzle people most.
func advice(text string, data []byte, line int) string {
	row := string(newSource(data).from(line, 1))
	indent := row[:len(row)-len(strings.TrimLeft(row, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return " (a tab cannot indent YAML: use spaces)"
	case strings.HasPrefix(text, "mapping values are not allowed"):
		return " (check the indentation, and quote a value that contains \": \")"
	case strings.HasPrefix(text, "did not find expected key"), strings.HasPrefix(text, "did not find expected '-' indicator"):
		return " (check the indentation: what stands side by side begins in the same column)"
	case strings.HasPrefix(text, "found unexpected end of stream, while scanning a quoted scalar"):
		return " (end the text with the quote that it begins with)"
	case strings.HasPrefix(text, "found character that cannot start any token"):
		return " (quote a value that begins with % @ or `)"
	}
	return ""
}

// field returns a field of a struct or of what a pointer points to; the zero
// Value when there is none, so that another version of the parser costs places, not a crash.
func field(v reflect.Value, name string) reflect.Value {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return v.FieldByName(name)
}

func mark(v reflect.Value) (line, column int) {
	return number(field(v, "line")) + 1, number(field(v, "column")) + 1
}

func number(v reflect.Value) int {
	if !v.IsValid() || !v.CanInt() {
		return 0
	}
	return int(v.Int())
}
