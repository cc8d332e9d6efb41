package custom

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
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"brine/states/host"
)

const (
	maxSize    = 64 << 20 // of an executable
	touchAfter = 24 * time.Hour
	tempPrefix = ".new-"        // of what is being written, and of directories of programs that run
	tempLife   = 24 * time.Hour // what a crash left behind
)

// A Store is the directory in which executables are run, each in a directory named by its hash. Only the own user, and
// root, may write there. It may be used from many goroutines and by several processes.
type Store struct {
	dir  string
	exec host.Exec

	// Limit is how long an executable may take to describe itself; 0 is 10 s. It is set before the store is used.
	Limit time.Duration
}

// NewStore makes a store of a directory, which is made when something is first put into it.
func NewStore(dir string, exec host.Exec) *Store { return &Store{dir: dir, exec: exec} }

// A program is an executable in a store.
type program struct {
	File
	store *Store
	sum   string
}

func (p *program) path() string { return filepath.Join(p.store.dir, p.sum, p.base()) }

// fetch puts a file of a tree into the store unless it is there.
func (s *Store) fetch(ctx context.Context, files host.Files, f File) (*program, error) {
	if f.err != nil {
		return nil, f.err
	}
	st, err := files.Stat(ctx, f.source())
	if err != nil {
		return nil, &notHad{err}
	}
	if st.Size > maxSize {
		return nil, fmt.Errorf("cannot use %s: it has %d bytes, the limit is %d", f.URL(), st.Size, maxSize)
	}
	p := &program{File: f, store: s, sum: st.SHA256}
	if _, err := p.verify(); err == nil {
		return p, nil
	}
	local, err := files.Fetch(ctx, f.source())
	if err != nil {
		return nil, &notHad{err}
	}
	content, err := os.ReadFile(local)
	if err != nil {
		return nil, &notHad{err}
	}
	if err := f.check(content, st.Mode&0o111 != 0); err != nil {
		return nil, err
	}
	if hashOf(content) != p.sum {
		return nil, &notHad{fmt.Errorf("cannot use %s: it changed while it was read", f.URL())}
	}
	if err := p.put(content); err != nil {
		return nil, &notHad{err}
	}
	return p, nil
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// put writes the executable. Whatever has its name is replaced.
func (p *program) put(content []byte) (err error) {
	fail := func(err error) error { return fmt.Errorf("cannot keep %s: %w", p.URL(), err) }
	if err := p.store.private(p.sum); err != nil {
		return fail(err)
	}
	return writeFile(p.path(), content, 0o700, fail)
}

// private makes a directory of the store, and refuses one to which others may write.
func (s *Store) private(below string) error {
	for _, dir := range []string{s.dir, filepath.Join(s.dir, below)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		st, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if err := trusted(dir, st); err != nil {
			return err
		}
	}
	return nil
}

// trusted refuses what someone else than the own user or root could have written.
func trusted(name string, st fs.FileInfo) error {
	if st.Mode()&0o022 != 0 || st.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("others may write to %s: chmod 700 it, or remove it", name)
	}
	if s, ok := st.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && s.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("%s belongs to user %d, neither to root nor to the own one: remove it", name, s.Uid)
	}
	return nil
}

// verify returns the content of the executable, which is what its hash says and nobody else could write.
func (p *program) verify() ([]byte, error) {
	for _, dir := range []string{p.store.dir, filepath.Dir(p.path())} {
		st, err := os.Lstat(dir)
		if err != nil {
			return nil, err
		}
		if err := trusted(dir, st); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(p.path(), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := trusted(p.path(), st); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if hashOf(content) != p.sum || st.Mode()&0o100 == 0 {
		return nil, fmt.Errorf("%s is not what was fetched", p.path())
	}
	p.touch()
	return content, nil
}

// touch says when the executable was used last.
func (p *program) touch() {
	dir := filepath.Dir(p.path())
	if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > touchAfter {
		now := time.Now()
		_ = os.Chtimes(dir, now, now) // at worst it is fetched again some day
	}
}

// writeFile replaces a file in one step.
func writeFile(name string, content []byte, mode fs.FileMode, fail func(error) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), tempPrefix+"*")
	if err != nil {
		return fail(err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fail(err)
	}
	return nil
}

var sumName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// Prune removes executables that were not used since then and are not synced, and what crashes left behind.
func (s *Store) Prune(before time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	synced, err := s.synced()
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		limit := before
		if strings.HasPrefix(e.Name(), tempPrefix) {
			limit = time.Now().Add(-tempLife)
		}
		kept := e.Name() == filepath.Base(s.list()) || slices.ContainsFunc(synced, func(x entry) bool { return x.SHA256 == e.Name() })
		if st, err := e.Info(); err != nil || kept || st.ModTime().After(limit) {
			continue
		}
		errs = append(errs, os.RemoveAll(filepath.Join(s.dir, e.Name())))
	}
	return errors.Join(errs...)
}
