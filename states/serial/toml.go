package serial

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"brine/states/jinja/dump"
	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/value"
)

// writeTOML writes as the Python package toml does: keys in their order, the tables of a level before those below them,
// [ 1, 2,] for lists, and what is nothing left out.
func writeTOML(v any, options *value.Dict) (string, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return "", fmt.Errorf("want a map, got %s", value.Kind(v))
	}
	if err := set(options); err != nil {
		return "", err
	}
	text, tables, err := splitTable(tomlTable{body: d})
	for level := 0; err == nil && len(tables) > 0; level++ {
		var below []tomlTable
		for _, t := range tables {
			own, more, e := splitTable(t)
			if e == nil && level > maxDepth {
				e = tooDeep()
			}
			if e != nil {
				err = e
				break
			}
			if own != "" || len(more) == 0 {
				if text != "" && !strings.HasSuffix(text, "\n\n") {
					text += "\n"
				}
				text += "[" + t.name + "]\n" + own
			}
			below = append(below, more...)
		}
		tables = below
	}
	return text, err
}

// A tomlTable is a map with the whole name that its heading has.
type tomlTable struct {
	name  string
	body  *value.Dict
	depth int // of lists of tables that it is in
}

func (t tomlTable) below(key string, body *value.Dict) tomlTable {
	if t.name != "" {
		key = t.name + "." + key
	}
	return tomlTable{key, body, t.depth}
}

// maxDepth is how deep tables and lists may be.
const maxDepth = 500

func tooDeep() error { return fmt.Errorf("it has more than %d levels", maxDepth) }

// splitTable returns the lines of a table, lists of tables last, and the tables below it.
func splitTable(t tomlTable) (string, []tomlTable, error) {
	var lines, lists strings.Builder
	var tables []tomlTable
	for k, v := range t.body.All() {
		key, err := tomlKey(k)
		if err != nil {
			return "", nil, err
		}
		list, _ := v.(*value.List)
		body, isTable := v.(*value.Dict)
		switch {
		case v == nil:
		case isTable:
			tables = append(tables, t.below(key, body))
		case list != nil && slices.ContainsFunc(list.Items, isDict):
			err = tomlTables(&lists, t.below(key, nil), list)
		default:
			var text string
			text, err = tomlValue(v, 0)
			lines.WriteString(key + " = " + text + "\n")
		}
		if err != nil {
			return "", nil, err
		}
	}
	return lines.String() + lists.String(), tables, nil
}

func isDict(v any) bool {
	_, ok := v.(*value.Dict)
	return ok
}

// tomlTables writes a list of tables, each with all that is below it.
func tomlTables(b *strings.Builder, t tomlTable, list *value.List) error {
	if t.depth > maxDepth {
		return tooDeep()
	}
	for _, item := range list.Items {
		body, ok := item.(*value.Dict)
		if !ok {
			return fmt.Errorf("%s: a list holds tables or other values, not both", t.name)
		}
		own, below, err := splitTable(tomlTable{t.name, body, t.depth + 1})
		if err != nil {
			return err
		}
		b.WriteString("[[" + t.name + "]]\n")
		rest := "\n"
		if strings.HasPrefix(own, "[") {
			rest += own
		} else {
			b.WriteString(own)
		}
		deeper, err := tomlBelow(below)
		if err != nil {
			return err
		}
		b.WriteString(rest + deeper)
	}
	return nil
}

// tomlBelow writes the tables below one of a list, those that have lines.
func tomlBelow(tables []tomlTable) (string, error) {
	var b strings.Builder
	for level := 0; len(tables) > 0; level++ {
		if level > maxDepth {
			return "", tooDeep()
		}
		var below []tomlTable
		for _, t := range tables {
			own, more, err := splitTable(t)
			if err != nil {
				return "", err
			}
			if own != "" {
				b.WriteString("[" + t.name + "]\n" + own)
			}
			below = append(below, more...)
		}
		tables = below
	}
	return b.String(), nil
}

var bareKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]+$`) })

func tomlKey(k any) (string, error) {
	key, err := module.Data(k).Str()
	if err != nil || bareKey().MatchString(key) {
		return key, err
	}
	return tomlText(key)
}

func tomlValue(v any, depth int) (string, error) {
	if depth > maxDepth {
		return "", tooDeep()
	}
	switch v := v.(type) {
	case *value.List:
		var b strings.Builder
		for _, item := range v.Items {
			text, err := tomlValue(item, depth+1)
			if err != nil {
				return "", err
			}
			b.WriteString(" " + text + ",")
		}
		return "[" + b.String() + "]", nil
	case *value.Dict:
		return "", fmt.Errorf("a list in a list holds a table")
	case bool:
		return fmt.Sprint(v), nil
	case string:
		return tomlText(v)
	case nil:
		return `"None"`, nil
	case dump.Plain:
		return string(v), nil
	}
	text, err := python.Repr(v)
	return strings.NewReplacer("e+0", "e+", "e-0", "e-").Replace(text), err
}

// tomlText quotes text with the escapes that Python's repr has, as far as TOML knows them.
func tomlText(s string) (string, error) {
	quoted, err := python.Repr(s)
	if err != nil {
		return "", err
	}
	single, body := quoted[0] == '\'', quoted[1:len(quoted)-1]
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			b.WriteString(`\"`)
		case c == '\\' && single && body[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case c == '\\' && body[i+1] == 'x':
			i++
			b.WriteString(`\u00`)
		case c == '\\':
			i++
			b.WriteString(body[i-1 : i+1])
		default:
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`, nil
}

// readTOML keeps the order of the text, and times as they are written.
func readTOML(text string, options *value.Dict) (any, error) {
	if err := set(options); err != nil {
		return nil, err
	}
	var all map[string]any
	meta, err := toml.Decode(text, &all)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "toml: "))
	}
	r := tomlReader{}
	for i, key := range meta.Keys() {
		path := strings.Join(key, "\x00")
		if _, again := r[path]; !again {
			r[path] = i
		}
	}
	return r.data(all, "")
}

// A tomlReader knows where each key stands among the others.
type tomlReader map[string]int

func (r tomlReader) data(v any, path string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		return r.table(v, path)
	case []map[string]any:
		l := &value.List{}
		for _, item := range v {
			own, err := r.table(item, path)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, own)
		}
		return l, nil
	case []any:
		l := &value.List{}
		for _, item := range v {
			own, err := r.data(item, path)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, own)
		}
		return l, nil
	case time.Time:
		return tomlTime(v), nil
	}
	return value.Of(v)
}

func (r tomlReader) table(m map[string]any, path string) (any, error) {
	below := func(key string) string { return strings.TrimPrefix(path+"\x00"+key, "\x00") }
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return r[below(a)] - r[below(b)] })
	d := &value.Dict{}
	for _, key := range keys {
		own, err := r.data(m[key], below(key))
		if err != nil {
			return nil, err
		}
		d.Put(key, own)
	}
	return d, nil
}

// tomlTime is a time as it was written. The library tells by its location what it lacks.
func tomlTime(t time.Time) dump.Plain {
	layout := time.RFC3339Nano
	switch name := t.Location().String(); {
	case strings.HasPrefix(name, "datetime"):
		layout = "2006-01-02T15:04:05.999999999"
	case strings.HasPrefix(name, "date"):
		layout = time.DateOnly
	case strings.HasPrefix(name, "time"):
		layout = "15:04:05.999999999"
	}
	return dump.Plain(t.Format(layout))
}
