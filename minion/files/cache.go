package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"brine/proto/manifest"
)

const (
	tempPrefix = ".new-"
	tempLife   = time.Hour        // what a crash left behind
	touchAfter = 15 * time.Minute // how exactly the last use of a file is known
	inUse      = time.Hour        // who was given a path may still read it
)

// A Cache is a directory of file content, named by its SHA-256. It may be
// used from many goroutines, and by all minions of a process.
type Cache struct {
	dir string

	mu     sync.Mutex
	flight map[string]chan struct{} // closed when an attempt to get the content has ended
}

// OpenCache makes the directory if need be.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot open file cache: %w", err)
	}
	return &Cache{dir: dir, flight: map[string]chan struct{}{}}, nil
}

func (c *Cache) path(sum string) string { return filepath.Join(c.dir, sum[:2], sum) }

// get returns the path of the content with this SHA-256 and verifies it. A
// file that is damaged is removed; then, as for one that is not there, the
// error wraps fs.ErrNotExist.
func (c *Cache) get(sum string) (string, error) {
	path := c.path(sum)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buffer[:]); err != nil {
		return "", err
	}
	if hex.EncodeToString(h.Sum(nil)) != sum {
		if err := os.Remove(path); err != nil {
			return "", err
		}
		return "", fmt.Errorf("cached file %s is damaged: %w", sum, fs.ErrNotExist)
	}
	if st, err := f.Stat(); err == nil && time.Since(st.ModTime()) > touchAfter {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // at worst it is fetched again some day
	}
	return path, nil
}

// forget removes the content with this SHA-256. That it is not there is no mistake.
func (c *Cache) forget(sum string) error {
	if err := os.Remove(c.path(sum)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// obtain returns the path of the content, which fetch writes if it is not
// there. Of several callers one fetches, the others wait for it.
func (c *Cache) obtain(ctx context.Context, sum string, fetch func(*incoming) error) (string, error) {
	if err := manifest.CheckHash(sum); err != nil {
		return "", err
	}
	for {
		path, err := c.get(sum)
		if !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
		wait, leave := c.enter(sum)
		if wait == nil {
			defer leave()
			return c.store(sum, fetch)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// enter registers an attempt, or returns what to wait for while another is under way.
func (c *Cache) enter(sum string) (wait chan struct{}, leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait := c.flight[sum]; wait != nil {
		return wait, nil
	}
	done := make(chan struct{})
	c.flight[sum] = done
	return nil, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flight, sum)
		close(done)
	}
}

// store lets fetch write the content and gives it its name once it is whole and verified.
func (c *Cache) store(sum string, fetch func(*incoming) error) (path string, err error) {
	path = c.path(sum)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(c.dir, tempPrefix+"*")
	if err != nil {
		return "", err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	in := newIncoming(f, sum)
	if err := fetch(in); err != nil {
		return "", err
	}
	if !in.complete() {
		return "", errDamaged
	}
	// It needs not reach the disk: who gets it verifies it, and what a crash damaged is fetched again.
	if err := f.Close(); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}

// Prune removes content that was not used since then, what crashes left
// behind, and, of more than most bytes, what was not used for longest. What
// was used in the last hour may be in use, and stays.
func (c *Cache) Prune(before time.Time, most int64) error {
	kept, size, err := c.pruneOld(before)
	if err != nil || size <= most {
		return err
	}
	sort.Slice(kept, func(i, k int) bool { return kept[i].used.Before(kept[k].used) })
	for _, k := range kept {
		if size <= most || time.Since(k.used) < inUse {
			return nil
		}
		if err := removed(os.Remove(k.path)); err != nil {
			return err
		}
		size -= k.size
	}
	return nil
}

// keptFile is some content of the cache.
type keptFile struct {
	path string
	size int64
	used time.Time
}

// pruneOld removes what nobody has used lately, and returns what is left.
func (c *Cache) pruneOld(before time.Time) (kept []keptFile, size int64, err error) {
	err = filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return removed(err)
		}
		st, err := e.Info()
		if err != nil {
			return removed(err)
		}
		limit := before
		if strings.HasPrefix(e.Name(), tempPrefix) {
			limit = time.Now().Add(-tempLife)
		}
		if st.ModTime().Before(limit) {
			return removed(os.Remove(path))
		}
		kept = append(kept, keptFile{path, st.Size(), st.ModTime()})
		size += st.Size()
		return nil
	})
	return kept, size, err
}

// removed takes no offence that another process of this minion was faster.
func removed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
