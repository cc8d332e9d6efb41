package fileserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"brine/proto"
	"brine/proto/manifest"
)

// environment is one of file_roots, or of Layers, or of both.
type environment struct {
	name    string
	roots   []string
	current atomic.Pointer[string] // the last tree

	mu      sync.Mutex // held while the directories are read; guards the fields below
	known   map[string]hashed
	layer   []*proto.File // of Layers, that are in the tree
	from    []string      // where these come from
	skipped quiet
}

// hashed is a file whose content was read.
type hashed struct {
	id   identity
	sum  [sha256.Size]byte
	size int64
	sure bool // a later change would show in id
}

func newEnvironment(name string, roots []string) *environment {
	e := &environment{name: name, roots: roots, known: map[string]hashed{}, skipped: quiet{}}
	e.current.Store(new(string))
	return e
}

// readers is how many files are read at the same time.
const readers = 4

// Tree reads the directories of an environment ("" is base) as they are now
// and returns the id of their tree, of which everything is kept to be served.
// Only files that have changed since the last time are read.
func (s *Server) Tree(ctx context.Context, env string) (string, error) {
	tree, _, err := s.TreeFrom(ctx, env)
	return tree, err
}

// TreeFrom is Tree, and tells besides which commits the tree has files of.
func (s *Server) TreeFrom(ctx context.Context, env string) (tree string, from []string, err error) {
	e, err := s.environment(env)
	if err != nil {
		return "", nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	tree, err = s.read(ctx, e)
	if err == nil && !s.isWhole(tree) {
		err = s.keepWhole(ctx, e, tree)
	}
	if err != nil {
		e.current.Store(new(string))
		return "", nil, fmt.Errorf("cannot read the files of environment %q: %w", e.name, err)
	}
	e.current.Store(&tree)
	return tree, e.from, nil
}

// read makes the tree of e and keeps its manifest.
func (s *Server) read(ctx context.Context, e *environment) (string, error) {
	w, err := walk(ctx, e.roots, func(path, why string) {
		if e.skipped.first(path) {
			s.log.Warn("file is not served", "path", path, "why", why)
		}
	})
	if err != nil {
		return "", err
	}
	files := w.files
	if err := s.hash(ctx, e, files); err != nil {
		return "", err
	}
	if err := s.addLayer(ctx, e, files); err != nil {
		return "", err
	}
	list := make([]*proto.File, 0, len(files)+len(e.layer))
	for path, f := range files {
		if h, ok := e.known[f.full]; ok { // else it has just gone
			list = append(list, &proto.File{Path: path, Mode: f.mode, Sha256: h.sum[:], Size: h.size})
		}
	}
	list = append(list, e.layer...)
	for _, f := range e.layer {
		delete(w.links, f.Path)
	}
	links := make([]*proto.Link, 0, len(w.links))
	for path, to := range w.links {
		links = append(links, &proto.Link{Path: path, Target: to})
	}
	data, tree, err := manifest.EncodeAll(list, w.empty(list), links)
	if err != nil {
		return "", err
	}
	if !s.isWhole(tree) && !s.blobs.use(tree) {
		if _, _, err := s.blobs.add(bytes.NewReader(data)); err != nil {
			return "", err
		}
	}
	return tree, nil
}

// addLayer asks Layers for their files and sets those of e. Of one path either
// the file of a directory counts, or that of Layers: the other is dropped. The
// caller holds e.mu.
func (s *Server) addLayer(ctx context.Context, e *environment, files map[string]found) error {
	e.layer, e.from = nil, nil
	if s.o.Layers == nil {
		return nil
	}
	layer, from, err := s.o.Layers.Files(ctx, e.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	e.from = from
	for _, f := range layer {
		if _, has := files[f.Path]; has && !s.o.First {
			continue
		}
		delete(files, f.Path)
		e.layer = append(e.layer, f)
	}
	return nil
}

// Keep keeps the content of r, which is a file of Layers.
func (s *Server) Keep(r io.Reader) (sum []byte, size int64, err error) {
	d, err := s.blobs.draft()
	if err != nil {
		return nil, 0, err
	}
	if _, err := io.Copy(d, r); err != nil {
		return nil, 0, errors.Join(err, d.drop())
	}
	sum = d.hash.Sum(nil)
	if s.blobs.use(hex.EncodeToString(sum)) {
		return sum, d.size, d.drop()
	}
	return sum, d.size, d.keep()
}

// hash brings e.known up to date with files. The caller holds e.mu.
func (s *Server) hash(ctx context.Context, e *environment, files map[string]found) error {
	known := make(map[string]hashed, len(files))
	var mu sync.Mutex // guards known
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(readers)
	for _, f := range files {
		if h, ok := e.known[f.full]; ok && h.sure && h.id == f.id {
			mu.Lock()
			known[f.full] = h
			mu.Unlock()
			continue
		}
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			h, err := s.keep(f)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return readable(err)
			}
			mu.Lock()
			defer mu.Unlock()
			known[f.full] = h
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	e.known = known
	return nil
}

// keep hashes a file and keeps its content, unless that is kept already.
func (s *Server) keep(f found) (hashed, error) {
	now := time.Now()
	file, err := os.Open(f.full)
	if err != nil {
		return hashed{}, err
	}
	defer file.Close() // it was only read
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return hashed{}, err
	}
	h := hashed{id: f.id, size: size, sure: f.id.settled(now)}
	sum.Sum(h.sum[:0])
	if s.blobs.use(hex.EncodeToString(h.sum[:])) {
		return h, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return hashed{}, err
	}
	// What counts is what was copied, should the file change just now.
	name, size, err := s.blobs.add(file)
	if err != nil {
		return hashed{}, err
	}
	_, err = hex.Decode(h.sum[:], []byte(name))
	h.size = size
	return h, err
}

// keepWhole makes sure that everything of e's tree is still kept, and notes
// that it is used. The caller holds e.mu.
func (s *Server) keepWhole(ctx context.Context, e *environment, tree string) error {
	missing, err := s.missing(ctx, e)
	if err != nil {
		return err
	}
	if missing != "" {
		// Somebody has emptied the directory of the blobs: read all anew.
		s.log.Warn("kept file content is gone; reading it again", "path", missing)
		clear(e.known)
		if s.o.Layers != nil {
			s.o.Layers.Forget()
		}
		again, err := s.read(ctx, e)
		if err != nil {
			return err
		}
		if again != tree {
			return errors.New("files change while they are read: try again")
		}
	}
	s.setWhole(tree)
	return nil
}

// missing is a file of e's tree whose content is no longer kept; "" when there
// is none. It notes that all is used.
func (s *Server) missing(ctx context.Context, e *environment) (string, error) {
	for full, h := range e.known {
		if !s.blobs.use(hex.EncodeToString(h.sum[:])) {
			return full, nil
		}
	}
	for _, f := range e.layer {
		if !s.blobs.use(hex.EncodeToString(f.Sha256)) {
			return f.Path, nil
		}
	}
	return "", ctx.Err()
}
