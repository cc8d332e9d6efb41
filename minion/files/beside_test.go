package files

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	pb "brine/proto"
	"brine/proto/manifest"
)

// TestBeside: a job that names trees of other environments has their files, and says why it has none of others.
func TestBeside(t *testing.T) {
	s := newSite(t)
	treeOf := func(path string, data []byte) ([]byte, string) {
		digest := sha256.Sum256(data)
		list, id, err := manifest.Encode([]*pb.File{{Path: path, Mode: 0o644, Sha256: digest[:], Size: int64(len(data))}})
		if err != nil {
			t.Fatal(err)
		}
		return list, id
	}
	ofBase, ofDev := []byte("of base"), []byte("of dev")
	baseList, base := treeOf("f", ofBase)
	devList, dev := treeOf("f", ofDev)
	tree, err := s.client(nil, s.master("m1", baseList, devList, ofBase, ofDev)).Tree(t.Context(), base, "")
	if err != nil {
		t.Fatal(err)
	}
	if tree.Trees() != nil {
		t.Error("a tree of one environment reaches others")
	}
	tree.Beside(t.Context(), []*pb.EnvironmentTree{{Name: "dev", Tree: dev}, {Name: "qa", Why: "no right"}})
	read := func(in fetcher, url string) string {
		path, err := in(url)
		if err != nil {
			return "error: " + err.Error()
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	inDev, err := tree.In("dev")
	if err != nil {
		t.Fatal(err)
	}
	own := fetcher(func(url string) (string, error) { return tree.Fetch(t.Context(), url) })
	other := fetcher(func(url string) (string, error) { return inDev.Fetch(t.Context(), url) })
	for _, c := range []struct {
		in        fetcher
		url, want string
	}{
		{own, "salt://f", "of base"},
		{own, "salt://f?saltenv=base", "of base"},
		{own, "salt://f?saltenv=dev", "of dev"},
		{other, "salt://f", "of dev"},
		{other, "salt://f?saltenv=base", "of base"},
		{own, "salt://f?saltenv=qa", `error: cannot fetch "salt://f?saltenv=qa": this job has no files of environment "qa": no right`},
		{other, "salt://f?saltenv=dve", `error: cannot fetch "salt://f?saltenv=dve": there is no environment "dve" (did you mean "dev"?)`},
	} {
		if got := read(c.in, c.url); got != c.want {
			t.Errorf("%s: got %q, want %q", c.url, got, c.want)
		}
	}
	if left := tree.Gather(t.Context(), []string{"salt://f?saltenv=dev"}); len(left) > 0 {
		t.Errorf("left to fetch: %v", left)
	}
	if got := tree.Environments(); !slices.Equal(got, []string{"base", "dev", "qa"}) {
		t.Errorf("got environments %v", got)
	}
	trees := tree.Trees()
	if got := trees.Environments(); !slices.Equal(got, []string{"base", "dev"}) {
		t.Errorf("SLS reach environments %v", got)
	}
	if src, err := trees.Source("dev"); err != nil || !slices.Equal(src.Paths(), []string{"f"}) {
		t.Errorf("got %v, %v", src, err)
	}
	if _, err := trees.Source("dve"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := trees.Source("qa"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no right") {
		t.Errorf("got %v", err)
	}
}

type fetcher func(url string) (string, error)
