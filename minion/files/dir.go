package files

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	gopath "path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"brine/states/host"
)

// Dirs is the files of local directories, the first that has a file wins: for
// runs without a master. It serves states/sls as its source and modules as
// host.Files. It may be used from many goroutines.
type Dirs struct {
	dirs []string
	env  string
}

var _ host.Files = (*Dirs)(nil)

// NewDirs makes it of directories, for an environment.
func NewDirs(env string, dirs ...string) *Dirs { return &Dirs{dirs: dirs, env: env} }

// Paths lists all files.
func (d *Dirs) Paths() []string { return d.under(".") }

// under lists the files below a directory, by their whole paths.
func (d *Dirs) under(within string) []string {
	var paths []string
	seen := map[string]bool{}
	for _, dir := range d.dirs {
		_ = fs.WalkDir(os.DirFS(dir), within, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
			return nil // what can't be read is not offered; Open tells why
		})
	}
	return paths
}

// Open returns a file's content; errors.Is(err, fs.ErrNotExist) when there is none.
func (d *Dirs) Open(_ context.Context, path string) ([]byte, error) {
	local, err := d.find(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(local)
}

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Stat describes the file that a salt:// URL means.
func (d *Dirs) Stat(ctx context.Context, rawURL string) (host.File, error) {
	local, err := d.Fetch(ctx, rawURL)
	if err != nil {
		return host.File{}, err
	}
	f, err := os.Open(local)
	if err != nil {
		return host.File{}, err
	}
	defer f.Close()
	h := sha256.New()
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	size, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buffer[:]) // a file of its own accord would make a new buffer
	if err != nil {
		return host.File{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return host.File{}, err
	}
	const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return host.File{SHA256: hex.EncodeToString(h.Sum(nil)), Size: size, Mode: st.Mode() & (fs.ModePerm | special)}, nil
}

// Fetch returns the path of the file that a salt:// URL means.
func (d *Dirs) Fetch(_ context.Context, rawURL string) (string, error) {
	path, err := pathOf(rawURL, d.env)
	if err != nil {
		return "", err
	}
	return d.find(path)
}

// Cached returns the path of the file itself: it is here.
func (d *Dirs) Cached(ctx context.Context, rawURL string) (string, error) {
	return d.Fetch(ctx, rawURL)
}

// List returns the files below the directory that a salt:// URL means.
func (d *Dirs) List(_ context.Context, rawURL string) ([]string, error) {
	dir, err := pathOf(rawURL, d.env)
	if err != nil {
		return nil, err
	}
	dir = strings.Trim(dir, "/")
	if dir != "" && !fs.ValidPath(dir) {
		return nil, nil // there is none of such a name
	}
	paths := below(d.under(cmp.Or(dir, ".")), dir)
	slices.Sort(paths)
	return paths, nil
}

// Shape tells which directories below the one that a salt:// URL means have no files, and which links there are.
func (d *Dirs) Shape(_ context.Context, rawURL string) (empty []string, links map[string]string, err error) {
	dir, err := pathOf(rawURL, d.env)
	dir = strings.Trim(dir, "/")
	if err != nil || dir != "" && !fs.ValidPath(dir) {
		return nil, nil, err
	}
	filled, seen, all := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, root := range d.dirs {
		_ = fs.WalkDir(os.DirFS(root), cmp.Or(dir, "."), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil // what can't be read is not offered
			}
			for up := gopath.Dir(path); up != "."; up = gopath.Dir(up) {
				filled[up] = true
			}
			if to, err := os.Readlink(filepath.Join(root, path)); err == nil && !seen[path] {
				all[path] = to
			}
			if e.IsDir() && path != "." && !seen[path] {
				empty = append(empty, path)
			}
			seen[path] = true
			return nil
		})
	}
	empty = slices.DeleteFunc(empty, func(path string) bool { return filled[path] })
	return below(empty, dir), linksBelow(all, dir), nil
}

func (d *Dirs) find(path string) (string, error) {
	if !fs.ValidPath(path) {
		return "", fmt.Errorf("salt://%s is no clean path: %w", path, fs.ErrNotExist)
	}
	for _, dir := range d.dirs {
		local := filepath.Join(dir, path)
		st, err := os.Stat(local)
		if err == nil && st.Mode().IsRegular() {
			return local, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", missing(path, d.env)
}
