// Package dump writes values as the filters yaml, json and python do: byte for byte what PyYAML,
// Python's json and pprint write.
package dump

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// YAML writes a value as Salt's yaml filter does: all in flow style, or all in block style.
func YAML(v any, flow bool) (string, error) {
	return write(v, &representer{flow: flow, nodes: map[any]*node{}})
}

// YAMLMixed writes a value as PyYAML does when it is told nothing: in flow style what holds nothing but scalars, the
// rest in block style.
func YAMLMixed(v any) (string, error) {
	return write(v, &representer{mixed: true, nodes: map[any]*node{}})
}

func write(v any, r *representer) (string, error) {
	n, err := r.node(v, 0)
	if err != nil {
		return "", err
	}
	if r.mixed {
		mix(n, map[*node]bool{})
	}
	r.number(n, map[*node]bool{})
	e := newEmitter()
	e.node(n, false, false)
	out := strings.TrimFunc(e.b.String(), python.IsSpace)
	return strings.TrimSuffix(out, "\n..."), nil
}

// A node is a value on the way to YAML.
type node struct {
	text   string // of a scalar
	quoted bool   // the plain text would be read as something else
	other  bool   // it stands for no text: in quotes it would be one
	style  byte   // that is preferred: ' " | > or 0
	tag    string
	items  []*node // of a sequence, or keys and values of a mapping in turn
	kind   byte    // 's'calar, 'l'ist, 'm'apping
	flow   bool
	anchor string
	shown  bool // its anchor is written
}

type representer struct {
	flow    bool
	mixed   bool          // flow is decided for each collection
	nodes   map[any]*node // those of values that are shared by reference
	anchors int
}

const maxLevels = 100

func (r *representer) node(v any, depth int) (*node, error) {
	if depth > maxLevels {
		return nil, python.Errorf("RecursionError", "a value nested deeper than %d levels", maxLevels)
	}
	switch v := v.(type) {
	case *value.Dict:
		return r.dict(v, depth)
	case *value.List:
		return r.shared(v, func(n *node) error { return r.list(n, v.Items, depth) })
	case value.Tuple:
		n := &node{flow: r.flow}
		return n, r.list(n, v, depth)
	case *value.Set:
		return r.set(v, depth)
	case python.View:
		n := &node{flow: r.flow}
		return n, r.list(n, v.Items(), depth)
	}
	return scalar(v), nil
}

func (r *representer) shared(v any, fill func(*node) error) (*node, error) {
	if n := r.nodes[v]; n != nil {
		return n, nil
	}
	n := &node{flow: r.flow}
	r.nodes[v] = n
	return n, fill(n)
}

func (r *representer) list(n *node, items []any, depth int) error {
	n.kind = 'l'
	for _, item := range items {
		in, err := r.node(item, depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, in)
	}
	return nil
}

func (r *representer) dict(d *value.Dict, depth int) (*node, error) {
	return r.shared(d, func(n *node) error {
		n.kind = 'm'
		keys := d.Keys()
		if sorted, err := python.Sorted(keys, false, func(v any) (any, error) { return v, nil }); err == nil && !d.Ordered {
			keys = sorted
		}
		for _, k := range keys {
			v, _ := d.Get(k)
			kn, err := r.node(k, depth+1)
			if err != nil {
				return err
			}
			vn, err := r.node(v, depth+1)
			if err != nil {
				return err
			}
			n.items = append(n.items, kn, vn)
		}
		return nil
	})
}

func (r *representer) set(s *value.Set, depth int) (*node, error) {
	d := &value.Dict{}
	for _, m := range s.Items() {
		if err := d.Set(m, nil); err != nil {
			return nil, err
		}
	}
	n, err := r.dict(d, depth)
	if err == nil {
		n.tag = "!!set"
	}
	return n, err
}

// mix puts collections of plain scalars into flow style.
func mix(n *node, seen map[*node]bool) {
	if n.kind == 's' || seen[n] {
		return
	}
	seen[n], n.flow = true, true
	for _, in := range n.items {
		mix(in, seen)
		n.flow = n.flow && in.kind == 's' && in.style == 0
	}
}

// number gives anchors to nodes that stand more than once.
func (r *representer) number(n *node, seen map[*node]bool) {
	if n.kind == 's' {
		return
	}
	if seen[n] {
		if n.anchor == "" {
			r.anchors++
			n.anchor = fmt.Sprintf("id%03d", r.anchors)
		}
		return
	}
	seen[n] = true
	for _, in := range n.items {
		r.number(in, seen)
	}
}

func scalar(v any) *node {
	n := &node{kind: 's', other: true}
	switch v := v.(type) {
	case nil:
		n.text = "null"
	case bool:
		n.text = "false"
		if v {
			n.text = "true"
		}
	case int64:
		n.text = fmt.Sprint(v)
	case *big.Int:
		n.text = v.String()
	case float64:
		n.text = floatText(v)
	case []byte:
		n.text, n.tag, n.style = lines76(base64.StdEncoding.EncodeToString(v)), "!!binary", '|'
	case string:
		n.text, n.quoted, n.other = v, meansElse(v), false
	case python.Markup:
		n.text, n.quoted, n.other = string(v), meansElse(string(v)), false
	case Plain:
		n.text = string(v)
	case *python.Unknown:
		n.text = v.String()
	default:
		n.text = "NULL" // what Salt writes for what it does not know
	}
	return n
}

// lines76 breaks base64 into lines.
func lines76(s string) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(s), 76) {
		b.Write(part)
		b.WriteByte('\n')
	}
	return b.String()
}

func floatText(f float64) string {
	s := value.FloatText(f)
	switch s {
	case "nan", "inf":
		return "." + s
	case "-inf":
		return "-.inf"
	}
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

// YAMLDouble writes text in double quotes, in ASCII.
func YAMLDouble(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r >= ' ' && r <= '~' && r != '"' && r != '\\' {
			b.WriteRune(r)
		} else {
			b.WriteString(escaped(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}

// YAMLSingle writes text in single quotes.
func YAMLSingle(s string) string {
	e := newEmitter()
	e.single(s, false)
	return e.b.String()
}

// YAMLScalar writes a single value; not ok when it is a collection. Text comes in double quotes.
func YAMLScalar(v any) (string, bool) {
	switch v := v.(type) {
	case *value.Dict, *value.List, *value.Set, value.Tuple:
		return "", false
	case string:
		return YAMLDouble(v), true
	case python.Markup:
		return YAMLDouble(string(v)), true
	}
	return scalar(v).text, true
}
