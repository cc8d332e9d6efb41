package pillar_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	d, errs := pillar.Compile(t.Context(), sls.Dir(fsys), o)
	if errs != nil {
		var b strings.Builder
		for _, e := range errs {
			fmt.Fprintln(&b, e)
		}
		return b.String()
	}
	json, err := value.MarshalJSON(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(json) + "\n"
}

func TestListsAreJoinedWhenAsked(t *testing.T) {
	files := []txtar.File{
		{Name: "top.sls", Data: []byte("base: {'*': [a, b]}")},
		{Name: "a.sls", Data: []byte("l: [1]\nd: {l: [a]}")},
		{Name: "b.sls", Data: []byte("l: [2]\nd: {l: [b]}")},
	}
	got := compile(t, files, pillar.Options{Match: match, MergeLists: true})
	if want := `{"l":[1,2],"d":{"l":["a","b"]}}` + "\n"; got != want {
		t.Errorf("got %swant %s", got, want)
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
