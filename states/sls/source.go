package sls

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// A Source is the tree of files of one environment. Paths have slashes and begin at its root.
type Source interface {
	// Open returns the content of a file; errors.Is(err, fs.ErrNotExist) when there is none.
	Open(ctx context.Context, path string) ([]byte, error)
	// Paths returns the paths of all files, in any order.
	Paths() []string
}

// Trees are the environments that there are.
type Trees interface {
	// Environments returns their names, in order.
	Environments() []string
	// Source returns the tree of an environment; errors.Is(err, fs.ErrNotExist) when there is none of that name.
	Source(env string) (Source, error)
}

// Open reads the SLS of a name: "a.b" is a/b.sls or a/b/init.sls. It returns the path that it found;
// errors.Is(err, fs.ErrNotExist) when there is neither.
func Open(ctx context.Context, src Source, name string) (path string, text []byte, err error) {
	for _, p := range []string{slashed(name) + ".sls", slashed(name) + "/init.sls"} {
		text, err := src.Open(ctx, p)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, text, err
		}
	}
	return "", nil, fs.ErrNotExist
}

// Names returns the names of all SLS of a tree, in order; the top file is none.
func Names(src Source) []string { return names(src.Paths()) }

// Dir is the Source of a directory, such as os.DirFS gives.
func Dir(fsys fs.FS) Source { return dir{fsys} }

type dir struct{ fs.FS }

func (d dir) Open(_ context.Context, path string) ([]byte, error) { return fs.ReadFile(d.FS, path) }

func (d dir) Paths() []string {
	var paths []string
	_ = fs.WalkDir(d.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, path)
		}
		return nil // what can't be read is not offered; Open tells why
	})
	return paths
}

// names returns the SLS names that the paths give, sorted: "a.b" for a/b.sls and a/b/init.sls.
func names(paths []string) []string {
	var names []string
	for _, path := range paths {
		name, ok := strings.CutSuffix(path, ".sls")
		if !ok || path == "top.sls" {
			continue
		}
		names = append(names, strings.ReplaceAll(strings.TrimSuffix(name, "/init"), "/", "."))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
