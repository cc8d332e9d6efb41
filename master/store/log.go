package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"brine/proto"
)

// entryCost is what an entry of a page weighs besides its record's id and body, in bytes.
const entryCost = 96

// Page reads the log after a sequence, up to about maxBytes and at least one
// entry. A body stands in the entry unless idsOnly, or when it is larger than
// maxBytes or 256 KiB; its size always does. A page without entries says that
// nothing after the sequence is left up to Last.
func (s *Store) Page(ctx context.Context, after int64, maxBytes int, idsOnly bool) (*proto.Page, error) {
	page := &proto.Page{Incarnation: s.Incarnation(), Last: s.Last()}
	// Rows are asked for in lots, so that a body that has no room in the page is not read.
	for room := maxBytes; room > 0; {
		lot, err := s.lot(ctx, after, page.Last, idsOnly)
		if err != nil || len(lot) == 0 {
			return page, err
		}
		for _, e := range lot {
			size := entryCost + len(e.Record.Id)
			if len(e.Record.Body) > maxBytes {
				e.Record.Body = nil
			}
			size += len(e.Record.Body)
			if room -= size; room < 0 && len(page.Entries) > 0 {
				return page, nil
			}
			page.Entries = append(page.Entries, e)
			after = e.Sequence
		}
	}
	return page, nil
}

// lot reads the next few entries of the log.
func (s *Store) lot(ctx context.Context, after, last int64, idsOnly bool) ([]*proto.LogEntry, error) {
	body, limit := "body", 32
	if idsOnly {
		body, limit = "NULL", 512
	}
	return s.entries(ctx, s.rows, "seq > ? AND seq <= ? ORDER BY seq LIMIT ?", body, after, last, limit)
}

// Records reads records by their ids, in that order. It passes over what is not
// there and what is larger than maxBytes, and ends where maxBytes are reached:
// of what is left out Body gives the large ones, and another call the rest.
func (s *Store) Records(ctx context.Context, ids []string, maxBytes int) ([]*proto.Record, error) {
	var recs []*proto.Record
	for room := maxBytes; len(ids) > 0; ids = ids[1:] {
		seq, err := s.sequence(ctx, ids[0])
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		rec, size := new(proto.Record), 0
		err = s.fixed[headOf].QueryRowContext(ctx, seq).
			Scan(&rec.Id, &rec.Kind, &rec.Stamp, &rec.Origin, &size)
		if errors.Is(err, sql.ErrNoRows) || size > maxBytes {
			continue
		} else if err != nil {
			return nil, s.unread(err)
		}
		if room -= size + len(rec.Id) + entryCost; room < 0 && len(recs) > 0 {
			break
		}
		if rec.Body, err = s.whole(ctx, seq); errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}

// Body reads at most max bytes of a record's body from offset on, and tells how
// long the whole is.
func (s *Store) Body(ctx context.Context, id string, offset int64, max int) ([]byte, int64, error) {
	seq, err := s.sequence(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	size, body, err := s.inline(ctx, seq)
	if err != nil || offset < 0 || offset >= size || max <= 0 {
		return nil, size, err
	}
	if body == nil {
		body, err = s.pieces(ctx, seq, offset, min(offset+int64(max), size))
		return body, size, err
	}
	return body[offset:min(offset+int64(max), size)], size, nil
}

// pieces reads the bytes from one offset to another of a body that is cut.
func (s *Store) pieces(ctx context.Context, seq, from, to int64) ([]byte, error) {
	body := make([]byte, 0, to-from)
	first := from / pieceSize
	err := s.rows(ctx, "SELECT data FROM pieces WHERE key BETWEEN ? AND ? ORDER BY key",
		[]any{seq<<pieceBits | first, seq<<pieceBits | (to-1)/pieceSize}, func(r *sql.Rows) error {
			var piece sql.RawBytes
			if err := r.Scan(&piece); err != nil {
				return err
			}
			skip := min(max(from-first*pieceSize, 0), int64(len(piece)))
			first++
			piece = piece[skip:]
			body = append(body, piece[:min(int64(len(piece)), to-from-int64(len(body)))]...)
			return nil
		})
	if err == nil && int64(len(body)) != to-from {
		err = fmt.Errorf("cannot read record %d of the store %q: %w", seq, s.path, ErrNotFound)
	}
	return body, err
}

const (
	bodyOf      = "SELECT size, body FROM log WHERE seq = ?"
	headOf      = "SELECT id, kind, stamp, origin, size FROM log WHERE seq = ?"
	seqOf       = "SELECT seq FROM ids WHERE id = ?"
	seqOfReturn = "SELECT seq FROM returns WHERE jid = ? AND minion = ? AND hash = ?"
)

// inline is the size of a body and, unless it is cut, the body.
func (s *Store) inline(ctx context.Context, seq int64) (size int64, body []byte, err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	err = s.fixed[bodyOf].QueryRow(seq).Scan(&size, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, ErrNotFound
	}
	return size, body, s.unread(err)
}

// whole reads the body of the record at a sequence.
func (s *Store) whole(ctx context.Context, seq int64) ([]byte, error) {
	size, body, err := s.inline(ctx, seq)
	if err == nil && body == nil && size > 0 {
		body, err = s.pieces(ctx, seq, 0, size)
	}
	return body, err
}

// sequence finds a record by its id.
func (s *Store) sequence(ctx context.Context, id string) (seq int64, err error) {
	query, args := seqOf, []any{id}
	if k, err := splitReturn(id); err != nil {
		return 0, ErrNotFound
	} else if k != nil {
		query, args = seqOfReturn, []any{k.jid, k.minion, k.hash}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.fixed[query].QueryRow(args...).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return seq, s.unread(err)
}

// Digest is a hash over the ids and bodies of the whole log, whatever their
// order: equal on two masters that hold the same records.
func (s *Store) Digest(ctx context.Context) (string, error) {
	all := sha256.New()
	err := s.scan(ctx, "SELECT id, seq, size, body FROM log ORDER BY id", func(r *sql.Rows) error {
		var id string
		var seq, size int64
		var body []byte
		if err := r.Scan(&id, &seq, &size, &body); err != nil {
			return err
		}
		if size > pieceSize {
			var err error
			if body, err = s.pieces(ctx, seq, 0, size); err != nil {
				return err
			}
		}
		sum := sha256.Sum256(body)
		io.WriteString(all, id)
		all.Write(sum[:])
		return nil
	})
	return hex.EncodeToString(all.Sum(nil)), err
}

// Check walks the whole database and tells what is wrong with it: a
// *CorruptError. It may take long and ends with ctx.
func (s *Store) Check(ctx context.Context) error {
	return s.scan(ctx, "PRAGMA quick_check(1)", func(r *sql.Rows) error {
		var found string
		if err := r.Scan(&found); err != nil {
			return err
		}
		if found != "ok" {
			return fmt.Errorf("%w: %s", errDamaged, found)
		}
		return nil
	})
}

// rows runs a short query and calls f for each row. A query that can be ended
// costs a goroutine, so only the beginning is.
func (s *Store) rows(ctx context.Context, query string, args []any, f func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.each(context.WithoutCancel(ctx), query, args, f)
}

// scan is rows for a query that may take long: it ends with ctx.
func (s *Store) scan(ctx context.Context, query string, f func(*sql.Rows) error) error {
	return s.each(ctx, query, nil, f)
}

func (s *Store) each(ctx context.Context, query string, args []any, f func(*sql.Rows) error) error {
	var rows *sql.Rows
	var err error
	if st := s.fixed[query]; st != nil {
		rows, err = st.QueryContext(ctx, args...)
	} else {
		rows, err = s.read.QueryContext(ctx, query, args...)
	}
	if err != nil {
		return s.unread(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return s.unread(err)
		}
	}
	return s.unread(rows.Err())
}

// unread explains why something could not be read.
func (s *Store) unread(err error) error {
	err = s.explain("read", err)
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		s.fail(err)
	}
	return err
}
