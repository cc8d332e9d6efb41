package grains

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"brine/states/value"
	"brine/states/yaml"
)

// lookup follows a path of names into grains. In a list a number is an index,
// a name is looked for in the maps that it holds. A name that stands for a number is looked
// for as that too.
func lookup(v any, path, delimiter string) (any, bool) {
	for _, name := range split(path, delimiter) {
		var ok bool
		switch at := v.(type) {
		case *value.Dict:
			v, ok = inDict(at, name)
		case *value.List:
			v, ok = inList(at.Items, name)
		case value.Tuple:
			v, ok = inList(at, name)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

func split(path, delimiter string) []string {
	if delimiter == "" {
		return []string{path}
	}
	return strings.Split(path, delimiter)
}

func inDict(d *value.Dict, name string) (any, bool) {
	if v, ok := d.Get(name); ok {
		return v, true
	}
	if typed := yaml.Scalar(name); typed != any(name) {
		return d.Get(typed)
	}
	return nil, false
}

func inList(items []any, name string) (any, bool) {
	var key any = name
	index, err := strconv.Atoi(name)
	if err == nil {
		key = int64(index)
	}
	for _, item := range items {
		if d, ok := item.(*value.Dict); ok {
			if v, ok := d.Get(key); ok {
				return v, true
			}
		}
	}
	if index < 0 {
		index += len(items) // as in Python
	}
	if err != nil || index < 0 || index >= len(items) {
		return nil, false
	}
	return items[index], true
}

// text writes a value as Python's str does.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return repr(v)
}

func repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case *big.Int:
		return v.String()
	case float64:
		return value.FloatText(v)
	case string:
		return quoted(v)
	case *value.List:
		return "[" + reprs(v.Items) + "]"
	case value.Tuple:
		if len(v) == 1 {
			return "(" + repr(v[0]) + ",)"
		}
		return "(" + reprs(v) + ")"
	case *value.Dict:
		var parts []string
		for k, item := range v.All() {
			parts = append(parts, repr(k)+": "+repr(item))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

func reprs(items []any) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = repr(item)
	}
	return strings.Join(parts, ", ")
}

func quoted(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	r := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, quote, `\`+quote)
	return quote + r.Replace(s) + quote
}

// contains tells whether a value is in a list.
func contains(items []any, v any) bool {
	for _, item := range items {
		if value.Equal(item, v) {
			return true
		}
	}
	return false
}
