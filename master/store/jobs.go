package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// JobFilter chooses jobs.
type JobFilter struct {
	Limit    int    // 0: 50
	Before   string // only job ids below this one
	Function string // glob over the function's name
	Target   string // glob over the target as it was typed
}

// JobEntry is one job of a list.
type JobEntry struct {
	JID       string
	RequestID []byte
	Record    *proto.JobRecord // nil: so far only returns are here
}

// Job is the record of a job; ErrNotFound when it is not here, though returns
// may be. Of several, taken in a cut between masters, it is the one issued first.
func (s *Store) Job(ctx context.Context, jid string) (*proto.JobRecord, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	all, err := s.jobs(ctx, "jid = ? AND seq > 0", micro)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return all[0].Record, nil
}

// Jobs lists jobs, the newest first.
func (s *Store) Jobs(ctx context.Context, f JobFilter) ([]JobEntry, error) {
	where, args := "TRUE", []any(nil)
	if f.Before != "" {
		micro, err := jidMicro(f.Before)
		if err != nil {
			return nil, err
		}
		where, args = where+" AND jid < ?", append(args, micro)
	}
	if f.Function != "" {
		where, args = where+" AND function GLOB ?", append(args, glob(f.Function))
	}
	if f.Target != "" {
		where, args = where+" AND target GLOB ?", append(args, glob(f.Target))
	}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	return s.jobs(ctx, where+" ORDER BY jid DESC LIMIT ?", append(args, f.Limit)...)
}

// OpenJobs are the jobs whose window is open at now, the oldest first.
func (s *Store) OpenJobs(ctx context.Context, now time.Time) ([]*proto.JobRecord, error) {
	all, err := s.jobs(ctx, "not_after > ? AND seq > 0 ORDER BY jid", now.UnixMicro())
	if err != nil {
		return nil, err
	}
	recs := make([]*proto.JobRecord, len(all))
	for i, j := range all {
		recs[i] = j.Record
	}
	return recs, nil
}

// jobs reads the jobs that a condition chooses.
func (s *Store) jobs(ctx context.Context, where string, args ...any) ([]JobEntry, error) {
	var all []JobEntry
	var seqs []int64
	err := s.rows(ctx, "SELECT jid, request, seq FROM jobs WHERE "+where, args, func(r *sql.Rows) error {
		var j JobEntry
		var jid, seq int64
		if err := r.Scan(&jid, &j.RequestID, &seq); err != nil {
			return err
		}
		j.JID = jidString(jid)
		all, seqs = append(all, j), append(seqs, seq)
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for i, j := range all {
		if seqs[i] > 0 {
			j.Record = new(proto.JobRecord)
			if err := s.message(ctx, seqs[i], j.Record); errors.Is(err, ErrNotFound) {
				continue // pruned meanwhile
			} else if err != nil {
				return nil, err
			}
		}
		kept = append(kept, j)
	}
	return kept, nil
}

// Cancels are the cancels of a job, in the order in which they were stored.
func (s *Store) Cancels(ctx context.Context, jid string) ([]*proto.CancelRecord, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	var seqs []int64
	err = s.rows(ctx, "SELECT seq FROM about WHERE jid = ? AND kind = ? ORDER BY seq",
		[]any{micro, proto.RecordKind_RECORD_CANCEL}, func(r *sql.Rows) error {
			seqs = append(seqs, 0)
			return r.Scan(&seqs[len(seqs)-1])
		})
	var all []*proto.CancelRecord
	for i := 0; err == nil && i < len(seqs); i++ {
		c := new(proto.CancelRecord)
		if err = s.message(ctx, seqs[i], c); errors.Is(err, ErrNotFound) {
			err = nil // pruned meanwhile
			continue
		}
		all = append(all, c)
	}
	return all, err
}

// Taken are the jobs that a minion accepted or returned and whose window is
// open at now. Of a job whose record is not here the longest window is taken.
func (s *Store) Taken(ctx context.Context, minion string, now time.Time) ([]*proto.SeenJob, error) {
	var all []*proto.SeenJob
	err := s.rows(ctx, `SELECT j.jid, t.request, j.issued_at, j.not_after, max(t.returned) FROM jobs j JOIN (
			SELECT jid, request, 0 AS returned FROM accepted WHERE minion = ?1 AND jid IN (SELECT jid FROM jobs WHERE not_after > ?2)
			UNION ALL
			SELECT jid, request, 1 AS returned FROM returns WHERE minion = ?1 AND jid IN (SELECT jid FROM jobs WHERE not_after > ?2)
		) t ON t.jid = j.jid GROUP BY j.jid, t.request ORDER BY j.jid, t.request`, []any{minion, now.UnixMicro()},
		func(r *sql.Rows) error {
			var jid int64
			j := new(proto.SeenJob)
			all = append(all, j)
			err := r.Scan(&jid, &j.RequestId, &j.IssuedAt, &j.NotAfter, &j.Returned)
			j.Jid = jidString(jid)
			return err
		})
	return all, err
}

// Accepted tells which minions noted here that they have a job on their disk,
// with the id of the request that each of them took.
func (s *Store) Accepted(ctx context.Context, jid string) (map[string][][]byte, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	all := map[string][][]byte{}
	err = s.rows(ctx, "SELECT minion, request FROM accepted WHERE jid = ?", []any{micro}, func(r *sql.Rows) error {
		var minion string
		var request []byte
		if err := r.Scan(&minion, &request); err != nil {
			return err
		}
		all[minion] = append(all[minion], request)
		return nil
	})
	return all, err
}

// message reads the body of the record at a sequence.
func (s *Store) message(ctx context.Context, seq int64, m pb.Message) error {
	body, err := s.whole(ctx, seq)
	if err != nil {
		return err
	}
	if err := pb.Unmarshal(body, m); err != nil {
		return fmt.Errorf("cannot read record %d of the store %q: %v", seq, s.path, err)
	}
	return nil
}

// glob turns Salt's pattern into SQLite's, which negates a set with '^'.
func glob(pattern string) string { return strings.ReplaceAll(pattern, "[!", "[^") }
