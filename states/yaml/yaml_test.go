package yaml_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/value"
	"brine/states/yaml"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

func TestMistakes(t *testing.T) {
	const path = "testdata/mistakes.txtar"
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".yaml")
		if !ok {
			continue
		}
		_, err := yaml.Parse(f.Name, f.Data)
		got := fmt.Sprintln(err)
		out.Files = append(out.Files, f, txtar.File{Name: name + ".txt", Data: []byte(got)})
		if got != want[name+".txt"] && !*update {
			t.Errorf("%s: got\n%swant\n%s", f.Name, got, want[name+".txt"])
		}
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScalar(t *testing.T) {
	ten := "1" + strings.Repeat("0", 30)
	big30, _ := new(big.Int).SetString(ten, 10)
	for text, want := range map[string]any{
		"":                        "",
		" ":                       " ",
		"web":                     "web",
		"5":                       int64(5),
		"0644":                    int64(644),
		"10_000":                  "10_000",
		"1.5":                     1.5,
		"yes":                     true,
		"None":                    nil,
		"null":                    nil,
		"~":                       nil,
		"#":                       "#",
		"a # b":                   "a # b",
		"5 # five":                int64(5),
		"|":                       "|",
		"!":                       "!",
		"a: b":                    "a: b",
		"- a":                     "- a",
		"a\nb":                    "a\nb",
		"{a: 1}":                  value.NewDict("a", int64(1)),
		"[a, 2]":                  value.NewList("a", int64(2)),
		"[ -f /x ] && echo y":     "[ -f /x ] && echo y",
		"{ echo a; }":             value.NewDict("echo a;", nil),
		"*":                       "*",
		"*.example.com":           "*.example.com",
		"@x":                      "@x",
		"echo 'it''s' \"quoted\"": "echo 'it''s' \"quoted\"",
		ten:                       big30,
	} {
		if got := yaml.Scalar(text); !value.Equal(got, want) {
			t.Errorf("Scalar(%q): got %#v, want %#v", text, got, want)
		}
	}
}

func TestNodesKnowTheirPlaceAndText(t *testing.T) {
	n, err := yaml.Parse("x", []byte("a:\n  - mode: 0644\n  - text: 'yes'\n  - v: 1.10\n"))
	if err != nil {
		t.Fatal(err)
	}
	list := n.Get("a")
	for i, want := range []string{"2:11 0644", "3:11 yes", "4:8 1.10"} {
		v := list.Items[i].Pairs[0].Value
		if got := fmt.Sprintf("%d:%d %s", v.Line, v.Column, v.Text); got != want {
			t.Errorf("item %d: got %q, want %q", i, got, want)
		}
	}
}

func TestAliasesAreOneObject(t *testing.T) {
	n, err := yaml.Parse("x", []byte("a: &x {l: [1]}\nb: *x\nc: {<<: *x}\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := n.Data().(*value.Dict)
	a, _ := d.Get("a")
	b, _ := d.Get("b")
	c, _ := d.Get("c")
	if a != b {
		t.Error("a and its alias b are two objects")
	}
	la, _ := a.(*value.Dict).Get("l")
	lc, _ := c.(*value.Dict).Get("l")
	if la != lc {
		t.Error("the merged list is a copy")
	}
}

func TestLimits(t *testing.T) {
	laughs := &strings.Builder{}
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for name, c := range map[string]struct{ text, want string }{
		"aliases": {laughs.String(), "aliases expand to more than 1000000 values"},
		"depth":   {strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "nested deeper than 1000 levels"},
	} {
		_, err := yaml.Parse("x", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	many := strings.Repeat("a: 1\n", 5000)
	_, err := yaml.Parse("x", []byte(many))
	if n := strings.Count(fmt.Sprint(err), "\n"); n > 100 {
		t.Errorf("got %d lines of errors, want at most 100", n)
	}
}

func FuzzParse(f *testing.F) {
	a, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		f.Add(file.Data)
	}
	f.Add([]byte("a: &x !!set {y}\nb: {<<: *x, c: !!pairs [d: 1]}\n"))
	f.Add([]byte("a: 1\nb: {c: 1, c: 2}\na: &x [*x]\n"))
	f.Add([]byte("%YAML 1.2\n---\n? |2-\n   a\n: >+\n b\n\n...\n"))
	for _, text := range documents(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := yaml.Parse("fuzz", data)
		if n == nil && err == nil {
			t.Fatal("got no node and no error")
		}
		if err != nil {
			for _, e := range err.(yaml.Errors) {
				if e.Line < 1 || e.Text == "" {
					t.Errorf("error without a place or text: %+v", e)
				}
			}
			return
		}
		if _, err := value.MarshalJSON(n.Data()); err != nil {
			t.Error(err)
		}
	})
}

// documents are those that were compared with Salt's.
func documents(f *testing.F) []string {
	f.Helper()
	var texts []string
	for _, name := range []string{"yaml", "further"} {
		data, err := os.ReadFile("testdata/" + name + ".jsonl")
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var c struct {
				YAML string
			}
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				f.Fatal(err)
			}
			texts = append(texts, c.YAML)
		}
	}
	return texts
}

func FuzzScalar(f *testing.F) {
	for _, text := range documents(f) {
		for line := range strings.Lines(text) {
			_, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
			f.Add(v)
		}
	}
	for _, s := range []string{"1:30", "0x1F", "[a", "{a: b}", "!!float x", "0_", "-.inf"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) { yaml.Scalar(s) })
}

func BenchmarkParse(b *testing.B) {
	text := &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(text, "/etc/app/file%d:\n  file.managed:\n    - contents: text of %d\n    - mode: 0644\n"+
			"    - require:\n      - pkg: app\n", i, i)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := yaml.Parse("bench", data); err != nil {
			b.Fatal(err)
		}
	}
}
