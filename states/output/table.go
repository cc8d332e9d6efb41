package output

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"brine/states/value"
)

// oneTable shows what one minion returned as a table.
func oneTable(w io.Writer, minion string, returned []byte, o Options) error {
	t := &table{}
	t.add(Result{Minion: minion, Value: returned})
	return t.write(w, o)
}

// A table has a row for each minion, or several of a minion that returned a list: a column for each key.
type table struct {
	columns []string
	rows    []row
}

type row struct {
	minion string
	cells  map[string]string
	failed bool
}

// result is the column of what has no keys, and of why there is no value.
const result = "RESULT"

func (t *table) add(r Result) {
	if len(r.Value) == 0 {
		t.row(r, result, r.Reason)
		return
	}
	switch v := read(r.Value).(type) {
	case *value.Dict:
		t.dict(r, v)
	case *value.List:
		t.list(r, v)
	default:
		t.row(r, result, plainText(v))
	}
}

// row adds a row of pairs of column and text.
func (t *table) row(r Result, pairs ...string) {
	cells := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !slices.Contains(t.columns, pairs[i]) {
			t.columns = append(t.columns, pairs[i])
		}
		cells[pairs[i]] = pairs[i+1]
	}
	t.rows = append(t.rows, row{r.Minion, cells, r.Failed})
}

func (t *table) dict(r Result, d *value.Dict) {
	if states, ok := stateResults(d); ok && len(states) > 0 {
		sum := count(states)
		t.row(r, "SUCCEEDED", fmt.Sprint(sum.succeeded), "CHANGED", fmt.Sprint(sum.changed),
			"FAILED", fmt.Sprint(sum.failed), "MS", fmt.Sprintf("%.0f", sum.duration))
		return
	}
	if inner, ok := t.dictOfDicts(d); ok {
		for i, key := range d.Keys() {
			t.row(r, append([]string{"KEY", fmt.Sprint(key)}, pairs(inner[i])...)...)
		}
		return
	}
	t.row(r, pairs(d)...)
}

// dictOfDicts returns the values of d when all are dicts.
func (t *table) dictOfDicts(d *value.Dict) (inner []*value.Dict, ok bool) {
	for _, v := range d.All() {
		in, isDict := v.(*value.Dict)
		if !isDict {
			return nil, false
		}
		inner = append(inner, in)
	}
	return inner, len(inner) > 0
}

func (t *table) list(r Result, l *value.List) {
	for _, item := range l.Items {
		if d, ok := item.(*value.Dict); ok {
			t.row(r, pairs(d)...)
		} else {
			t.row(r, result, plainText(item))
		}
	}
	if len(l.Items) == 0 {
		t.row(r, result, "")
	}
}

func pairs(d *value.Dict) []string {
	var all []string
	for k, v := range d.All() {
		all = append(all, strings.ToUpper(fmt.Sprint(k)), plainText(v))
	}
	return all
}

// write puts the table out, those that failed last.
func (t *table) write(w io.Writer, o Options) error {
	sort.SliceStable(t.rows, func(i, k int) bool {
		a, b := t.rows[i], t.rows[k]
		if a.failed != b.failed {
			return b.failed
		}
		return a.minion < b.minion
	})
	lines := [][]string{append([]string{"MINION"}, t.columns...)}
	for _, r := range t.rows {
		line := []string{cell(r.minion)}
		for _, c := range t.columns {
			line = append(line, cell(r.cells[c]))
		}
		lines = append(lines, line)
	}
	widths := fit(lines, o.Width)
	p := &printer{o: o}
	for i, line := range lines {
		color := ""
		switch {
		case i == 0:
			color = cyan
		case t.rows[i-1].failed:
			color = red
		}
		p.line(0, color, aligned(line, widths), "")
	}
	_, err := w.Write(p.Bytes())
	return err
}

// cell is a text in one line.
func cell(text string) string {
	return strings.NewReplacer("\n", " | ", "\t", " ").Replace(Harmless(ended(text)))
}

// fit returns the widths of columns, narrowed until all fit into width; 0 is wide enough for anything. The
// first column is what others are asked about, such as a job's id: it stays whole.
func fit(lines [][]string, width int) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for width > 0 {
		total, widest := -2, 0
		for i, n := range widths {
			total += n + 2
			if i > 0 && (widest == 0 || n > widths[widest]) {
				widest = i
			}
		}
		over := total - width
		if over <= 0 || widest == 0 || widths[widest] <= narrowest {
			break
		}
		second := narrowest // narrow the widest to the next one at once
		for i, n := range widths {
			if i > 0 && i != widest && n < widths[widest] {
				second = max(second, n)
			}
		}
		widths[widest] -= max(1, min(over, widths[widest]-second))
	}
	return widths
}

const narrowest = 6 // columns are not made narrower

func aligned(line []string, widths []int) string {
	var b strings.Builder
	for i, text := range line {
		n := utf8.RuneCountInString(text)
		if n > widths[i] {
			text, n = string([]rune(text)[:widths[i]-1])+"…", widths[i]
		}
		b.WriteString(text)
		b.WriteString(strings.Repeat(" ", widths[i]-n+2))
	}
	return strings.TrimRight(b.String(), " ")
}

// Table writes rows under the names of their columns, narrowed to the width of the terminal.
func Table(w io.Writer, columns []string, rows [][]string, o Options) error {
	lines := [][]string{columns}
	for _, r := range rows {
		line := make([]string, len(columns))
		for i := range columns {
			if i < len(r) {
				line[i] = cell(r[i])
			}
		}
		lines = append(lines, line)
	}
	widths := fit(lines, o.Width)
	p := &printer{o: o}
	for i, line := range lines {
		color := ""
		if i == 0 {
			color = cyan
		}
		p.line(0, color, aligned(line, widths), "")
	}
	_, err := w.Write(p.Bytes())
	return err
}

// Text is a value in the words of the layout txt: a text as it is, lists and dicts as JSON.
func Text(v any) string { return plainText(v) }
