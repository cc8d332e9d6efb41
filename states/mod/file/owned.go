package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// ownedMax is how large a file of a user may be that Edit and GetFor read.
const ownedMax = 16 << 20

// An Owner is a user of the host whose file Edit changes.
type Owner struct {
	UID, GID uint32
	Home     string
}

// findFor walks to a name in a directory of a user, who may be hostile and put symbolic links anywhere below it. A link
// that a user can have put there is followed only to a directory of the same user.
func findFor(h *host.Host, name string) (*spot, error) {
	w := walker{host: h, name: name, follow: true, wary: true, strict: true}
	return w.run()
}

// GetFor returns the content of a file that a user may have put there; nil when there is none. No link of a user leads
// to what is another's, and nothing but a file is opened.
func GetFor(h *host.Host, name string) ([]byte, error) {
	if err := absolute("read", name); err != nil {
		return nil, err
	}
	s, err := findFor(h, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.leave()
	_, data, err := s.owned()
	return data, err
}

// owned is what is at the spot and its content; nil when nothing is.
func (s *spot) owned() (*info, []byte, error) {
	f, err := s.openRead()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, ownedMax+1))
	if err == nil && len(data) > ownedMax {
		err = fmt.Errorf("cannot read %s: it has more than %d bytes", s.path(), ownedMax)
	}
	if data == nil {
		data = []byte{}
	}
	return &f.info, data, err
}

// Edit gives a file of a user new content, which edit makes of the old one, nil when there is none, in one step. As
// GetFor it is safe against the user. Owner and mode of a file that is there stay, without set-user-id bits; a new one
// is the owner's, with the mode given. Directories that are missing are made: below the home directory for the owner
// alone, elsewhere as the system's. That there is no home directory is a module.Unknown.
func Edit(ctx context.Context, h *host.Host, name string, o Owner, mode uint32, edit func([]byte) ([]byte, error)) error {
	if err := absolute("write", name); err != nil {
		return err
	}
	s, err := findFor(h, name)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer s.leave()
	old, data, err := s.owned()
	if err != nil {
		return err
	}
	now, err := edit(data)
	if err != nil || data != nil && bytes.Equal(data, now) {
		return err
	}
	if err := s.makeOwned(o, path.Clean(name)); err != nil {
		return err
	}
	s.final = module.AroundOf(ctx).Guarded
	if err := s.putOwned(old, o, mode, now); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// makeOwned makes the directories that are missing on the way to a name.
func (s *spot) makeOwned(o Owner, name string) error {
	below, inside := strings.CutPrefix(name, strings.TrimSuffix(path.Clean(o.Home), "/")+"/")
	if !inside {
		return s.makeDirs(rights{uid: 0, gid: 0, mode: modeOf(newDirMode)}.possible())
	}
	if len(s.missing) > strings.Count(below, "/") {
		return module.Unknown("cannot write %s: there is no home directory %s", name, o.Home)
	}
	return s.makeDirs(rights{uid: int(o.UID), gid: int(o.GID), mode: modeOf(0o700)})
}

// possible leaves the owner to be the minion's where it may not be another.
func (r rights) possible() rights {
	if unix.Geteuid() != 0 {
		r.uid, r.gid = -1, -1
	}
	return r
}

// putOwned puts new content in the place of what was read, and of nothing that took its place meanwhile.
func (s *spot) putOwned(old *info, o Owner, mode uint32, data []byte) error {
	there, err := s.look()
	switch {
	case err != nil:
		return err
	case (old == nil) != (there == nil), old != nil && old.identity() != there.identity():
		return errReplaced
	}
	r := rights{uid: int(o.UID), gid: int(o.GID), mode: modeOf(mode)}
	if old != nil {
		r = rights{uid: int(old.Uid), gid: int(old.Gid), mode: modeOf(old.bits() & 0o777)}
	}
	return s.put(old, r, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// MakeDir makes a directory of the host and those above it that are missing, for a module that needs one, of the owner
// given, -1 for who runs the minion. A directory that is there stays as it is. As GetFor it is safe against users.
func MakeDir(h *host.Host, name string, uid, gid int) error {
	if err := absolute("make", name); err != nil {
		return err
	}
	s, err := findFor(h, name)
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", name, err)
	}
	defer s.leave()
	there, err := s.look()
	if err != nil || there != nil && there.isDir() {
		return err
	}
	if there != nil {
		return fmt.Errorf("cannot make %s: there is a %s", name, there.kind())
	}
	s.missing = append(s.missing, s.base)
	return s.makeDirs(rights{uid: uid, gid: gid})
}
