package output_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// golden compares files with those of an archive, or writes them.
func golden(t *testing.T, path string, make func(a *txtar.Archive) []txtar.File) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	fresh := &txtar.Archive{Comment: a.Comment, Files: make(a)}
	for _, f := range fresh.Files {
		if !*update && string(f.Data) != want[f.Name] {
			t.Errorf("%s: %s: got\n%s\nwant\n%s", path, f.Name, f.Data, want[f.Name])
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayouts(t *testing.T) {
	golden(t, "testdata/values.txtar", func(a *txtar.Archive) (files []txtar.File) {
		for _, f := range a.Files {
			name, ok := strings.CutSuffix(f.Name, ".value")
			if !ok {
				continue
			}
			files = append(files, f)
			for _, layout := range output.Names() {
				got := show(t, layout, "web1", strings.TrimSuffix(string(f.Data), "\n"), output.Options{})
				if got == "" && layout != "quiet" {
					t.Errorf("%s.%s: got nothing", name, layout)
				}
				if layout != "quiet" {
					files = append(files, txtar.File{Name: name + "." + layout, Data: []byte(got)})
				}
			}
		}
		return files
	})
}

func TestFormsOfStates(t *testing.T) {
	golden(t, "testdata/forms.txtar", func(a *txtar.Archive) []txtar.File {
		files := []txtar.File{a.Files[0]}
		for _, f := range a.Files[1:] {
			got := show(t, "highstate", "web1", string(a.Files[0].Data), options(t, f.Name))
			files = append(files, txtar.File{Name: f.Name, Data: []byte(got)})
		}
		return files
	})
}

// options reads options from words.
func options(t *testing.T, line string) (o output.Options) {
	t.Helper()
	words := strings.Fields(line)
	for i, word := range words {
		key, text, _ := strings.Cut(word, "=")
		switch key {
		case "exclude":
			o.States.Exclude = strings.Split(text, ",")
		case "terse":
			if text != "" {
				o.States.Terse = strings.Split(text, ",")
				break
			}
			fallthrough
		case "full", "mixed", "mixed_id", "changes", "filter":
			o.States.Output = word
		case "hide-clean":
			o.States.HideClean = true
		case "diff-only":
			o.States.DiffOnly = true
		case "no-profile":
			o.States.NoProfile = true
		case "width":
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			o.Width = n
		case "color":
			o.Color = true
		default:
			t.Fatalf("unknown option %q of %v", word, words[i:])
		}
	}
	if err := o.States.Check(); err != nil {
		t.Error(err)
	}
	return o
}

func TestWrongFormsAreRefused(t *testing.T) {
	err := output.StateOptions{Output: "ters", Exclude: []string{"False", "no"}, Terse: []string{"1"}}.Check()
	const want = `unknown state_output "ters" (did you mean "terse"?): there are changes, filter, full, mixed, terse, each also with _id
state_output_exclude: False cannot be left out: what failed is always shown
state_output_exclude: "no" is neither True nor None
state_output_terse: "1" is neither True, False nor None`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// TestMany: the comment's last line is the layout and options; "in" has a minion, a status and the value a line.
func TestMany(t *testing.T) {
	paths, err := filepath.Glob("testdata/many/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d files, %v", len(paths), err)
	}
	for _, path := range paths {
		golden(t, path, func(a *txtar.Archive) []txtar.File {
			lines := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
			got := showMany(t, lines[len(lines)-1], string(a.Files[0].Data))
			return []txtar.File{a.Files[0], {Name: "out", Data: []byte(got)}}
		})
	}
}

func showMany(t *testing.T, words, in string) string {
	t.Helper()
	layout, rest, _ := strings.Cut(words, " ")
	var many output.ManyOptions
	var left []string
	for _, word := range strings.Fields(rest) {
		switch word {
		case "all":
			many.All = true
		case "plan":
			many.Plan = true
		default:
			left = append(left, word)
		}
	}
	var b strings.Builder
	m, err := output.NewMany(&b, layout, options(t, strings.Join(left, " ")), many)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(in), "\n") {
		for _, r := range results(line) {
			if err := m.Add(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// results reads a line: "web1 ok VALUE", "web1 failed VALUE", or "web1 STATUS". web1-20 are many.
func results(line string) (all []output.Result) {
	names, rest, _ := strings.Cut(line, " ")
	status, returned, _ := strings.Cut(rest, " ")
	r := output.Result{Value: []byte(returned), Failed: status == "failed" || status == "refused:no"}
	if returned == "" {
		r.Reason = strings.ReplaceAll(status, ":", ": ")
	} else if status == "failed" && returned[0] != '{' && returned[0] != '[' {
		r.Notes = []string{"retcode 1"}
	}
	base, last, ok := strings.Cut(names, "-")
	if !ok {
		r.Minion = names
		return []output.Result{r}
	}
	kind := strings.TrimRight(base, "0123456789")
	from, _ := strconv.Atoi(strings.TrimPrefix(base, kind))
	to, _ := strconv.Atoi(last)
	for n := from; n <= to; n++ {
		r.Minion = fmt.Sprintf("%s%d", kind, n)
		all = append(all, r)
	}
	return all
}

func TestColorOnlyWhenAsked(t *testing.T) {
	const returned = `{"test_|-a_|-a_|-nop": {"result": true, "changes": {"x": 1}, "comment": "", "duration": 1.0}}`
	for _, name := range output.Names() {
		if got := show(t, name, "web1", returned, output.Options{}); strings.Contains(got, "\x1b") {
			t.Errorf("%s without color: got escapes in %q", name, got)
		}
	}
	for _, name := range []string{"nested", "highstate", "table", "txt"} {
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
	const want = `unknown output "nestd" (did you mean "nested"?): there are highstate, json, jsonl, nested, quiet, table, txt, yaml`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCounts(t *testing.T) {
	for n, want := range map[int]string{0: "0 minions", 1: "1 minion", 999: "999 minions", 1000: "1,000 minions",
		4961: "4,961 minions", 1234567: "1,234,567 minions"} {
		if got := output.Plural(n, "minion"); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	if got, want := output.Some([]string{"a", "b", "c", "d", "e", "f", "g"}), "a, b, c, d, e and 2 more"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzLayouts(f *testing.F) {
	f.Add([]byte(`{"a_|-b_|-c_|-d": {"result": [], "changes": 5, "comment": null, "warnings": {}}}`))
	f.Add([]byte(`[{"a": [[]]}, null, "\u0000"]`))
	f.Add([]byte(`["x", "y"]`))
	f.Add([]byte(`{"cmd_|-b_|-c_|-run": {"changes": {"pid": 5, "x": {"pid": [}]}, "duration": "\"`))
	f.Add([]byte("\"\xc2\x9b31m\""))
	f.Fuzz(func(t *testing.T, returned []byte) {
		for _, name := range output.Names() {
			got := show(t, name, "web1", string(returned), output.Options{Width: 50})
			if strings.ContainsAny(got, "\x1b\x07\r\x7f\u009b") {
				t.Errorf("%s: got control characters in %q", name, got)
			}
		}
		for _, many := range []output.ManyOptions{{}, {All: true}, {Plan: true}} {
			var b strings.Builder
			m, err := output.NewMany(&b, "highstate", output.Options{Width: 50}, many)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []output.Result{{Minion: "a", Value: returned}, {Minion: "b", Value: returned},
				{Minion: "c", Value: returned, Failed: true}, {Minion: "d", Reason: string(returned)}} {
				if err := m.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(b.String(), "\x1b\x07\r\x7f\u009b") {
				t.Errorf("many: got control characters in %q", b.String())
			}
		}
	})
}
