package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// StoredReturn is a return with its place in the log.
type StoredReturn struct {
	Sequence int64
	ID       string
	Stamp    int64
	Return   *proto.Return
}

// ReturnsAfter reads the next returns of the log after a sequence: up to limit of them and about maxBytes, and at
// least one. All returns up to the sequence it tells are among them.
func (s *Store) ReturnsAfter(ctx context.Context, after int64, limit, maxBytes int) (all []StoredReturn, upTo int64, err error) {
	last, whole := s.Last(), true
	err = s.rows(ctx, "SELECT seq, id, stamp, size FROM log WHERE seq > ? AND seq <= ? AND kind = ? ORDER BY seq LIMIT ?",
		[]any{after, last, proto.RecordKind_RECORD_RETURN, limit}, func(r *sql.Rows) error {
			var e StoredReturn
			var size int
			err := r.Scan(&e.Sequence, &e.ID, &e.Stamp, &size)
			if whole = whole && (len(all) == 0 || maxBytes > 0); whole {
				all = append(all, e)
			}
			maxBytes -= size
			return err
		})
	upTo = last
	if n := len(all); n > 0 && (n == limit || !whole) {
		upTo = all[n-1].Sequence
	}
	kept := all[:0]
	for _, e := range all {
		if err != nil {
			break
		}
		var body []byte
		if body, err = s.whole(ctx, e.Sequence); errors.Is(err, ErrNotFound) {
			err = nil // pruned meanwhile
			continue
		}
		e.Return = new(proto.Return)
		if err == nil {
			if err = pb.Unmarshal(body, e.Return); err != nil {
				err = fmt.Errorf("cannot read record %d of the store %q: %v", e.Sequence, s.path, err)
			}
		}
		kept = append(kept, e)
	}
	if err != nil {
		return nil, after, err
	}
	return kept, upTo, nil
}

// ReturnAt is the id of the return at a sequence of the log; "" when none is there.
func (s *Store) ReturnAt(ctx context.Context, seq int64) (id string, err error) {
	err = s.rows(ctx, "SELECT id FROM log WHERE seq = ? AND kind = ?", []any{seq, proto.RecordKind_RECORD_RETURN},
		func(r *sql.Rows) error { return r.Scan(&id) })
	return id, err
}

// FirstSince is the sequence of the first return in the log that is stamped with a time or later; 0 when there is none.
func (s *Store) FirstSince(ctx context.Context, stamp int64) (seq int64, err error) {
	err = s.each(ctx, "SELECT seq FROM log WHERE stamp >= ? AND kind = ? ORDER BY seq LIMIT 1",
		[]any{stamp, proto.RecordKind_RECORD_RETURN}, func(r *sql.Rows) error { return r.Scan(&seq) })
	return seq, err
}
