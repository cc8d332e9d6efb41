// Package gitfs gives the files of git repositories by environment: it
// fetches branches and tags, keeps the last good commit of each, and reads
// files by commit, so that a push never mixes two trees.
//
// It runs the git command, not a library: reading a tree of 10,000 files
// takes a quarter of the time, the memory is that of another process, and the
// master grows by nothing.
package gitfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
)

// Options say what to fetch. Dir and Remotes are required.
type Options struct {
	Dir      string // of the repositories' copies, which is this package's alone
	Interval time.Duration
	Remotes  []Remote
	// Keep takes the content of a file and returns its SHA-256 and size. Nil: content is held in memory.
	Keep func(r io.Reader) (sum []byte, size int64, err error)
	// Changed is called when other commits are served than before. It may be nil.
	Changed func(ctx context.Context)
	Log     hclog.Logger // nil: silence
}

// A Set is the repositories of one purpose, in order. Its methods may be
// called from many goroutines.
type Set struct {
	o       Options
	log     hclog.Logger
	git     *git
	remotes []*remote
	sources sources
}

// New makes the set, of what was fetched before. It fetches nothing yet; Run does.
// An error names every remote that can't be used.
func New(ctx context.Context, o Options) (*Set, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	s := &Set{o: o, log: o.Log}
	if len(o.Remotes) == 0 {
		return s, nil
	}
	var err error
	if s.git, err = findGit(ctx, o.Dir, o.Remotes); err != nil {
		return nil, err
	}
	var errs []error
	for _, c := range o.Remotes {
		r, err := s.open(ctx, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot use git remote %s: %w", c, err))
			continue
		}
		s.remotes = append(s.remotes, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, s.sweep()
}

// sweep removes the copies of remotes that are no longer configured.
func (s *Set) sweep() error {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return fmt.Errorf("cannot list the copies of repositories: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(s.o.Dir, e.Name())
		if !e.IsDir() || slices.ContainsFunc(s.remotes, func(r *remote) bool { return r.dir == path }) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove a copy that is no longer used: %w", err)
		}
	}
	return nil
}

// Run fetches each remote now, at its interval and when Poke asks, until ctx ends.
func (s *Set) Run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, r := range s.remotes {
		wait.Go(func() { r.loop(ctx) })
	}
	wait.Wait()
}

// Poke has everything fetched soon. It does not wait.
func (s *Set) Poke() {
	for _, r := range s.remotes {
		select {
		case r.poke <- struct{}{}:
		default:
		}
	}
}

// Refresh has everything fetched by Run and returns when that is done, or ctx
// has ended. What went wrong is in Status.
func (s *Set) Refresh(ctx context.Context) {
	now := time.Now()
	s.Poke()
	for _, r := range s.remotes {
		r.wait(ctx, now)
	}
}

// Environments are those that a remote gives, or would, were its commit not
// refused, in order of name.
func (s *Set) Environments() []string {
	var names []string
	for _, r := range s.remotes {
		now := r.served()
		names = slices.AppendSeq(names, maps.Keys(now.envs))
		names = slices.AppendSeq(names, maps.Keys(now.refused))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Files are those of an environment now: of one path that of the first remote
// that has it. From names the commits. The error wraps fs.ErrNotExist when
// there is no such environment. A remote that was never fetched is waited for,
// and then an error, and so is a commit that is refused and has none before it:
// the files would not be whole.
func (s *Set) Files(ctx context.Context, env string) (files []*proto.File, from []string, err error) {
	layers, err := s.layers(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for _, l := range layers {
		if l == nil {
			continue
		}
		from = append(from, l.origin)
		for _, f := range l.files {
			if !seen[f.path] {
				seen[f.path] = true
				files = append(files, &proto.File{Path: f.path, Mode: f.mode, Sha256: f.sum, Size: f.size})
			}
		}
	}
	return files, from, nil
}

// layers are the trees of an environment, one for each remote: nil for one that does not have it. Some remote has it.
func (s *Set) layers(ctx context.Context, env string) ([]*layer, error) {
	var layers []*layer
	some := false
	for _, r := range s.remotes {
		l, err := r.layer(ctx, env)
		if err != nil {
			return nil, fmt.Errorf("git remote %s: %w", r.c, err)
		}
		layers = append(layers, l)
		some = some || l != nil
	}
	if !some {
		return nil, fmt.Errorf("no git remote has environment %q: %w", env, fs.ErrNotExist)
	}
	return layers, nil
}

// Forget drops what is known of the content that Keep was given: it is read and handed over again.
func (s *Set) Forget() {
	for _, r := range s.remotes {
		r.forget()
	}
}

// Status tells of every remote.
func (s *Set) Status() []Status {
	var all []Status
	for _, r := range s.remotes {
		all = append(all, r.status())
	}
	return all
}

// A Status is how a remote is.
type Status struct {
	Remote   string
	Fetched  time.Time         // last without an error
	Commits  map[string]string // by environment
	Problems []string          // what an operator should look at
}
