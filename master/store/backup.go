package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"brine/proto/subject"
)

// Backup writes a copy of the store as it is now, checked to be whole. Writing
// to the store goes on meanwhile. It needs room for the copy beside the store.
func (s *Store) Backup(ctx context.Context, w io.Writer) error { return Backup(ctx, s.path, w) }

// Backup writes a copy of the store at path, checked to be whole. The store
// may be open, in this process or another.
func Backup(ctx context.Context, path string, w io.Writer) error {
	if err := backup(ctx, path, w); err != nil {
		return fmt.Errorf("cannot back up the store %q: %w", path, err)
	}
	return nil
}

func backup(ctx context.Context, path string, w io.Writer) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".backup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, temp.Close(), removeStore(temp.Name())) }()
	if err := vacuumInto(ctx, path, temp.Name()); err != nil {
		return err
	}
	_, err = io.Copy(w, temp)
	return err
}

// vacuumInto copies the database at path to the empty file to, and checks the copy.
func vacuumInto(ctx context.Context, path, to string) error {
	src, err := openConn(dsn(path, "query_only(0)", "cache_size(-500)"))
	if err != nil {
		return err
	}
	err = src.queryContext(ctx, "VACUUM INTO ?", []driver.Value{to}, ignore)
	if err = errors.Join(err, src.close()); err != nil {
		return err
	}
	dst, err := openConn(dsn(to, "query_only(1)"))
	if err != nil {
		return err
	}
	if err = identify(dst); err == nil {
		err = quickCheck(ctx, dst)
	}
	return errors.Join(err, dst.close())
}

// Restore puts the backup read from r in the place of the store at path, for
// master. The log begins a new life: what the peers know and the backup does
// not comes back from them. The old database, if there is one, is kept under
// the name that is returned. The store must not be open.
func Restore(ctx context.Context, path, master string, r io.Reader) (aside string, err error) {
	ready, err := PrepareRestore(ctx, path, master, r)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	return ready.Install()
}

// A Prepared is a backup that was read and checked beside the store whose place
// it is to take. Until it is closed nobody else has the store open.
type Prepared struct {
	path, fresh string
	lock        *os.File
}

// PrepareRestore reads and checks a backup as Restore does, and leaves the
// store at path as it is. The caller closes it.
func PrepareRestore(ctx context.Context, path, master string, r io.Reader) (*Prepared, error) {
	if err := subject.CheckID(master); err != nil {
		return nil, fmt.Errorf("cannot restore the store %q: master: %w", path, err)
	}
	lock, err := lockStore(path)
	if err != nil {
		return nil, err
	}
	p := &Prepared{path: path, fresh: path + ".new", lock: lock}
	if err := receive(ctx, p.fresh, master, r); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot restore the store %q: %w", path, err), p.Close())
	}
	return p, nil
}

// Install puts the backup in the place of the store, and returns where the old
// one is kept; "" when there was none.
func (p *Prepared) Install() (aside string, err error) {
	if _, err := os.Stat(p.path); err == nil {
		aside = p.path + ".before-restore-" + time.Now().UTC().Format("20060102T150405.000")
	}
	if err := install(p.path, p.fresh, aside); err != nil {
		return "", fmt.Errorf("cannot restore the store %q: %w", p.path, err)
	}
	return aside, removeMark(p.path)
}

// Close removes what Install did not put in place. It may be called more than once.
func (p *Prepared) Close() error {
	if p.lock == nil {
		return nil
	}
	err := errors.Join(removeStore(p.fresh), p.lock.Close())
	p.lock = nil
	return err
}

// receive writes a backup to path, checks it and makes it this master's.
func receive(ctx context.Context, path, master string, r io.Reader) error {
	if err := removeStore(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	db, _, err := inspect(path, 24*time.Hour)
	if err != nil {
		return err
	}
	if err = ctx.Err(); err == nil {
		_, err = db.exec("UPDATE self SET master = ?, incarnation = ?, aside = ''", master, newIncarnation())
	}
	if err == nil {
		_, err = db.exec("DELETE FROM cursors WHERE master = ?", master)
	}
	if err == nil {
		var all set
		if all, err = countSet(db); err == nil {
			err = all.save(db)
		}
	}
	return errors.Join(err, db.close())
}
