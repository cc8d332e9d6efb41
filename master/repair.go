package master

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"brine/master/store"
)

// Rebuild makes the store's projections again from its log. The master must
// not run.
func Rebuild(ctx context.Context, root string, log hclog.Logger) (records int, err error) {
	l := Layout{root}
	lock, err := acquire(l)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	return store.Rebuild(ctx, l.Store(), log)
}

// storeEntry is the name of the database in a backup.
const storeEntry = "store.db"

// backupFiles are the other files of a backup: those of State, and the
// configuration beside them.
var backupFiles = []string{"ca.crt", "site.key", "master.key", "master.crt", "bundle"}

// Backup writes everything that a master must not lose to a new file at path:
// its keys, the encrypted site key, its configuration and the store as it is
// at this moment. The master may run. File content is not in it: it comes back
// from the file roots and the other masters.
func Backup(ctx context.Context, root, path string) (err error) {
	l := Layout{root}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
	}()
	w := &archive{tar: tar.NewWriter(f)}
	for _, name := range backupFiles {
		if err := w.add(name, filepath.Join(l.State(), name)); err != nil {
			f.Close()
			return err
		}
	}
	err = errors.Join(w.add(configEntry, l.Config()), addStore(ctx, w, l), w.close(), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	return os.Rename(tmp, path)
}

// An archive is a backup that is written: files, and last what each of them sums up to, so that one
// that came to harm where it lay is noticed.
type archive struct {
	tar  *tar.Writer
	sums strings.Builder
}

// sumsEntry is the name of the sums in a backup, in the form of sha256sum.
const sumsEntry = "SHA256SUMS"

func (a *archive) add(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot back up %s: %w", path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	head := &tar.Header{Name: name, Mode: int64(st.Mode().Perm()), Size: st.Size(), ModTime: st.ModTime()}
	if err := a.tar.WriteHeader(head); err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(a.tar, sum), f)
	fmt.Fprintf(&a.sums, "%x  %s\n", sum.Sum(nil), name)
	return err
}

func (a *archive) close() error {
	err := a.tar.WriteHeader(&tar.Header{Name: sumsEntry, Mode: 0o600, Size: int64(a.sums.Len())})
	if err == nil {
		_, err = io.WriteString(a.tar, a.sums.String())
	}
	return errors.Join(err, a.tar.Close())
}

// addStore copies the database to a file first: a tar entry begins with its size.
func addStore(ctx context.Context, w *archive, l Layout) error {
	f, err := os.CreateTemp(l.State(), "backup-*.db")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(store.Backup(ctx, l.Store(), f), f.Close()); err != nil {
		return err
	}
	return w.add(storeEntry, f.Name())
}

func listenError(key string, err error) error {
	return fmt.Errorf("cannot listen (%s): %w", key, err)
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot find %s: restore it from a backup or another master", path)
	}
	return data, err
}
