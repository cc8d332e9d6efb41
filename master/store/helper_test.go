package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// watch is a clock that stands still until a test moves it.
type watch struct {
	mu  sync.Mutex
	now time.Time
}

func (w *watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) Add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// at opens a store of master at path, closed with the test.
func at(t testing.TB, path, master string, w *watch) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{Master: master, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fresh is an empty store and its clock.
func fresh(t testing.TB, master string) (*store.Store, *watch) {
	w := &watch{now: start}
	return at(t, filepath.Join(t.TempDir(), "store.db"), master, w), w
}

func request(seed string) []byte {
	sum := sha256.Sum256([]byte(seed))
	return sum[:16]
}

func key(seed string) []byte {
	sum := sha256.Sum256([]byte(seed))
	return sum[:]
}

func envelope(kind proto.Kind, body pb.Message) *proto.Envelope {
	data, err := pb.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &proto.Envelope{Kind: kind, Body: data, Key: key("signer"), Signature: make([]byte, 64)}
}

// jidAfter is the job id of a moment after the tests' start.
func jidAfter(d time.Duration) string { return jid.FromTime(start.Add(d)) }

// aJob is a job asked for with id, which waits a minute for its minions.
func aJob(id, asked, master string, expected ...string) *proto.JobRecord {
	issued, err := jid.Time(id)
	if err != nil {
		panic(err)
	}
	return &proto.JobRecord{Expected: expected, Job: envelope(proto.Kind_KIND_JOB, &proto.Job{
		Master: master, IssuedAt: issued.UnixMicro(), NotAfter: issued.Add(time.Minute).UnixMicro(),
		Request: envelope(proto.Kind_KIND_JOB_REQUEST, &proto.JobRequest{
			Jid: id, RequestId: request(asked), Function: "test.ping",
			Target: &proto.Target{Syntax: proto.Target_GLOB, Expression: "web*"},
		}),
	})}
}

func aReturn(id, asked, minion string, outcome proto.Outcome, value string) *proto.Return {
	return &proto.Return{Jid: id, RequestId: request(asked), Minion: minion, Outcome: outcome,
		Value: []byte(value), FinishedAt: start.UnixMicro()}
}

func aCancel(id, asked string) *proto.CancelRecord {
	return &proto.CancelRecord{Cancel: envelope(proto.Kind_KIND_CANCEL,
		&proto.Cancel{Jid: id, RequestId: request(asked)})}
}

func aKey(id, seed string, state proto.KeyState) *proto.KeyRecord {
	return &proto.KeyRecord{Id: id, SigningKey: key(seed), SealingKey: key("seal " + seed), State: state}
}

func aBundle(serial uint64) *proto.Envelope {
	return envelope(proto.Kind_KIND_BUNDLE, &proto.Bundle{Serial: serial})
}

// record makes the record of a body; a return's origin is its minion.
func record(t testing.TB, stamp int64, body pb.Message) *proto.Record {
	t.Helper()
	origin := "m1"
	if r, ok := body.(*proto.Return); ok {
		origin = r.Minion
	}
	rec, err := store.NewRecord(stamp, origin, body)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// put appends bodies, stamped by the store.
func put(t testing.TB, s *store.Store, bodies ...pb.Message) []*proto.Record {
	t.Helper()
	var recs []*proto.Record
	for _, b := range bodies {
		recs = append(recs, record(t, s.Stamp(), b))
	}
	check(t, s.Append(t.Context(), recs...))
	return recs
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns the value of a call that must not fail.
func must[V any](v V, err error) func(testing.TB) V {
	return func(t testing.TB) V {
		t.Helper()
		check(t, err)
		return v
	}
}

func digest(t testing.TB, s *store.Store) string {
	t.Helper()
	return must(s.Digest(t.Context()))(t)
}

// pull brings to what from has in its log after to's cursor, as masters do it:
// by pages of ids, then the records that are missing, large ones in pieces.
func pull(ctx context.Context, to, from *store.Store, name string) error {
	incarnation, after, err := to.Cursor(name)
	if err != nil {
		return err
	}
	if incarnation != from.Incarnation() {
		after = 0
	}
	for {
		page, err := from.Page(ctx, after, 4000, true)
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			return to.Import(ctx, name, page.Incarnation, page.Last, nil)
		}
		recs, err := lacking(ctx, to, from, page)
		if err != nil {
			return err
		}
		after = page.Entries[len(page.Entries)-1].Sequence
		if err := to.Import(ctx, name, page.Incarnation, after, recs); err != nil {
			return err
		}
	}
}

func lacking(ctx context.Context, to, from *store.Store, page *proto.Page) ([]*proto.Record, error) {
	const message = 1000
	var ids []string
	large := map[string]*proto.LogEntry{}
	for _, e := range page.Entries {
		ids = append(ids, e.Record.Id)
		if e.Size > message {
			large[e.Record.Id] = e
		}
	}
	missing, err := to.Missing(ctx, ids)
	if err != nil {
		return nil, err
	}
	var recs []*proto.Record
	for len(missing) > 0 {
		if e := large[missing[0]]; e != nil {
			rec := e.Record
			for int64(len(rec.Body)) < e.Size {
				piece, size, err := from.Body(ctx, rec.Id, int64(len(rec.Body)), 99_999)
				if err != nil {
					return nil, err
				}
				if size != e.Size || len(piece) == 0 {
					return nil, fmt.Errorf("record %q has %d bytes, want %d", rec.Id, size, e.Size)
				}
				rec.Body = append(rec.Body, piece...)
			}
			recs, missing = append(recs, rec), missing[1:]
			continue
		}
		some, err := from.Records(ctx, missing[:1], message)
		if err != nil {
			return nil, err
		}
		if len(some) != 1 {
			return nil, errors.New("a record is gone: " + missing[0])
		}
		recs, missing = append(recs, some...), missing[1:]
	}
	return recs, nil
}
