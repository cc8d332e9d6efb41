package pillar

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/value"
)

// A cover hides what a Mask knew when it was made.
type cover struct {
	replacer *strings.Replacer // nil: nothing is a secret
	short    map[string]bool   // that are hidden only where the name of a secret stands before them
}

// hide replaces all secrets in a text.
func (c *cover) hide(text string) string {
	if c.replacer == nil {
		return text
	}
	return c.named(c.replacer.Replace(text))
}

// aroundValues stands between a name and its value.
const aroundValues = " \t=:\"'"

// named replaces short secrets where the name of a secret stands before them: in "root" alone there is none.
func (c *cover) named(text string) string {
	if len(c.short) == 0 {
		return text
	}
	var b strings.Builder
	from := 0
	for i := 1; i < len(text); i++ {
		if strings.IndexByte(aroundValues, text[i-1]) < 0 {
			continue
		}
		for n := leastNamed; n < shortNamed && i+n <= len(text); n++ {
			ofURL := text[i-1] == ':' && strings.HasPrefix(text[i+n:], "@")
			if c.short[text[i:i+n]] && !inWord(text[i+n:]) && (ofURL || namesSecret(text[:i])) {
				b.WriteString(text[from:i] + masked)
				from = i + n
				break
			}
		}
	}
	return b.String() + text[from:]
}

func inWord(rest string) bool { return rest != "" && isWord(rune(rest[0])) }

func isWord(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// namesSecret says whether the last word of a text is the name of a secret.
func namesSecret(text string) bool {
	line := text[strings.LastIndexByte(text, '\n')+1:]
	line = strings.TrimRight(line, aroundValues)
	start := strings.LastIndexFunc(line, func(r rune) bool { return !isWord(r) }) + 1
	return secretName(strings.TrimLeft(line[start:], "-"))
}

func (c *cover) text(text string) string {
	if c.replacer != nil && strings.HasPrefix(text, "--- ") {
		return c.diff(strings.SplitAfter(text, "\n"))
	}
	return c.hide(text)
}

func (c *cover) value(v any) any {
	if c.replacer == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		return c.text(v)
	case []byte:
		return []byte(c.text(string(v)))
	case *value.List:
		return &value.List{Items: c.items(v.Items)}
	case value.Tuple:
		return value.Tuple(c.items(v))
	case *value.Set:
		return value.NewSet(c.items(v.Items())...)
	case *value.Dict:
		return c.dict(v, true)
	}
	return v
}

func (c *cover) items(items []any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = c.value(item)
	}
	return out
}

// dict hides the values of a dict, and its keys where they are data. Where a value is new, the one before goes too.
func (c *cover) dict(d *value.Dict, keys bool) *value.Dict {
	out := &value.Dict{Ordered: d.Ordered}
	for k, v := range d.All() {
		if keys {
			k = free(out, c.value(k))
		}
		item := c.value(v)
		if text, ok := v.(string); ok && c.short[text] && secretName(fmt.Sprint(k)) {
			item = masked
		}
		_ = out.Set(k, item) // it was a key already
	}
	for _, pair := range [][2]string{{"old", "new"}, {"before", "after"}} {
		_, had := d.Get(pair[0])
		if v, ok := d.Get(pair[1]); ok && had && !value.Equal(v, c.value(v)) {
			out.Put(pair[0], masked)
		}
	}
	return out
}

// free is a key that a dict has not yet: two may be the same without their secrets.
func free(d *value.Dict, key any) any {
	text, ok := key.(string)
	for i := 2; ok; i++ {
		if _, taken := d.Get(key); !taken {
			break
		}
		key = fmt.Sprintf("%s (%d)", text, i)
	}
	return key
}

// diff hides the secrets of a unified diff.
func (c *cover) diff(lines []string) string {
	var b strings.Builder
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(line string) bool { return !isChange(line) })
		if n < 0 {
			n = len(lines)
		}
		if n == 0 {
			b.WriteString(c.hide(lines[0]))
			n = 1
		} else {
			c.block(&b, lines[:n])
		}
		lines = lines[n:]
	}
	return b.String()
}

func isChange(line string) bool {
	return strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "--- ") ||
		strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++ ") || strings.HasPrefix(line, `\ No newline`)
}

// block hides the secrets of lines that a diff takes away and adds in one place.
func (c *cover) block(b *strings.Builder, lines []string) {
	begin := c.beginnings(lines)
	of := func(line string) int {
		return slices.IndexFunc(begin, func(s string) bool { return strings.HasPrefix(line, "-"+s) })
	}
	matched := slices.ContainsFunc(lines, func(line string) bool { return of(line) >= 0 })
	for _, line := range lines {
		hidden := c.hide(line)
		if hidden == line && line[0] == '-' {
			end := line[len(strings.TrimSuffix(line, "\n")):]
			if i := of(line); i >= 0 {
				hidden = "-" + begin[i] + masked + end
			} else if len(begin) > 0 && !matched {
				hidden = "-" + masked + end // any of them may hold the secret before
			} else if start := setting(line[1:]); start != "" && !slices.ContainsFunc(lines, starting("+"+start)) {
				hidden = "-" + start + masked + end
			}
		}
		b.WriteString(hidden)
	}
}

func starting(start string) func(line string) bool {
	return func(line string) bool { return strings.HasPrefix(line, start) }
}

// beginnings are what stands before the secrets in lines that are added, the longest first; "" where that is nothing.
func (c *cover) beginnings(lines []string) []string {
	var all []string
	for _, line := range lines {
		if hidden := c.hide(line); line[0] == '+' && hidden != line {
			start, _, _ := strings.Cut(hidden[1:], masked)
			if strings.TrimSpace(start) == "" {
				start = ""
			}
			all = append(all, start)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// setting returns what stands before the value in a line such as "db_password = VALUE" whose name says that the value is a
// secret; "" for any other line.
func setting(line string) string {
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		return ""
	}
	name := line[:i]
	rest := strings.TrimLeft(line[i+1:], " \t")
	name = strings.Trim(strings.TrimPrefix(strings.TrimSpace(name), "export "), `"' `)
	if !secretName(name) || strings.ContainsAny(name, " \t") || len(strings.Trim(rest, `"',`+"\r\n")) < shortNamed {
		return ""
	}
	return line[:len(line)-len(rest)]
}
