package gitfs

import (
	"context"
	"fmt"
	"io/fs"
)

// Source are the files of one remote, and below them those of the others of
// its environment, which it may include. Its content is held in memory.
type Source struct {
	files map[string][]byte
}

// Sources are those of an environment, the first remote's first, with names
// that are others for other files. The error wraps fs.ErrNotExist when no
// remote has the environment.
func (s *Set) Sources(ctx context.Context, env string) (ids []string, sources []*Source, err error) {
	layers, err := s.layers(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	id := ""
	for _, l := range layers {
		id += " " + l.origin
	}
	for i := range layers {
		src := &Source{files: map[string][]byte{}}
		for j := range layers {
			for _, f := range layers[(i+j)%len(layers)].files {
				if _, has := src.files[f.path]; !has {
					src.files[f.path] = f.data
				}
			}
		}
		ids, sources = append(ids, fmt.Sprintf("%d%s", i, id)), append(sources, src)
	}
	return ids, sources, nil
}

// Open returns the content of a file.
func (s *Source) Open(_ context.Context, path string) ([]byte, error) {
	data, ok := s.files[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return data, nil
}

// Paths returns all paths.
func (s *Source) Paths() []string {
	paths := make([]string, 0, len(s.files))
	for path := range s.files {
		paths = append(paths, path)
	}
	return paths
}
