package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"brine/states/host"
	"brine/states/module"
)

// Put makes a file of the host have this content, for a module whose subject the file is: in one step, so that there is
// the old content or the new one at any moment. The rights of a file that is there stay; a new one has mode, and belongs
// to who runs the minion. Directories that are missing are made.
func Put(ctx context.Context, h *host.Host, name string, data []byte, mode uint32) error {
	as := As{Mode: mode, Dirs: newDirMode, Final: module.AroundOf(ctx).Guarded}
	if err := Write(h, name, as, Bytes(data)); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// An As says what a file is besides its content.
type As struct {
	Mode  uint32 // of a new file; 0 is 0644
	Fix   bool   // one that is there gets Mode too
	Whose *Whose // nil: that of what is there; a new one belongs to who runs the minion
	Dirs  uint32 // the mode of directories that are missing, which are theirs too; 0: none are made
	Final bool   // it is on the disk when Write returns, also when it is new and the host has a Disk
	Alone bool   // with Final: its name too, so that the Disk need not flush all else for it
}

// A Whose is the owner that a file gets; of a negative number what is there says it.
type Whose struct{ UID, GID int }

// Write gives a file of the host new content as Put does, and leaves to the caller to say what it could not write. What
// links lead to is written.
func Write(h *host.Host, name string, as As, write func(io.Writer) error) error {
	if !path.IsAbs(name) {
		return errors.New("it is not an absolute path")
	}
	s, err := find(h, name, true)
	if err != nil {
		return err
	}
	defer s.leave()
	old, err := s.look()
	switch {
	case err != nil:
		return err
	case old != nil && !old.isFile():
		return fmt.Errorf("it is a %s", old.kind())
	case len(s.missing) > 0 && as.Dirs == 0:
		return fmt.Errorf("its directory is not there: %w", fs.ErrNotExist)
	}
	r := anyone
	if as.Whose != nil {
		r.uid, r.gid = as.Whose.UID, as.Whose.GID
	}
	if err := s.makeDirs(rights{uid: r.uid, gid: r.gid, mode: modeOf(as.Dirs)}); err != nil {
		return err
	}
	if old == nil || as.Fix {
		r.mode = modeOf(cmp.Or(as.Mode, newMode))
	}
	s.final, s.alone = as.Final, as.Final && as.Alone
	return s.put(old, r, write)
}

// Bytes writes data.
func Bytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	}
}

// Get returns the content of a file of the host, which may be given to Put when it was changed; nil when there is none.
func Get(h *host.Host, name string) ([]byte, error) {
	f, err := openBy(h, name, find)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.info.Size > editMax {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", name, editMax)
	}
	data, err := io.ReadAll(io.LimitReader(f, editMax))
	if data == nil {
		data = []byte{}
	}
	return data, err
}

// Remove takes a file of the host away. That there is none is no mistake.
func Remove(ctx context.Context, h *host.Host, name string) error {
	s, err := find(h, name, false)
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	defer s.leave()
	return s.remove(ctx)
}

// PutLink makes a symbolic link of the host lead to target, for a module whose subject the link is, in one step. A file
// or link that is there is replaced, a directory is not.
func PutLink(ctx context.Context, h *host.Host, name, target string) error {
	if err := absolute("make the symbolic link", name); err != nil {
		return err
	}
	_, err := symlinkFunc(ctx, h, symlinkFuncArgs{Src: target, Path: name, Force: true})
	return err
}
