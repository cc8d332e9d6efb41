package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"brine/proto"
)

// Bounds of what is kept of a minion, and of what waits in memory to be written.
const (
	recentJobs = 50
	recentRuns = 20
	recentHeld = 20_000 // returns that wait
	recentWait = 30 * time.Second
	recentLot  = 200 // minions that one commit writes
)

// recents are the last jobs of each minion. An index of returns by minion would
// cost a page for each return, so what is new is gathered, and written for many
// returns at once; what a crash takes is read from the log again.
type recents struct {
	mu      sync.Mutex // guards the fields below
	fresh   map[string]*latest
	held    int
	writing map[string]*latest // taken from fresh, on its way into the table
	upTo    int64              // of the log that has all of writing
	lot     []string           // of writing, in the transaction that is open
	since   time.Time          // the first of fresh is so old; zero: not looked at yet
}

// latest are job ids of one minion, the newest first.
type latest struct {
	jobs []int64
	runs []int64 // those that applied states
}

func newRecents() *recents { return &recents{fresh: map[string]*latest{}} }

// isRun tells functions of which the last are kept apart: a minion that is
// pinged often has them all the same.
func isRun(function string) bool { return function == "state.highstate" || function == "state.apply" }

func (r *recents) add(minion string, jid int64, function string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.fresh[minion]
	if l == nil {
		l = new(latest)
		r.fresh[minion] = l
	}
	l.jobs = insert(l.jobs, recentJobs, jid)
	if isRun(function) {
		l.runs = insert(l.runs, recentRuns, jid)
	}
	r.held++
}

// insert puts ids into a list of the newest, of which there are at most most.
func insert(list []int64, most int, ids ...int64) []int64 {
	for _, id := range ids {
		i, found := slices.BinarySearchFunc(list, id, func(a, b int64) int { return int(min(max(b-a, -1), 1)) })
		if !found && i < most {
			list = slices.Insert(list, i, id)
			list = list[:min(len(list), most)]
		}
	}
	return list
}

// join adds to l what another has.
func (l *latest) join(other *latest) {
	if other != nil {
		l.jobs = insert(l.jobs, recentJobs, other.jobs...)
		l.runs = insert(l.runs, recentRuns, other.runs...)
	}
}

// flush writes some of what has gathered, when it is much or has waited long.
// All returns of the log up to noted are in it.
func (r *recents) flush(db *conn, noted int64, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.held > 0 && r.since.IsZero():
		r.since = now
	case len(r.writing) > 0 || r.held == 0 || r.held < recentHeld && now.Sub(r.since) < recentWait:
	default:
		r.writing, r.upTo = r.fresh, noted
		r.fresh, r.held, r.since = map[string]*latest{}, 0, time.Time{}
	}
	return r.writeLot(db, recentLot)
}

// writeLot writes the next minions of writing, and with the last of them how far the table goes.
func (r *recents) writeLot(db *conn, size int) error {
	r.lot = r.lot[:0]
	for minion := range r.writing {
		if r.lot = append(r.lot, minion); len(r.lot) >= size {
			break
		}
	}
	slices.Sort(r.lot) // neighbours share pages
	for _, minion := range r.lot {
		l, err := readRecent(db, minion)
		if err != nil {
			return err
		}
		l.join(r.writing[minion])
		_, err = db.exec("INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?)", minion, l.jobs[0], pack(l.jobs), pack(l.runs))
		if err != nil {
			return err
		}
	}
	if len(r.lot) == 0 || len(r.lot) < len(r.writing) {
		return nil
	}
	_, err := db.exec("UPDATE noted SET seq = ?", r.upTo)
	return err
}

// written forgets what the last commit wrote.
func (r *recents) written() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, minion := range r.lot {
		delete(r.writing, minion)
	}
	r.lot = r.lot[:0]
}

// save writes all that has gathered. The log was read up to noted.
func (r *recents) save(db *conn, noted int64) error {
	r.mu.Lock()
	for minion, l := range r.fresh {
		if w := r.writing[minion]; w != nil {
			l.join(w)
		}
	}
	for minion, l := range r.writing {
		if r.fresh[minion] == nil {
			r.fresh[minion] = l
		}
	}
	r.writing, r.fresh, r.held, r.upTo = r.fresh, map[string]*latest{}, 0, noted
	err := r.writeLot(db, len(r.writing)+1)
	r.mu.Unlock()
	if err == nil {
		r.written()
	}
	return err
}

// load takes up what was not written before a crash.
func (r *recents) load(db *conn) error {
	noted, err := db.one("SELECT seq FROM noted")
	if err != nil {
		return err
	}
	return replay(db, noted, r.add)
}

func readRecent(db *conn, minion string) (*latest, error) {
	l := new(latest)
	err := db.query("SELECT jobs, runs FROM recent WHERE minion = ?", []driver.Value{minion}, func(row []driver.Value) error {
		l.jobs, l.runs = unpack(bytesOf(row[0])), unpack(bytesOf(row[1]))
		return nil
	})
	return l, err
}

func pack(ids []int64) []byte {
	b := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
	}
	return b
}

func unpack(b []byte) []int64 {
	ids := make([]int64, len(b)/8)
	for i := range ids {
		ids[i] = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
	return ids
}

// heldOf is what of a minion is not in the table yet.
func (r *recents) heldOf(minion string) *latest {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := new(latest)
	l.join(r.writing[minion])
	l.join(r.fresh[minion])
	return l
}

// MinionJob is what became of a job on one minion.
type MinionJob struct {
	JID    string
	Record *proto.JobRecord // without its minions; nil when it is not here
	Outcome
}

// LastJobs are the ids of the last jobs that a minion returned, the newest first, up to 50;
// and apart from them those of the last that applied states, up to 20.
func (s *Store) LastJobs(ctx context.Context, minion string) (jobs, runs []string, err error) {
	l := s.w.fold.recent.heldOf(minion) // first: what is written meanwhile is in both
	err = s.rows(ctx, "SELECT jobs, runs FROM recent WHERE minion = ?", []any{minion}, func(r *sql.Rows) error {
		var a, b []byte
		err := r.Scan(&a, &b)
		l.join(&latest{unpack(a), unpack(b)})
		return err
	})
	for _, id := range l.jobs {
		jobs = append(jobs, jidString(id))
	}
	for _, id := range l.runs {
		runs = append(runs, jidString(id))
	}
	return jobs, runs, err
}

// MinionJob is what became of a job on one minion; ErrNotFound when it returned none, or none that counts.
func (s *Store) MinionJob(ctx context.Context, jid, minion string) (*MinionJob, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	found, err := s.returns(ctx, jid, minion)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	j := &MinionJob{JID: jid, Outcome: found[0].Outcome}
	var seq int64
	err = s.rows(ctx, "SELECT seq FROM jobs WHERE jid = ? AND seq > 0", []any{micro}, func(r *sql.Rows) error { return r.Scan(&seq) })
	if err != nil || seq == 0 {
		return j, err
	}
	j.Record, err = s.jobRecord(ctx, seq, false)
	return j, err
}
