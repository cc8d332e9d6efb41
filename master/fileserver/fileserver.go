// Package fileserver gives minions the files of the site. It hashes the
// directories of an environment to a tree, keeps a copy of all content by its
// SHA-256, and serves that over HTTPS and, in pieces, over the bus. So a job
// that names a tree sees the same files on all minions, whatever is changed
// meanwhile and whichever master serves them.
package fileserver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/singleflight"

	"brine/proto"
)

// Options are what a Server needs. Dir and Minion are required.
type Options struct {
	Dir    string                             // where content is kept
	Roots  map[string][]string                // environment -> directories; the first that has a file wins
	Layers Layers                             // further files; nil: none
	First  bool                               // files of Layers win over those of Roots
	Minion func(token string) (string, error) // tells which minion a file token speaks for
	Log    hclog.Logger                       // nil: silence
}

// Layers are files that lie elsewhere than in directories, such as in git.
type Layers interface {
	// Environments are those that there are now, in order of name.
	Environments() []string
	// Files are those of an environment now, and where they come from, a line each. Their content was handed to Keep. The error
	// wraps fs.ErrNotExist when there is no such environment.
	Files(ctx context.Context, env string) (files []*proto.File, from []string, err error)
	// Forget is called when content that was kept is gone: what Files returns next is handed to Keep again.
	Forget()
}

// Server serves trees. Its methods may be called from many goroutines.
type Server struct {
	o        Options
	log      hclog.Logger
	blobs    *blobs
	fetching singleflight.Group // Ensure, by tree

	mu    sync.Mutex // guards the fields below
	envs  map[string]*environment
	whole map[string]time.Time // trees of which everything was here at that time
}

const base = "base" // the environment of those who name none

// New prepares the directory for content. It reads no tree yet.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	b, err := openBlobs(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Server{o: o, log: o.Log, blobs: b, envs: map[string]*environment{}, whole: map[string]time.Time{}}, nil
}

// Current is the tree of an environment ("" is base) when Tree was last asked
// for it; "" when it never was, or could not be read.
func (s *Server) Current(env string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.envs[cmp.Or(env, base)]
	if e == nil {
		return ""
	}
	return *e.current.Load()
}

// Environments are those that have files, in order of name.
func (s *Server) Environments() []string {
	var names []string
	if s.o.Layers != nil {
		names = s.o.Layers.Environments()
	}
	names = append(names, base)
	for env := range s.o.Roots {
		names = append(names, env)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// environment finds one by name.
func (s *Server) environment(name string) (*environment, error) {
	name = cmp.Or(name, base)
	known := s.Environments()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(known, name) {
		delete(s.envs, name)
		has := "file_roots has"
		if s.o.Layers != nil {
			has = "file_roots and gitfs have"
		}
		return nil, fmt.Errorf("cannot find environment %q: %s %s", name, has, strings.Join(known, ", "))
	}
	e := s.envs[name]
	if e == nil {
		e = newEnvironment(name, s.o.Roots[name])
		s.envs[name] = e
	}
	return e, nil
}

// usedEach is how often the use of content is noted, at most.
const usedEach = time.Hour

// isWhole tells whether everything of a tree was here a short while ago.
func (s *Server) isWhole(tree string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.whole[tree]
	return ok && time.Since(at) < usedEach
}

func (s *Server) setWhole(tree string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, at := range s.whole {
		if time.Since(at) >= usedEach {
			delete(s.whole, other)
		}
	}
	s.whole[tree] = time.Now()
}

// Prune removes content that nobody used since before. It must be older than
// the longest window of a job, which may name a tree all that time.
func (s *Server) Prune(before time.Time) error {
	s.mu.Lock()
	clear(s.whole)
	s.mu.Unlock()
	return s.blobs.prune(before)
}
