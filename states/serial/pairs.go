package serial

import (
	"fmt"
	"strings"

	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/value"
)

// writePairs writes a line of key and value each, of a map or a list of pairs.
func writePairs(v any, options *value.Dict) (string, error) {
	separator, end, quoting := "=", "\n", false
	if err := set(options, text("separator", &separator), text("line_ending", &end), quote(&quoting)); err != nil {
		return "", err
	}
	pairs, err := pairsOf(v)
	if err != nil {
		return "", err
	}
	lines := make([]string, len(pairs))
	for i, p := range pairs {
		key, err1 := python.Str(p[0])
		val, err2 := python.Str(p[1])
		if err1 != nil || err2 != nil {
			return "", fmt.Errorf("line %d: want a key and a value", i+1)
		}
		if quoting {
			val = quoted(val)
		}
		lines[i] = key + separator + val
	}
	return strings.Join(lines, end), nil
}

// quoted is a text as a shell takes it for one word.
func quoted(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(safe, r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

func quote(into *bool) option {
	return option{"quoting", func(v module.Value) (err error) {
		if v.Data != nil {
			*into, err = v.Bool()
		}
		return err
	}}
}

func pairsOf(v any) (pairs [][2]any, err error) {
	if d, ok := v.(*value.Dict); ok {
		for k, item := range d.All() {
			pairs = append(pairs, [2]any{k, item})
		}
		return pairs, nil
	}
	items, ok := module.Data(v).Items()
	if !ok {
		return nil, module.Data(v).Want("a map, or a list of pairs")
	}
	for _, item := range items {
		pair, ok := item.Items()
		if !ok || len(pair) != 2 {
			return nil, item.Want("a pair of a key and a value")
		}
		pairs = append(pairs, [2]any{pair[0].Data, pair[1].Data})
	}
	return pairs, nil
}

func readPairs(s string, options *value.Dict) (any, error) {
	separator, quoting, dequote := "=", true, false
	err := set(options, text("separator", &separator), option{"quoting", func(v module.Value) (err error) {
		if v.Data != nil {
			quoting, err = v.Bool()
		}
		dequote = !quoting
		return err
	}})
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for i, line := range python.SplitLines(s, false) {
		key, val, found := strings.Cut(line, separator)
		if !found {
			return nil, fmt.Errorf("line %d has no %q", i+1, separator)
		}
		if n := len(val); dequote && n > 1 && val[0] == val[n-1] && (val[0] == '"' || val[0] == '\'') {
			val = val[1 : n-1]
		}
		d.Put(key, val)
	}
	return d, nil
}
