package file

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// A spot is a name in a directory of the host, whether something is there or not. What leads there was walked
// directory by directory, so that it lies under the host's root whatever its symbolic links say. Until leave it holds
// the directory open, and all that is done to the spot is done in that directory, wherever it is moved meanwhile.
type spot struct {
	host    *host.Host
	given   string   // its name as the operator wrote it
	dir     string   // the deepest directory on the way that is there, as the host sees it, without links
	missing []string // the directories below dir that are not there
	base    string   // its name in the last of them; "." for a directory that has no other
	final   bool     // what is put here is never looked at again: it has to be whole at once
	alone   bool     // nothing else is changed: the name of what is put here is brought to the disk at once

	fd    int // dir, open for its name only; -1 after leave
	id    identity
	owner uint32 // of dir
}

// An identity tells a file or directory from what takes its place.
type identity struct{ dev, ino uint64 }

const (
	maxLinks = 40 // how long a chain of symbolic links may be, as in the kernel

	// Descriptors of these flags stand for what is there, without opening its content.
	nameOnly = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	dirOnly  = nameOnly | unix.O_DIRECTORY
)

// find walks to an absolute name of the host of which something is to be changed. With follow it goes on where a symbolic
// link at its end leads. No link of a user leads to what is another's: see trust.go. Leave the spot when done.
func find(h *host.Host, name string, follow bool) (*spot, error) {
	w := walker{host: h, name: name, follow: follow, wary: true}
	return w.run()
}

// seek is find for one who only reads, wherever links lead.
func seek(h *host.Host, name string, follow bool) (*spot, error) {
	w := walker{host: h, name: name, follow: follow}
	return w.run()
}

func (w *walker) run() (*spot, error) {
	w.queue(path.Clean("/" + w.name))
	s, err := w.walk()
	if err == nil && w.wary {
		if err = w.trusted(s); err != nil {
			s.leave()
			s = nil
		}
	}
	for _, d := range w.stack {
		if s == nil || d.fd != s.fd {
			unix.Close(d.fd)
		}
	}
	return s, err
}

// A walker is on its way to a spot.
type walker struct {
	host   *host.Host
	name   string
	follow bool
	wary   bool // of users who own links on the way
	strict bool // and of those who own the directories that these are in
	by     *uint32
	links  int
	linked int      // how many parts of left a link put there
	left   []string // to go
	stack  []step   // the directories gone through; the last is where it is
}

type step struct {
	fd   int
	name string
}

func (w *walker) queue(to string) {
	parts := strings.Split(to, "/")
	w.left = append(parts, w.left...)
	w.linked += len(parts)
}

func (w *walker) here() int { return w.stack[len(w.stack)-1].fd }

// at is where the walker is, as the host sees it.
func (w *walker) at() string {
	var b strings.Builder
	for _, d := range w.stack[1:] {
		b.WriteString("/" + d.name)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func (w *walker) walk() (*spot, error) {
	root, err := unix.Open(w.host.Path("/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "cannot open", Path: w.host.Path("/"), Err: err}
	}
	w.stack = append(w.stack, step{root, ""})
	w.linked = 0
	for len(w.left) > 0 {
		part := w.left[0]
		w.left = w.left[1:]
		if w.linked == 0 {
			if err := w.arrived(); err != nil {
				return nil, err
			}
		}
		w.linked = max(w.linked-1, 0)
		switch {
		case part == "" || part == ".":
		case part == "..":
			w.up()
		case w.last():
			if linked, err := w.link(part); err != nil || !linked {
				return w.spot(part, nil, err)
			}
		default:
			missing, err := w.down(part)
			if err != nil || missing != nil {
				return w.spot("", missing, err)
			}
		}
	}
	return w.spot(".", nil, nil)
}

// last says whether nothing follows that is a name.
func (w *walker) last() bool {
	for _, part := range w.left {
		if part != "" && part != "." {
			return false
		}
	}
	return true
}

func (w *walker) up() {
	if n := len(w.stack); n > 1 { // above the root is the root
		unix.Close(w.stack[n-1].fd)
		w.stack = w.stack[:n-1]
	}
}

// link goes on where the name leads that stands at the end, when it is a link that is to be followed.
func (w *walker) link(part string) (bool, error) {
	if !w.follow {
		return false, nil
	}
	to, err := w.readlink(part)
	if errors.Is(err, errNoLink) {
		return false, nil
	}
	if err == nil {
		err = w.turn(to)
	}
	return true, err
}

func (w *walker) turn(to string) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("cannot follow the symbolic link %s: it goes in a circle", w.name)
	}
	if strings.HasPrefix(to, "/") {
		for len(w.stack) > 1 {
			w.up()
		}
	}
	w.queue(to)
	return nil
}

// down enters a directory or follows a link in its place. It returns what is missing of the way when there is neither.
func (w *walker) down(part string) (missing []string, err error) {
	fd, err := unix.Openat(w.here(), part, dirOnly, 0)
	switch {
	case err == nil:
		w.stack = append(w.stack, step{fd, part})
		return nil, nil
	case errors.Is(err, unix.ENOENT) && w.linked > 0:
		return nil, fmt.Errorf("cannot follow a symbolic link on the way to %s: %s is not there: %w",
			w.name, path.Join(w.at(), part), fs.ErrNotExist)
	case errors.Is(err, unix.ENOENT):
		return w.rest(part)
	case errors.Is(err, unix.ENOTDIR):
		to, bad := w.readlink(part)
		if !errors.Is(bad, errNoLink) {
			if bad == nil {
				bad = w.turn(to)
			}
			return nil, bad
		}
		return nil, &fs.PathError{Op: "cannot enter", Path: path.Join(w.at(), part), Err: unix.ENOTDIR}
	}
	return nil, &fs.PathError{Op: "cannot enter", Path: path.Join(w.at(), part), Err: err}
}

// rest is the way that is left below where nothing is.
func (w *walker) rest(part string) ([]string, error) {
	names := []string{part}
	for _, p := range w.left {
		switch p {
		case "", ".":
		case "..":
			return nil, fmt.Errorf("cannot find %s: %s is not there: %w", w.name, path.Join(w.at(), part), fs.ErrNotExist)
		default:
			names = append(names, p)
		}
	}
	return names, nil
}

// spot ends the walk.
func (w *walker) spot(base string, missing []string, err error) (*spot, error) {
	if err != nil {
		return nil, err
	}
	if n := len(missing); n > 0 {
		missing, base = missing[:n-1], missing[n-1]
	}
	s := &spot{host: w.host, given: w.name, dir: w.at(), missing: missing, base: base, fd: w.here()}
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return nil, &fs.PathError{Op: "cannot stat", Path: s.dir, Err: err}
	}
	s.id = identity{uint64(st.Dev), st.Ino}
	s.owner = st.Uid
	return s, nil
}

// unsure is the error of a walk. Of what is not there yet, such as where a link on the way leads, nobody can tell what
// would be done.
func unsure(what, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return module.Unknown("%s %s: %w", what, name, err)
	}
	return fmt.Errorf("%s %s: %w", what, name, err)
}

// leave closes the directory; enter opens it again.
func (s *spot) leave() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// enter opens the directory again, when it still is the same, and nothing on the way became a link.
func (s *spot) enter() error {
	if s.fd >= 0 {
		return nil
	}
	fd, err := unix.Open(s.host.Path("/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for part := range strings.SplitSeq(strings.Trim(s.dir, "/"), "/") {
		if err != nil || part == "" {
			break
		}
		above := fd
		fd, err = unix.Openat(above, part, dirOnly, 0)
		unix.Close(above)
	}
	if err != nil {
		return &fs.PathError{Op: "cannot enter", Path: s.dir, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && s.id != (identity{uint64(st.Dev), st.Ino}) {
		err = errReplaced
	}
	if err != nil {
		unix.Close(fd)
		return &fs.PathError{Op: "cannot enter", Path: s.dir, Err: err}
	}
	s.fd = fd
	return nil
}

var errReplaced = errors.New("it was replaced meanwhile")

// path is where the spot is, as the host sees it.
func (s *spot) path() string { return path.Join(s.dir, path.Join(s.missing...), s.base) }

// real is the same for the system.
func (s *spot) real() string { return s.host.Path(s.path()) }

// touched notes that something changed in the spot's directory.
func (s *spot) touched() error { return s.host.Touched(s.fd, s.host.Path(s.dir)) }

// readlink is where a symbolic link leads; an error when the name is none.
func readlink(dir int, name string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// An info is what lies at a spot.
type info struct{ unix.Stat_t }

func (i *info) kindBits() uint32   { return i.Mode & unix.S_IFMT }
func (i *info) isFile() bool       { return i.kindBits() == unix.S_IFREG }
func (i *info) isDir() bool        { return i.kindBits() == unix.S_IFDIR }
func (i *info) isLink() bool       { return i.kindBits() == unix.S_IFLNK }
func (i *info) bits() uint32       { return i.Mode & 0o7777 }
func (i *info) identity() identity { return identity{uint64(i.Dev), i.Ino} }

func (i *info) kind() string {
	switch i.kindBits() {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symbolic link"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device"
	case unix.S_IFIFO:
		return "named pipe"
	case unix.S_IFSOCK:
		return "socket"
	}
	return "special file"
}

// look is what lies at the spot, nil for nothing. A link is not followed.
func (s *spot) look() (*info, error) {
	if len(s.missing) > 0 {
		return nil, nil
	}
	return infoAt(s.fd, s.base, s.path())
}

func infoAt(dir int, name, full string) (*info, error) {
	i := &info{}
	err := unix.Fstatat(dir, name, &i.Stat_t, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err == nil:
		return i, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return nil, nil
	}
	return nil, &fs.PathError{Op: "cannot stat", Path: full, Err: err}
}
