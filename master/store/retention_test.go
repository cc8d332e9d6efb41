package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

const day = 24 * time.Hour

// aged is a store with records of each kind, a day apart, and its clock at the last.
func aged(t *testing.T, master string, days int) (*store.Store, *watch) {
	s, w := fresh(t, master)
	for i := range days {
		id := jidAfter(time.Duration(i) * day)
		alone := aReturn(jidAfter(time.Duration(i)*day+time.Second), "x", "web1", proto.Outcome_OK, "1")
		put(t, s, append(everything(id), alone)...)
		check(t, s.SetAccepted(id, request("r"), "web1"))
		w.Add(day)
	}
	return s, w
}

func TestPruneRemovesWhatIsOldAndKeepsWhatCounts(t *testing.T) {
	s, _ := aged(t, "m1", 10)
	ctx := t.Context()
	keys, last := must(s.Keys(ctx))(t), s.Last()
	removed := must(s.Prune(ctx, start.Add(7*day), 10))(t)
	// Of each old day: a job, two of its returns and one of another job, a
	// cancel, an audit and an event; and the five registers' old records.
	if want := 7 * 12; removed != want {
		t.Errorf("removed %d, want %d", removed, want)
	}
	if jobs := must(s.Jobs(ctx, store.JobFilter{}))(t); len(jobs) != 6 || jobs[5].JID != jidAfter(7*day) {
		t.Errorf("%d jobs left", len(jobs))
	}
	if _, err := s.Return(ctx, jidAfter(6*day), "web1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old return: %v, want ErrNotFound", err)
	}
	if got := must(s.Keys(ctx))(t); fmt.Sprint(got) != fmt.Sprint(keys) || s.Last() != last {
		t.Errorf("keys %v, last %d; want %v, %d", got, s.Last(), keys, last)
	}
	if page := must(s.Page(ctx, last, 1000, true))(t); len(page.Entries) != 0 || page.Last != last {
		t.Errorf("page behind the end: %v", page)
	}
	if again := must(s.Prune(ctx, start.Add(7*day), 10))(t); again != 0 {
		t.Errorf("removed %d again", again)
	}
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestWhatWasPrunedIsNotTakenInAgain(t *testing.T) {
	a, _ := aged(t, "m1", 5)
	b, w := fresh(t, "m2")
	w.Add(5 * day)
	check(t, pull(t.Context(), b, a, "m1"))
	before := start.Add(3 * day)
	must(a.Prune(t.Context(), before, 1000))(t)
	want := digest(t, a)
	check(t, pull(t.Context(), a, b, "m2"))
	if digest(t, a) != want {
		t.Error("pruned records came back")
	}
	must(b.Prune(t.Context(), before, 7))(t)
	if digest(t, b) != want {
		t.Error("two masters pruned differently")
	}
	old := aReturn(jidAfter(0), "late", "web9", proto.Outcome_OK, "1")
	put(t, a, old)
	if digest(t, a) != want {
		t.Error("a late return of a pruned job was stored")
	}
}

func TestAnOpenJobIsNotPruned(t *testing.T) {
	s, w := fresh(t, "m1")
	id := jidAfter(0)
	rec := aJob(id, "r", "m1", "web1")
	job := new(proto.Job)
	check(t, pb.Unmarshal(rec.Job.Body, job))
	job.NotAfter = start.Add(20 * day).UnixMicro()
	rec.Job = envelope(proto.Kind_KIND_JOB, job)
	put(t, s, rec, aReturn(id, "r", "web1", proto.Outcome_OK, "1"), aCancel(id, "r"))
	w.Add(10 * day)
	if n := must(s.Prune(t.Context(), start.Add(9*day), 100))(t); n != 0 {
		t.Errorf("removed %d of an open job", n)
	}
	put(t, s, aReturn(id, "r", "web2", proto.Outcome_OK, "1"))
	if got := must(s.Outcomes(t.Context(), id))(t); len(got) != 2 {
		t.Errorf("outcomes %v", got)
	}
	w.Add(11 * day)
	if n := must(s.Prune(t.Context(), start.Add(9*day), 100))(t); n != 4 {
		t.Errorf("removed %d of a closed job, want 4", n)
	}
}

func TestPruneGivesTheDiskBack(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	for i := range 40 {
		put(t, s, aReturn(jidAfter(0), "r", fmt.Sprintf("web%d", i), proto.Outcome_OK, strings.Repeat("x", 200_000)))
	}
	w.Add(day)
	must(s.Prune(t.Context(), w.Now(), 5))(t)
	check(t, s.Close())
	info, err := os.Stat(path)
	if check(t, err); info.Size() > 3<<20 {
		t.Errorf("%d bytes are left of 8 MB", info.Size())
	}
}

func TestBoundRemovesTheOldestHours(t *testing.T) {
	a, w := fresh(t, "m1")
	path := filepath.Join(t.TempDir(), "store.db")
	b := at(t, path, "m2", w)
	for i := range 48 {
		id := jidAfter(time.Duration(i) * time.Hour)
		big := aReturn(id, "r", "web1", proto.Outcome_OK, strings.Repeat("x", 100_000))
		for _, s := range []*store.Store{a, b} {
			put(t, s, aJob(id, "r", "m1", "web1"), big)
		}
		w.Add(time.Hour)
	}
	const limit = 3 << 20
	n, within, err := a.Bound(t.Context(), limit, w.Now(), 7)
	used := must(a.Used(t.Context()))(t)
	if check(t, err); n == 0 || !within || used > limit/100*95 || used < limit/2 {
		t.Errorf("removed %d, %d bytes are left of at most %d, within: %v", n, used, limit, within)
	}
	if n, within, err := a.Bound(t.Context(), limit, w.Now(), 7); n != 0 || !within || err != nil {
		t.Errorf("removed %d again, within: %v, %v", n, within, err)
	}
	must(b.Prune(t.Context(), a.Horizon(), 100))(t) // as a master does that hears of it
	check(t, pull(t.Context(), a, b, "m2"))
	check(t, b.Close())
	must(store.Rebuild(t.Context(), path, nil))(t)
	b = at(t, path, "m2", w)
	if !b.Horizon().Equal(a.Horizon()) || digest(t, a) != digest(t, b) {
		t.Errorf("horizons %v and %v, digests equal: %v", a.Horizon(), b.Horizon(), digest(t, a) == digest(t, b))
	}
	put(t, b, aReturn(jidAfter(0), "r", "web2", proto.Outcome_OK, "1"))
	if digest(t, a) != digest(t, b) {
		t.Error("what was removed comes back after a rebuild")
	}
	if n, within, err := a.Bound(t.Context(), 10_000, w.Now().Add(-2*time.Hour), 7); within || n == 0 || err != nil {
		t.Errorf("removed %d, within: %v, %v, though the last hours are kept", n, within, err)
	}
	if got := len(must(a.Jobs(t.Context(), store.JobFilter{}))(t)); got != 2 {
		t.Errorf("%d jobs are left, want those of the last two hours", got)
	}
}

// A store that is full makes room for itself: what is removed needs none.
func TestAFullStoreIsPruned(t *testing.T) {
	s, w := fresh(t, "m1")
	for i := range 20 {
		put(t, s, aReturn(jidAfter(time.Duration(i)*time.Hour), "r", "web1", proto.Outcome_OK, strings.Repeat("x", 100_000)))
	}
	w.Add(day)
	check(t, s.LimitPages(1))
	big := record(t, s.Stamp(), aReturn(jidAfter(23*time.Hour), "r", "db1", proto.Outcome_OK, strings.Repeat("x", 100_000)))
	if err := s.Append(t.Context(), big); !errors.Is(err, store.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	n, within, err := s.Bound(t.Context(), 1<<20, w.Now(), 3)
	if check(t, err); n == 0 || !within {
		t.Errorf("removed %d, within: %v", n, within)
	}
	check(t, s.Append(t.Context(), big))
	if s.Err() != nil {
		t.Error(s.Err())
	}
}
