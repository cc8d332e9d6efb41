package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"brine/proto"
)

// Outcome is how a job ended on one minion, without the value.
type Outcome struct {
	RequestID  []byte
	Outcome    proto.Outcome
	Retcode    int32
	FinishedAt int64 // the minion's clock, microseconds of Unix time
	Duration   int64 // microseconds
	Size       int64 // of the whole return, bytes
	Truncated  bool
}

// found is a return as its projection has it.
type found struct {
	Outcome
	minion string
	hash   []byte
	seq    int64
}

// Outcomes tells how a job ended on each minion that returned, by its id.
func (s *Store) Outcomes(ctx context.Context, jid string) (map[string]Outcome, error) {
	all, err := s.returns(ctx, jid, "")
	if err != nil {
		return nil, err
	}
	outcomes := make(map[string]Outcome, len(all))
	for _, r := range all {
		outcomes[r.minion] = r.Outcome
	}
	return outcomes, nil
}

// Returns calls f with each return of a job, in order of the minions, until f
// gives an error, which it returns. Nothing in the store is held meanwhile.
func (s *Store) Returns(ctx context.Context, jid string, f func(*proto.Return) error) error {
	all, err := s.returns(ctx, jid, "")
	if err != nil {
		return err
	}
	for _, found := range all {
		r := new(proto.Return)
		if err := s.message(ctx, found.seq, r); errors.Is(err, ErrNotFound) {
			continue // pruned meanwhile
		} else if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// Return is what one minion returned of a job; ErrNotFound when nothing did.
func (s *Store) Return(ctx context.Context, jid, minion string) (*proto.Return, error) {
	all, err := s.returns(ctx, jid, minion)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNotFound
	}
	r := new(proto.Return)
	return r, s.message(ctx, all[0].seq, r)
}

// ReturnIDs are the ids of all records of a minion's returns of a job, those
// that do not count too.
func (s *Store) ReturnIDs(ctx context.Context, jid, minion string) ([]string, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	var ids []string
	err = s.rows(ctx, "SELECT hash FROM returns WHERE jid = ? AND minion = ?", []any{micro, minion},
		func(r *sql.Rows) error {
			var hash []byte
			err := r.Scan(&hash)
			ids = append(ids, wordReturn+"/"+jid+"/"+minion+"/"+encode(hash))
			return err
		})
	return ids, err
}

// returns finds what counts of a job's returns, one a minion, in order of the
// minions. Once the job's record is here, returns to another request that used
// the same job id are left out.
func (s *Store) returns(ctx context.Context, jid, minion string) ([]found, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	query := `SELECT minion, hash, seq, request, outcome, retcode, finished_at, duration, size, truncated
		FROM returns WHERE jid = ?1 AND request = ifnull(
			(SELECT request FROM jobs WHERE jid = ?1 AND seq > 0), request)`
	args := []any{micro}
	if minion != "" {
		query, args = query+" AND minion = ?2", append(args, minion)
	}
	var all []found
	err = s.rows(ctx, query+" ORDER BY minion, hash", args, func(rows *sql.Rows) error {
		var r found
		err := rows.Scan(&r.minion, &r.hash, &r.seq, &r.RequestID, &r.Outcome.Outcome, &r.Retcode,
			&r.FinishedAt, &r.Duration, &r.Size, &r.Truncated)
		if last := len(all) - 1; last < 0 || all[last].minion != r.minion {
			all = append(all, r)
		} else if counts(r, all[last]) {
			all[last] = r
		}
		return err
	})
	return all, err
}

// counts tells whether of two returns of one minion a counts and b does not. A
// minion may return twice: refused while its clock was wrong, then done.
func counts(a, b found) bool {
	if x, y := weight(a.Outcome.Outcome), weight(b.Outcome.Outcome); x != y {
		return x > y
	}
	if a.FinishedAt != b.FinishedAt {
		return a.FinishedAt > b.FinishedAt
	}
	return bytes.Compare(a.hash, b.hash) > 0
}

// weight puts what has run before what was cut short, and that before what
// never began.
func weight(o proto.Outcome) int {
	switch o {
	case proto.Outcome_OK, proto.Outcome_FAILED:
		return 3
	case proto.Outcome_INTERRUPTED, proto.Outcome_CANCELLED:
		return 2
	case proto.Outcome_EXPIRED, proto.Outcome_REFUSED, proto.Outcome_NOT_MATCHED:
		return 1
	}
	return 0
}
