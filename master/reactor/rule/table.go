package rule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/proto/moment"
)

// A table is one of TOML that is being read: what nobody asked for is a mistake.
type table struct {
	p     *reader
	m     map[string]any
	path  string // of the places
	asked []string
}

// places are the lines of keys, by their paths: "rule#0.action.run".
type places map[string]int

// locate finds where keys stand. The n-th table of an array is its name with #n behind.
func locate(text string) places {
	at, counts, table, number, in := places{}, map[string]int{}, "", 0, ""
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if in != "" { // a text of several lines
			if strings.Contains(line, in) {
				in = ""
			}
			continue
		}
		switch name, rest, ok := strings.Cut(line, "="); {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[["):
			name := strings.TrimSpace(strings.Trim(strings.SplitN(line, "#", 2)[0], "[] \t"))
			table = fmt.Sprintf("%s#%d", name, counts[name])
			counts[name]++
			at[table] = number
		case strings.HasPrefix(line, "[") && !ok:
			head, rest, _ := strings.Cut(strings.TrimSpace(strings.Trim(strings.SplitN(line, "#", 2)[0], "[] \t")), ".")
			table = head
			if counts[head] > 0 {
				table = fmt.Sprintf("%s#%d", head, counts[head]-1)
			}
			if rest != "" {
				table += "." + rest
			}
			at[table] = number
		case ok:
			key := strings.Trim(strings.TrimSpace(name), `"'`)
			if table != "" {
				key = table + "." + key
			}
			if at[key] == 0 {
				at[key] = number
			}
			for _, quote := range []string{`"""`, "'''"} {
				if strings.Count(rest, quote) == 1 {
					in = quote
				}
			}
		}
	}
	return at
}

// line is where a key stands, or what it stands in.
func (t *table) line(key string) int {
	path := t.path
	if key != "" {
		if path != "" {
			path += "."
		}
		path += key
	}
	for path != "" {
		if n := t.p.lines[path]; n > 0 {
			return n
		}
		if n := t.p.lines[path+"#0"]; n > 0 { // the first table of an array
			return n
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return 1
}

func (t *table) wrong(key, text, hint string) {
	t.p.problems = append(t.p.problems, Problem{File: t.p.name, Line: t.line(key), Text: text, Hint: hint})
}

func (t *table) warn(key, text, hint string) {
	t.p.problems = append(t.p.problems, Problem{File: t.p.name, Line: t.line(key), Text: text, Hint: hint, Warning: true})
}

func (t *table) has(key string) bool { _, ok := t.m[key]; return ok }

func (t *table) take(key string) (any, bool) {
	if !slices.Contains(t.asked, key) {
		t.asked = append(t.asked, key)
	}
	v, ok := t.m[key]
	return v, ok
}

// done tells of keys that nobody asked for.
func (t *table) done() {
	for _, key := range sortedKeys(t.m) {
		if !slices.Contains(t.asked, key) {
			t.wrong(key, fmt.Sprintf("unknown key %q", key), suggestion(key, t.asked))
		}
	}
}

func (t *table) text(key string) string {
	v, ok := t.take(key)
	s, isText := v.(string)
	if ok && !isText {
		t.wrong(key, fmt.Sprintf("%s: want a text, got %s", key, typeName(v)), "")
	}
	return s
}

// list reads a list of texts, or one text.
func (t *table) list(key string) []string {
	v, ok := t.take(key)
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			s, isText := item.(string)
			if !isText {
				t.wrong(key, fmt.Sprintf("%s: want texts, got %s", key, typeName(item)), "")
				continue
			}
			all = append(all, s)
		}
		return all
	}
	if ok {
		t.wrong(key, fmt.Sprintf("%s: want a list of texts, got %s", key, typeName(v)), "")
	}
	return nil
}

func (t *table) number(key string, otherwise, least, most float64) float64 {
	v, ok := t.take(key)
	n := otherwise
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		if ok {
			t.wrong(key, fmt.Sprintf("%s: want a number, got %s", key, typeName(v)), "")
		}
		return otherwise
	}
	if !(n >= least && n <= most) { // nor nan
		t.wrong(key, fmt.Sprintf("%s = %v: want %v to %v", key, n, least, most), "")
		return otherwise
	}
	return n
}

// whole reads a number without a fraction.
func (t *table) whole(key string, otherwise, least, most int) int {
	n := t.number(key, float64(otherwise), float64(least), float64(most))
	if n != math.Trunc(n) {
		t.wrong(key, fmt.Sprintf("%s = %v: want a whole number", key, n), "")
		return otherwise
	}
	return int(n)
}

// maxDuration bounds what has to be remembered.
const maxDuration = 31 * 24 * time.Hour

func (t *table) duration(key string, otherwise time.Duration) time.Duration {
	text := t.text(key)
	if text == "" {
		return otherwise
	}
	d, ok := moment.Duration(text)
	if !ok || d > maxDuration {
		t.wrong(key, fmt.Sprintf("%s = %q: want a time of up to 31d, such as 30s, 5m or 1d", key, text), "")
		return otherwise
	}
	return d
}

// some is a duration that is more than none.
func (t *table) some(key string, otherwise time.Duration) time.Duration {
	d := t.duration(key, otherwise)
	if d <= 0 {
		t.wrong(key, fmt.Sprintf("%s = %q: want some time, such as 30s", key, t.text(key)), "")
		return otherwise
	}
	return d
}

// plainNames tells of names in which something stands that would not be what it looks like.
func (t *table) plainNames(key string, names ...string) {
	for _, name := range names {
		switch {
		case strings.Contains(name, "${"):
			t.wrong(key, fmt.Sprintf("%s = %q: it is taken as it stands", key, name), "only args, kwargs and text have ${...}")
		case name == "" || strings.ContainsAny(name, " \t\n"):
			t.wrong(key, fmt.Sprintf("%s = %q: want a name without spaces", key, name), "")
		}
	}
}

// rate reads 3/1h; "none" is without a limit.
func (t *table) rate(key string, otherwise Rate) Rate {
	text := t.text(key)
	if text == "" {
		return otherwise
	}
	if text == "none" {
		return Rate{}
	}
	times, per, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(strings.TrimSpace(times))
	if per = strings.TrimSpace(per); per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per // 3/h
	}
	d, ok := moment.Duration(per)
	if err != nil || n < 1 || n > maxTimes || !ok || d <= 0 || d > maxDuration {
		t.wrong(key, fmt.Sprintf("%s = %q: want how often in which time", key, text), `such as "3/1h", or "none"`)
		return otherwise
	}
	return Rate{n, d}
}

func (t *table) expr(key string, w want, ret bool) *Expr {
	text := t.text(key)
	if text == "" {
		return nil
	}
	x, err := compile(text, w, ret)
	if err != nil {
		t.wrong(key, fmt.Sprintf("%s: %v", key, err), exprHint(err, ret))
		return nil
	}
	return x
}

// exprHint says what there is, to who names something else.
func exprHint(err error, ret bool) string {
	switch text := err.Error(); {
	case strings.Contains(text, "unknown name"):
		if ret {
			return "there are ret, event, grains and pillar"
		}
		return "there are event, grains and pillar"
	case strings.Contains(text, "has no field"):
		return "an event has id, tag, origin, at, actor, cause, depth and data"
	}
	return ""
}

func (t *table) table(key string) *table {
	v, ok := t.take(key)
	m, isTable := v.(map[string]any)
	if ok && !isTable {
		t.wrong(key, fmt.Sprintf("%s: want a table, got %s", key, typeName(v)), "")
	}
	if !isTable {
		return nil
	}
	return &table{p: t.p, m: m, path: t.path + "." + key}
}

// tables reads an array of tables.
func (t *table) tables(key string) []map[string]any {
	v, ok := t.take(key)
	all, isTables := v.([]map[string]any)
	if ok && !isTables {
		t.wrong(key, fmt.Sprintf("%s: want tables, got %s", key, typeName(v)), "write [["+key+"]], with two brackets: there may be several")
	}
	return all
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case int64, float64:
		return "a number"
	case bool:
		return "true or false"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a time"
}
