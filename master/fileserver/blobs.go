package fileserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"brine/proto/manifest"
)

// blobs keeps content in files named by its SHA-256. A file's modification
// time says when it was used last.
type blobs struct {
	dir string
	mu  sync.RWMutex // held for writing while one file is judged and removed
}

const unfinished = ".new-" // begins the names of files that are being written

func openBlobs(dir string) (*blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep file content in %q: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot keep file content in %q: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) { // of a process that was killed
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("cannot keep file content in %q: %w", dir, err)
			}
		}
	}
	return &blobs{dir: dir}, nil
}

// path is where content is kept. sum must have passed manifest.CheckHash.
func (b *blobs) path(sum string) string { return filepath.Join(b.dir, sum[:2], sum) }

// use tells whether content is here, and notes that it is used.
func (b *blobs) use(sum string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	now := time.Now()
	return os.Chtimes(b.path(sum), now, now) == nil
}

// open opens content for reading. The error is fs.ErrNotExist when it is not here.
func (b *blobs) open(sum string) (*os.File, os.FileInfo, error) {
	if err := manifest.CheckHash(sum); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(b.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("cannot find content %s on this master: %w", sum, fs.ErrNotExist)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read content %s: %w", sum, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot read content %s: %w", sum, err), f.Close())
	}
	if time.Since(info.ModTime()) > usedEach {
		b.use(sum)
	}
	return f, info, nil
}

// draft is content on its way: written, hashed, then kept or dropped.
type draft struct {
	b    *blobs
	file *os.File
	hash hash.Hash
	size int64
}

func (b *blobs) draft() (*draft, error) {
	f, err := os.CreateTemp(b.dir, unfinished)
	if err != nil {
		return nil, fmt.Errorf("cannot keep content: %w", err)
	}
	return &draft{b: b, file: f, hash: sha256.New()}, nil
}

func (d *draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	d.hash.Write(p[:n])
	d.size += int64(n)
	return n, err
}

func (d *draft) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// keep puts the draft where its hash says, so that it is whole even after a
// power cut.
func (d *draft) keep() error {
	path := d.b.path(d.sum())
	err := d.file.Sync()
	err = errors.Join(err, d.file.Close())
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.Rename(d.file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep content: %w", err), os.Remove(d.file.Name()))
	}
	return nil
}

// drop forgets a draft that was not kept.
func (d *draft) drop() error { return errors.Join(d.file.Close(), os.Remove(d.file.Name())) }

// add keeps the content of r and returns its hash and size.
func (b *blobs) add(r io.Reader) (sum string, size int64, err error) {
	d, err := b.draft()
	if err != nil {
		return "", 0, err
	}
	if _, err := io.Copy(d, r); err != nil {
		return "", 0, errors.Join(err, d.drop())
	}
	return d.sum(), d.size, d.keep()
}

// prune removes what was not used since before.
func (b *blobs) prune(before time.Time) error {
	return filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot remove unused content: %w", err)
		}
		if e.IsDir() || strings.HasPrefix(e.Name(), unfinished) {
			return nil
		}
		return b.pruneOne(path, before)
	})
}

func (b *blobs) pruneOne(path string, before time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, err := os.Lstat(path)
	if err == nil && info.ModTime().Before(before) {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove unused content: %w", err)
	}
	return nil
}
