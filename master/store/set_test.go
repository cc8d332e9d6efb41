package store_test

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

// rightSet fails the test unless the set is that of the records in the log.
func rightSet(t *testing.T, s *store.Store) (digest []byte, records int64) {
	t.Helper()
	want, n := make([]byte, 16), int64(0)
	for at := int64(0); ; {
		page := must(s.Page(t.Context(), at, 1<<20, true))(t)
		if len(page.Entries) == 0 {
			break
		}
		for _, e := range page.Entries {
			sum := sha256.Sum256([]byte(e.Record.Id))
			for i := range want {
				want[i] ^= sum[i]
			}
			at, n = e.Sequence, n+1
		}
	}
	digest, records, last := s.Set()
	if !bytes.Equal(digest, want) || records != n || last != s.Last() {
		t.Errorf("the set is %x of %d up to %d, want %x of %d up to %d", digest, records, last, want, n, s.Last())
	}
	return digest, records
}

func TestTheSetDoesNotDependOnTheOrder(t *testing.T) {
	a, _ := fresh(t, "m1")
	b, _ := fresh(t, "m2")
	if _, n := rightSet(t, a); n != 0 {
		t.Errorf("an empty store has %d records", n)
	}
	recs := put(t, a, everything(jidAfter(0))...)
	old, _ := rightSet(t, a)
	slices.Reverse(recs)
	for _, r := range recs {
		check(t, b.Append(t.Context(), r, r))
	}
	check(t, b.Import(t.Context(), "m1", a.Incarnation(), a.Last(), recs))
	if got, n := rightSet(t, b); !bytes.Equal(got, old) || n != int64(len(recs)) {
		t.Errorf("the set is %x of %d, want %x of %d", got, n, old, len(recs))
	}
	put(t, b, &proto.Audit{Action: "a"})
	if got, _ := rightSet(t, b); bytes.Equal(got, old) {
		t.Error("the set of one record more is the same")
	}
	if got, _, _ := a.Set(); !bytes.Equal(got, old) {
		t.Error("the set has changed by itself")
	}
}

func TestTheSetOutlivesPruneRebuildBackupAndRestart(t *testing.T) {
	s, w := aged(t, "m1", 5)
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "store.db")
	var backup bytes.Buffer
	check(t, s.Backup(ctx, &backup))
	_, all := rightSet(t, s)
	must(s.Prune(ctx, start.Add(3*24*time.Hour), 7))(t)
	want, n := rightSet(t, s)
	if n == 0 || n >= all {
		t.Errorf("%d of %d records are left", n, all)
	}
	var pruned bytes.Buffer
	check(t, s.Backup(ctx, &pruned))

	must(store.Restore(ctx, path, "m1", &pruned))(t)
	again := at(t, path, "m1", w)
	if got, _ := rightSet(t, again); !bytes.Equal(got, want) {
		t.Errorf("after a restore the set is %x, want %x", got, want)
	}
	check(t, again.Close())
	must(store.Rebuild(ctx, path, nil))(t)
	again = at(t, path, "m1", w)
	if got, _ := rightSet(t, again); !bytes.Equal(got, want) {
		t.Errorf("after a rebuild the set is %x, want %x", got, want)
	}
	put(t, again, &proto.Audit{Action: "a"})
	want, _ = rightSet(t, again)
	check(t, again.Close())
	if got, _ := rightSet(t, at(t, path, "m1", w)); !bytes.Equal(got, want) {
		t.Errorf("after a restart the set is %x, want %x", got, want)
	}
	other := filepath.Join(t.TempDir(), "store.db")
	must(store.Restore(ctx, other, "m2", &backup))(t)
	if _, got := rightSet(t, at(t, other, "m2", w)); got != all {
		t.Errorf("restored %d records, want %d", got, all)
	}
}

// A commit that fails leaves the set as it was.
func TestAFailedCommitLeavesTheSet(t *testing.T) {
	s, _ := fresh(t, "m1")
	put(t, s, everything(jidAfter(0))...)
	want, _ := rightSet(t, s)
	check(t, s.LimitPages(1))
	big := aReturn(jidAfter(0), "r", "web9", proto.Outcome_OK, string(make([]byte, 500_000)))
	if err := s.Append(t.Context(), record(t, s.Stamp(), big)); err == nil {
		t.Fatal("a full disk took a record")
	}
	if got, _ := rightSet(t, s); !bytes.Equal(got, want) {
		t.Errorf("the set is %x, want %x", got, want)
	}
	check(t, s.LimitPages(0))
	put(t, s, big)
	rightSet(t, s)
}
