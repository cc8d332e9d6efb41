package lint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/plan"
	"brine/states/sls"
)

// Roots are the directories of each environment; the first that has a file wins.
type Roots map[string][]string

// ParseRoots reads directories as typed: DIR is of the environment env, NAME=DIR of another. The error names one that
// is no directory.
func ParseRoots(env string, typed []string) (Roots, error) {
	r := Roots{}
	for _, dir := range typed {
		in := env
		if name, rest, ok := strings.Cut(dir, "="); ok && !strings.ContainsAny(name, `/\`) && name != "" {
			in, dir = name, rest
		}
		st, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("cannot read the tree of environment %q: %w", in, err)
		}
		if !st.IsDir() {
			return nil, fmt.Errorf("cannot read the tree of environment %q: %s is a file", in, dir)
		}
		r[in] = append(r[in], dir)
	}
	return r, nil
}

// forest is the trees of all environments, with what was opened. It is used by one goroutine.
type forest struct {
	env    string // of the run
	trees  map[string]*tree
	opened map[string]bool // files, as messages name them; nil notes nothing
}

var (
	_ sls.Trees  = (*forest)(nil)
	_ host.Files = (*forest)(nil)
)

// newForest lists the files of roots.
func newForest(env string, roots Roots) *forest {
	f := &forest{env: env, trees: map[string]*tree{env: {paths: map[string]string{}}}}
	for name, dirs := range roots {
		t := &tree{paths: map[string]string{}}
		for _, dir := range dirs {
			t.add(dir)
		}
		f.trees[name] = t
	}
	for name, t := range f.trees {
		t.forest, t.prefix = f, name+":"
		if name == env {
			t.prefix = ""
		}
	}
	return f
}

// A tree is the files of one environment.
type tree struct {
	forest *forest
	prefix string            // of its files in messages
	paths  map[string]string // where they are, by their path from the root
}

func (t *tree) add(dir string) {
	_ = fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what can't be read is not there
		}
		if e.IsDir() && path != "." && strings.HasPrefix(e.Name(), ".git") {
			return fs.SkipDir
		}
		local := filepath.Join(dir, path)
		if t.paths[path] == "" && !e.IsDir() && regular(local, e) {
			t.paths[path] = local
		}
		return nil
	})
}

// regular says whether a file, or what a link leads to, is a plain one.
func regular(local string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	st, err := os.Stat(local)
	return err == nil && st.Mode().IsRegular()
}

// Paths returns the paths of all files, in order.
func (t *tree) Paths() []string {
	paths := make([]string, 0, len(t.paths))
	for path := range t.paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// without returns the tree less the files that globs match, and less what lies beneath other roots.
func (t *tree) without(globs []string, roots Roots) *tree {
	var beneath []string
	for _, dirs := range roots {
		for _, dir := range dirs {
			if full, err := filepath.Abs(dir); err == nil {
				beneath = append(beneath, full+string(filepath.Separator))
			}
		}
	}
	rest := &tree{forest: t.forest, prefix: t.prefix, paths: map[string]string{}}
	for path, local := range t.paths {
		full, _ := filepath.Abs(local)
		if !slices.ContainsFunc(globs, func(g string) bool { return plan.Glob(g)(path) }) &&
			!slices.ContainsFunc(beneath, func(dir string) bool { return strings.HasPrefix(full, dir) }) {
			rest.paths[path] = local
		}
	}
	return rest
}

// Open returns a file's content.
func (t *tree) Open(_ context.Context, path string) ([]byte, error) {
	local, ok := t.paths[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if t.forest.opened != nil {
		t.forest.opened[t.prefix+path] = true
	}
	return os.ReadFile(local)
}

// Environments returns the names in order.
func (f *forest) Environments() []string {
	names := make([]string, 0, len(f.trees))
	for name := range f.trees {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Source returns the tree of an environment.
func (f *forest) Source(env string) (sls.Source, error) {
	if t := f.trees[env]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
}

// find returns the tree and the path that a salt:// URL means.
func (f *forest) find(rawURL string) (*tree, string, error) {
	rest, ok := strings.CutPrefix(rawURL, "salt://")
	if !ok {
		return nil, "", fmt.Errorf("cannot fetch %q: want salt://PATH", rawURL)
	}
	path, query, _ := strings.Cut(rest, "?")
	env := f.env
	if options, err := url.ParseQuery(query); err == nil && options.Get("saltenv") != "" {
		env = options.Get("saltenv")
	}
	t := f.trees[env]
	if t == nil {
		return nil, "", fmt.Errorf("cannot fetch %q: there is no environment %q: %w", rawURL, env, fs.ErrNotExist)
	}
	return t, strings.Trim(path, "/"), nil
}

// Fetch returns where a file is.
func (f *forest) Fetch(_ context.Context, rawURL string) (string, error) {
	t, path, err := f.find(rawURL)
	if err != nil {
		return "", err
	}
	if local, ok := t.paths[path]; ok {
		return local, nil
	}
	return "", fmt.Errorf("salt://%s: %w", path, fs.ErrNotExist)
}

// Stat describes a file.
func (f *forest) Stat(ctx context.Context, rawURL string) (host.File, error) {
	local, err := f.Fetch(ctx, rawURL)
	if err != nil {
		return host.File{}, err
	}
	data, err := os.ReadFile(local)
	if err != nil {
		return host.File{}, err
	}
	st, err := os.Stat(local)
	if err != nil {
		return host.File{}, err
	}
	sum := sha256.Sum256(data)
	return host.File{SHA256: hex.EncodeToString(sum[:]), Size: st.Size(), Mode: st.Mode().Perm()}, nil
}

// List returns the files below a directory.
func (f *forest) List(_ context.Context, rawURL string) ([]string, error) {
	t, dir, err := f.find(rawURL)
	if err != nil {
		return nil, err
	}
	var below []string
	for _, path := range t.Paths() {
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok || dir == "" {
			if dir == "" {
				rest = path
			}
			below = append(below, rest)
		}
	}
	return below, nil
}
