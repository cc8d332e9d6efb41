package pillar_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brine/master/pillar"
	merging "brine/states/pillar"
)

// roots writes directories with files, and returns where they are.
func roots(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAllEnvironmentsAreMergedUnlessOneIsAskedFor(t *testing.T) {
	dir := roots(t, map[string]string{
		"base/top.sls": "base: {'*': [a]}", "base/a.sls": "who: base\nl: [1]\nof: {{ opts.pillarenv }}",
		"dev/top.sls": "dev: {'web*': [a]}", "dev/a.sls": "who: dev\nl: [2]\nof: {{ opts.pillarenv }}",
	})
	trees := pillar.NewDirs(map[string][]string{"base": {dir + "/base"}, "dev": {dir + "/dev"}})
	for _, c := range []struct {
		minion, env, want string
		merging           merging.Merging
	}{
		{"web1", "", `{"who":"dev","l":[2],"of":"None"}`, merging.Merging{}},
		{"db1", "", `{"who":"base","l":[1],"of":"None"}`, merging.Merging{}},
		{"web1", "dev", `{"who":"dev","l":[2],"of":"dev"}`, merging.Merging{}},
		{"db1", "dev", `{}`, merging.Merging{}},
		{"web1", "base", `{"who":"base","l":[1],"of":"base"}`, merging.Merging{}},
		{"web1", "", `{"who":"dev","l":[1,2],"of":"None"}`, merging.Merging{Lists: true}},
		{"web1", "", `{"who":"base","l":[1],"of":"None"}`, merging.Merging{Strategy: merging.None}},
	} {
		p, err := pillar.New(pillar.Options{Trees: trees, Merging: c.merging}).Of(t.Context(), c.minion, c.env, []byte("{}"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, p); got != c.want {
			t.Errorf("%s of %q, %v: got %s, want %s; %v", c.minion, c.env, c.merging, got, c.want, p.Mistakes)
		}
	}
}

func TestDirectoriesOfEveryEnvironment(t *testing.T) {
	dir := roots(t, map[string]string{
		"base/top.sls": "base: {'*': [a]}", "base/a.sls": "who: base",
		"every/dev/top.sls": "dev: {'*': [a]}", "every/dev/a.sls": "who: dev",
		"every/base/a.sls": "who: nobody",
		"secret/top.sls":   "..: {'*': [a]}",
	})
	trees := map[string][]string{"base": {dir + "/base"}, pillar.Every: {dir + "/every/__env__"}}
	make := pillar.New(pillar.Options{Trees: pillar.NewDirs(trees)})
	for env, want := range map[string]string{"": `{"who":"base"}`, "base": `{"who":"base"}`, "dev": `{"who":"dev"}`} {
		p, err := make.Of(t.Context(), "web1", env, []byte("{}"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, p); got != want {
			t.Errorf("%q: got %s, want %s", env, got, want)
		}
	}
	for _, env := range []string{"none", "..", "../secret", "dev/..", "/", "."} {
		if _, err := make.Of(t.Context(), "web1", env, []byte("{}"), time.Now()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v", env, err)
		}
	}
	delete(trees, "base")
	p, err := pillar.New(pillar.Options{Trees: pillar.NewDirs(trees)}).Of(t.Context(), "web1", "", []byte("{}"), time.Now())
	if err != nil || len(p.Mistakes) != 1 { // there is a.sls, and no top file
		t.Errorf("without base: got %v, %v", p, err)
	}
}
