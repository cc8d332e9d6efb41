package jinja_test

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"brine/states/jinja"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what the templates give into testdata")

// TestCases renders the templates of testdata/*.txtar. Each file of an archive whose name has no ending is a
// template; what it gives, or its error, is in the file NAME.out. Others are loaded by them.
func TestCases(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) { runArchive(t, name) })
	}
}

func runArchive(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if filepath.Ext(f.Name) == ".out" {
			continue
		}
		out.Files = append(out.Files, f)
		if filepath.Ext(f.Name) != "" {
			continue
		}
		got := renderFile(files, f.Name)
		if want := files[f.Name+".out"]; got != want && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", f.Name, got, want)
		}
		out.Files = append(out.Files, txtar.File{Name: f.Name + ".out", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func loader(files map[string]string) func(context.Context, string) (string, error) {
	return func(_ context.Context, path string) (string, error) {
		text, ok := files[path]
		if !ok {
			return "", fs.ErrNotExist
		}
		return text, nil
	}
}

func renderFile(files map[string]string, name string) string {
	env := jinja.Env{
		Load:   loader(files),
		Now:    func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Limits: jinja.Limits{Steps: 10_000, Output: 100_000, Depth: 50},
	}
	vars := map[string]any{
		"tpldir": ".", "n": int64(7), "l": value.NewList(int64(3), int64(1), int64(2)),
		"d": value.NewDict("b", int64(1), "a", value.NewDict("x", value.NewList(int64(1), "two"))),
	}
	t, err := new(jinja.Engine).Parse(name, files[name], jinja.Settings{})
	if err == nil {
		var text string
		if text, err = t.Render(context.Background(), env, vars); err == nil {
			return text
		}
	}
	return "error: " + strings.TrimSpace(err.Error()) + "\n"
}
