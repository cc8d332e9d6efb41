package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

func TestARestoredOldBackupIsRefilledByPeers(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := at(t, path, "m1", w), at(t, filepath.Join(t.TempDir(), "store.db"), "m2", w)
	exchange := func() {
		t.Helper()
		check(t, pull(t.Context(), a, b, "m2"))
		check(t, pull(t.Context(), b, a, "m1"))
	}
	put(t, a, everything(jidAfter(0))...)
	exchange()
	var backup bytes.Buffer
	check(t, a.Backup(t.Context(), &backup))
	put(t, a, everything(jidAfter(time.Second))...)
	put(t, b, everything(jidAfter(2*time.Second))...)
	exchange()
	exchange()
	want, last, life := digest(t, a), a.Last(), a.Incarnation()
	check(t, a.Close())

	aside, err := store.Restore(t.Context(), path, "m1", &backup)
	check(t, err)
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
	a = at(t, path, "m1", w)
	if a.Incarnation() == life || a.Last() >= last || digest(t, a) == want {
		t.Errorf("restored: incarnation %q, last %d", a.Incarnation(), a.Last())
	}
	exchange()
	if digest(t, a) != want || digest(t, b) != want {
		t.Error("the stores differ from what they were")
	}
	put(t, a, &proto.Audit{Action: "goes on"})
	exchange()
	if digest(t, a) != digest(t, b) {
		t.Error("the peer does not follow the new life")
	}
}

func TestABackupServesAnotherMaster(t *testing.T) {
	a, w := fresh(t, "m1")
	put(t, a, everything(jidAfter(0))...)
	check(t, a.Import(t.Context(), "m2", "life", 5, nil))
	var backup bytes.Buffer
	check(t, a.Backup(t.Context(), &backup))
	path := filepath.Join(t.TempDir(), "store.db")
	if aside := must(store.Restore(t.Context(), path, "m2", &backup))(t); aside != "" {
		t.Errorf("aside %q, want none", aside)
	}
	b := at(t, path, "m2", w)
	if digest(t, a) != digest(t, b) || len(must(b.Cursors(t.Context()))(t)) != 0 {
		t.Error("the other master holds something else")
	}
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	a, _ := fresh(t, "m1")
	put(t, a, everything(jidAfter(0))...)
	var whole bytes.Buffer
	check(t, a.Backup(t.Context(), &whole))
	path := filepath.Join(t.TempDir(), "store.db")
	check(t, os.WriteFile(path, []byte("what was there"), 0o600))
	tests := map[string][]byte{
		"empty":   nil,
		"text":    []byte(strings.Repeat("hello\n", 1000)),
		"cut":     whole.Bytes()[:whole.Len()-5000],
		"garbled": scribble(slices.Clone(whole.Bytes()), 8192, whole.Len()-8192),
	}
	for name, data := range tests {
		_, err := store.Restore(t.Context(), path, "m1", bytes.NewReader(data))
		if err == nil || !strings.HasPrefix(err.Error(), `cannot restore the store "`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := store.Restore(t.Context(), path, "m1", io.MultiReader(&whole, broken{})); err == nil {
		t.Error("half a backup was taken")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	check(t, err)
	if data, _ := os.ReadFile(path); string(data) != "what was there" || len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestABackupLeavesNothingBehind(t *testing.T) {
	w := &watch{now: start}
	dir := t.TempDir()
	s := at(t, filepath.Join(dir, "store.db"), "m1", w)
	put(t, s, everything(jidAfter(0))...)
	before, err := os.ReadDir(dir)
	check(t, err)
	check(t, s.Backup(t.Context(), io.Discard))
	if err := store.Backup(t.Context(), filepath.Join(dir, "none.db"), io.Discard); err == nil {
		t.Error("backed up what is not there")
	}
	after, err := os.ReadDir(dir)
	if check(t, err); len(after) != len(before) {
		t.Errorf("left behind: %v", after)
	}
}

func TestRebuildFoldsTheSameFromTheLog(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	peer, _ := fresh(t, "m2")
	put(t, peer, everything(jidAfter(time.Second))...)
	put(t, s, append(everything(jidAfter(0)), aReturn(jidAfter(9*time.Second), "z", "web1", proto.Outcome_OK, "1"))...)
	check(t, pull(t.Context(), s, peer, "m2"))
	check(t, s.SetAccepted(jidAfter(0), request("r"), "web7"))
	put(t, s, &proto.Audit{Action: "behind the note"})
	before := answers(t, s)
	if _, err := store.Rebuild(t.Context(), path, nil); err == nil {
		t.Error("an open store was rebuilt")
	}
	check(t, s.Close())
	n := must(store.Rebuild(t.Context(), path, nil))(t)
	s = at(t, path, "m1", w)
	if after := answers(t, s); after != before || int64(n) != s.Last() {
		t.Errorf("%d records answer\n%s\nwant\n%s", n, after, before)
	}
	put(t, s, &proto.Audit{Action: "goes on"})
	left, err := filepath.Glob(path + ".*")
	if check(t, err); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// answers is what a store says to every question.
func answers(t *testing.T, s *store.Store) string {
	ctx := t.Context()
	var b strings.Builder
	say := func(v any) { fmt.Fprintf(&b, "%+v\n", v) }
	say(s.Incarnation())
	say(s.Last())
	say(digest(t, s))
	say(must(s.Page(ctx, 0, 1<<20, true))(t))
	say(must(s.Jobs(ctx, store.JobFilter{}))(t))
	say(must(s.OpenJobs(ctx, start))(t))
	say(must(s.Outcomes(ctx, jidAfter(0)))(t))
	say(must(s.Cancels(ctx, jidAfter(0)))(t))
	say(must(s.Taken(ctx, "web1", start))(t))
	say(must(s.Taken(ctx, "web7", start))(t))
	say(must(s.Keys(ctx))(t))
	say(must(s.Operators(ctx, ""))(t))
	say(must(s.Masters(ctx))(t))
	bundle, err := s.Bundle(ctx)
	if !errors.Is(err, store.ErrNotFound) {
		check(t, err)
	}
	say(bundle)
	say(must(s.Tokens(ctx))(t))
	say(must(s.Cursors(ctx))(t))
	return b.String()
}

func TestRebuildKeepsTheOldStoreWhenSomethingIsLeftOut(t *testing.T) {
	w := &watch{now: start}
	path, _ := filled(t, w)
	s := at(t, path, "m1", w)
	put(t, s, &proto.Audit{Detail: "the needle"})
	check(t, s.Close())
	// One byte of a text: only the hash in the record's id can tell.
	spoil(t, path, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("the needle"), []byte("the noodle")) })
	s = at(t, path, "m1", w)
	last, life := s.Last(), s.Incarnation()
	check(t, s.Import(t.Context(), "m2", "life", 5, nil))
	check(t, s.Close())
	n := must(store.Rebuild(t.Context(), path, nil))(t)
	s = at(t, path, "m1", w)
	if int64(n) != last-1 || s.Last() != last || s.Incarnation() == life || len(must(s.Cursors(t.Context()))(t)) != 0 {
		t.Errorf("%d of %d records, last %d, incarnation %q", n, last, s.Last(), s.Incarnation())
	}
	if left, _ := filepath.Glob(path + ".before-rebuild-*"); len(left) != 1 {
		t.Errorf("kept %v", left)
	}
}
