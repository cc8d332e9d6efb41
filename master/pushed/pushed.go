// Package pushed keeps files that minions send to their masters: each below a
// directory of the minion's own, where nothing else can be reached or
// overwritten. It takes none unless the operator allows it.
package pushed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"brine/proto/manifest"
)

// Options are what a Store needs. Dir and Minion are required.
type Options struct {
	Dir         string                             // where files are kept, in a directory for each minion
	FileBytes   int64                              // of the largest file; 0: none is taken
	MinionBytes int64                              // of all files of one minion
	Minion      func(token string) (string, error) // tells which minion a file token speaks for
	Free        func(dir string) (int64, error)    // bytes that may still be written; nil: those of the file system
	Log         hclog.Logger                       // nil: silence
}

const (
	drafts     = ".new"     // of Dir: what is not whole yet; no minion has such an id
	draftLife  = time.Hour  // of one to which nothing comes
	draftsEach = 4          // of one minion at the same time, over HTTPS and over the bus
	leastFile  = 4 << 10    // what the smallest file counts
	spared     = 1 << 30    // bytes of the disk
	maxPath    = 4096 - 256 // bytes
)

// Store keeps files. Its methods may be called from many goroutines.
type Store struct {
	o   Options
	log hclog.Logger

	root   *os.Root   // nil when no file is taken
	pieces sync.Mutex // held while a piece is taken: a second of the same file waits

	mu       sync.Mutex       // guards the fields below, and is held while a file gets its name
	used     map[string]int64 // by minion
	coming   map[string]int   // files of a minion that are on their way over HTTPS
	reserved int64            // what all these still may write
}

// New prepares the directory. Close the Store.
func New(o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Free == nil {
		o.Free = free
	}
	s := &Store{o: o, log: o.Log, used: map[string]int64{}, coming: map[string]int{}}
	if o.FileBytes == 0 {
		return s, nil
	}
	err := os.MkdirAll(path.Join(o.Dir, drafts), 0o700)
	if err == nil {
		s.root, err = os.OpenRoot(o.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot keep files of minions: %w", err)
	}
	return s, nil
}

// Close gives the directory up.
func (s *Store) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// A refusal is why a file is not taken, with the status of HTTP that tells it.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// A file is one that a minion wants to send.
type file struct {
	minion, path, sum string
	size              int64
}

// check tells why a file cannot be taken. So much of it is still to come.
func (s *Store) check(f file, still int64) error {
	switch {
	case s.root == nil:
		return refuse(403, "cannot take files of minions: file_recv is off in master.toml")
	case !fs.ValidPath(f.path) || f.path == "." || len(f.path) > maxPath || strings.ContainsRune(f.path, 0):
		return refuse(400, "cannot take a file as %.100q: want a clean relative path", f.path)
	case manifest.CheckHash(f.sum) != nil:
		return refuse(400, "cannot take %s: want its SHA-256 in lower-case hexadecimal digits", f.path)
	case f.size < 0:
		return refuse(411, "cannot take %s: want its size", f.path)
	case f.size > s.o.FileBytes:
		return refuse(413, "cannot take %s: it has %d bytes, file_recv_max_size of master.toml allows %d", f.path, f.size, s.o.FileBytes)
	}
	left, err := s.o.Free(s.o.Dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if left -= s.reserved; still > left {
		return refuse(507, "cannot take %s: it has %d bytes, and of the master's disk only %d are for such files", f.path, f.size, max(0, left))
	}
	_, err = s.fits(f)
	return err
}

// fits tells what a file takes besides that which it replaces. The caller holds s.mu.
func (s *Store) fits(f file) (more int64, err error) {
	more = counted(f.size)
	switch st, err := s.root.Lstat(path.Join(f.minion, f.path)); {
	case err == nil && !st.Mode().IsRegular():
		return 0, refuse(409, "cannot take %s: something that is no file is there", f.path)
	case err == nil:
		more -= counted(st.Size())
	}
	more += s.missing(f) * leastFile
	used, err := s.usedBy(f.minion, false)
	if err == nil && used+more > s.o.MinionBytes { // an operator may have removed something
		used, err = s.usedBy(f.minion, true)
	}
	if err == nil && used+more > s.o.MinionBytes {
		err = refuse(507, "cannot take %s: the files of %s have %d bytes, file_recv_max_total of master.toml allows %d", f.path, f.minion, used, s.o.MinionBytes)
	}
	return more, err
}

// missing is how many directories are to be made for a file.
func (s *Store) missing(f file) (n int64) {
	for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
		if _, err := s.root.Lstat(path.Join(f.minion, dir)); err == nil {
			break
		}
		n++
	}
	return n
}

func counted(size int64) int64 { return max(size, leastFile) }

// usedBy is what the files of a minion count together. The caller holds s.mu.
func (s *Store) usedBy(minion string, again bool) (int64, error) {
	used, known := s.used[minion]
	if known && !again {
		return used, nil
	}
	used = 0
	err := fs.WalkDir(s.root.FS(), minion, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == minion {
			return err
		}
		if e.IsDir() {
			used += leastFile
			return nil
		}
		info, err := e.Info()
		if err == nil {
			used += counted(info.Size())
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("cannot look at the files of %s: %w", minion, err)
	}
	s.used[minion] = used
	return used, nil
}

// keep gives a whole draft its name.
func (s *Store) keep(draft string, f file) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	more, err := s.fits(f) // others may have come meanwhile
	if err != nil {
		return err
	}
	name := path.Join(f.minion, f.path)
	err = s.root.MkdirAll(path.Dir(name), 0o700)
	if err == nil {
		err = s.root.Rename(draft, name)
	}
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, fs.ErrExist):
		return refuse(409, "cannot take %s: a file is in the place of one of its directories", f.path)
	case errors.Is(err, unix.ENAMETOOLONG):
		return refuse(400, "cannot take %s: its name is too long", f.path)
	case err != nil:
		return written(f, err)
	}
	s.used[f.minion] += more
	s.log.Info("file of a minion kept", "minion", f.minion, "path", f.path, "size", f.size)
	return nil
}

// written is the error of writing a file: a full disk is told to the minion.
func written(f file, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return refuse(507, "cannot take %s: the master's disk is full", f.path)
	}
	return fmt.Errorf("cannot keep %s of %s: %w", f.path, f.minion, err)
}

// Run removes drafts to which nothing comes any more, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	if s.root == nil {
		return
	}
	tick := time.NewTicker(draftLife / 4)
	defer tick.Stop()
	for {
		if err := s.prune(time.Now().Add(-draftLife)); err != nil {
			s.log.Error("unfinished files of minions not removed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) prune(before time.Time) error {
	entries, err := fs.ReadDir(s.root.FS(), drafts)
	for _, e := range entries {
		if info, e2 := e.Info(); e2 == nil && info.ModTime().Before(before) {
			if e2 := s.root.Remove(path.Join(drafts, e.Name())); !errors.Is(e2, fs.ErrNotExist) {
				err = errors.Join(err, e2)
			}
		}
	}
	return err
}

// free is what files may take of a file system: a twentieth, at most spared, is left to the master's own work.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("cannot look at the disk: %w", err)
	}
	return int64(st.Bavail)*st.Bsize - min(int64(st.Blocks)*st.Bsize/20, spared), nil
}
