package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"math"
	"time"

	"brine/proto"
)

// Prune removes what is older than before: jobs with their returns and cancels
// by the time in their ids, so that all masters remove the same; events, audit
// and superseded records by their stamps; operators' sign-ins by when they ended.
// A job whose window is open stays, and so does what else counts of keys,
// operators, masters, bundles and tokens. It
// removes batch records in a transaction, so that others are written in
// between, and tells how many it removed. What was pruned is not taken in again.
func (s *Store) Prune(ctx context.Context, before time.Time, batch int) (removed int, err error) {
	batch = max(batch, 1)
	var horizon int64
	err = s.do(ctx, func(f *folder) error {
		horizon = max(f.horizon, min(before.UnixMicro(), s.now().UnixMicro()))
		_, err := f.db.exec("UPDATE self SET horizon = ?", horizon)
		if err == nil {
			f.horizon = horizon
		}
		return err
	})
	if err == nil {
		s.horizon.Store(horizon)
	}
	for n := batch; err == nil && n == batch; {
		if n, err = s.pruneSome(ctx, batch); err == nil {
			removed += n
		}
	}
	if err != nil {
		return removed, err
	}
	return removed, s.shrink(ctx)
}

// Horizon is the time before which Prune has removed what may go; the zero time when it never has.
func (s *Store) Horizon() time.Time {
	if h := s.horizon.Load(); h != 0 {
		return time.UnixMicro(h)
	}
	return time.Time{}
}

// horizonStep is what Bound removes at a time: whole hours, so that masters remove the same.
const horizonStep = time.Hour

// Bound removes the oldest records, by the hour, until what is stored takes at most 95 % of limit bytes; it does
// nothing while that is within limit. What is younger than the time keep stays. It tells how many it removed, and
// whether limit is kept.
func (s *Store) Bound(ctx context.Context, limit int64, keep time.Time, batch int) (removed int, within bool, err error) {
	used, err := s.Used(ctx)
	if err != nil || used <= limit {
		return 0, true, err
	}
	for used > limit/100*95 {
		oldest, err := s.oldest(ctx)
		if err != nil {
			return removed, false, err
		}
		before := oldest.Truncate(horizonStep).Add(horizonStep)
		if h := s.Horizon(); !before.After(h) { // what is older is of open jobs
			before = h.Truncate(horizonStep).Add(horizonStep)
		}
		if before.After(keep) {
			return removed, used <= limit, nil
		}
		n, err := s.Prune(ctx, before, batch)
		removed += n
		if err != nil {
			return removed, false, err
		}
		if used, err = s.Used(ctx); err != nil {
			return removed, false, err
		}
	}
	return removed, true, nil
}

// Used is how many bytes of the database hold something.
func (s *Store) Used(ctx context.Context) (bytes int64, err error) {
	err = s.rows(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`, nil, func(r *sql.Rows) error { return r.Scan(&bytes) })
	return bytes, err
}

// oldest is the time of the oldest record that may be removed once it is old; far ahead when there is none.
func (s *Store) oldest(ctx context.Context) (time.Time, error) {
	oldest := int64(math.MaxInt64 / 2)
	for _, query := range []string{"SELECT min(jid) FROM jobs", "SELECT min(stamp) FROM moments"} {
		err := s.rows(ctx, query, nil, func(r *sql.Rows) error {
			var at sql.NullInt64
			err := r.Scan(&at)
			if at.Valid {
				oldest = min(oldest, at.Int64)
			}
			return err
		})
		if err != nil {
			return time.Time{}, err
		}
	}
	return time.UnixMicro(oldest).UTC(), nil
}

// pruneSome removes up to batch records in one transaction. When ctx ends first it may still come to pass.
func (s *Store) pruneSome(ctx context.Context, batch int) (int, error) {
	var n int // written by the transaction: not looked at unless that has ended
	err := s.do(ctx, func(f *folder) (err error) {
		n, err = f.prune(batch)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// closedJob is true of a row whose job is not open.
const closedJob = " AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.jid = t.jid AND j.seq > 0 AND j.not_after > ?)"

// prune removes up to limit records older than the horizon, and once none is
// left what belonged to them.
func (f *folder) prune(limit int) (removed int, err error) {
	now := f.now().UnixMicro()
	steps := []struct {
		find   string
		args   []driver.Value
		remove string
	}{
		{"SELECT t.seq, t.jid FROM about t WHERE t.jid < ?" + closedJob, []driver.Value{f.horizon, now},
			"DELETE FROM about WHERE jid = ? AND seq = ?"},
		{"SELECT t.seq, t.jid, t.minion, t.hash FROM returns t WHERE t.jid < ?" + closedJob,
			[]driver.Value{f.horizon, now}, "DELETE FROM returns WHERE jid = ? AND minion = ? AND hash = ?"},
		{"SELECT t.seq, t.stamp FROM moments t WHERE t.stamp < ?", []driver.Value{f.horizon},
			"DELETE FROM moments WHERE stamp = ? AND seq = ?"},
	}
	for _, step := range steps {
		var rows [][]driver.Value
		err := f.db.query(step.find+" LIMIT ?", append(step.args, int64(limit-removed)),
			func(row []driver.Value) error {
				rows = append(rows, append([]driver.Value(nil), row...))
				return nil
			})
		if err != nil {
			return removed, err
		}
		for _, row := range rows {
			seq, key := row[0], row[1:]
			if len(key) == 1 {
				key = append(key, seq)
			}
			if _, err := f.db.exec(step.remove, key...); err != nil {
				return removed, err
			}
			if err := f.remove(number(seq)); err != nil {
				return removed, err
			}
			removed++
		}
	}
	if removed == limit {
		return removed, nil
	}
	return removed, f.pruneRest(now)
}

// pruneRest removes what is not in the log: the rows of jobs without a record
// left, and notes of accepted jobs whose window is over whatever it was.
func (f *folder) pruneRest(now int64) error {
	f.forget()
	if err := f.pruneAskings(); err != nil {
		return err
	}
	for _, table := range []string{"sums", "jobs"} { // in this order: a sum is of a job that is over
		if _, err := f.db.exec("DELETE FROM "+table+" AS t WHERE t.jid < ?"+closedJob, f.horizon, now); err != nil {
			return err
		}
	}
	if _, err := f.db.exec("DELETE FROM kinds WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.kind = kinds.kind)"); err != nil {
		return err
	}
	if _, err := f.db.exec("DELETE FROM recent WHERE newest < ?", f.horizon); err != nil {
		return err
	}
	_, err := f.db.exec("DELETE FROM accepted WHERE jid < ?", now-(maxWindow+maxJIDAhead).Microseconds())
	return err
}

// remove removes one record from the log.
func (f *folder) remove(seq int64) error {
	var id string
	var kind proto.RecordKind
	var stamp int64
	err := f.db.query("SELECT id, kind, stamp FROM log WHERE seq = ?", []driver.Value{seq},
		func(row []driver.Value) error {
			id, kind, stamp = text(row[0]), proto.RecordKind(number(row[1])), number(row[2])
			return nil
		})
	if err != nil || id == "" {
		return err
	}
	f.set.remove(id)
	if kind != proto.RecordKind_RECORD_RETURN {
		_, err = f.db.exec("DELETE FROM ids WHERE id = ?", id)
	}
	if err == nil && kind == proto.RecordKind_RECORD_EVENT {
		err = f.removeEvent(seq)
	}
	if err == nil && kind == proto.RecordKind_RECORD_AUDIT {
		err = f.removeAudit(stamp, seq)
	}
	if err == nil && kind == proto.RecordKind_RECORD_OPERATOR { // of a sign-in that is over
		_, err = f.db.exec("DELETE FROM registers WHERE kind = ? AND seq = ?", int64(kind), seq)
	}
	if err == nil {
		_, err = f.db.exec("DELETE FROM pieces WHERE key BETWEEN ? AND ?", seq<<pieceBits, (seq+1)<<pieceBits-1)
	}
	if err == nil {
		_, err = f.db.exec("DELETE FROM log WHERE seq = ?", seq)
	}
	return err
}

// shrink gives free pages back to the disk, a few at a time, when they are
// more than a quarter of the database.
func (s *Store) shrink(ctx context.Context) error {
	for more := true; more; {
		err := s.do(ctx, func(f *folder) error {
			free, err := f.db.one("SELECT freelist_count FROM pragma_freelist_count")
			if err != nil {
				return err
			}
			pages, err := f.db.one("SELECT page_count FROM pragma_page_count")
			if err != nil {
				return err
			}
			if more = free > 256 && free > pages/4; !more {
				return nil
			}
			_, err = f.db.exec("PRAGMA incremental_vacuum(256)")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
