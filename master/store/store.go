package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
	"brine/proto/subject"
)

var (
	// ErrNotFound is returned when nothing is stored under a name.
	ErrNotFound = errors.New("not in the store")
	// ErrAhead is wrapped when a record is stamped more than MaxAhead ahead.
	ErrAhead = errors.New("the clocks differ: check NTP")
	// ErrFull is wrapped when there is no room on the disk.
	ErrFull = errors.New("its disk is full; free some space, then it goes on by itself")
	// ErrClosed is wrapped when the store was closed.
	ErrClosed = errors.New("the store is closed")

	errGone = errors.New("the database is gone")
)

// MaxAhead is how far ahead of the own clock a record may be stamped.
const MaxAhead = 10 * time.Minute

// checkAtOpen is how long Open may look for damage. A store too large for that
// is left to Check.
const checkAtOpen = 3 * time.Second

// CorruptError says that the database cannot be read. Open leaves it in place,
// so that the next start says the same; with Options.Reset it moves it aside.
type CorruptError struct {
	Path  string // of the database
	Aside string // where Options.Reset moves it
	Err   error  // what is wrong
}

// Error names the database, what is wrong and where it goes.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("cannot use the store %q: %v; restore a backup, or start empty (which keeps it as %q)",
		e.Path, e.Err, e.Aside)
}

// Unwrap is what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

// Options are what Open needs besides the path.
type Options struct {
	Master string // the name of the master that owns the store
	// Reset has a store that was there before begin empty when its database is corrupt, which is moved aside, or gone.
	Reset bool
	// OnDamage is called once, from any goroutine, when the open store finds that it cannot go on:
	// whoever opens it anew sets it aside. It must be quick and must not wait for the store.
	OnDamage func(error)
	Log      hclog.Logger     // nil: silence
	Now      func() time.Time // nil: time.Now
}

// Store is an open store. Its methods may be called from many goroutines.
type Store struct {
	path   string
	master string
	log    hclog.Logger
	now    func() time.Time
	lock   *os.File

	read  *sql.DB
	fixed map[string]*sql.Stmt // what is asked time and again, by its text
	clock clock
	w     *writer

	onDamage func(error)

	end         atomic.Pointer[end]
	incarnation atomic.Pointer[string]
	aside       atomic.Pointer[string]
	horizon     atomic.Int64
	failure     atomic.Pointer[error]

	closing sync.Once
	closed  error
}

// Open opens the store at path, or makes an empty one where nothing is. A
// database that cannot be read gives a *CorruptError, unless Options.Reset says
// to begin an empty one; then one that is gone counts as corrupt too. One
// process at a time has a store open. The caller closes it.
func Open(path string, o Options) (*Store, error) {
	if err := subject.CheckID(o.Master); err != nil {
		return nil, fmt.Errorf("cannot open the store %q: master: %w", path, err)
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	lock, err := lockStore(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, master: o.Master, log: o.Log, now: o.Now, lock: lock, onDamage: o.OnDamage}
	db, me, err := s.ready(o.Reset)
	var corrupt *CorruptError
	if errors.As(err, &corrupt) && o.Reset {
		db, me, err = s.reset(corrupt)
	}
	if err == nil {
		err = s.start(db, me)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// ready opens the database to write, and leaves it as this version wants it.
// One that was there before is not made by the way: what it knew is lost.
func (s *Store) ready(wasThere bool) (*conn, self, error) {
	if _, err := os.Stat(s.path); os.IsNotExist(err) {
		if wasThere {
			return nil, self{}, s.corrupt(errGone)
		}
		me := self{master: s.master, incarnation: newIncarnation()}
		err := create(s.path, me)
		if err == nil {
			err = removeMark(s.path) // who removed the database by hand has decided
		}
		if err != nil {
			return nil, me, s.explain("make", err)
		}
	}
	db, me, err := s.inspect()
	if err != nil {
		return nil, me, err
	}
	if me.master != s.master {
		db.close()
		return nil, me, fmt.Errorf("cannot open the store %q: it belongs to master %q, not to %q; "+
			"use restore to take over another master's", s.path, me.master, s.master)
	}
	if me.fold == foldVersion {
		return db, me, nil
	}
	if err := db.close(); err != nil {
		return nil, me, s.explain("close", err)
	}
	s.log.Info("folding the log anew for this version", "store", s.path)
	if _, err := rebuild(context.Background(), s.path, s.now, s.log); err != nil {
		return nil, me, s.explain("rebuild", err)
	}
	return s.inspect()
}

// inspect opens the database and looks whether it is a whole store.
func (s *Store) inspect() (*conn, self, error) {
	if why, err := os.ReadFile(markPath(s.path)); err == nil {
		return nil, self{}, s.corrupt(fmt.Errorf("it was found damaged while it was in use: %.200s", why))
	}
	db, me, err := inspect(s.path, checkAtOpen)
	return db, me, s.explain("open", err)
}

// reset moves the corrupt database aside and begins an empty one, which
// remembers where the old one is.
func (s *Store) reset(corrupt *CorruptError) (*conn, self, error) {
	fresh := s.path + ".new"
	db, err := begin(fresh, self{master: s.master, incarnation: newIncarnation(), aside: corrupt.Aside})
	if err == nil {
		err = db.close()
	}
	if err == nil {
		err = note(corrupt.Aside, KeptNote{At: s.now().UTC(), Why: corrupt.Err.Error()})
	}
	if err == nil {
		err = install(s.path, fresh, corrupt.Aside)
	}
	if err == nil {
		err = removeMark(s.path)
	}
	if err != nil {
		return nil, self{}, s.explain("reset", err)
	}
	if errors.Is(corrupt, errGone) {
		s.log.Error("the store is gone, beginning an empty one", "store", s.path)
	} else {
		s.log.Error("corrupt store set aside, beginning an empty one", "aside", corrupt.Aside, "err", corrupt.Err)
	}
	return s.inspect()
}

// start begins to write.
func (s *Store) start(db *conn, me self) (err error) {
	s.end.Store(&end{last: me.last, set: me.set})
	s.incarnation.Store(&me.incarnation)
	s.aside.Store(&me.aside)
	s.clock.last = me.clock
	s.horizon.Store(me.horizon)
	if s.read, err = openReaders(s.path); err == nil {
		s.fixed, err = prepare(s.read, bodyOf, headOf, seqOf, seqOfReturn, jobAsked, eventsAfter, eventsNaming)
	}
	if err != nil {
		db.close()
		return s.explain("open", err)
	}
	s.w = newWriter(s, db, me)
	if err = s.w.fold.recent.load(db); err != nil {
		db.close()
		return errors.Join(s.explain("open", err), s.read.Close())
	}
	go s.w.run()
	go s.w.report()
	return nil
}

// Close commits what was handed in, then closes the store. Whatever is handed
// in afterwards is refused with ErrClosed.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.w.stop()
		if s.Err() == nil {
			if err := s.w.db.inTx(func() error { return s.w.fold.recent.save(s.w.db, s.Last()) }); err != nil {
				s.log.Warn("the last jobs of minions are not written; the next start reads them from the log", "err", err)
			}
		}
		s.closed = errors.Join(s.read.Close(), s.w.db.close(), s.lock.Close())
	})
	return s.closed
}

// Aside is where a corrupt database was put when this store began in its
// place; "" when it did not begin that way, and once it is settled. It outlives
// a restart: a store that nobody filled again stays known as such.
func (s *Store) Aside() string { return *s.aside.Load() }

// Settle notes that the store was filled again from some masters, or, with
// none, is to go on with what it has. Aside is "" from then on; Kept tells of it
// as long as the old database is there.
func (s *Store) Settle(ctx context.Context, from []string) error {
	if s.Aside() == "" {
		return nil
	}
	n, err := readNote(s.Aside())
	if err == nil {
		n.Settled, n.From = true, from
		err = note(s.Aside(), n)
	}
	if err != nil {
		s.log.Warn("cannot note how the store was filled again", "aside", s.Aside(), "err", err)
	}
	err = s.do(ctx, func(f *folder) error {
		_, err := f.db.exec("UPDATE self SET aside = ''")
		return err
	})
	if err == nil {
		s.aside.Store(new(string))
	}
	return err
}

// Err tells why the last commit failed; nil once one succeeds. A *CorruptError
// stays until the store is opened anew.
func (s *Store) Err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Stamp is the next time of the hybrid clock, in microseconds of Unix time: no
// stamp that this store has given out or stored is as high.
func (s *Store) Stamp() int64 { return s.clock.next(s.now()) }

// Incarnation names the present life of this master's log.
func (s *Store) Incarnation() string { return *s.incarnation.Load() }

// Last is the sequence of the log's last committed record.
func (s *Store) Last() int64 { return s.end.Load().last }

// NewIncarnation begins a new life of the log, so that every peer reads it
// from the beginning. A master does this when a peer holds a higher sequence
// of its log than it has itself.
func (s *Store) NewIncarnation(ctx context.Context) error {
	name := newIncarnation()
	err := s.do(ctx, func(f *folder) error {
		_, err := f.db.exec("UPDATE self SET incarnation = ?", name)
		return err
	})
	if err == nil {
		s.incarnation.Store(&name)
	}
	return err
}

// Cursor tells how far master's log was read, and in which incarnation; zero
// values when it was not.
func (s *Store) Cursor(master string) (incarnation string, seq int64, err error) {
	err = s.read.QueryRow("SELECT incarnation, seq FROM cursors WHERE master = ?", master).Scan(&incarnation, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, nil
	}
	return incarnation, seq, s.unread(err)
}

// Cursors are all cursors, in order of the masters' names.
func (s *Store) Cursors(ctx context.Context) ([]*proto.PeerCursor, error) {
	var all []*proto.PeerCursor
	err := s.rows(ctx, "SELECT master, incarnation, seq FROM cursors ORDER BY master", nil,
		func(r *sql.Rows) error {
			c := new(proto.PeerCursor)
			all = append(all, c)
			return r.Scan(&c.Master, &c.Incarnation, &c.Sequence)
		})
	return all, err
}

// corrupt makes the error that names where the database goes.
func (s *Store) corrupt(err error) error {
	var already *CorruptError
	if errors.As(err, &already) {
		return err
	}
	return &CorruptError{Path: s.path, Err: err,
		Aside: s.path + asideMark + s.now().UTC().Format(asideTime)}
}

// fail keeps why the store takes no writes or cannot be read, logs the first
// such error of a row, and leaves the mark when the database is damaged.
func (s *Store) fail(err error) {
	last := s.failure.Load()
	var before error
	if last != nil {
		before = *last
	}
	var corrupt *CorruptError
	if errors.As(before, &corrupt) {
		return
	}
	if !s.failure.CompareAndSwap(last, &err) {
		s.fail(err) // another was faster, perhaps with less
		return
	}
	damaged := errors.As(err, &corrupt)
	if before == nil || damaged {
		s.log.Error("the store does not work", "err", err)
	}
	if damaged && s.lock != nil { // who only looks decides nothing
		if err := os.WriteFile(markPath(s.path), []byte(corrupt.Err.Error()), 0o600); err != nil {
			s.log.Error("cannot mark the store as damaged", "store", s.path, "err", err)
		}
	}
	if (damaged || unsure(err)) && s.onDamage != nil {
		s.onDamage(err)
	}
}

// markPath is the file that tells the next start that a running store found
// itself damaged. Damage in a large store would not show at once.
func markPath(path string) string { return path + ".damaged" }

func removeMark(path string) error {
	if err := os.Remove(markPath(path)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// lockStore makes sure that one process has the store. The database itself
// cannot carry the lock: SQLite gives up its own when such a file is closed.
func lockStore(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the store %q: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock the store %q: another process has it open", path)
	}
	return f, nil
}
