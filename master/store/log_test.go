package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// everything is one record of each kind, some of them large.
func everything(id string) []pb.Message {
	return []pb.Message{
		aJob(id, "r", "m1", "web1", "web2"),
		aReturn(id, "r", "web1", proto.Outcome_OK, `"yes"`),
		aReturn(id, "r", "web2", proto.Outcome_FAILED, `"`+strings.Repeat("x", 700_000)+`"`),
		aCancel(id, "r"),
		aKey("web1", "one", proto.KeyState_KEY_ACCEPTED),
		&proto.Audit{Operator: "root", Action: "key accept"},
		&proto.Event{Tag: "salt/key", Origin: "m1", Data: []byte("{}")},
		&proto.OperatorRecord{Name: "root", Key: key("root")},
		&proto.MasterAddress{Name: "m1", Bus: "10.0.0.1:4505"},
		aBundle(3),
		&proto.TokenRecord{Name: "t1", Purpose: "enrol", SecretSha256: key("secret")},
	}
}

func TestAppendedRecordsAreInTheLogInOrder(t *testing.T) {
	s, _ := fresh(t, "m1")
	recs := put(t, s, everything(jidAfter(0))...)
	if got, want := s.Last(), int64(len(recs)); got != want {
		t.Errorf("last %d, want %d", got, want)
	}
	page := must(s.Page(t.Context(), 0, 1<<20, false))(t)
	if page.Incarnation != s.Incarnation() || page.Last != s.Last() || len(page.Entries) != len(recs) {
		t.Fatalf("page of %d entries up to %d of %q", len(page.Entries), page.Last, page.Incarnation)
	}
	for i, e := range page.Entries {
		want := recs[i]
		if e.Sequence != int64(i+1) || e.Size != int64(len(want.Body)) {
			t.Errorf("entry %d has sequence %d and size %d", i, e.Sequence, e.Size)
		}
		if len(want.Body) > 256<<10 {
			want = &proto.Record{Id: want.Id, Kind: want.Kind, Stamp: want.Stamp, Origin: want.Origin}
		}
		if !pb.Equal(e.Record, want) {
			t.Errorf("entry %d is %v, want %v", i, e.Record, want)
		}
	}
}

func TestPagesAreBoundedAndComplete(t *testing.T) {
	s, _ := fresh(t, "m1")
	for i := range 200 {
		put(t, s, aReturn(jidAfter(0), "r", fmt.Sprintf("web%d", i), proto.Outcome_OK, strings.Repeat("x", i*20)))
	}
	for _, size := range []int{1, 500, 5_000, 50_000, 5_000_000} {
		var seen, after int64
		for {
			page := must(s.Page(t.Context(), after, size, size%1000 == 0))(t)
			if len(page.Entries) == 0 {
				break
			}
			if n := pb.Size(page); n > size+1000 {
				t.Errorf("page has %d bytes, want at most about %d", n, size)
			}
			seen += int64(len(page.Entries))
			after = page.Entries[len(page.Entries)-1].Sequence
		}
		if seen != 200 {
			t.Errorf("pages of %d bytes give %d entries, want 200", size, seen)
		}
	}
}

func TestAppendingAgainChangesNothing(t *testing.T) {
	s, _ := fresh(t, "m1")
	var told int
	s.OnCommit(func(recs []*proto.Record) { told += len(recs) })
	recs := put(t, s, everything(jidAfter(0))...)
	before := digest(t, s)
	check(t, s.Append(t.Context(), append(recs, recs...)...))
	if digest(t, s) != before || s.Last() != int64(len(recs)) || told != len(recs) {
		t.Errorf("appended again: last %d, told %d, want %d", s.Last(), told, len(recs))
	}
}

func TestAppendIsAllOrNothing(t *testing.T) {
	s, w := fresh(t, "m1")
	good := record(t, s.Stamp(), &proto.Audit{Action: "a"})
	bad := record(t, s.Stamp(), &proto.Audit{Action: "b"})
	bad.Body = append(bad.Body, 1)
	if err := s.Append(t.Context(), good, bad); err == nil {
		t.Error("a record with another body was taken")
	}
	late := record(t, w.Now().Add(store.MaxAhead+time.Second).UnixMicro(), &proto.Audit{Action: "c"})
	if err := s.Append(t.Context(), good, late); !errors.Is(err, store.ErrAhead) {
		t.Errorf("a record from the future: %v, want ErrAhead", err)
	}
	far := record(t, s.Stamp(), aReturn(jidAfter(25*time.Hour), "r", "web1", proto.Outcome_OK, ""))
	if err := s.Append(t.Context(), good, far); !errors.Is(err, store.ErrAhead) {
		t.Errorf("a job id of the day after tomorrow: %v, want ErrAhead", err)
	}
	if s.Last() != 0 {
		t.Errorf("last %d, want 0", s.Last())
	}
}

func TestStampsNeverGoBack(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	// A peer whose clock is five minutes ahead.
	seen := w.Now().Add(5 * time.Minute).UnixMicro()
	check(t, s.Append(t.Context(), record(t, seen, &proto.Audit{Action: "a"})))
	w.Add(-time.Hour)
	a, b := s.Stamp(), s.Stamp()
	if a <= seen || b <= a {
		t.Errorf("stamps %d, %d after %d", a, b, seen)
	}
	// The clock was set back by an hour, and the master must go on all the same.
	put(t, s, &proto.Audit{Action: "b"})
	newest := s.Stamp()
	put(t, s, &proto.Audit{Action: "c"})
	check(t, s.Close())
	if got := at(t, path, "m1", w).Stamp(); got <= newest {
		t.Errorf("stamp %d after a restart, want above %d", got, newest)
	}
}

func TestDonesRunInOrderAfterTheHooks(t *testing.T) {
	s, _ := fresh(t, "m1")
	var log []string
	s.OnCommit(func(recs []*proto.Record) {
		for _, r := range recs {
			log = append(log, r.Id)
		}
	})
	const n = 500
	var want []string
	done := make(chan struct{})
	stored := map[string]bool{}
	for i := range n {
		rec := record(t, s.Stamp(), &proto.Audit{Detail: fmt.Sprint(i)})
		want = append(want, rec.Id)
		s.Enqueue(rec, func(err error) {
			if err != nil || !slices.Contains(log, rec.Id) || len(stored) != i {
				t.Errorf("done %d: err %v after %d others", i, err, len(stored))
			}
			if stored[rec.Id] = true; i == n-1 {
				close(done)
			}
		})
	}
	<-done
	if !slices.Equal(log, want) {
		t.Error("the hooks saw another order than the log's")
	}
}

func TestCloseCommitsWhatWasHandedIn(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	answers := make(chan error, 101)
	for i := range 100 {
		s.Enqueue(record(t, s.Stamp(), &proto.Audit{Detail: fmt.Sprint(i)}), func(err error) { answers <- err })
	}
	check(t, s.Close())
	check(t, s.Close())
	for range 100 {
		check(t, <-answers)
	}
	late := record(t, s.Stamp(), &proto.Audit{Detail: "late"})
	s.Enqueue(late, func(err error) { answers <- err })
	if err := <-answers; !errors.Is(err, store.ErrClosed) {
		t.Errorf("enqueued after close: %v, want ErrClosed", err)
	}
	if err := s.Append(t.Context(), late); !errors.Is(err, store.ErrClosed) {
		t.Errorf("appended after close: %v, want ErrClosed", err)
	}
	if got := at(t, path, "m1", w).Last(); got != 100 {
		t.Errorf("%d records after reopening, want 100", got)
	}
}

func TestStoresThatExchangePagesBecomeEqual(t *testing.T) {
	a, _ := fresh(t, "m1")
	b, _ := fresh(t, "m2")
	put(t, a, everything(jidAfter(0))...)
	put(t, b, everything(jidAfter(time.Second))...)
	for i := range 100 { // what both heard themselves
		both := aReturn(jidAfter(0), "r", fmt.Sprintf("db%d", i), proto.Outcome_OK, "1")
		put(t, a, both)
		put(t, b, both)
	}
	check(t, pull(t.Context(), a, b, "m2"))
	check(t, pull(t.Context(), b, a, "m1"))
	check(t, pull(t.Context(), a, b, "m2"))
	if digest(t, a) != digest(t, b) {
		t.Error("digests differ")
	}
	got, want := must(a.Outcomes(t.Context(), jidAfter(0)))(t), must(b.Outcomes(t.Context(), jidAfter(0)))(t)
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != 102 {
		t.Errorf("outcomes differ: %d and %d", len(got), len(want))
	}
	incarnation, seq, err := a.Cursor("m2")
	if check(t, err); incarnation != b.Incarnation() || seq != b.Last() {
		t.Errorf("cursor (%q, %d), want (%q, %d)", incarnation, seq, b.Incarnation(), b.Last())
	}
	cursors := must(a.Cursors(t.Context()))(t)
	if len(cursors) != 1 || cursors[0].Master != "m2" || cursors[0].Sequence != seq {
		t.Errorf("cursors %v", cursors)
	}
}

func TestImportPassesOverBadRecordsAndWaitsForTheClock(t *testing.T) {
	s, w := fresh(t, "m1")
	good := record(t, s.Stamp(), &proto.Audit{Action: "a"})
	bad := record(t, s.Stamp(), &proto.Audit{Action: "b"})
	bad.Id = strings.Replace(bad.Id, "audit", "event", 1)
	check(t, s.Import(t.Context(), "m2", "life", 7, []*proto.Record{bad, good, nil}))
	if _, seq, err := s.Cursor("m2"); err != nil || seq != 7 || s.Last() != 1 {
		t.Errorf("cursor %d, last %d, err %v; want 7, 1", seq, s.Last(), err)
	}
	ahead := record(t, w.Now().Add(time.Hour).UnixMicro(), &proto.Audit{Action: "c"})
	next := record(t, s.Stamp(), &proto.Audit{Action: "d"})
	if err := s.Import(t.Context(), "m2", "life", 9, []*proto.Record{ahead, next}); !errors.Is(err, store.ErrAhead) {
		t.Errorf("import from the future: %v, want ErrAhead", err)
	}
	if _, seq, _ := s.Cursor("m2"); seq != 7 || s.Last() != 2 {
		t.Errorf("cursor %d, last %d; want 7, 2", seq, s.Last())
	}
	w.Add(time.Hour)
	check(t, s.Import(t.Context(), "m2", "life", 9, []*proto.Record{ahead, next}))
	if _, seq, _ := s.Cursor("m2"); seq != 9 || s.Last() != 3 {
		t.Errorf("cursor %d, last %d; want 9, 3", seq, s.Last())
	}
	for _, from := range []string{"", "m1", "m2\n"} {
		if err := s.Import(t.Context(), from, "life", 1, nil); err == nil {
			t.Errorf("import from %q was taken", from)
		}
	}
}

func TestBodiesAreReadInPieces(t *testing.T) {
	s, _ := fresh(t, "m1")
	value := make([]byte, 3*256<<10+12345)
	for i := range value {
		value[i] = byte(i * i >> 7)
	}
	for _, size := range []int{0, 100, 256 << 10, 2 * 256 << 10, len(value)} {
		rec := put(t, s, aReturn(jidAfter(0), "r", fmt.Sprintf("web%d", size), proto.Outcome_OK, string(value[:size])))[0]
		for _, max := range []int{50_000, 256 << 10, 10 << 20} {
			var got []byte
			for {
				piece, total, err := s.Body(t.Context(), rec.Id, int64(len(got)), max)
				if check(t, err); total != int64(len(rec.Body)) || len(piece) > max {
					t.Fatalf("size %d, want %d; piece of %d", total, len(rec.Body), len(piece))
				}
				if len(piece) == 0 {
					break
				}
				got = append(got, piece...)
			}
			if !bytes.Equal(got, rec.Body) {
				t.Errorf("body of %d bytes in pieces of %d differs", len(rec.Body), max)
			}
		}
	}
	if _, _, err := s.Body(t.Context(), "audit/1/x", 0, 10); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("body of nothing: %v, want ErrNotFound", err)
	}
}

func TestMissingAndRecordsAgree(t *testing.T) {
	s, _ := fresh(t, "m1")
	recs := put(t, s, everything(jidAfter(0))...)
	var ids, odd []string
	for _, r := range recs {
		ids = append(ids, r.Id)
		odd = append(odd, r.Id+"x", r.Id[:len(r.Id)-1], strings.Replace(r.Id, "/", "//", 1))
	}
	odd = append(odd, "", "return///", "return/20260301120000000000/web1/!", "'; DROP TABLE log; --")
	if got := must(s.Missing(t.Context(), ids))(t); len(got) != 0 {
		t.Errorf("missing %v", got)
	}
	if got := must(s.Missing(t.Context(), odd))(t); !slices.Equal(got, odd) {
		t.Errorf("missing %v, want %v", got, odd)
	}
	got := must(s.Records(t.Context(), append(odd, ids...), 10<<20))(t)
	if !slices.EqualFunc(got, recs, func(a, b *proto.Record) bool { return pb.Equal(a, b) }) {
		t.Error("records differ from what was stored")
	}
	if got := must(s.Records(t.Context(), ids, 2000))(t); len(got) == 0 || len(got) >= len(recs) {
		t.Errorf("%d records in 2000 bytes", len(got))
	}
}

func TestKindsOfALaterVersionAreKept(t *testing.T) {
	s, _ := fresh(t, "m1")
	known := record(t, s.Stamp(), &proto.Audit{Action: "a"})
	later := pb.Clone(known).(*proto.Record)
	later.Kind, later.Id = 99, strings.Replace(known.Id, "audit", "later", 1)
	check(t, s.Append(t.Context(), known, later))
	if got := must(s.Records(t.Context(), []string{later.Id}, 1000))(t); len(got) != 1 || !pb.Equal(got[0], later) {
		t.Errorf("got %v", got)
	}
	later.Id = known.Id
	if err := store.Check(later); err == nil {
		t.Error("a kind of a later version took the name of one of ours")
	}
}

func TestOneProcessHasTheStore(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	_, err := store.Open(path, store.Options{Master: "m1"})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v", err)
	}
	check(t, s.Close())
	_, err = store.Open(path, store.Options{Master: "m2"})
	if err == nil || !strings.Contains(err.Error(), `belongs to master "m1"`) {
		t.Errorf("opened by another master: %v", err)
	}
	at(t, path, "m1", w)
}

func TestNewIncarnationStays(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	first := s.Incarnation()
	check(t, s.NewIncarnation(t.Context()))
	second := s.Incarnation()
	check(t, s.Close())
	if third := at(t, path, "m1", w).Incarnation(); first == second || second != third {
		t.Errorf("incarnations %q, %q, %q", first, second, third)
	}
}
