package pillar

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/states/sls"
)

// Dirs are local directories by environment; of one path the first directory that has it counts.
type Dirs struct {
	envs  map[string]*dirs
	every []string // directories of any other environment, whose name takes the place of "__env__" in them

	mu   sync.Mutex // guards the field below
	made map[string]*dirs
}

var _ Trees = (*Dirs)(nil)

// Every is the name that stands for all environments which have no directories of their own, as in Salt.
const Every = "__env__"

// NewDirs makes the trees of directories, which need not be there yet. There always is an environment base. Directories
// of Every are those of an environment that is asked for and has no others.
func NewDirs(roots map[string][]string) *Dirs {
	d := &Dirs{envs: map[string]*dirs{}, made: map[string]*dirs{}}
	for env, list := range roots {
		if env == Every {
			d.every = list
			continue
		}
		d.envs[env] = &dirs{roots: list}
	}
	if d.envs[base] == nil && d.every == nil {
		d.envs[base] = &dirs{}
	}
	return d
}

// Environments returns the names of those that are merged where none is asked for.
func (d *Dirs) Environments() []string {
	names := []string{base}
	for env := range d.envs {
		if env != base {
			names = append(names, env)
		}
	}
	slices.Sort(names[1:])
	return names
}

// of returns the directories of an environment; nil when there is none of that name.
func (d *Dirs) of(env string) *dirs {
	if e := d.envs[env]; e != nil || d.every == nil || strings.ContainsAny(env, "/\x00") || strings.HasPrefix(env, ".") {
		return e
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.made[env]; e != nil {
		return e
	}
	e := &dirs{}
	for _, dir := range d.every {
		dir = strings.ReplaceAll(dir, Every, env)
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			e.roots = append(e.roots, dir)
		}
	}
	if e.roots == nil && env != base {
		return nil
	}
	if e.roots != nil {
		d.made[env] = e
	}
	return e
}

// Tree reads what has changed of an environment's directories since it was read last.
func (d *Dirs) Tree(_ context.Context, env string, since time.Time) (string, sls.Source, error) {
	e := d.of(env)
	if e == nil {
		return "", nil, fmt.Errorf("pillar_roots does not have it: %w", fs.ErrNotExist)
	}
	s, err := e.now(since)
	if err != nil {
		return "", nil, err
	}
	return s.id, s, nil
}

// dirs are the directories of one environment.
type dirs struct {
	roots []string

	mu    sync.Mutex // held while they are read; guards the fields below
	began time.Time  // of the last reading
	known map[string]content
	last  *snapshot
}

// content is a file that was read.
type content struct {
	data  []byte
	sum   [sha256.Size]byte
	size  int64
	mod   time.Time
	inode any
	sure  bool // a later change would show in the fields above
}

// A snapshot is the files of an environment at one time.
type snapshot struct {
	id    string
	files map[string][]byte
}

var _ sls.Source = (*snapshot)(nil)

// Open returns the content of a file.
func (s *snapshot) Open(_ context.Context, path string) ([]byte, error) {
	data, ok := s.files[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return data, nil
}

// Paths returns all paths.
func (s *snapshot) Paths() []string {
	paths := make([]string, 0, len(s.files))
	for path := range s.files {
		paths = append(paths, path)
	}
	return paths
}

const (
	treeLimit = 256 << 20       // bytes of an environment, which are kept in memory
	linkDepth = 40              // directories in one another, which a link may lead round in a circle
	unsure    = 2 * time.Second // a file that is younger may change again without looking different
)

// now returns the files as they are, or as they were when they were last read, if that was not before since.
func (e *dirs) now(since time.Time) (*snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last != nil && !e.began.Before(since) {
		return e.last, nil
	}
	r := &reading{began: time.Now(), old: e.known, known: map[string]content{}, files: map[string]content{}}
	for _, root := range e.roots {
		if err := r.dir(root, "", 0); err != nil {
			return nil, err
		}
	}
	e.began, e.known = r.began, r.known
	if s := r.snapshot(); e.last == nil || e.last.id != s.id {
		e.last = s
	}
	return e.last, nil
}

// A reading goes through the directories once.
type reading struct {
	began time.Time
	old   map[string]content
	known map[string]content // by full path
	files map[string]content // by path in the tree
	bytes int64
}

// dir reads what is below a directory. Links are followed; names that begin with a dot belong to tools.
func (r *reading) dir(root, under string, depth int) error {
	if depth > linkDepth {
		return fmt.Errorf("cannot read %s: there are over %d directories in one another", filepath.Join(root, under), linkDepth)
	}
	entries, err := os.ReadDir(filepath.Join(root, under))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.Join(under, entry.Name())
		full := filepath.Join(root, path)
		st, err := os.Stat(full)
		switch {
		case os.IsNotExist(err): // it has just gone, or is a link to nowhere
			continue
		case err != nil:
			return err
		case st.IsDir():
			err = r.dir(root, path, depth+1)
		case st.Mode().IsRegular():
			err = r.file(full, filepath.ToSlash(path), st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) file(full, path string, st os.FileInfo) error {
	if _, ok := r.files[path]; ok {
		return nil // of a directory that counts more
	}
	c, ok := r.old[full]
	if !ok || !c.sure || c.size != st.Size() || !c.mod.Equal(st.ModTime()) || c.inode != inode(st) {
		data, err := os.ReadFile(full)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		c = content{data, sha256.Sum256(data), st.Size(), st.ModTime(), inode(st), r.began.Sub(st.ModTime()) > unsure}
	}
	if r.bytes += int64(len(c.data)); r.bytes > treeLimit {
		return fmt.Errorf("cannot read %s: the files of this environment have over %d MiB", full, treeLimit>>20)
	}
	r.known[full], r.files[path] = c, c
	return nil
}

func (r *reading) snapshot() *snapshot {
	s := &snapshot{files: make(map[string][]byte, len(r.files))}
	paths := make([]string, 0, len(r.files))
	for path, c := range r.files {
		s.files[path] = c.data
		paths = append(paths, path)
	}
	slices.Sort(paths)
	h := sha256.New()
	for _, path := range paths {
		sum := r.files[path].sum
		fmt.Fprintf(h, "%d %s", len(path), path)
		h.Write(sum[:])
	}
	s.id = hex.EncodeToString(h.Sum(nil))
	return s
}
