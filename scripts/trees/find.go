package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/sls"
)

// A tree is the directory of a repository that holds its SLS files.
type tree struct {
	repo    string   // its name
	root    string   // absolute path of the file root
	formula bool     // it has no top file
	example string   // path of its pillar.example; "" for none
	sls     []string // names of its SLS
}

// findTrees returns the trees of the repositories in a directory, in order of their names.
func findTrees(dir, only string) ([]tree, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	repos, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the trees: %w", err)
	}
	var trees []tree
	for _, r := range repos {
		if !r.IsDir() || strings.HasPrefix(r.Name(), ".") || !strings.Contains(r.Name(), only) {
			continue
		}
		repo := filepath.Join(dir, r.Name())
		for _, root := range roots(repo) {
			if t := open(r.Name(), repo, root); len(t.sls) > 0 {
				trees = append(trees, t)
			}
		}
	}
	return trees, nil
}

// roots returns the topmost directories of a repository that are trees.
func roots(repo string) []string {
	var found []string
	_ = filepath.WalkDir(repo, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || !e.IsDir():
			return nil // what can't be read holds no tree
		case path != repo && besides(e.Name()):
			return filepath.SkipDir
		case isTree(path):
			found = append(found, path)
			return filepath.SkipDir
		}
		return nil
	})
	return found
}

func isTree(dir string) bool {
	name, isFormula := strings.CutSuffix(filepath.Base(dir), "-formula")
	if exists(filepath.Join(dir, "top.sls")) || isFormula && exists(filepath.Join(dir, name)) {
		return true
	}
	inits, _ := filepath.Glob(filepath.Join(dir, "*", "init.sls"))
	return slices.ContainsFunc(inits, func(path string) bool { return !besides(filepath.Base(filepath.Dir(path))) })
}

// besides says whether a directory of a repository holds something else than states.
func besides(name string) bool {
	for _, other := range []string{"pillar", "test", "docs", "example", "_", "."} {
		if strings.HasPrefix(name, other) {
			return true
		}
	}
	return name == "t"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func open(name, repo, root string) tree {
	t := tree{repo: name, root: root, formula: !exists(filepath.Join(root, "top.sls"))}
	if rel, err := filepath.Rel(repo, root); err == nil && rel != "." {
		t.repo += "/" + filepath.ToSlash(rel)
	}
	if path := filepath.Join(repo, "pillar.example"); exists(path) {
		t.example = path
	}
	for _, n := range sls.Names(sls.Dir(os.DirFS(root))) {
		if !slices.ContainsFunc(strings.Split(n, "."), func(part string) bool { return part == "" || besides(part) && part[0] != '_' }) {
			t.sls = append(t.sls, n)
		}
	}
	return t
}
