package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"

	"brine/proto"
)

// AuditFilter chooses records of the audit trail. Of an empty one they are all.
type AuditFilter struct {
	Limit    int    // 0: 50
	Since    int64  // from then on, microseconds of Unix time
	Before   int64  // before then; 0: no end
	Operator string // glob
	Function string // glob over functions, and "@" with the action for what is none
	Failed   bool   // only what was refused or failed
}

// AuditEntry is one record of the audit trail.
type AuditEntry struct {
	*proto.Audit
	Stamp  int64
	Master string // that wrote it
}

// Of the audit trail the projections know but the time and the group: who
// asked for what, and whether it came to pass. There are few groups, so each
// filter is one over them, and each group has its records in order of time.

// addAudit files a record of the audit trail.
func (f *folder) addAudit(e *entry, seq int64) (bool, error) {
	keep, err := f.addMoment(e.Stamp, seq)
	if err != nil || !keep {
		return keep, err
	}
	a := e.audit
	what := a.Function
	if what == "" {
		what = "@" + a.Action
	}
	args := []driver.Value{clip(a.Operator), clip(what), flag(a.Outcome != AuditDone)}
	if _, err := f.db.exec("INSERT OR IGNORE INTO askings (operator, what, failed) VALUES (?, ?, ?)", args...); err != nil {
		return false, err
	}
	id, err := f.db.one("SELECT id FROM askings WHERE operator = ? AND what = ? AND failed = ?", args...)
	if err != nil {
		return false, err
	}
	_, err = f.db.exec("INSERT INTO audits VALUES (?, ?, ?)", id, e.Stamp, seq)
	return true, err
}

// AuditDone is the outcome of what came to pass.
const AuditDone = "done"

func clip(text string) string { return text[:min(len(text), maxText)] }

// removeAudit removes a record of the audit trail from the projections.
func (f *folder) removeAudit(stamp, seq int64) error {
	_, err := f.db.exec("DELETE FROM audits WHERE stamp = ? AND seq = ?", stamp, seq)
	return err
}

// pruneAskings removes the groups that have no records left.
func (f *folder) pruneAskings() error {
	_, err := f.db.exec("DELETE FROM askings WHERE NOT EXISTS (SELECT 1 FROM audits WHERE asking = askings.id)")
	return err
}

// moment is a place in the audit trail.
type moment struct{ stamp, seq int64 }

// Audits are the records of the audit trail that a filter chooses, the newest
// first. Records of one moment are not torn apart: there may be some more than
// the limit.
func (s *Store) Audits(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	if f.Before == 0 {
		f.Before = 1<<63 - 1
	}
	found, err := s.findAudits(ctx, f)
	if err != nil {
		return nil, err
	}
	entries := make([]AuditEntry, 0, len(found))
	for _, m := range found {
		e := AuditEntry{Audit: new(proto.Audit), Stamp: m.stamp}
		err := s.message(ctx, m.seq, e.Audit)
		if err == nil {
			e.Master, err = s.origin(ctx, m.seq)
		}
		if errors.Is(err, ErrNotFound) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (s *Store) origin(ctx context.Context, seq int64) (name string, err error) {
	err = s.rows(ctx, "SELECT origin FROM log WHERE seq = ?", []any{seq}, func(r *sql.Rows) error { return r.Scan(&name) })
	if err == nil && name == "" {
		err = ErrNotFound
	}
	return name, err
}

// findAudits finds where the records are.
func (s *Store) findAudits(ctx context.Context, f AuditFilter) ([]moment, error) {
	if f.Operator == "" && f.Function == "" && !f.Failed {
		return s.newestAudits(ctx, f, "INDEXED BY audits_time WHERE TRUE", nil)
	}
	groups, err := s.askings(ctx, f)
	if err != nil {
		return nil, err
	}
	// Of each of the groups that were asked for last there is one record at
	// least: what is older than that of the last of them is not among the newest.
	if len(groups) > f.Limit {
		groups = groups[:f.Limit]
		f.Since = max(f.Since, groups[f.Limit-1].newest)
	}
	var all []moment
	for _, g := range groups {
		some, err := s.newestAudits(ctx, f, "WHERE asking = ?", []any{g.id})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(cmp.Compare(b.stamp, a.stamp), cmp.Compare(b.seq, a.seq)) })
	n := min(f.Limit, len(all))
	for n > 0 && n < len(all) && all[n].stamp == all[n-1].stamp {
		n++
	}
	return all[:n], nil
}

// asking is a group, and the time of its newest record before some moment.
type asking struct{ id, newest int64 }

// askings are the groups that a filter chooses, those with the newest records first.
func (s *Store) askings(ctx context.Context, f AuditFilter) (all []asking, err error) {
	query := `SELECT id, coalesce((SELECT max(stamp) FROM audits WHERE asking = askings.id AND stamp < ?), 0) AS newest
		FROM askings WHERE newest >= ? AND newest > 0`
	args := []any{f.Before, f.Since}
	if f.Operator != "" {
		query, args = query+" AND operator GLOB ?", append(args, glob(f.Operator))
	}
	if f.Function != "" {
		query, args = query+" AND what GLOB ?", append(args, glob(f.Function))
	}
	if f.Failed {
		query += " AND failed = 1"
	}
	err = s.rows(ctx, query+" ORDER BY newest DESC", args, func(r *sql.Rows) error {
		all = append(all, asking{})
		return r.Scan(&all[len(all)-1].id, &all[len(all)-1].newest)
	})
	return all, err
}

// newestAudits are the newest of some records within the time of a filter, and
// those of the same moment as the last of them.
func (s *Store) newestAudits(ctx context.Context, f AuditFilter, where string, args []any) (all []moment, err error) {
	query := "SELECT stamp, seq FROM audits " + where + " AND stamp "
	read := func(condition string, more ...any) error {
		return s.rows(ctx, query+condition, append(slices.Clone(args), more...), func(r *sql.Rows) error {
			all = append(all, moment{})
			return r.Scan(&all[len(all)-1].stamp, &all[len(all)-1].seq)
		})
	}
	err = read("< ? AND stamp >= ? ORDER BY stamp DESC, seq DESC LIMIT ?", f.Before, f.Since, f.Limit)
	if err == nil && len(all) == f.Limit {
		last := all[len(all)-1]
		err = read("= ? AND seq < ? ORDER BY seq DESC", last.stamp, last.seq)
	}
	return all, err
}
