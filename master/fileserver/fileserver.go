// Package fileserver gives minions the files of the site. It hashes the
// directories of an environment to a tree, keeps a copy of all content by its
// SHA-256, and serves that over HTTPS and, in pieces, over the bus. So a job
// that names a tree sees the same files on all minions, whatever is changed
// meanwhile and whichever master serves them.
package fileserver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/singleflight"
)

// Options are what a Server needs. Dir and Minion are required.
type Options struct {
	Dir    string                             // where content is kept
	Roots  map[string][]string                // environment -> directories; the first that has a file wins
	Minion func(token string) (string, error) // tells which minion a file token speaks for
	Log    hclog.Logger                       // nil: silence
}

// Server serves trees. Its methods may be called from many goroutines.
type Server struct {
	o        Options
	log      hclog.Logger
	blobs    *blobs
	envs     map[string]*environment
	fetching singleflight.Group // Ensure, by tree

	mu    sync.Mutex           // guards the field below
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
	s := &Server{
		o: o, log: o.Log, blobs: b,
		envs: map[string]*environment{base: newEnvironment(nil)}, whole: map[string]time.Time{},
	}
	for name, roots := range o.Roots {
		s.envs[name] = newEnvironment(roots)
	}
	return s, nil
}

// Current is the tree of an environment ("" is base) when Tree was last asked
// for it; "" when it never was, or could not be read.
func (s *Server) Current(env string) string {
	e := s.envs[cmp.Or(env, base)]
	if e == nil {
		return ""
	}
	return *e.current.Load()
}

// environment finds one by name.
func (s *Server) environment(name string) (*environment, error) {
	if e := s.envs[cmp.Or(name, base)]; e != nil {
		return e, nil
	}
	var names []string
	for known := range s.envs {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("cannot find environment %q: file_roots has %s", name, strings.Join(names, ", "))
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
