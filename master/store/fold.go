package store

import (
	"database/sql/driver"
	"time"

	"brine/proto"
)

// pieceSize is the longest body that stands in the log itself, and the length
// of the pieces of a longer one. A piece's key is the record's sequence and the
// piece's number in the low pieceBits.
const (
	pieceSize = 256 << 10
	pieceBits = 12
)

// Slots of the registers of one minion key.
const (
	slotRequest  = "request"
	slotDecision = "decision"
	slotRevoked  = "revoked"
	slotDeleted  = "deleted"
)

// folder appends to the log and folds what it appends into the projections.
type folder struct {
	db      *conn
	horizon int64 // what is older was pruned
	now     func() time.Time
	known   map[int64]bool  // job ids that surely have a row in jobs
	set     set             // of the log's records
	tally   map[int64]tally // of returns that were added since the last count
	recent  *recents
	tags    map[string]bool // that surely are in tags
}

func newFolder(db *conn, me self, now func() time.Time) *folder {
	return &folder{db: db, horizon: me.horizon, now: now, known: map[int64]bool{}, set: me.set,
		tally: map[int64]tally{}, recent: newRecents(), tags: map[string]bool{}}
}

// forget drops what a transaction that was rolled back had learnt.
func (f *folder) forget() {
	clear(f.known)
	clear(f.tally)
	clear(f.tags)
}

// add appends a record at sequence seq. It tells whether it did: a record that
// is there, or was pruned, is not added.
func (f *folder) add(e *entry, seq int64) (bool, error) {
	if e.jid != 0 && e.jid < f.horizon {
		if open, err := f.open(e); err != nil || !open {
			return false, err
		}
	}
	fold := f.addOther
	if e.Kind == proto.RecordKind_RECORD_RETURN {
		fold = f.addReturn
	}
	if added, err := fold(e, seq); err != nil || !added {
		return false, err
	}
	f.set.add(e.Id)
	return true, f.append(e, seq)
}

// open tells whether the window of an old record's job is open: such a job is kept.
func (f *folder) open(e *entry) (bool, error) {
	now := f.now().UnixMicro()
	if e.job != nil {
		return e.job.NotAfter > now, nil
	}
	n, err := f.db.one("SELECT count(*) FROM jobs WHERE jid = ? AND seq > 0 AND not_after > ?", e.jid, now)
	return n > 0, err
}

func (f *folder) addReturn(e *entry, seq int64) (bool, error) {
	r := e.ret
	n, err := f.db.exec("INSERT OR IGNORE INTO returns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.jid, e.minion, e.hash[:], seq, e.request, int64(r.Outcome), int64(r.Retcode),
		r.FinishedAt, r.Duration, flag(r.Truncated), int64(len(e.Body)))
	if err != nil || n == 0 {
		return false, err
	}
	f.tally[e.jid] = f.tally[e.jid].with(r.Outcome)
	f.recent.add(e.minion, e.jid, r.Function)
	if f.known[e.jid] {
		return true, nil
	}
	kind, err := f.ownKind(r)
	if err != nil {
		return false, err
	}
	// Until its record is here the job is listed as incomplete, and counts as
	// open for as long as one may be.
	_, err = f.db.exec("INSERT OR IGNORE INTO jobs (jid, request, seq, id, issued_at, not_after, kind) VALUES (?, ?, 0, '', ?, ?, ?)",
		e.jid, e.request, e.jid, e.jid+maxWindow.Microseconds(), kind)
	if len(f.known) > 4096 {
		clear(f.known)
	}
	f.known[e.jid] = true
	return true, err
}

func (f *folder) addOther(e *entry, seq int64) (bool, error) {
	n, err := f.db.exec("INSERT OR IGNORE INTO ids VALUES (?, ?)", e.Id, seq)
	if err != nil || n == 0 {
		return false, err
	}
	keep := true
	switch e.Kind {
	case proto.RecordKind_RECORD_JOB:
		err = f.addJob(e, seq)
	case proto.RecordKind_RECORD_CANCEL:
		err = f.addAbout(e, seq)
	case proto.RecordKind_RECORD_AUDIT:
		keep, err = f.addAudit(e, seq)
	case proto.RecordKind_RECORD_EVENT:
		keep, err = f.addEvent(e, seq)
	case proto.RecordKind_RECORD_KEY, proto.RecordKind_RECORD_OPERATOR, proto.RecordKind_RECORD_MASTER,
		proto.RecordKind_RECORD_BUNDLE, proto.RecordKind_RECORD_TOKEN:
		keep, err = f.addRegister(e, seq)
	case proto.RecordKind_RECORD_GRAINS, proto.RecordKind_RECORD_MINE:
		keep, err = f.addLatest(e, seq)
	}
	if err == nil && !keep {
		_, err = f.db.exec("DELETE FROM ids WHERE id = ?", e.Id)
	}
	return keep, err
}

// addJob keeps of several records of one job id the one that was issued
// first: in a cut between masters a request may have been taken at both.
func (f *folder) addJob(e *entry, seq int64) error {
	kind, err := f.kindOf(e.asked)
	if err != nil {
		return err
	}
	_, err = f.db.exec(`INSERT INTO jobs (jid, request, seq, id, issued_at, not_after, kind, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (jid) DO UPDATE SET request = excluded.request, seq = excluded.seq, id = excluded.id,
			issued_at = excluded.issued_at, not_after = excluded.not_after,
			kind = excluded.kind, cause = excluded.cause, summed = -1
		WHERE seq = 0 OR (excluded.issued_at, excluded.id) < (issued_at, id)`,
		e.jid, e.request, seq, e.Id, e.job.IssuedAt, e.job.NotAfter, kind, e.asked.Cause)
	if err != nil {
		return err
	}
	return f.addAbout(e, seq)
}

func (f *folder) addAbout(e *entry, seq int64) error {
	_, err := f.db.exec("INSERT INTO about VALUES (?, ?, ?)", e.jid, seq, int64(e.Kind))
	return err
}

// addMoment lets a record be pruned once it is old. It tells whether it is not yet.
func (f *folder) addMoment(stamp, seq int64) (bool, error) {
	if stamp < f.horizon {
		return false, nil
	}
	_, err := f.db.exec("INSERT INTO moments VALUES (?, ?)", stamp, seq)
	return true, err
}

// addRegister keeps in each register the record that comes last in the order
// of rank, stamp and id; a record that does not count any more may be pruned.
// It tells whether the record is to be kept.
func (f *folder) addRegister(e *entry, seq int64) (bool, error) {
	var rank, stamp, old int64
	var id string
	err := f.db.query("SELECT rank, stamp, id, seq FROM registers WHERE kind = ? AND name = ? AND slot = ?",
		[]driver.Value{int64(e.Kind), e.name, e.slot}, func(row []driver.Value) error {
			rank, stamp, id, old = number(row[0]), number(row[1]), text(row[2]), number(row[3])
			return nil
		})
	if err != nil {
		return false, err
	}
	if id != "" && !after(e.rank, e.Stamp, e.Id, rank, stamp, id) {
		return f.addMoment(e.Stamp, seq)
	}
	if e.ends != 0 {
		if keep, err := f.addMoment(e.ends, seq); err != nil || !keep {
			return false, err
		}
	}
	_, err = f.db.exec("INSERT OR REPLACE INTO registers VALUES (?, ?, ?, ?, ?, ?, ?)",
		int64(e.Kind), e.name, e.slot, e.rank, e.Stamp, e.Id, seq)
	if err == nil && id != "" {
		_, err = f.db.exec("INSERT INTO moments VALUES (?, ?)", stamp, old)
	}
	return true, err
}

// addLatest keeps in a register only the record that comes last: what it takes the place of is
// removed at once, and what comes before it is not kept.
func (f *folder) addLatest(e *entry, seq int64) (bool, error) {
	var stamp, old int64
	var id string
	err := f.db.query("SELECT stamp, id, seq FROM registers WHERE kind = ? AND name = ? AND slot = ''",
		[]driver.Value{int64(e.Kind), e.name}, func(row []driver.Value) error {
			stamp, id, old = number(row[0]), text(row[1]), number(row[2])
			return nil
		})
	if err != nil || id != "" && !after(0, e.Stamp, e.Id, 0, stamp, id) {
		return false, err
	}
	_, err = f.db.exec("INSERT OR REPLACE INTO registers VALUES (?, ?, '', 0, ?, ?, ?)",
		int64(e.Kind), e.name, e.Stamp, e.Id, seq)
	if err == nil && id != "" {
		err = f.remove(old)
	}
	return true, err
}

// after is the order of the records in one register.
func after(rank, stamp int64, id string, rank2, stamp2 int64, id2 string) bool {
	if rank != rank2 {
		return rank > rank2
	}
	if stamp != stamp2 {
		return stamp > stamp2
	}
	return id > id2
}

// append writes the record itself.
func (f *folder) append(e *entry, seq int64) error {
	var inline driver.Value
	if len(e.Body) <= pieceSize {
		inline = e.Body
	}
	_, err := f.db.exec("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)",
		seq, e.Id, int64(e.Kind), e.Stamp, e.Origin, int64(len(e.Body)), inline)
	if err != nil || inline != nil {
		return err
	}
	for i := 0; i*pieceSize < len(e.Body); i++ {
		piece := e.Body[i*pieceSize : min((i+1)*pieceSize, len(e.Body))]
		if _, err := f.db.exec("INSERT INTO pieces VALUES (?, ?)", seq<<pieceBits|int64(i), piece); err != nil {
			return err
		}
	}
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
