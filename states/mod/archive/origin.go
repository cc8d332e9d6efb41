package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// cacheDir holds archives that came from the web, or were unpacked by a program, for the next run.
const cacheDir = "/var/cache/brine/minion/archives"

// cacheAge is how long one is kept that nothing asks for.
const cacheAge = 14 * 24 * time.Hour

// sized is a blob of what tells its size apart.
type sized struct {
	io.ReaderAt
	io.Closer
	size int64
}

func (s sized) Size() int64 { return s.size }

// A store is where archives are kept between runs.
type store struct {
	h    *host.Host
	used []string // files that the archive needs
}

// open finds the archive and makes it readable.
func (s *store) open(ctx context.Context, c *file.Content) (blob, error) {
	b, err := s.bytes(ctx, c)
	if err != nil {
		return nil, err
	}
	kind := packing(b)
	if kind != "xz" && kind != "zst" && kind != "lzma" {
		return b, nil
	}
	defer b.Close()
	return s.unpack(ctx, b, kind, c.From()+" "+c.Sum())
}

// bytes are those of the source: where they lie already, or a copy of what the web has.
func (s *store) bytes(ctx context.Context, c *file.Content) (blob, error) {
	if !strings.HasPrefix(c.From(), "http") {
		from, err := c.Open(ctx)
		if err != nil {
			return nil, err
		}
		if at, ok := from.(io.ReaderAt); ok && c.Size() >= 0 {
			return sized{at, from, c.Size()}, nil
		}
		from.Close()
	}
	key := c.From() + " " + c.Sum()
	if c.Sum() == "" { // what comes may be another thing each time
		key = "unverified " + c.From()
	} else if f, err := s.kept(key, ""); err == nil {
		return f, nil
	}
	return s.keep(key, "", func(to *os.File) error { return c.Save(ctx, to) })
}

func (s *store) name(key, end string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.h.Path(cacheDir), hex.EncodeToString(sum[:])+end)
}

func (s *store) kept(key, end string) (blob, error) {
	name := s.name(key, end)
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // only for the age
	return s.of(f)
}

func (s *store) of(f *os.File) (blob, error) {
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	s.used = append(s.used, f.Name())
	return sized{f, f, st.Size()}, nil
}

// keep puts what write writes into the store, whole or not at all.
func (s *store) keep(key, end string, write func(*os.File) error) (blob, error) {
	dir := s.h.Path(cacheDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot keep the archive: %w", err)
	}
	prune(dir)
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return nil, fmt.Errorf("cannot keep the archive: %w", err)
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.name(key, end))
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return s.kept(key, end)
}

// prune removes what nothing asked for in a long time. What can't be removed now is next time.
func prune(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()) > cacheAge {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// forget removes what was kept for this archive.
func (s *store) forget() error {
	var errs []error
	for _, name := range s.used {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// unpack lets a program of the host decompress what Go's library can't.
func (s *store) unpack(ctx context.Context, b blob, kind, key string) (blob, error) {
	if f, err := s.kept(key, ".tar"); err == nil && !strings.HasSuffix(key, " ") {
		return f, nil
	}
	dir, err := os.MkdirTemp("", "brine-archive-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	packed := filepath.Join(dir, "a."+kind)
	if err := copyTo(ctx, packed, b); err != nil {
		return nil, err
	}
	argv := []string{"xz", "--decompress", "--quiet", packed}
	what := "xz-utils"
	if kind == "zst" {
		argv, what = []string{"zstd", "--decompress", "--quiet", packed}, "zstd"
	}
	out, err := s.h.Exec(ctx, host.Command{Argv: argv})
	if errors.Is(err, os.ErrNotExist) {
		return nil, module.Unknown("cannot decompress the archive: there is no program %s on this host; install %s", argv[0], what)
	}
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("%s ended with %d: %s", argv[0], out.Code, strings.ReplaceAll(strings.TrimSpace(string(out.Stderr)), dir, ""))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decompress the archive: %w", err)
	}
	return s.keep(key, ".tar", func(to *os.File) error {
		from, err := os.Open(filepath.Join(dir, "a"))
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(to, from)
		return err
	})
}

func copyTo(ctx context.Context, name string, b blob) error {
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, until{ctx, io.NewSectionReader(b, 0, b.Size())})
	return errors.Join(err, to.Close())
}

// until is a reader that ends with a job.
type until struct {
	ctx  context.Context
	from io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.from.Read(b)
}
