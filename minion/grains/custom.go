package grains

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"brine/states/value"
	"brine/states/yaml"
)

// maxCustom is how large the file of custom grains may be.
const maxCustom = 1 << 20

// readCustom reads the file of custom grains; nothing is in one that does not
// exist. The error names file and line.
func readCustom(path string) (*value.Dict, error) {
	if path == "" {
		return &value.Dict{}, nil
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &value.Dict{}, nil
	}
	if err == nil && st.Size() > maxCustom {
		return nil, fmt.Errorf("cannot read %s: it has %d bytes, the limit is %d", path, st.Size(), maxCustom)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the custom grains: %w", err)
	}
	doc, err := yaml.Parse(path, data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the custom grains: %w", err)
	}
	if doc.IsNull() {
		return &value.Dict{}, nil
	}
	d, ok := doc.Data().(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot read the custom grains: %s:%d: want names with values such as \"roles: [web]\", got a %s",
			path, max(doc.Line, 1), doc.TypeName())
	}
	for _, p := range doc.Pairs {
		if _, ok := p.Key.Value.(string); !ok {
			return nil, fmt.Errorf("cannot read the custom grains: %s:%d: the name of a grain is text, got %q: put it into quotes",
				path, p.Key.Line, p.Key.Text)
		}
	}
	return d, nil
}

// editCustom changes the file of custom grains in one step. Whoever else edits
// it this way meanwhile waits.
func editCustom(ctx context.Context, path string, change func(*value.Dict) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot change the custom grains: %w", err)
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return fmt.Errorf("cannot change the custom grains: %w", err)
	}
	defer unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	custom, err := readCustom(path)
	if err != nil {
		return err // a file with a mistake is its author's to mend
	}
	before, err := value.Clone(custom)
	if err != nil {
		return err
	}
	if err := change(custom); err != nil {
		return err
	}
	if value.Equal(before, custom) {
		return nil
	}
	text, err := dump(custom)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	mode := os.FileMode(0o644)
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	if err := replace(path, text, mode); err != nil {
		return fmt.Errorf("cannot write the custom grains: %w", err)
	}
	return nil
}

// lockWait is how long another process may take for its edit.
const lockWait = 10 * time.Second

// lockDir locks a directory against others that lock it.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond) // the system call that waits cannot be ended
	defer tick.Stop()
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		f.Close()
		return nil, fmt.Errorf("cannot lock %s against other edits: %w", dir, err)
	}
}

// Check looks for what could not be used of a file of custom grains and of directories of programs. It runs none.
func Check(file string, dirs ...string) []error {
	_, errs := programs{dirs: dirs}.files()
	if _, err := readCustom(file); err != nil {
		errs = append(errs, err)
	}
	return errs
}
