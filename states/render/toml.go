package render

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

// readTOML reads TOML into nodes in the order of the text.
func readTOML(name string, text []byte) (*yaml.Node, []*Error) {
	var all map[string]any
	meta, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&all)
	if err != nil {
		at := plan.Place{File: name, Line: 1}
		message := err.Error()
		if pe := (toml.ParseError{}); errors.As(err, &pe) {
			at.Line, message = pe.Position.Line, pe.Message
		}
		return nil, []*Error{plan.Errorf(at, "cannot read TOML: %s", message)}
	}
	r := &tomlReader{rank: map[string]int{}, lines: map[string]int{}}
	r.locate(meta.Keys(), strings.Split(string(text), "\n"))
	n, err := r.node(all, "", 1)
	if err != nil {
		return nil, []*Error{plan.Errorf(plan.Place{File: name, Line: 1}, "cannot read TOML: %v", err)}
	}
	return n, nil
}

// A tomlReader knows where each key stands: the library keeps their order and no lines.
type tomlReader struct {
	rank, lines map[string]int
}

// locate looks for each key from the line of the one before it.
func (r *tomlReader) locate(keys []toml.Key, lines []string) {
	from := 0
	for i, key := range keys {
		path := strings.Join(key, "\x00")
		if _, again := r.rank[path]; again {
			continue // a table of an array
		}
		last := key[len(key)-1]
		for n := from; n < len(lines); n++ {
			if strings.Contains(lines[n], last) {
				from = n
				break
			}
		}
		r.rank[path], r.lines[path] = i, from+1
	}
}

func (r *tomlReader) node(v any, path string, line int) (*yaml.Node, error) {
	n := &yaml.Node{Line: line, Column: 1}
	switch v := v.(type) {
	case map[string]any:
		n.Kind = yaml.MappingNode
		return n, r.table(n, v, path)
	case []any:
		n.Kind = yaml.SequenceNode
		for _, item := range v {
			if err := r.item(n, item, path); err != nil {
				return nil, err
			}
		}
		return n, nil
	case []map[string]any:
		n.Kind = yaml.SequenceNode
		for _, item := range v {
			if err := r.item(n, item, path); err != nil {
				return nil, err
			}
		}
		return n, nil
	case time.Time:
		n.Value = v.Format(time.RFC3339Nano)
	default:
		plain, err := value.Of(v)
		if err != nil {
			return nil, err
		}
		n.Value = plain
	}
	n.Text = value.KeyText(n.Value)
	return n, nil
}

func (r *tomlReader) item(n *yaml.Node, v any, path string) error {
	item, err := r.node(v, path, n.Line)
	n.Items = append(n.Items, item)
	return err
}

func (r *tomlReader) table(n *yaml.Node, m map[string]any, path string) error {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	at := func(k string) string {
		if path == "" {
			return k
		}
		return path + "\x00" + k
	}
	slices.SortFunc(keys, func(a, b string) int { return r.rank[at(a)] - r.rank[at(b)] })
	for _, k := range keys {
		line := max(r.lines[at(k)], 1)
		item, err := r.node(m[k], at(k), line)
		if err != nil {
			return err
		}
		n.Pairs = append(n.Pairs, yaml.Pair{Key: &yaml.Node{Line: line, Column: 1, Value: k, Text: k}, Value: item})
	}
	return nil
}
