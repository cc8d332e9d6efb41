package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"brine/proto"
)

// tally counts returns of one job.
type tally struct {
	rows int64
	bad  bool // one of them is not ok
}

func (t tally) with(o proto.Outcome) tally {
	return tally{t.rows + 1, t.bad || o != proto.Outcome_OK}
}

// settle brings what a transaction has counted to the rows of the jobs, once for all their returns.
// The log was read up to noted before it.
func (f *folder) settle(noted int64) error {
	for jid, t := range f.tally {
		_, err := f.db.exec("UPDATE jobs SET rows = rows + ?, bad = max(bad, ?) WHERE jid = ?", t.rows, flag(t.bad), jid)
		if err != nil {
			return err
		}
	}
	clear(f.tally)
	return f.recent.flush(f.db, noted, f.now())
}

// kindOf is the number of what a job is asked for, which is written down once.
func (f *folder) kindOf(q *proto.JobRequest) (int64, error) {
	return f.kind(q.GetFunction(), q.GetTarget().GetExpression(), q.GetOperator(), false)
}

// ownKind is the number of what a minion did by itself, such as a scheduled job: there is no record of that, only the return,
// which tells why. 0 for the return of a job whose record is still to come.
func (f *folder) ownKind(r *proto.Return) (int64, error) {
	if r.Cause == "" {
		return 0, nil
	}
	return f.kind(r.Function, r.Minion, r.Cause, true)
}

func (f *folder) kind(function, target, operator string, own bool) (int64, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", function, operator, target, flag(own)))
	kind := int64(binary.BigEndian.Uint64(sum[:]) >> 1)
	_, err := f.db.exec("INSERT OR IGNORE INTO kinds VALUES (?, ?, ?, ?, ?)", kind, function, target, operator, flag(own))
	return kind, err
}

// JobSum tells how a job ended, so that nobody has to read all its returns again.
type JobSum struct {
	Counts   map[string]uint32 `json:"counts"`   // of the minions that returned, by their status
	Failed   int               `json:"failed"`   // of the expected minions those that count as failed
	Expected int               `json:"expected"` // how many there are
	Missing  []string          `json:"missing"`  // those of them that did not return
	Offline  []string          `json:"offline"`  // those of the missing that were offline when it was sent
}

// SetSums keeps the Sum of each of some jobs, as it was found when they were listed. One is of
// no use once the job has another record or another return: it is passed over.
func (s *Store) SetSums(ctx context.Context, entries []JobEntry) error {
	if len(entries) == 0 {
		return nil
	}
	return s.do(ctx, func(f *folder) error {
		for _, e := range entries {
			micro, err := jidMicro(e.JID)
			if err != nil {
				return err
			}
			body, err := json.Marshal(e.Sum)
			if err != nil {
				return err
			}
			n, err := f.db.exec("UPDATE jobs SET summed = rows WHERE jid = ? AND rows = ? AND seq = ? AND seq > 0", micro, e.rows, e.seq)
			if err == nil && n > 0 {
				_, err = f.db.exec("INSERT OR REPLACE INTO sums VALUES (?, ?)", micro, body)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Unsummed are jobs of which nobody has kept how they ended, the newest first, without their records.
func (s *Store) Unsummed(ctx context.Context, limit int) ([]JobEntry, error) {
	var all []JobEntry
	err := s.rows(ctx, "SELECT jid, request, seq, rows FROM jobs WHERE seq > 0 AND summed <> rows ORDER BY jid DESC LIMIT ?",
		[]any{limit}, func(r *sql.Rows) error {
			var e JobEntry
			var jid int64
			err := r.Scan(&jid, &e.RequestID, &e.seq, &e.rows)
			e.JID = jidString(jid)
			all = append(all, e)
			return err
		})
	return all, err
}

// readSum reads what SetSum kept; nil for nothing.
func readSum(body []byte) (*JobSum, error) {
	if body == nil {
		return nil, nil
	}
	sum := new(JobSum)
	if err := json.Unmarshal(body, sum); err != nil {
		return nil, fmt.Errorf("%w: how a job ended cannot be read: %v", errDamaged, err)
	}
	return sum, nil
}

// replay calls f with each return in the log after a sequence.
func replay(db *conn, after int64, f func(minion string, jid int64, function string)) error {
	return db.query("SELECT seq, id, kind, stamp, origin, size, body FROM log WHERE seq > ? AND kind = ?",
		[]driver.Value{after, int64(proto.RecordKind_RECORD_RETURN)}, func(row []driver.Value) error {
			rec := &proto.Record{Id: text(row[1]), Kind: proto.RecordKind(number(row[2])), Stamp: number(row[3]),
				Origin: text(row[4]), Body: bytesOf(row[6])}
			if number(row[5]) > pieceSize {
				if err := readPieces(db, number(row[0]), rec); err != nil {
					return err
				}
			}
			if e, err := decode(rec); err == nil {
				f(e.minion, e.jid, e.ret.Function)
			}
			return nil
		})
}
