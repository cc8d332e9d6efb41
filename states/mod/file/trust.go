package file

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"

	"brine/states/host"
	"golang.org/x/sys/unix"
)

// Whoever may write in a directory can put a symbolic link there, in the place of what is to be changed or on the way to
// it. So who changes something follows a link of a user only to what is the same user's: to a directory of theirs, from
// which on names are as good as if no link had led there, or at the end to what they own itself. Links of root and of who
// runs the minion are followed wherever they lead, and those that states of the job say lead there.

// errNoLink says that something is no symbolic link.
var errNoLink = errors.New("it is no symbolic link")

// A distrust is the error of a walk that a user's link leads to what is another's.
type distrust struct{ text string }

func (d *distrust) Error() string { return d.text }

// readlink is where a symbolic link leads. A wary walker notes whose it is.
func (w *walker) readlink(part string) (string, error) {
	to, err := readlink(w.here(), part)
	if err != nil {
		return "", errNoLink
	}
	if !w.wary {
		return to, nil
	}
	fd, err := unix.Openat(w.here(), part, nameOnly, 0)
	if err != nil {
		return "", errNoLink
	}
	defer unix.Close(fd)
	if to, err = readlink(fd, ""); err != nil {
		return "", errNoLink
	}
	var in, link unix.Stat_t
	if err := errors.Join(unix.Fstat(w.here(), &in), unix.Fstat(fd, &link)); err != nil {
		return "", fmt.Errorf("cannot stat %s: %w", path.Join(w.at(), part), err)
	}
	if w.vouched(part, to) {
		return to, nil
	}
	if w.strict { // its owner may have moved it there
		err = w.note(in.Uid)
	}
	if err == nil {
		err = w.note(link.Uid)
	}
	return to, err
}

// Vouched are the links that the states of a job make or find, by name, and where they lead.
type vouched struct {
	mu    sync.Mutex // guards links
	links map[string]string
}

type vouchedKey struct{}

func vouchedIn(h *host.Host) *vouched {
	return h.Memo.Keep(vouchedKey{}, func() any { return &vouched{links: map[string]string{}} }).(*vouched)
}

// vouch notes that a state wants the link at the spot to lead to target.
func (s *spot) vouch(target string) {
	v := vouchedIn(s.host)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.links[s.path()] = target
}

func (w *walker) vouched(part, to string) bool {
	v := vouchedIn(w.host)
	v.mu.Lock()
	defer v.mu.Unlock()
	said, ok := v.links[path.Join(w.at(), part)]
	return ok && said == to
}

// note keeps who could have made a link.
func (w *walker) note(uid uint32) error {
	switch {
	case uid == 0 || uid == uint32(os.Geteuid()):
	case w.by == nil:
		w.by = &uid
	case *w.by != uid:
		return &distrust{fmt.Sprintf("cannot follow symbolic links on the way to %s: they are of the users with numbers %d and %d", w.name, *w.by, uid)}
	}
	return nil
}

// arrived forgets a user's link when it led to a directory of that user, and the names of the operator go on.
func (w *walker) arrived() error {
	if w.by == nil || w.strict {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(w.here(), &st); err != nil {
		return fmt.Errorf("cannot stat %s: %w", w.at(), err)
	}
	if st.Uid == *w.by {
		w.by = nil
	}
	return nil
}

// trusted refuses a spot to which a user's link led when neither its directory nor what is there is that user's.
func (w *walker) trusted(s *spot) error {
	if w.by == nil || s.owner == *w.by {
		return nil
	}
	hint := ""
	if !w.strict {
		there, err := s.look()
		if err != nil {
			return err
		}
		if there != nil && there.Uid == *w.by {
			return nil
		}
		hint = "; give the link to root, or name where it leads"
	}
	return &distrust{fmt.Sprintf("cannot follow a symbolic link on the way to %s: it is of the user with number %d, and where it leads, %s, is not%s",
		w.name, *w.by, s.dir, hint)}
}
