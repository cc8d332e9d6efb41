package slsutil

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/value"
)

// writeTOML writes as the Python package toml does: keys in their order, the tables of a level before those below them,
// [ 1, 2,] for lists, and what is nothing left out.
func writeTOML(v any, options *value.Dict) (string, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return "", fmt.Errorf("cannot serialize to toml: want a map, got %s", value.Kind(v))
	}
	for k := range options.All() {
		return "", fmt.Errorf("cannot serialize to toml: option %q: unknown", k)
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
	if err != nil {
		return "", fmt.Errorf("cannot serialize to toml: %w", err)
	}
	return text, nil
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

func readTOML(text string) (any, error) {
	var all map[string]any
	if _, err := toml.Decode(text, &all); err != nil {
		return nil, fmt.Errorf("cannot read TOML: %v", err)
	}
	return value.Of(withoutTimes(all))
}

// withoutTimes writes times as text, which no other value can hold.
func withoutTimes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = withoutTimes(v[k])
		}
	case []map[string]any:
		for i := range v {
			withoutTimes(v[i])
		}
	case []any:
		for i := range v {
			v[i] = withoutTimes(v[i])
		}
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return v
}
