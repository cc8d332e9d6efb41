package yaml

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"brine/states/value"
)

// Dump writes a value as a YAML document in block style, the keys of dicts in order, texts of several
// lines as blocks. Parse reads the same value from it, but for tuples and bytes, which come back as lists
// and text. It fails on a value that contains itself.
func Dump(v any) ([]byte, error) {
	n, err := dump(v, 0)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := yaml3.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	return b.Bytes(), nil
}

const maxDump = 500 // levels

func dump(v any, depth int) (*yaml3.Node, error) {
	if depth > maxDump {
		return nil, fmt.Errorf("cannot write YAML: more than %d levels", maxDump)
	}
	switch v := v.(type) {
	case *value.Dict:
		return dumpDict(v, depth)
	case *value.List:
		return dumpItems(v.Items, depth)
	case value.Tuple:
		return dumpItems(v, depth)
	case *value.Set:
		return dumpItems(v.Items(), depth)
	}
	return dumpScalar(v)
}

func dumpDict(d *value.Dict, depth int) (*yaml3.Node, error) {
	n := &yaml3.Node{Kind: yaml3.MappingNode, Tag: "!!map"}
	for k, v := range d.All() {
		key, err := dump(k, depth+1)
		if err != nil {
			return nil, err
		}
		item, err := dump(v, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, key, item)
	}
	return n, nil
}

func dumpItems(items []any, depth int) (*yaml3.Node, error) {
	n := &yaml3.Node{Kind: yaml3.SequenceNode, Tag: "!!seq"}
	for _, v := range items {
		item, err := dump(v, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
	}
	return n, nil
}

// dumpText writes a text such that it is read back as one: yes, 12:30 and = are none without quotes.
func dumpText(s string) *yaml3.Node {
	n := &yaml3.Node{}
	n.SetString(strings.ToValidUTF8(s, "\ufffd"))
	if _, isText := resolve(s).(string); n.Style == 0 && (!isText || s == "=" || s == "<<") {
		n.Style = yaml3.SingleQuotedStyle
	}
	return n
}

// floatText is a float as YAML 1.1 reads it: with a point before an exponent.
func floatText(f float64) string {
	text := value.FloatText(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 1):
		return "." + text
	case math.IsInf(f, -1):
		return "-." + text[1:]
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
		return mantissa + ".0e" + exponent
	}
	return text
}

func dumpScalar(v any) (*yaml3.Node, error) {
	scalar := func(tag, text string) (*yaml3.Node, error) {
		return &yaml3.Node{Kind: yaml3.ScalarNode, Tag: tag, Value: text}, nil
	}
	switch v := v.(type) {
	case nil:
		return scalar("!!null", "null")
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case int64:
		return scalar("!!int", strconv.FormatInt(v, 10))
	case *big.Int:
		return scalar("!!int", v.String())
	case float64:
		return scalar("!!float", floatText(v))
	case string:
		return dumpText(v), nil
	case []byte:
		return dumpScalar(string(v))
	}
	w, err := value.Of(v)
	if err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	return dump(w, 0)
}
