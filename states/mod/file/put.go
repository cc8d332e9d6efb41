package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"brine/states/host"
	"brine/states/module"
)

// Put makes a file of the host have this content, for a module whose subject the file is: in one step, so that there is
// the old content or the new one at any moment. The rights of a file that is there stay; a new one has mode, and belongs
// to who runs the minion. Directories that are missing are made.
func Put(ctx context.Context, h *host.Host, name string, data []byte, mode uint32) error {
	if err := absolute("write", name); err != nil {
		return err
	}
	s, err := find(h, name, true)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer s.leave()
	old, err := s.look()
	if err == nil && old != nil && !old.isFile() {
		err = fmt.Errorf("it is a %s", old.kind())
	}
	if err == nil {
		err = s.makeDirs(anyone)
	}
	if err == nil {
		r := anyone
		if old == nil {
			r.mode = modeOf(mode)
		}
		s.final = module.AroundOf(ctx).Guarded
		err = s.put(old, r, func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(data))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// Get returns the content of a file of the host; nil when there is none.
func Get(h *host.Host, name string) ([]byte, error) {
	f, err := openFile(h, name)
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
