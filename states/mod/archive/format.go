package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An entry is one thing in an archive.
type entry struct {
	name   string      // below the directory that it is extracted to
	mode   fs.FileMode // its kind and permissions
	size   int64
	target string // of a link; of a hard link a name of this archive
	hard   bool
	time   time.Time
	made   bool // a directory that no entry stands for
}

func (e *entry) isLink() bool { return e.mode&fs.ModeSymlink != 0 }

// A blob is the bytes of an archive.
type blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// An archive is one that can be read any number of times.
type archive struct {
	blob
	format  string // tar or zip
	strip   int    // leading parts of names to leave out
	exclude []string
	perms   bool // take the permissions of a zip
}

// formatOf is the format that a file name tells, "" when it tells none.
func formatOf(name string) string {
	name = strings.ToLower(name)
	for _, f := range []struct {
		format string
		ends   []string
	}{
		{"tar", []string{".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tlz", ".tzst", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lzma", ".tar.zst", ".tar.z"}},
		{"zip", []string{".zip", ".jar", ".war", ".ear", ".whl"}},
		{"rar", []string{".rar"}},
	} {
		if slices.ContainsFunc(f.ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
			return f.format
		}
	}
	return ""
}

// packing is how a file is compressed, by its first bytes.
func packing(b io.ReaderAt) string {
	head := make([]byte, 6)
	n, _ := b.ReadAt(head, 0) // a short file is none of these
	for _, p := range []struct{ name, magic string }{
		{"gz", "\x1f\x8b"}, {"bz2", "BZh"}, {"xz", "\xfd7zXZ\x00"}, {"zst", "\x28\xb5\x2f\xfd"}, {"lzma", "\x5d\x00\x00"},
	} {
		if bytes.HasPrefix(head[:n], []byte(p.magic)) {
			return p.name
		}
	}
	return ""
}

// walk calls each for everything in the archive, in its order, with the content of files. Names are checked before.
func (a *archive) walk(ctx context.Context, each func(*entry, io.Reader) error) error {
	walk := a.walkTar
	if a.format == "zip" {
		walk = a.walkZip
	}
	return walk(func(e *entry, content io.Reader) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		keep, err := a.place(e)
		if err != nil || !keep {
			return err
		}
		return each(e, content)
	})
}

func (a *archive) walkTar(each func(*entry, io.Reader) error) error {
	var from io.Reader = io.NewSectionReader(a, 0, a.Size())
	var err error
	switch packing(a) {
	case "gz":
		from, err = gzip.NewReader(from)
	case "bz2":
		from = bzip2.NewReader(from)
	}
	if err != nil {
		return fmt.Errorf("cannot read the archive: %w", err)
	}
	for t := tar.NewReader(from); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the archive: %w", err)
		}
		e := &entry{name: h.Name, mode: h.FileInfo().Mode(), size: h.Size, target: h.Linkname, time: h.ModTime}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
		case tar.TypeDir:
			e.mode |= fs.ModeDir
		case tar.TypeSymlink:
			e.mode = fs.ModeSymlink | 0o777
		case tar.TypeLink:
			e.hard = true
		case tar.TypeXGlobalHeader:
			continue
		default:
			return fmt.Errorf("cannot extract %q: it is a device or another special file", e.name)
		}
		if err := each(e, t); err != nil {
			return err
		}
	}
}

// maxTarget is how long the target of a link in a zip may be.
const maxTarget = 4096

func (a *archive) walkZip(each func(*entry, io.Reader) error) error {
	z, err := zip.NewReader(a, a.Size())
	if err != nil {
		return fmt.Errorf("cannot read the archive: %w", err)
	}
	for _, f := range z.File {
		if err := a.zipped(f, each); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) zipped(f *zip.File, each func(*entry, io.Reader) error) error {
	if f.Flags&1 != 0 {
		return fmt.Errorf("cannot extract %q: it is encrypted", f.Name)
	}
	e := &entry{name: f.Name, mode: f.Mode(), size: int64(f.UncompressedSize64), time: f.Modified}
	switch {
	case e.mode.IsDir():
		if !a.perms || e.mode.Perm() == 0 {
			e.mode = fs.ModeDir | 0o755
		}
		return each(e, nil)
	case e.mode.IsRegular() && (!a.perms || e.mode.Perm() == 0):
		e.mode = 0o644
	case !e.mode.IsRegular() && !e.isLink():
		return fmt.Errorf("cannot extract %q: it is a device or another special file", e.name)
	}
	content, err := f.Open()
	if err != nil {
		return fmt.Errorf("cannot read %q of the archive: %w", f.Name, err)
	}
	defer content.Close()
	if e.isLink() {
		target, err := io.ReadAll(io.LimitReader(content, maxTarget))
		if err != nil {
			return fmt.Errorf("cannot read %q of the archive: %w", f.Name, err)
		}
		e.target = string(target)
	}
	return each(e, content)
}

// place gives an entry its name below the directory. One that would lie elsewhere is an error.
func (a *archive) place(e *entry) (keep bool, err error) {
	if a.excludes(e.name) {
		return false, nil
	}
	if e.name, err = a.below(e.name); err != nil || e.name == "" {
		return false, err
	}
	if e.hard {
		if e.target, err = a.below(e.target); err == nil && e.target == "" {
			err = fmt.Errorf("cannot extract %q: it is a link to what is not extracted", e.name)
		}
	}
	if e.isLink() && (e.target == "" || strings.ContainsRune(e.target, 0)) {
		err = fmt.Errorf("cannot extract %q: it is a link to nowhere", e.name)
	}
	return err == nil, err
}

// below is a name without its first parts; "" for one that has no more.
func (a *archive) below(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return "", fmt.Errorf("cannot extract %q: it would not lie below the directory", name)
	}
	if clean == "." {
		return "", nil
	}
	parts := strings.Split(clean, "/")
	return strings.Join(parts[min(a.strip, len(parts)):], "/"), nil
}

// excludes compares as tar's --exclude does: from the beginning of any part, with what lies below.
func (a *archive) excludes(name string) bool {
	parts := strings.Split(path.Clean(name), "/")
	for _, pattern := range a.exclude {
		for from := range parts {
			for to := from + 1; to <= len(parts); to++ {
				if ok, _ := path.Match(pattern, strings.Join(parts[from:to], "/")); ok {
					return true
				}
			}
		}
	}
	return false
}

// tarLetters are options of tar that say what is done anyway.
const tarLetters = "xvfzjJpaUokm"

// options reads those of tar and unzip that are known here.
func (a *archive) options(words []string) error {
	var errs []error
	for i := 0; i < len(words); i++ {
		word := words[i]
		name, val, has := strings.Cut(word, "=")
		value := func() string {
			if !has && i+1 < len(words) {
				i++
				return words[i]
			}
			return val
		}
		switch name {
		case "--strip-components", "--strip":
			n := 0
			if _, err := fmt.Sscanf(value(), "%d", &n); err != nil || n < 0 {
				errs = append(errs, fmt.Errorf("cannot read the option %s: want a number", name))
			}
			a.strip = n
		case "--exclude":
			pattern := value()
			if _, err := path.Match(pattern, ""); err != nil {
				errs = append(errs, fmt.Errorf("cannot read the pattern %q of --exclude", pattern))
			}
			a.exclude = append(a.exclude, pattern)
		case "--extract", "--get", "--verbose", "--gzip", "--bzip2", "--xz", "--zstd", "--auto-compress", "--no-same-owner",
			"--no-same-permissions", "--preserve-permissions", "--same-permissions", "--overwrite", "--touch", "-q", "-qq", "-o", "-oq", "-qo":
		default:
			if letters := strings.TrimPrefix(word, "-"); a.format != "tar" || letters == "" || strings.Trim(letters, tarLetters) != "" {
				errs = append(errs, fmt.Errorf("cannot use the option %q: known are --strip-components=N and --exclude=PATTERN", word))
			}
		}
	}
	return errors.Join(errs...)
}
