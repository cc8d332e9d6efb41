package library

import (
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"brine/states/jinja/python"
	"brine/states/value"
)

var wordStart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[-\s({\[<]+`) })

// titleWords puts the first character of each word into upper case and the others into lower.
func titleWords(s string) string {
	var b strings.Builder
	start := func(word string) {
		if word == "" {
			return
		}
		_, n := utf8.DecodeRuneInString(word)
		b.WriteString(python.Upper(word[:n]) + python.Lower(word[n:]))
	}
	last := 0
	for _, at := range wordStart().FindAllStringIndex(s, -1) {
		start(s[last:at[0]])
		b.WriteString(s[at[0]:at[1]])
		last = at[1]
	}
	start(s[last:])
	return b.String()
}

func filterCenter(_ Host, c *python.Call) (any, error) {
	s, err := soft(c.Args[0])
	if err != nil {
		return nil, err
	}
	return python.FindMethod(s, "center").Invoke(s, python.Args{Pos: []any{c.Args[1]}})
}

func filterEscape(_ Host, c *python.Call) (any, error) { return escaped(c.Args[0]) }

func escaped(v any) (any, error) {
	m, err := python.EscapeValue(v)
	return m, err
}

func filterForceescape(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return python.Escape(s), err
}

func filterSafe(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return python.Markup(s), err
}

func filterFormat(_ Host, c *python.Call) (any, error) {
	if len(c.Rest) > 0 && len(c.Named) > 0 {
		return nil, python.Errorf("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	s, err := soft(c.Args[0])
	if err != nil {
		return nil, err
	}
	if len(c.Named) > 0 {
		d := &value.Dict{}
		for _, n := range c.Named {
			d.Put(n.Name, n.Value)
		}
		return python.Binary("%", s, d)
	}
	return python.Binary("%", s, value.Tuple(c.Rest))
}

func filterIndent(_ Host, c *python.Call) (any, error) {
	s, ok := python.Text(c.Args[0])
	if !ok {
		_, err := python.Binary("+", c.Args[0], "\n")
		if err == nil {
			err = python.Errorf("AttributeError", "'%s' object has no attribute 'splitlines'", python.TypeName(c.Args[0]))
		}
		return nil, err
	}
	indent, ok := python.Text(c.Args[1])
	if !ok {
		n, err := intArg(c.Args[1])
		if err != nil {
			return nil, err
		}
		indent = strings.Repeat(" ", min(max(n, 0), 10_000))
	} else if isMarkup(c.Args[0]) && !isMarkup(c.Args[1]) {
		indent = string(python.Markup(indent))
	}
	first, err := boolArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	blank, err := boolArg(c.Args[3])
	if err != nil {
		return nil, err
	}
	lines := python.SplitLines(s+"\n", false)
	for i, line := range lines {
		if i == 0 && first || i > 0 && (line != "" || blank) {
			lines[i] = indent + line
		}
	}
	return like(c.Args[0], strings.Join(lines, "\n")), nil
}

func filterReplace(h Host, c *python.Call) (any, error) {
	var parts [3]string
	for i := range parts {
		s, err := text(c.Args[i])
		if err != nil {
			return nil, err
		}
		parts[i] = s
	}
	n := -1
	if c.Args[3] != nil {
		var err error
		if n, err = intArg(c.Args[3]); err != nil {
			return nil, err
		}
	}
	if h.Escaping() {
		if isMarkup(c.Args[0]) || isMarkup(c.Args[1]) || isMarkup(c.Args[2]) {
			for i := range parts {
				m, err := python.EscapeValue(c.Args[i])
				if err != nil {
					return nil, err
				}
				parts[i] = string(m)
			}
			s, err := python.Replace(parts[0], parts[1], parts[2], n)
			return python.Markup(s), err
		}
	}
	return python.Replace(parts[0], parts[1], parts[2], n)
}

func filterStriptags(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return python.StripTags(s), err
}

func filterTrim(_ Host, c *python.Call) (any, error) {
	s, err := soft(c.Args[0])
	if err != nil {
		return nil, err
	}
	return python.FindMethod(s, "strip").Invoke(s, python.Args{Pos: []any{c.Args[1]}})
}

func filterTruncate(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	length, err := intArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	kill, err := boolArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	end, err := text(c.Args[3])
	if err != nil {
		return nil, err
	}
	leeway := 5
	if c.Args[4] != nil {
		if leeway, err = intArg(c.Args[4]); err != nil {
			return nil, err
		}
	}
	room := length - utf8.RuneCountInString(end)
	if room < 0 || leeway < 0 {
		return nil, python.Errorf("AssertionError", "expected length >= %d, got %d", utf8.RuneCountInString(end), length)
	}
	runes := []rune(s)
	if len(runes) <= length+leeway {
		return like(c.Args[0], s), nil
	}
	cut := string(runes[:room])
	if i := strings.LastIndexByte(cut, ' '); !kill && i >= 0 {
		cut = cut[:i]
	}
	return like(c.Args[0], cut+end), nil
}

func filterWordcount(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	return int64(len(strings.FieldsFunc(s, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}))), nil
}

func filterURLEncode(_ Host, c *python.Call) (any, error) {
	v := c.Args[0]
	if _, err := python.Defined(v); err != nil {
		return nil, err
	}
	if isText(v) || !isIterable(v) {
		return quoteURL(v, false)
	}
	if d, ok := v.(*value.Dict); ok {
		v = python.View{Dict: d, Kind: python.ItemsView}
	}
	pairs, err := python.Items(v)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, p := range pairs {
		pair, err := python.Items(p)
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, python.Errorf("ValueError", "urlencode needs pairs of keys and values")
		}
		k, err := quoteURL(pair[0], true)
		if err != nil {
			return nil, err
		}
		val, err := quoteURL(pair[1], true)
		if err != nil {
			return nil, err
		}
		parts = append(parts, k+"="+val)
	}
	return strings.Join(parts, "&"), nil
}

func quoteURL(v any, query bool) (string, error) {
	s, err := text(v)
	if b, ok := v.([]byte); ok {
		s = string(b)
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_.-~", c) >= 0:
			b.WriteByte(c)
		case c == '/' && !query:
			b.WriteByte(c)
		case c == ' ' && query:
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), nil
}

var badAttribute = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[\s/>=]`) })

func filterXMLAttr(h Host, c *python.Call) (any, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		return nil, python.Errorf("AttributeError", "'%s' object has no attribute 'items'", python.TypeName(c.Args[0]))
	}
	space, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	var parts []string
	for k, v := range d.All() {
		if v == nil || isUndefined(v) {
			continue
		}
		name, err := text(k)
		if err != nil {
			return nil, err
		}
		if badAttribute().MatchString(name) {
			return nil, python.Errorf("ValueError", "Invalid character in attribute name: %s", python.Quote(name))
		}
		m, err := python.EscapeValue(v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(python.Escape(name))+`="`+string(m)+`"`)
	}
	s := strings.Join(parts, " ")
	if space && s != "" {
		s = " " + s
	}
	if h.Escaping() {
		return python.Markup(s), nil
	}
	return s, nil
}

// linkable are the texts that urlize makes links of.
var (
	linkable = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^(?:(?:https?://|www\.)(?:[\w%-]+\.)*(?:[a-z]{2,63}|xn--[\w%]{2,59})` +
			`|(?:[\w%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)` +
			`|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$`)
	})
	mailable  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\S+@\w[\w.-]*\.\w+$`) })
	linkHead  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:[(<]|&lt;)+`) })
	linkTail  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`) })
	wordBreak = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\s+`) })
)

type linker struct {
	limit   int // of characters shown; -1 is none
	attrs   string
	schemes []string
}

func filterURLize(h Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	l := linker{limit: -1}
	if c.Args[1] != nil {
		if l.limit, err = intArg(c.Args[1]); err != nil {
			return nil, err
		}
	}
	if err := l.options(c); err != nil {
		return nil, err
	}
	if !isMarkup(c.Args[0]) {
		s = string(python.Escape(s))
	}
	var b strings.Builder
	last := 0
	for _, at := range wordBreak().FindAllStringIndex(s, -1) {
		b.WriteString(l.word(s[last:at[0]]) + s[at[0]:at[1]])
		last = at[1]
	}
	b.WriteString(l.word(s[last:]))
	if h.Escaping() {
		return python.Markup(b.String()), nil
	}
	return b.String(), nil
}

func (l *linker) options(c *python.Call) error {
	rel := map[string]bool{"noopener": true}
	if s, ok := python.Text(c.Args[4]); ok {
		for _, part := range strings.Fields(s) {
			rel[part] = true
		}
	}
	if nofollow, err := boolArg(c.Args[2]); err != nil {
		return err
	} else if nofollow {
		rel["nofollow"] = true
	}
	l.attrs = ` rel="` + html.EscapeString(strings.Join(slices.Sorted(maps.Keys(rel)), " ")) + `"`
	if s, ok := python.Text(c.Args[3]); ok && s != "" {
		l.attrs += ` target="` + string(python.Escape(s)) + `"`
	}
	if c.Args[5] == nil {
		return nil
	}
	schemes, err := python.Items(c.Args[5])
	for _, v := range schemes {
		s, _ := python.Text(v)
		if u, err := url.Parse(s + "x"); s == "" || err != nil || u.Scheme == "" {
			return python.Errorf("FilterArgumentError", "%s is not a valid URI scheme prefix.", python.Quote(s))
		}
		l.schemes = append(l.schemes, s)
	}
	return err
}

func (l *linker) word(w string) string {
	head := linkHead().FindString(w)
	middle := w[len(head):]
	tail := linkTail().FindString(middle)
	middle = middle[:len(middle)-len(tail)]
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		open := strings.Count(middle, pair[0])
		if open <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(open, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	return head + l.link(middle) + tail
}

func (l *linker) link(s string) string {
	switch {
	case linkable().MatchString(s):
		target := s
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			target = "https://" + s
		}
		shown := s
		if l.limit >= 0 && utf8.RuneCountInString(s) > l.limit {
			shown = string([]rune(s)[:l.limit]) + "..."
		}
		return `<a href="` + target + `"` + l.attrs + `>` + shown + `</a>`
	case strings.HasPrefix(s, "mailto:") && mailable().MatchString(s[7:]):
		return `<a href="` + s + `">` + s[7:] + `</a>`
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "www.") && !strings.HasPrefix(s, "@") &&
		!strings.Contains(s, ":") && mailable().MatchString(s):
		return `<a href="mailto:` + s + `">` + s + `</a>`
	}
	for _, scheme := range l.schemes {
		if s != scheme && strings.HasPrefix(s, scheme) {
			return `<a href="` + s + `"` + l.attrs + `>` + s + `</a>`
		}
	}
	return s
}
