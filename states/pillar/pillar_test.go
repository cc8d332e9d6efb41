package pillar_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"brine/states/pillar"
	"brine/states/sls"
	"brine/states/value"
	"brine/states/yaml"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

func match(_, target string) (bool, error) { return filepath.Match(target, "web1") }

// TestTrees makes the pillar of web1 of the trees in testdata: "pillar" is what comes of them, or their mistakes.
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
			got := compile(t, a.Files[:len(a.Files)-1], pillar.Options{Match: match})
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

func compile(t *testing.T, files []txtar.File, o pillar.Options) string {
	t.Helper()
	return compiled(t, trees{"base": tree(files)}, o)
}

// trees are environments by their names.
type trees map[string]sls.Source

func (t trees) Environments() []string { return slices.Sorted(maps.Keys(t)) }

func (t trees) Source(env string) (sls.Source, error) {
	if t[env] == nil {
		return nil, fs.ErrNotExist
	}
	return t[env], nil
}

func tree(files []txtar.File) sls.Source {
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return sls.Dir(fsys)
}

func compiled(t *testing.T, all trees, o pillar.Options) string {
	t.Helper()
	d, errs := pillar.Compile(t.Context(), all, o)
	if errs != nil {
		var b strings.Builder
		for _, e := range errs {
			fmt.Fprintln(&b, e)
		}
		return b.String()
	}
	text, err := value.MarshalJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// TestLikeSalt makes the pillar of web1 of the trees in testdata/salt, whose files begin with their environment; "options"
// are Salt's, and "pillar" is what Salt 3006 makes of the same files.
func TestLikeSalt(t *testing.T) {
	paths, err := filepath.Glob("testdata/salt/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := pillar.Options{Match: match}
			files := map[string][]txtar.File{"base": nil}
			for _, f := range a.Files {
				if f.Name == "options" {
					o.Merging, o.Env = saltOptions(t, f.Data)
				} else if env, name, ok := strings.Cut(f.Name, "/"); ok {
					files[env] = append(files[env], txtar.File{Name: name, Data: f.Data})
				}
			}
			all := trees{}
			for env, list := range files {
				all[env] = tree(list)
			}
			if got, want := compiled(t, all, o), string(a.Files[len(a.Files)-1].Data); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func saltOptions(t *testing.T, text []byte) (m pillar.Merging, env string) {
	t.Helper()
	o := struct {
		Strategy  string `json:"pillar_source_merging_strategy"`
		Lists     bool   `json:"pillar_merge_lists"`
		Pillarenv string `json:"pillarenv"`
	}{}
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return pillar.Merging{Strategy: o.Strategy, Lists: o.Lists}, o.Pillarenv
}

func TestStrategies(t *testing.T) {
	for strategy, want := range map[string]string{
		"": "", "smart": "", "none": "",
		"recurce":   `unknown merging strategy "recurce" (did you mean "recurse"?)`,
		"aggregate": `the merging strategy "aggregate" is not supported, since it needs marks that only Salt's yamlex has; without such marks "overwrite" is the same`,
	} {
		got := ""
		if err := (pillar.Merging{Strategy: strategy}).Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", strategy, got, want)
		}
	}
}

func TestMergeChangesNeither(t *testing.T) {
	read := func(text string) *value.Dict {
		n, err := yaml.Parse("", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return n.Data().(*value.Dict)
	}
	under, over := read("{a: {b: 1, l: [1]}, c: 1}"), read("{a: {b: 2}, n: {x: 1}}")
	first := pillar.Merge(under, over)
	pillar.Merge(first, read("{a: {b: 3}, n: {x: 2}}"))
	for _, c := range []struct {
		d    *value.Dict
		want string
	}{
		{under, `{"a":{"b":1,"l":[1]},"c":1}`},
		{over, `{"a":{"b":2},"n":{"x":1}}`},
		{first, `{"a":{"b":2,"l":[1]},"c":1,"n":{"x":1}}`},
		{pillar.Merge(nil, nil), `{}`},
	} {
		if json, _ := value.MarshalJSON(c.d); string(json) != c.want {
			t.Errorf("got %s, want %s", json, c.want)
		}
	}
}
