package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"brine/states/plan"
	"brine/states/value"
	"brine/states/yaml"
)

const maxDepth = 1000

// readJSON reads JSON into nodes, so that later mistakes have their line as in YAML.
func readJSON(name string, text []byte) (*yaml.Node, []*Error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	r := &jsonReader{dec: dec, text: text, line: 1}
	n, err := r.value(0)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more text after the value")
		}
	}
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	at := plan.Place{File: name, Line: r.at(dec.InputOffset())}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at.Line = r.at(max(syntax.Offset, dec.InputOffset()))
	}
	return nil, []*Error{plan.Errorf(at, "cannot read JSON: %v", err)}
}

type jsonReader struct {
	dec  *json.Decoder
	text []byte
	line int // of offset
	off  int64
}

// at returns the line of an offset, which only grows.
func (r *jsonReader) at(offset int64) int {
	offset = min(offset, int64(len(r.text)))
	if offset > r.off {
		r.line += bytes.Count(r.text[r.off:offset], []byte("\n"))
		r.off = offset
	}
	return r.line
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	return r.from(t, depth)
}

func (r *jsonReader) from(t json.Token, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	n := &yaml.Node{Line: r.at(r.dec.InputOffset()), Column: 1}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			n.Kind = yaml.SequenceNode
			return n, r.list(n, depth)
		}
		n.Kind = yaml.MappingNode
		return n, r.object(n, depth)
	case json.Number:
		v, err := value.FromJSON([]byte(t))
		n.Value, n.Text = v, string(t)
		return n, err
	case string:
		n.Value, n.Text = t, t
	case bool:
		n.Value, n.Text = t, fmt.Sprint(t)
	}
	return n, nil
}

func (r *jsonReader) list(n *yaml.Node, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	_, err := r.dec.Token()
	return err
}

func (r *jsonReader) object(n *yaml.Node, depth int) error {
	seen := map[string]int{}
	for r.dec.More() {
		key, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if first := seen[key.Text]; first > 0 {
			return fmt.Errorf("found conflicting ID '%s': line %d has it already", key.Text, first)
		}
		seen[key.Text] = key.Line
		val, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.Pairs = append(n.Pairs, yaml.Pair{Key: key, Value: val})
	}
	_, err := r.dec.Token()
	return err
}
