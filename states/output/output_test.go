package output_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/output"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

func show(t *testing.T, name, minion, returned string, o output.Options) string {
	t.Helper()
	out, err := output.For(name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := out(&b, minion, []byte(returned), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLayouts(t *testing.T) {
	const path = "testdata/values.txtar"
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	fresh := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".json")
		if !ok {
			continue
		}
		fresh.Files = append(fresh.Files, f)
		for _, layout := range []string{"nested", "highstate"} {
			file := name + "." + layout
			got := show(t, layout, "web1", strings.TrimSuffix(string(f.Data), "\n"), output.Options{})
			fresh.Files = append(fresh.Files, txtar.File{Name: file, Data: []byte(got)})
			if !*update && got != want[file] {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want[file])
			}
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestColorOnlyWhenAsked(t *testing.T) {
	const returned = `{"test_|-a_|-a_|-nop": {"result": true, "changes": {"x": 1}, "comment": "", "duration": 1.0}}`
	for _, name := range output.Names() {
		if got := show(t, name, "web1", returned, output.Options{}); strings.Contains(got, "\x1b") {
			t.Errorf("%s without color: got escapes in %q", name, got)
		}
	}
	for _, name := range []string{"nested", "highstate"} {
		if got := show(t, name, "web1", returned, output.Options{Color: true}); !strings.Contains(got, "\x1b[0;36m") {
			t.Errorf("%s with color: got no cyan in %q", name, got)
		}
	}
}

func TestJSONKeepsTheOrderOfKeys(t *testing.T) {
	const returned = `{"b":1,"a":[true,"<é>"]}`
	if got, want := show(t, "jsonl", "web1", returned, output.Options{}), `{"web1":{"b":1,"a":[true,"<é>"]}}`+"\n"; got != want {
		t.Errorf("jsonl: got %s, want %s", got, want)
	}
	want := "{\n    \"web1\": {\n        \"b\": 1,\n        \"a\": [\n            true,\n            \"<é>\"\n        ]\n    }\n}\n"
	if got := show(t, "json", "web1", returned, output.Options{}); got != want {
		t.Errorf("json: got %s, want %s", got, want)
	}
	if got := show(t, "quiet", "web1", returned, output.Options{}); got != "" {
		t.Errorf("quiet: got %q, want nothing", got)
	}
}

func TestUnknownOutputIsNamedWithTheNearest(t *testing.T) {
	_, err := output.For("nestd")
	const want = `unknown output "nestd" (did you mean "nested"?): there are highstate, json, jsonl, nested, quiet`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzLayouts(f *testing.F) {
	f.Add([]byte(`{"a_|-b_|-c_|-d": {"result": [], "changes": 5, "comment": null, "warnings": {}}}`))
	f.Add([]byte(`[{"a": [[]]}, null, "\u0000"]`))
	f.Add([]byte(`["x", "y"]`))
	f.Fuzz(func(t *testing.T, returned []byte) {
		for _, name := range output.Names() {
			got := show(t, name, "web1", string(returned), output.Options{})
			if strings.ContainsAny(got, "\x1b\x07\r") {
				t.Errorf("%s: got control characters in %q", name, got)
			}
		}
	})
}

func BenchmarkHighstate(b *testing.B) {
	one := `"test_|-a%_|-a_|-nop": {"result": true, "changes": {"x": 1}, "comment": "ok", "start_time": "1", "duration": 1.0},`
	var all strings.Builder
	all.WriteString("{")
	for i := range 1000 {
		all.WriteString(strings.ReplaceAll(one, "%", string(rune('a'+i%26))+strings.Repeat("x", i/26)))
	}
	returned := []byte(strings.TrimSuffix(all.String(), ",") + "}")
	out, err := output.For("highstate")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var sink strings.Builder
		if err := out(&sink, "web1", returned, output.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
