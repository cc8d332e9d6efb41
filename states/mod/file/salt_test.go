package file_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

// TestAsSalt does what Salt 3007 was let do to a file: each line of testdata/salt/*.jsonl has the state, what the file held
// before, null for no file, the arguments, the result, and what Salt made of it.
func TestAsSalt(t *testing.T) {
	names, err := filepath.Glob("testdata/salt/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			v, err := value.FromJSON(line)
			if err != nil {
				t.Fatal(name, err)
			}
			t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) { asSalt(t, v.(*value.Dict)) })
		}
	}
}

func asSalt(t *testing.T, c *value.Dict) {
	h := hosttest.New(t)
	get := func(key string) any {
		v, _ := c.Get(key)
		return v
	}
	if before := get("before"); before != nil {
		h.Write("/f", before.(string))
	}
	in := module.Input{Args: []module.Arg{text("name", "/f")}}
	for k, v := range get("args").(*value.Dict).All() {
		in.Args = append(in.Args, module.Arg{Name: k.(string), Value: module.Data(v)})
	}
	s, err := module.NewIndex(file.Module).State("file." + get("state").(string))
	if err != nil {
		t.Fatal(err)
	}
	comment, ok := "", false
	if b, err := s.Bind(in); err != nil {
		comment = err.Error()
	} else {
		r := b.Run(t.Context(), h.Host, false)
		comment, ok = r.Comment, *r.Result
	}
	var after any
	if _, err := os.Lstat(h.Path("/f")); err == nil {
		after = h.Read("/f")
	}
	if ok != get("result") || after != get("after") {
		shown, _ := value.MarshalJSON(c)
		t.Errorf("%s:\ngot %v %q %s", shown, ok, after, comment)
	}
}
