package dump

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"brine/states/jinja/python"
	"brine/states/value"
)

// Python writes a value as pprint.pformat does: the keys of dicts in order, lines of at most 80 characters
// where that can be.
func Python(v any) (string, error) { return PythonIn(v, pageWidth, 1) }

// PythonIn is Python with lines of another width, and another indentation for each level.
func PythonIn(v any, width, indent int) (string, error) {
	p := &printer{width: width, step: indent}
	if err := p.format(v, 0, 0, 0); err != nil {
		return "", err
	}
	return p.b.String(), nil
}

const pageWidth = 80

type printer struct {
	b           strings.Builder
	width, step int
}

// open begins a collection.
func (p *printer) open(bracket string) {
	p.write(bracket + strings.Repeat(" ", max(p.step-1, 0)))
}

func (p *printer) write(s string) { p.b.WriteString(s) }

func length(s string) int { return utf8.RuneCountInString(s) }

// format writes v from the column indent on; allowance is what must still go on its last line.
func (p *printer) format(v any, indent, allowance, level int) error {
	if level > maxLevels {
		return python.Errorf("RecursionError", "a value nested deeper than %d levels", maxLevels)
	}
	rep, err := sortedRepr(v, 0)
	if err != nil {
		return err
	}
	if length(rep) > p.width-indent-allowance {
		switch v := v.(type) {
		case *value.Dict:
			return p.dict(v, indent, allowance, level+1)
		case *value.List:
			return p.items("[", v.Items, "]", indent, allowance, level+1)
		case value.Tuple:
			end := ")"
			if len(v) == 1 {
				end = ",)"
			}
			return p.items("(", v, end, indent, allowance, level+1)
		case string:
			p.text(v, indent, allowance, level+1)
			return nil
		}
	}
	p.write(rep)
	return nil
}

func sortedKeys(d *value.Dict) []any {
	keys := d.Keys()
	if sorted, err := python.Sorted(keys, false, func(v any) (any, error) { return v, nil }); err == nil {
		return sorted
	}
	sorted, _ := python.Sorted(keys, false, func(v any) (any, error) {
		text, err := python.Repr(v)
		return value.Tuple{python.TypeName(v), text}, err
	})
	return sorted
}

// sortedRepr is repr with the keys of dicts in order.
func sortedRepr(v any, depth int) (string, error) {
	if depth > maxLevels {
		return "...", nil
	}
	list := func(open string, items []any, end string) (string, error) {
		parts := make([]string, len(items))
		for i, item := range items {
			s, err := sortedRepr(item, depth+1)
			if err != nil {
				return "", err
			}
			parts[i] = s
		}
		return open + strings.Join(parts, ", ") + end, nil
	}
	switch v := v.(type) {
	case *value.List:
		return list("[", v.Items, "]")
	case value.Tuple:
		if len(v) == 1 {
			return list("(", v, ",)")
		}
		return list("(", v, ")")
	case *value.Dict:
		var parts []string
		for _, k := range sortedKeys(v) {
			key, err := python.Repr(k)
			if err != nil {
				return "", err
			}
			item, _ := v.Get(k)
			s, err := sortedRepr(item, depth+1)
			if err != nil {
				return "", err
			}
			parts = append(parts, key+": "+s)
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	}
	return python.Repr(v)
}

func (p *printer) dict(d *value.Dict, indent, allowance, level int) error {
	p.open("{")
	indent += p.step
	keys := sortedKeys(d)
	for i, k := range keys {
		rep, err := python.Repr(k)
		if err != nil {
			return err
		}
		p.write(rep + ": ")
		v, _ := d.Get(k)
		rest := 1
		if i == len(keys)-1 {
			rest = allowance + 1
		}
		if err := p.format(v, indent+length(rep)+2, rest, level); err != nil {
			return err
		}
		if i < len(keys)-1 {
			p.write(",\n" + strings.Repeat(" ", indent))
		}
	}
	p.write("}")
	return nil
}

func (p *printer) items(open string, items []any, end string, indent, allowance, level int) error {
	p.open(open)
	indent += p.step
	for i, item := range items {
		if i > 0 {
			p.write(",\n" + strings.Repeat(" ", indent))
		}
		rest := 1
		if i == len(items)-1 {
			rest = allowance + len(end)
		}
		if err := p.format(item, indent, rest, level); err != nil {
			return err
		}
	}
	p.write(end)
	return nil
}

var wordsWithBlanks = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\S*\s*`) })

// text breaks a long text into literals that stand side by side.
func (p *printer) text(s string, indent, allowance, level int) {
	if level == 1 {
		indent++
		allowance++
	}
	chunks := textChunks(s, p.width-indent, allowance)
	if len(chunks) == 1 {
		p.write(chunks[0])
		return
	}
	if level == 1 {
		p.write("(")
	}
	p.write(strings.Join(chunks, "\n"+strings.Repeat(" ", indent)))
	if level == 1 {
		p.write(")")
	}
}

func textChunks(s string, width, allowance int) []string {
	var chunks []string
	lines := python.SplitLines(s, true)
	for i, line := range lines {
		lastLine := i == len(lines)-1
		room := width
		if lastLine {
			room -= allowance
		}
		if rep := python.Quote(line); length(rep) <= room {
			chunks = append(chunks, rep)
			continue
		}
		current := ""
		parts := wordsWithBlanks().FindAllString(line, -1)
		room = width
		for j, part := range parts {
			if part == "" {
				continue
			}
			if lastLine && j == len(parts)-1 {
				room -= allowance
			}
			if length(python.Quote(current+part)) > room {
				if current != "" {
					chunks = append(chunks, python.Quote(current))
				}
				current = part
			} else {
				current += part
			}
		}
		if current != "" {
			chunks = append(chunks, python.Quote(current))
		}
	}
	return chunks
}
