package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Where returns the file and line that set a key last, of those that Load reads; where none does, those of the table
// that it is missing in; path where that is nowhere either. A part of the key may tell which of a list of tables, counted
// from 1, as in "remotes[2]".
func Where(path, dropins string, key ...string) string {
	files, _ := added(dropins) // Load told of one that cannot be read
	where, deepest := path, 1
	for _, f := range append([]string{path}, files...) {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		var any map[string]any
		meta, err := toml.Decode(string(data), &any)
		if err != nil {
			continue
		}
		for n := len(key); n >= deepest; n-- {
			if meta.IsDefined(plain(key[:n])...) {
				if strings.HasSuffix(key[n-1], "]") {
					n = len(key) // only the list is known, not what is in its tables
				}
				where, deepest = fmt.Sprintf("%s:%d", f, line(string(data), key[:n])), n
				break
			}
		}
	}
	return where
}

// plain is a key without the places in lists of tables.
func plain(key []string) []string {
	out := make([]string, len(key))
	for i, part := range key {
		out[i], _, _ = strings.Cut(part, "[")
	}
	return out
}

// tableOf is the list of tables that a part of the key tells the place in, and that place; "" where none does.
func tableOf(key []string) (list string, place int) {
	for i, part := range key {
		if _, n, ok := strings.Cut(strings.TrimSuffix(part, "]"), "["); ok {
			place, _ = strconv.Atoi(n)
			return toml.Key(plain(key[:i+1])).String(), place
		}
	}
	return "", 0
}

// line finds where a key stands: under the header of its table, or as a
// dotted key of its own.
func line(data string, key toml.Key) int {
	list, place := tableOf(key)
	table, want := "", toml.Key(plain(key)).String()
	number, open, found := 0, 0, 1
	for text := range strings.Lines(data) {
		number++
		text = strings.TrimSpace(text)
		if open > 0 { // within a list
			open += brackets(text)
			continue
		}
		if strings.HasPrefix(text, "[") {
			table, _, _ = strings.Cut(strings.TrimLeft(text, "[ \t"), "]")
			if table = strings.TrimSpace(table); list != "" && table == list {
				if place--; place < 0 {
					return found // the next one
				} else if place == 0 {
					found = number
				}
			}
			if place == 0 && (table == want || strings.HasPrefix(table, want+".")) {
				return number
			}
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		name = strings.TrimSpace(name)
		if table != "" {
			name = table + "." + name
		}
		if ok && place == 0 && (name == want || strings.HasPrefix(want, name+".")) {
			return number
		}
		open = max(brackets(value), 0)
	}
	return found
}

// brackets are those that a line opens and does not close, without those in quotes and comments.
func brackets(text string) (open int) {
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#':
			return open
		case c == '[':
			open++
		case c == ']':
			open--
		}
	}
	return open
}
