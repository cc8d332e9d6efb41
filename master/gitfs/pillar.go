package gitfs

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
)

// maxSources bounds what is kept: as many remotes and environments.
const maxSources = 100

// Source are the files of one remote, and below them those of the others of
// its environment, which it may include. Its content is held in memory.
type Source struct {
	id    string
	files map[string][]byte
}

// Source is the files of an environment as the remote of that number sees
// them, with a name that is another one for other files. The error wraps
// fs.ErrNotExist when the remote does not have the environment.
func (s *Set) Source(ctx context.Context, env string, remote int) (id string, src *Source, err error) {
	layers, err := s.layers(ctx, env)
	if err != nil {
		return "", nil, err
	}
	if layers[remote] == nil {
		return "", nil, fmt.Errorf("git remote %s does not have environment %q: %w", s.remotes[remote].c, env, fs.ErrNotExist)
	}
	for i := range layers {
		if l := layers[(remote+i)%len(layers)]; l != nil {
			id += l.origin + "\n"
		}
	}
	return id, s.sources.get(env, remote, id, func() *Source { return newSource(id, layers, remote) }), nil
}

func newSource(id string, layers []*layer, first int) *Source {
	src := &Source{id: id, files: map[string][]byte{}}
	for i := range layers {
		l := layers[(first+i)%len(layers)]
		if l == nil {
			continue
		}
		for _, f := range l.files {
			if _, has := src.files[f.path]; !has {
				src.files[f.path] = f.data
			}
		}
	}
	return src
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

// sources are those made last, of each environment and remote.
type sources struct {
	mu   sync.Mutex // guards the field below
	last map[sourceOf]*Source
}

type sourceOf struct {
	env    string
	remote int
}

// get returns a source that was made, if it is of the same commits.
func (s *sources) get(env string, remote int, id string, fresh func() *Source) *Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := sourceOf{env, remote}
	if src := s.last[of]; src != nil && src.id == id {
		return src
	}
	if s.last == nil || len(s.last) >= maxSources {
		s.last = map[sourceOf]*Source{}
	}
	s.last[of] = fresh()
	return s.last[of]
}
