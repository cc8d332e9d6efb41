package minion

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/module"
)

// A syncer keeps for the minion what the tree of a job brings along.
type syncer struct {
	store *custom.Store
	files host.Files
	index *module.Index // of the built-in modules, whose names no other may have
}

var _ host.Custom = syncer{}

// Sync implements host.Custom.
func (s syncer) Sync(ctx context.Context, kind, env string, want func(name string) bool) ([]string, []error) {
	return s.store.Sync(ctx, s.files, s.index, custom.Kind(kind), env, want)
}

// indexOf is the modules that a job has: the built-in ones, and those that its tree brings along or that were synced.
func (m *Minion) indexOf(ctx context.Context, tree host.Files) (*module.Index, error) {
	if m.custom == nil {
		return m.index, nil
	}
	late, err := m.custom.Late(ctx, tree, m.index, func(err error) {
		if _, told := m.ignored.LoadOrStore(err.Error(), true); !told {
			m.log.Warn("an executable of the state tree is not used", "err", err)
		}
	})
	return m.index.With(late...), err
}

// customStore is where a call without a master keeps executables: where the minion does, or in a directory that close
// removes where this user may not write there.
func customStore(l Layout, exec host.Exec) (s *custom.Store, remove func(), err error) {
	dir := l.Custom()
	for {
		_, err := os.Stat(dir)
		if err == nil && unix.Access(dir, unix.W_OK|unix.X_OK) == nil {
			return custom.NewStore(l.Custom(), exec), func() {}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return custom.Temporary(exec)
		}
		dir = filepath.Dir(dir)
	}
}
