package sls_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"brine/states/mod/archive"
	"brine/states/mod/cmd"
	"brine/states/mod/file"
	testmod "brine/states/mod/test"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/sls"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

var index = module.NewIndex(archive.Module, cmd.Module, file.Module, testmod.Module)

func tree(files []txtar.File) sls.Source {
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return sls.Dir(fsys)
}

func compile(t testing.TB, src sls.Source, mods ...string) (*plan.Plan, []*plan.Error) {
	t.Helper()
	return sls.Compile(t.Context(), src, mods, sls.Options{Index: index})
}

func lines(errs []*plan.Error) string {
	var b strings.Builder
	for _, e := range errs {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// shape writes a plan: the states in the order they run, with what they need.
func shape(p *plan.Plan) string {
	var b strings.Builder
	for _, n := range p.Nodes {
		fmt.Fprintf(&b, "%s  %s", n.Tag(), n.Place)
		for _, need := range n.Needs {
			for _, on := range need.On {
				fmt.Fprintf(&b, "  %s %s", need.Kind, on.ID)
			}
		}
		for _, on := range n.Listens {
			fmt.Fprintf(&b, "  listen %s", on.ID)
		}
		for _, w := range n.Warnings {
			fmt.Fprintf(&b, "\n    %s", w)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestTrees compiles the trees in testdata: "mods" names the SLS, "errors" or "plan" is what comes of them.
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
			var files []txtar.File
			var mods []string
			want := ""
			for _, f := range a.Files {
				switch f.Name {
				case "mods":
					mods = strings.Fields(string(f.Data))
				case "errors", "plan":
					want = f.Name + ":\n" + string(f.Data)
					continue
				}
				files = append(files, f)
			}
			p, errs := compile(t, tree(files), mods...)
			out := txtar.File{Name: "errors", Data: []byte(lines(errs))}
			if errs == nil {
				out = txtar.File{Name: "plan", Data: []byte(shape(p))}
			}
			if got := out.Name + ":\n" + string(out.Data); got != want && !*update {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if *update {
				a.Files = append(files, out)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestMissingSLSIsNamedWithTheNearest(t *testing.T) {
	src := tree([]txtar.File{{Name: "web/nginx/init.sls"}, {Name: "top.sls"}})
	_, errs := compile(t, src, "web.ngnix", "top", "../etc/passwd")
	want := `cannot find SLS "web.ngnix" in environment "base": there is neither web/ngnix.sls nor web/ngnix/init.sls (did you mean "web.nginx"?)
"../etc/passwd" cannot be the name of an SLS: want one such as web or web.config
`
	if got := lines(errs); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// unreadable is a tree with one file that can't be read.
type unreadable struct{ sls.Source }

func (u unreadable) Open(ctx context.Context, path string) ([]byte, error) {
	if path == "b.sls" {
		return nil, &fs.PathError{Op: "fetch", Path: path, Err: errors.New("no master answers")}
	}
	return u.Source.Open(ctx, path)
}

func TestFileThatCannotBeReadIsTheOnlyError(t *testing.T) {
	src := unreadable{tree([]txtar.File{
		{Name: "a.sls", Data: []byte("include: [b]\nx:\n  test.nop:\n    - require:\n      - test: in-b\n")},
	})}
	_, errs := compile(t, src, "a")
	const want = "a.sls:1: cannot read SLS \"b\": fetch b.sls: no master answers\n"
	if got := lines(errs); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func BenchmarkCompile(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "state-%d:\n  test.configurable_test_state:\n    - comment: number %d\n    - changes: false\n", i, i)
		if i > 0 {
			fmt.Fprintf(&text, "    - require:\n      - test: state-%d\n", i-1)
		}
	}
	src := tree([]txtar.File{{Name: "many.sls", Data: []byte(text.String())}})
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := compile(b, src, "many"); errs != nil {
			b.Fatal(errs[0])
		}
	}
}

// texts are the SLS of testdata and of the examples.
func texts(f *testing.F) [][]byte {
	f.Helper()
	var all [][]byte
	for _, pattern := range []string{"testdata/*.txtar", "testdata/top/*.txtar", "../../scripts/examples/*/*.sls"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			if strings.HasSuffix(path, ".sls") {
				all = append(all, data)
				continue
			}
			for _, file := range txtar.Parse(data).Files {
				if strings.HasSuffix(file.Name, ".sls") {
					all = append(all, file.Data)
				}
			}
		}
	}
	return all
}

// FuzzTop reads any text as a top file: it gives SLS or mistakes with a place.
func FuzzTop(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src := tree([]txtar.File{{Name: "top.sls", Data: data}})
		_, errs := sls.Top(t.Context(), src, sls.Options{Index: index}, sls.TopOptions{
			Match: func(_, target string) (bool, error) { return target != "none", nil },
		})
		for _, e := range errs {
			if e.Text == "" || e.Place.File != "" && e.Place.Line < 1 {
				t.Errorf("error without a text or place: %#v", e)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, errs := compile(t, tree([]txtar.File{{Name: "fuzz.sls", Data: data}, {Name: "b.sls"}}), "fuzz")
		if (p == nil) == (errs == nil) {
			t.Fatalf("got plan %v and errors %v, want one of them", p, errs)
		}
		for _, e := range errs {
			if e.Text == "" || e.Place.Line < 1 {
				t.Errorf("error without a text or place: %#v", e)
			}
		}
	})
}

// BenchmarkShapes compiles 10,000 states that need one another in several ways: none may cost more than a few times
// what a chain costs.
func BenchmarkShapes(b *testing.B) {
	const n = 10_000
	for name, state := range map[string]func(i int) string{
		"plain":      func(int) string { return "" },
		"chain":      func(i int) string { return fmt.Sprintf("    - require: [s%d]\n", max(i-1, 0)) },
		"chain_in":   func(i int) string { return fmt.Sprintf("    - require_in: [s%d]\n", min(i+1, n-1)) },
		"prereq":     func(i int) string { return fmt.Sprintf("    - prereq: [s%d]\n", min(i+1, n-1)) },
		"listen_one": func(int) string { return "    - listen: [s0]\n" },
		"one_glob":   func(int) string { return "    - onchanges: ['first*']\n" },
		"missing":    func(i int) string { return fmt.Sprintf("    - require: [t%d]\n", i) },
		"use":        func(int) string { return "    - use: [s0]\n" },
		"whole_sls":  func(int) string { return "    - require: [{sls: lib}]\n" },
	} {
		var text, lib strings.Builder
		if name == "whole_sls" {
			text.WriteString("include: [lib]\n")
			for i := range n {
				fmt.Fprintf(&lib, "lib%d: test.nop\n", i)
			}
		}
		text.WriteString("first: test.nop\n")
		for i := range n {
			args := state(i)
			if strings.Contains(args, fmt.Sprintf("[s%d]", i)) {
				args = ""
			}
			fmt.Fprintf(&text, "s%d:\n  test.nop:\n    - a: 1\n%s", i, args)
		}
		src := tree([]txtar.File{
			{Name: "many.sls", Data: []byte(text.String())}, {Name: "lib.sls", Data: []byte(lib.String())},
		})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p, errs := compile(b, src, "many"); len(errs) > 0 != (name == "missing") {
					b.Fatal(p, errs[0])
				}
			}
		})
	}
}
