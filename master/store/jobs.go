package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// JobFilter chooses jobs.
type JobFilter struct {
	Limit    int       // 0: 50
	Before   string    // only job ids below this one
	Since    time.Time // only jobs from then on; zero: all
	Function string    // glob over the function's name
	Target   string    // glob over the target as it was typed
	Operator string    // glob over the operator's name
	Failed   bool      // only jobs of which a return is not ok; it may be one that does not count
	Asked    bool      // not what minions did by themselves, such as their scheduled jobs
}

// JobEntry is one job of a list.
type JobEntry struct {
	JID       string
	RequestID []byte
	Record    *proto.JobRecord // nil: so far only returns are here. Without its minions when there is a Sum
	Sum       *JobSum          // nil: nobody has kept it, or it holds no more

	seq, rows int64 // when it was read
}

// Job is the record of a job; ErrNotFound when it is not here, though returns
// may be. Of several, taken in a cut between masters, it is the one issued first.
func (s *Store) Job(ctx context.Context, jid string) (*proto.JobRecord, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	all, err := s.jobs(ctx, false, thisJob, micro)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return all[0].Record, nil
}

// fewKinds is up to how many kinds of jobs are looked up one by one: of more, some are never far.
const fewKinds = 64

// Jobs lists jobs, the newest first.
func (s *Store) Jobs(ctx context.Context, f JobFilter) ([]JobEntry, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	where, args := "jid < ? AND jid >= ?", []any{int64(math.MaxInt64), int64(0)}
	if f.Before != "" {
		micro, err := jidMicro(f.Before)
		if err != nil {
			return nil, err
		}
		args[0] = micro
	}
	if !f.Since.IsZero() {
		args[1] = f.Since.UnixMicro()
	}
	if f.Failed {
		where += " AND bad = 1"
	}
	const newest = " ORDER BY jid DESC LIMIT ?"
	choice, of := f.kinds()
	if choice == "" {
		return s.jobs(ctx, true, where+newest, append(args, f.Limit)...)
	}
	kinds, err := s.someKinds(ctx, choice, of)
	switch {
	case err != nil || len(kinds) == 0:
		return nil, err
	case len(kinds) > fewKinds: // the sign keeps SQLite from going through all jobs of all the kinds
		args = append(append(args, of...), f.Limit)
		return s.jobs(ctx, true, where+" AND +kind IN (SELECT kind FROM kinds WHERE "+choice+")"+newest, args...)
	}
	var parts []string
	var all []any
	for _, kind := range kinds {
		parts = append(parts, "SELECT jid FROM (SELECT jid FROM jobs WHERE kind = ? AND "+where+newest+")")
		all = append(append(append(all, kind), args...), f.Limit)
	}
	return s.jobs(ctx, true, "jid IN ("+strings.Join(parts, " UNION ALL ")+")"+newest, append(all, f.Limit)...)
}

// kinds is the condition on the kinds of the jobs that a filter lets pass; "" when all are.
func (f *JobFilter) kinds() (where string, args []any) {
	for _, c := range []struct{ column, pattern string }{
		{"function", f.Function}, {"target", f.Target}, {"operator", f.Operator},
	} {
		if c.pattern == "" {
			continue
		}
		if where != "" {
			where += " AND "
		}
		g := glob(c.pattern)
		if c.column == "function" { // of a job with several, each counts
			where += "(function GLOB ? OR instr(function, ',') > 0 AND ',' || function || ',' GLOB ?)"
			args = append(args, g, "*,"+g+",*")
			continue
		}
		where += c.column + " GLOB ?"
		args = append(args, g)
	}
	if f.Asked {
		if where != "" {
			where += " AND "
		}
		where += "own = 0"
	}
	return where, args
}

// someKinds finds the kinds that a condition chooses, or the first of more than a few.
func (s *Store) someKinds(ctx context.Context, where string, args []any) (kinds []int64, err error) {
	err = s.rows(ctx, fmt.Sprintf("SELECT kind FROM kinds WHERE %s LIMIT %d", where, fewKinds+1), args, func(r *sql.Rows) error {
		kinds = append(kinds, 0)
		return r.Scan(&kinds[len(kinds)-1])
	})
	return kinds, err
}

// OpenJobs are the jobs whose window is open at now, the oldest first.
func (s *Store) OpenJobs(ctx context.Context, now time.Time) ([]*proto.JobRecord, error) {
	all, err := s.jobs(ctx, false, "not_after > ? AND seq > 0 ORDER BY jid", now.UnixMicro())
	if err != nil {
		return nil, err
	}
	recs := make([]*proto.JobRecord, len(all))
	for i, j := range all {
		recs[i] = j.Record
	}
	return recs, nil
}

const (
	jobsWhere = "SELECT jid, request, seq, rows, CASE WHEN rows = summed THEN (SELECT body FROM sums WHERE sums.jid = jobs.jid) END FROM jobs WHERE "
	thisJob   = "jid = ? AND seq > 0"
	jobAsked  = jobsWhere + thisJob
)

// jobs reads the jobs that a condition chooses. Listed, those that are summed up come without their minions.
func (s *Store) jobs(ctx context.Context, listed bool, where string, args ...any) ([]JobEntry, error) {
	var all []JobEntry
	var sums [][]byte
	err := s.rows(ctx, jobsWhere+where, args, func(r *sql.Rows) error {
		var e JobEntry
		var jid int64
		var sum []byte
		err := r.Scan(&jid, &e.RequestID, &e.seq, &e.rows, &sum)
		e.JID = jidString(jid)
		all, sums = append(all, e), append(sums, sum)
		return err
	})
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for i, e := range all {
		if listed && e.seq > 0 {
			if e.Sum, err = readSum(sums[i]); err != nil {
				return nil, s.unread(err)
			}
		}
		if e.seq > 0 {
			e.Record, err = s.jobRecord(ctx, e.seq, e.Sum == nil)
			if errors.Is(err, ErrNotFound) {
				continue // pruned meanwhile
			} else if err != nil {
				return nil, err
			}
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// jobRecord reads the record of a job; not whole, only its envelope.
func (s *Store) jobRecord(ctx context.Context, seq int64, whole bool) (*proto.JobRecord, error) {
	rec := new(proto.JobRecord)
	if whole {
		return rec, s.message(ctx, seq, rec)
	}
	body, err := s.whole(ctx, seq)
	for err == nil && len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		body = body[n:]
		if number == jobEnvelope && kind == protowire.BytesType {
			if body, n = protowire.ConsumeBytes(body); n < 0 {
				return nil, protowire.ParseError(n)
			}
			rec.Job = new(proto.Envelope)
			return rec, pb.Unmarshal(body, rec.Job)
		}
		if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
			return nil, protowire.ParseError(n)
		}
		body = body[n:]
	}
	return rec, err
}

// jobEnvelope is the field of JobRecord that has the envelope.
const jobEnvelope = 1

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
// with the id of the request that each of them took: all, or those that are named.
func (s *Store) Accepted(ctx context.Context, jid string, minions ...string) (map[string][][]byte, error) {
	micro, err := jidMicro(jid)
	if err != nil {
		return nil, err
	}
	query, args := "SELECT minion, request FROM accepted WHERE jid = ?", []any{micro}
	if len(minions) > 0 {
		names, err := json.Marshal(minions)
		if err != nil {
			return nil, err
		}
		query, args = query+" AND minion IN (SELECT value FROM json_each(?))", append(args, string(names))
	}
	all := map[string][][]byte{}
	err = s.rows(ctx, query, args, func(r *sql.Rows) error {
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
