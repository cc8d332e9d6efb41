package lint_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/all"
	"brine/states/lint"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

// TestTrees checks the trees in testdata for the hosts that the comment names: files beneath pillar/ are its pillar, and
// "findings" is what is found.
func TestTrees(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			last := &a.Files[len(a.Files)-1]
			got := check(t, a)
			if *update {
				last.Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(last.Data) {
				t.Errorf("got\n%swant\n%s", got, last.Data)
			}
		})
	}
}

// check checks a tree of txtar as its comment says, a word a line: "hosts NAME...", "lenient".
func check(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	o := lint.Options{Index: all.Index()}
	for line := range strings.Lines(string(a.Comment)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "hosts":
			o.Hosts = hosts(t, words[1:])
		case words[0] == "lenient":
			o.Lenient = true
		}
	}
	dir := t.TempDir()
	for _, f := range a.Files[:len(a.Files)-1] {
		if strings.HasPrefix(f.Name, "pillar/") {
			o.PillarRoots = lint.Roots{"base": {filepath.Join(dir, "pillar")}}
		} else {
			f.Name = filepath.Join("states", f.Name)
		}
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := lint.Tree(t.Context(), lint.Roots{"base": {filepath.Join(dir, "states")}}, o)
	if err != nil {
		return err.Error() + "\n"
	}
	return shown(r)
}

func hosts(t *testing.T, words []string) []lint.Host {
	t.Helper()
	var list []lint.Host
	for _, word := range words {
		id, name, renamed := strings.Cut(word, "=")
		if !renamed {
			name = id
		}
		h, err := lint.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h.Renamed(id))
	}
	return list
}

func shown(r *lint.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Severity, f.Message)
		if f.Hint != "" {
			fmt.Fprintf(&b, " (%s)", f.Hint)
		}
		if len(f.Hosts) != len(r.Hosts) {
			fmt.Fprintf(&b, " [%s]", strings.Join(f.Hosts, ", "))
		}
		b.WriteString("\n")
		for line := range strings.Lines(f.Detail) {
			b.WriteString("    | " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	fmt.Fprintf(&b, "%d of %s compiled, %d errors, %d warnings\n", len(r.Files), strings.Join(r.Hosts, " "), r.Errors(), r.Warnings())
	return b.String()
}
