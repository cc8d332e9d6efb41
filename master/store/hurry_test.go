package store_test

import (
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brine/master/store"
	"brine/proto"
)

// aBurst gives a store of which the writer waits for more of a burst of 20
// returns, none of which is committed.
func aBurst(t *testing.T) (s *store.Store, committed *atomic.Int32) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: "m1", Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	committed = &atomic.Int32{}
	put := func(i int) {
		id := jidAfter(time.Duration(i) * time.Second)
		s.Enqueue(record(t, start.UnixMicro(), aReturn(id, "a", "web1", proto.Outcome_OK, "1")), func(err error) {
			if err != nil {
				t.Error(err)
			}
			committed.Add(1)
		})
	}
	// One commit is being told of, one waits for that, and one holds up the writer.
	gate := make(chan struct{})
	s.OnCommit(func([]*proto.Record) { <-gate })
	for i := range 3 {
		put(i)
		synctest.Wait()
	}
	for i := range 20 {
		put(3 + i)
	}
	close(gate)
	synctest.Wait()
	if n := committed.Load(); n != 3 {
		t.Fatalf("%d of 20 are committed already", n-3)
	}
	return s, committed
}

func TestABurstWaitsForMore(t *testing.T) {
	for name, end := range map[string]struct {
		hurry func(*testing.T, *store.Store)
		want  int32
	}{
		"hurry": {func(_ *testing.T, s *store.Store) { s.Hurry() }, 23},
		"somebody waits": {func(t *testing.T, s *store.Store) {
			if err := s.Append(t.Context(), record(t, start.UnixMicro(), aReturn(jidAfter(time.Hour), "a", "web1", proto.Outcome_OK, "1"))); err != nil {
				t.Error(err)
			}
		}, 23},
		"it is closed": {func(t *testing.T, s *store.Store) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}, 23},
		"nothing": {func(*testing.T, *store.Store) {}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, committed := aBurst(t)
				end.hurry(t, s)
				synctest.Wait()
				if got := committed.Load(); got != end.want {
					t.Errorf("%d are committed at once, want %d", got, end.want)
				}
				<-time.After(time.Second) // of the fake clock
				synctest.Wait()
				if got := committed.Load(); got != 23 {
					t.Errorf("%d are committed in the end, want 23", got)
				}
			})
		})
	}
}

// A Hurry that comes too early ends one wait, and is not lost when it comes while a commit is under way.
func TestAHurryBeforeTheWaitCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, committed := aBurst(t)
		s.Hurry()
		s.Hurry()
		synctest.Wait()
		if got := committed.Load(); got != 23 {
			t.Errorf("%d are committed, want 23", got)
		}
	})
}

// What goes ahead is committed with what it goes ahead of, or by itself when that does not come.
func TestWhatGoesAheadWaitsForTheNext(t *testing.T) {
	ret := func(i int) *proto.Record {
		return record(t, start.UnixMicro(), aReturn(jidAfter(time.Duration(i)*time.Second), "a", "web1", proto.Outcome_OK, "1"))
	}
	for name, next := range map[string]struct {
		hand    func(*testing.T, *store.Store)
		after   time.Duration
		commits []int
	}{
		"in a hurry": {func(t *testing.T, s *store.Store) {
			if err := s.Append(t.Context(), ret(1)); err != nil {
				t.Error(err)
			}
		}, 0, []int{2}},
		"patient": {func(t *testing.T, s *store.Store) {
			s.Enqueue(ret(1), func(err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}, time.Second, []int{2}},
		"nothing": {func(*testing.T, *store.Store) {}, time.Second, []int{1}},
		"closing": {func(t *testing.T, s *store.Store) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}, 0, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: "m1", Now: func() time.Time { return start }})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				var mu sync.Mutex // guards commits
				var commits []int
				s.OnCommit(func(recs []*proto.Record) {
					mu.Lock()
					defer mu.Unlock()
					commits = append(commits, len(recs))
				})
				told := func() []int {
					mu.Lock()
					defer mu.Unlock()
					return slices.Clone(commits)
				}
				s.EnqueueAhead(ret(0), func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				if got := told(); len(got) > 0 {
					t.Fatalf("%v are committed at once, before what comes next", got)
				}
				next.hand(t, s)
				<-time.After(next.after) // of the fake clock
				synctest.Wait()
				if got := told(); !slices.Equal(got, next.commits) {
					t.Errorf("got commits of %v records, want %v", got, next.commits)
				}
			})
		})
	}
}
