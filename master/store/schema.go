package store

import (
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

const (
	// schemaVersion is raised with any change of the log's own tables.
	schemaVersion = 2
	// foldVersion is raised with any change of the projections or of how
	// they are folded: a store of another version is folded anew when it is opened.
	foldVersion = 11
	// applicationID marks the file as a store of brine ("brin").
	applicationID = 0x6272696e
)

// logTables is what cannot be folded anew. A body above pieceSize is cut into
// pieces, so that it can be read from the middle.
const logTables = `
CREATE TABLE log (
	seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind INTEGER NOT NULL, stamp INTEGER NOT NULL,
	origin TEXT NOT NULL, size INTEGER NOT NULL, body BLOB) STRICT;
CREATE TABLE pieces (
	key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE self (
	one INTEGER PRIMARY KEY CHECK (one = 1), master TEXT NOT NULL, incarnation TEXT NOT NULL,
	last INTEGER NOT NULL, clock INTEGER NOT NULL, horizon INTEGER NOT NULL,
	aside TEXT NOT NULL, fold INTEGER NOT NULL, digest BLOB NOT NULL, records INTEGER NOT NULL) STRICT;
CREATE TABLE cursors (
	master TEXT PRIMARY KEY, incarnation TEXT NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE accepted (
	jid INTEGER NOT NULL, minion TEXT NOT NULL, request BLOB NOT NULL,
	PRIMARY KEY (jid, minion, request)) STRICT, WITHOUT ROWID;
`

// projections are folded from the log. The id of a return is not in ids: the
// key of returns serves for it, and a second index would cost a third of the speed.
//
//	about      the records other than returns that belong to a job
//	jobs       of the records of one job id the first; seq 0 when only returns are here. rows counts
//	           its returns, bad tells whether one of them is not ok, summed is rows as it was when sums had it
//	kinds      what jobs were asked for: few, however many jobs there are; own are those that minions made themselves
//	sums       how jobs ended, as far as somebody has summed it up
//	recent     the last jobs of each minion, up to the sequence in noted
//	registers  of each register the record that counts
//	askings    who asked for what, and whether it came to pass: few, however many records of it there are
//	audits     the records of each of them
//	moments    what may go once it is old: events, audit, records that no longer count
//	events     what queries ask of an event besides its words
//	tags       the tags that events have
//	words      the words of each event's tag, origin and data, by the sequence
const projections = `
CREATE TABLE ids (
	id TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE about (
	jid INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL,
	PRIMARY KEY (jid, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
	jid INTEGER PRIMARY KEY, request BLOB NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
	issued_at INTEGER NOT NULL, not_after INTEGER NOT NULL, kind INTEGER NOT NULL, cause TEXT NOT NULL DEFAULT '',
	rows INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0, summed INTEGER NOT NULL DEFAULT -1) STRICT;
CREATE INDEX jobs_not_after ON jobs (not_after);
CREATE INDEX jobs_kind ON jobs (kind, jid);
CREATE INDEX jobs_bad ON jobs (jid) WHERE bad = 1;
CREATE INDEX jobs_kind_bad ON jobs (kind, jid) WHERE bad = 1;
CREATE INDEX jobs_cause ON jobs (cause) WHERE cause != '';
CREATE INDEX jobs_unsummed ON jobs (jid) WHERE seq > 0 AND summed <> rows;
CREATE TABLE kinds (
	kind INTEGER PRIMARY KEY, function TEXT NOT NULL, target TEXT NOT NULL, operator TEXT NOT NULL, own INTEGER NOT NULL) STRICT;
CREATE TABLE sums (
	jid INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE recent (
	minion TEXT PRIMARY KEY, newest INTEGER NOT NULL, jobs BLOB NOT NULL, runs BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE noted (
	one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO noted VALUES (1, 0);
CREATE TABLE returns (
	jid INTEGER NOT NULL, minion TEXT NOT NULL, hash BLOB NOT NULL, seq INTEGER NOT NULL,
	request BLOB NOT NULL, outcome INTEGER NOT NULL, retcode INTEGER NOT NULL,
	finished_at INTEGER NOT NULL, duration INTEGER NOT NULL, truncated INTEGER NOT NULL,
	size INTEGER NOT NULL, PRIMARY KEY (jid, minion, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE registers (
	kind INTEGER NOT NULL, name TEXT NOT NULL, slot TEXT NOT NULL, rank INTEGER NOT NULL,
	stamp INTEGER NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL,
	PRIMARY KEY (kind, name, slot)) STRICT, WITHOUT ROWID;
CREATE TABLE askings (
	id INTEGER PRIMARY KEY, operator TEXT NOT NULL, what TEXT NOT NULL, failed INTEGER NOT NULL,
	UNIQUE (operator, what, failed)) STRICT;
CREATE TABLE audits (
	asking INTEGER NOT NULL, stamp INTEGER NOT NULL, seq INTEGER NOT NULL,
	PRIMARY KEY (asking, stamp, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX audits_time ON audits (stamp, seq);
CREATE TABLE moments (
	stamp INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (stamp, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE events (
	seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
	actor TEXT NOT NULL, cause TEXT NOT NULL) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_cause ON events (cause) WHERE cause != '';
CREATE INDEX events_tag ON events (tag);
CREATE TABLE tags (
	tag TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE INDEX events_calls ON events (` + idOfCall + `) WHERE ` + ofCalls + `;
CREATE VIRTUAL TABLE words USING fts5 (tag, origin, data, content = '', contentless_delete = 1, detail = column);
`

// self is the one row about the store itself.
type self struct {
	master      string
	incarnation string
	last        int64 // sequence of the log's end, never used again
	clock       int64 // newest stamp seen
	horizon     int64 // what is older was pruned
	aside       string
	fold        int64
	set         set // of the log's records
}

// newIncarnation names a log's life, at random.
func newIncarnation() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// dsn is how the driver is told to open the database at path.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{
		"busy_timeout(10000)", "trusted_schema(0)", "cell_size_check(1)", "temp_store(2)",
	}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// openWriter opens the connection that writes. Every commit is synced to the
// disk before it is reported.
func openWriter(path string) (*conn, error) {
	return openConn(dsn(path, "synchronous(full)", "cache_size(-4000)", "journal_size_limit(8388608)"))
}

// useWAL makes the database keep a write-ahead log, which it remembers. Nothing
// is written before it is known to be a whole store: a damaged one stays as it is.
func useWAL(db *conn) error {
	return db.query("PRAGMA journal_mode = wal", nil, func(row []driver.Value) error {
		if mode := text(row[0]); mode != "wal" {
			return fmt.Errorf("cannot keep a write-ahead log: the mode stays %q", mode)
		}
		return nil
	})
}

// openReaders opens the pool that answers queries.
func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-500)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4) // to open one costs more than to ask
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// prepare has queries read once, not each time that they are asked. They end with db.
func prepare(db *sql.DB, queries ...string) (map[string]*sql.Stmt, error) {
	all := make(map[string]*sql.Stmt, len(queries))
	for _, q := range queries {
		st, err := db.Prepare(q)
		if err != nil {
			return nil, err
		}
		all[q] = st
	}
	return all, nil
}

func openConn(name string) (*conn, error) {
	c, err := new(sqlite.Driver).Open(name)
	if err != nil {
		return nil, err
	}
	return &conn{db: c, stmts: map[string]driver.Stmt{}}, nil
}

// create makes an empty store at path, whole or not at all.
func create(path string, me self) error {
	fresh := path + ".new"
	w, err := begin(fresh, me)
	if err != nil {
		return err
	}
	if err := w.close(); err != nil {
		return err
	}
	return install(path, fresh, "")
}

// begin makes an empty store at path, which is for nobody else to see yet.
func begin(path string, me self) (*conn, error) {
	if err := removeStore(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	w, err := openWriter(path)
	if err != nil {
		return nil, err
	}
	err = w.script(fmt.Sprintf("PRAGMA auto_vacuum = incremental;"+
		"PRAGMA application_id = %d; PRAGMA user_version = %d; %s %s",
		applicationID, schemaVersion, logTables, projections))
	if err == nil {
		err = useWAL(w)
	}
	if err == nil {
		_, err = w.exec("INSERT INTO self VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", me.master, me.incarnation,
			me.last, me.clock, me.horizon, me.aside, int64(foldVersion), me.set.digest[:], me.set.records)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// readSelf reads the row about the store itself.
func readSelf(c *conn) (me self, err error) {
	found := false
	err = c.query("SELECT master, incarnation, last, clock, horizon, aside, fold, digest, records FROM self", nil,
		func(row []driver.Value) (err error) {
			me = self{master: text(row[0]), incarnation: text(row[1]), last: number(row[2]), clock: number(row[3]),
				horizon: number(row[4]), aside: text(row[5]), fold: number(row[6])}
			found = true
			me.set, err = loadSet(bytesOf(row[7]), number(row[8]))
			return err
		})
	if err == nil && !found {
		err = fmt.Errorf("%w: its row about itself is gone", errDamaged)
	}
	return me, err
}

// install puts the finished database fresh in the place of path. With aside
// the old one is kept under that name. There is a database at path at every
// moment from the first on, so that a crash never makes the next start begin empty.
func install(path, fresh, aside string) error {
	if aside != "" {
		if err := os.Link(path, aside); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	for _, tail := range []string{"-wal", "-shm"} {
		var err error
		if aside != "" && tail == "-wal" {
			err = os.Rename(path+tail, aside+tail)
		} else {
			err = os.Remove(path + tail)
		}
		if err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// removeStore removes a database and what SQLite keeps beside it.
func removeStore(path string) error {
	for _, tail := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(path + tail); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
