package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"brine/states/host"
)

// A state is how an entry is on the host.
type status int

const (
	there   status = iota // as it is wanted, or not compared
	missing               // not there
	differs               // of the same kind, with another content or target
	wrong                 // of another kind
)

// A tree is the directory that an archive is extracted to.
type tree struct {
	host *host.Host
	root *os.Root // nil while it is not there
	dir  string   // as the machine sees it

	wrote map[string]bool // names of entries that were extracted
	made  []string        // the directory and those above it that were not there, the deepest first
}

func openTree(h *host.Host, name string) (*tree, error) {
	t := &tree{host: h, dir: h.Path(name), wrote: map[string]bool{}}
	var err error
	t.root, err = os.OpenRoot(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return t, err
}

func (t *tree) close() {
	if t.root != nil {
		t.root.Close()
	}
}

// status compares an entry; its content only when content is not nil.
func (t *tree) status(ctx context.Context, e *entry, content io.Reader) (status, error) {
	if t.root == nil {
		return missing, nil
	}
	st, err := t.root.Lstat(e.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	if st.Mode()&fs.ModeSymlink != 0 && !e.isLink() {
		// A link that someone put in its place serves as long as the archive is not compared.
		if to, err := os.Stat(path.Join(t.dir, e.name)); err == nil && content == nil && to.IsDir() == e.mode.IsDir() {
			return there, nil
		}
		if e.mode.IsDir() {
			return there, nil
		}
		return differs, nil
	}
	if st.Mode().Type() != e.mode.Type() {
		return wrong, nil
	}
	if content == nil || e.mode.IsDir() {
		return there, nil
	}
	return t.compare(ctx, e, st, content)
}

func (t *tree) compare(ctx context.Context, e *entry, st fs.FileInfo, content io.Reader) (status, error) {
	if e.isLink() {
		to, err := t.root.Readlink(e.name)
		if err == nil && to != e.target {
			return differs, nil
		}
		return there, err
	}
	if e.hard {
		other, err := t.root.Lstat(e.target)
		if err != nil || !os.SameFile(st, other) {
			return differs, nil
		}
		return there, nil
	}
	if st.Size() != e.size {
		return differs, nil
	}
	f, err := t.root.Open(e.name)
	if err != nil {
		return differs, err
	}
	defer f.Close()
	same, err := sameContent(until{ctx, f}, content)
	if err != nil || same {
		return there, err
	}
	return differs, nil
}

func sameContent(a, b io.Reader) (bool, error) {
	left, right := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		if n != m || !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		endA, endB := ended(errA), ended(errB)
		switch {
		case errA != nil && !endA:
			return false, errA
		case errB != nil && !endB:
			return false, errB
		case endA || endB:
			return endA == endB, nil
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
