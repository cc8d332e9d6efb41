package yaml_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/value"
	"brine/states/yaml"
)

// A vector is a document and what Salt's loader made of it.
type vector struct {
	ID      string          `json:"id"`
	YAML    string          `json:"yaml"`
	Data    json.RawMessage `json:"data"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Line    int             `json:"line"`
}

func TestConformance(t *testing.T) {
	dir := os.Getenv("BRINE_CONFORMANCE")
	if dir == "" {
		dir = "testdata"
	}
	passed, failed := 0, 0
	for _, v := range vectors(t, filepath.Join(dir, "yaml.jsonl")) {
		if err := v.check(); err != nil {
			failed++
			t.Errorf("%s: %v\n%s", v.ID, err, v.YAML)
		} else {
			passed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
}

// TestFurtherCases has what PyYAML with the rules of Salt's loader makes of more documents of the same kind. The
// parsers word some mistakes differently, so that only the line is compared.
func TestFurtherCases(t *testing.T) {
	for _, v := range vectors(t, "testdata/further.jsonl") {
		v.Message = ""
		if err := v.check(); err != nil {
			t.Errorf("%s: %v\n%s", v.ID, err, v.YAML)
		}
	}
}

func vectors(t *testing.T, path string) (all []vector) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func (v vector) check() error {
	n, err := yaml.Parse(v.ID, []byte(v.YAML))
	if v.Error != "" {
		return v.checkError(err)
	}
	if err != nil {
		return fmt.Errorf("refused: %v", err)
	}
	got, err := json.Marshal(tagged(n.Data()))
	if err != nil {
		return err
	}
	var want any
	dec := json.NewDecoder(strings.NewReader(string(v.Data)))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil {
		return err
	}
	if text, _ := json.Marshal(want); string(text) != string(got) {
		return fmt.Errorf("got  %s\nwant %s", got, text)
	}
	return nil
}

func (v vector) checkError(err error) error {
	var errs yaml.Errors
	if !errors.As(err, &errs) {
		return fmt.Errorf("got %v, want an error that says %q", err, v.Message)
	}
	if v.Line != 0 && errs[0].Line != v.Line {
		return fmt.Errorf("got line %d (%v), want line %d (%s)", errs[0].Line, err, v.Line, v.Message)
	}
	message, _, _ := strings.Cut(v.Message, " [")
	if !strings.Contains(errs[0].Text, message) {
		return fmt.Errorf("got text %q, want %q", errs[0].Text, v.Message)
	}
	return nil
}

// tagged writes a value in the form of the data: {"$d": [[key, value], ...]} and the like.
func tagged(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		pairs := []any{}
		for k, item := range v.All() {
			pairs = append(pairs, []any{tagged(k), tagged(item)})
		}
		return map[string]any{"$d": pairs}
	case *value.List:
		items := []any{}
		for _, item := range v.Items {
			items = append(items, tagged(item))
		}
		return items
	case value.Tuple:
		items := []any{}
		for _, item := range v {
			items = append(items, tagged(item))
		}
		return map[string]any{"$t": items}
	case *value.Set:
		return map[string]any{"$s": v.Items()}
	case []byte:
		return map[string]any{"$o": "bytes"}
	case float64:
		return map[string]any{"$f": value.FloatText(v)}
	case *big.Int:
		return map[string]any{"$i": v.String()}
	case int64:
		if v > 1<<53 || v < -1<<53 {
			return map[string]any{"$i": fmt.Sprint(v)}
		}
	}
	return v
}
