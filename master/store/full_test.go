package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"brine/master/store"
	"brine/proto"
)

func TestAFullDiskRefusesAndThenGoesOn(t *testing.T) {
	s, _ := fresh(t, "m1")
	put(t, s, everything(jidAfter(0))...)
	before, last := digest(t, s), s.Last()
	check(t, s.LimitPages(3))
	big := record(t, s.Stamp(), aReturn(jidAfter(0), "r", "db1", proto.Outcome_OK, strings.Repeat("x", 100_000)))
	told := 0
	s.OnCommit(func(recs []*proto.Record) { told += len(recs) })
	for range 3 {
		err := s.Append(t.Context(), big)
		if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "free some space") {
			t.Fatalf("append on a full disk: %v, want ErrFull", err)
		}
	}
	if !errors.Is(s.Err(), store.ErrFull) {
		t.Errorf("err %v, want ErrFull", s.Err())
	}
	if digest(t, s) != before || s.Last() != last || told != 0 {
		t.Errorf("last %d, told %d; want %d, 0", s.Last(), told, last)
	}
	put(t, s, &proto.Audit{Action: "has room"})
	if s.Err() != nil {
		t.Errorf("err %v after a commit", s.Err())
	}
	check(t, s.LimitPages(0))
	check(t, s.Append(t.Context(), big))
	if got := must(s.Outcomes(t.Context(), jidAfter(0)))(t); len(got) != 3 || s.Last() != last+2 {
		t.Errorf("last %d, outcomes %v", s.Last(), got)
	}
	check(t, s.Check(t.Context()))
}

func TestEachOfManyIsToldThatTheDiskIsFull(t *testing.T) {
	s, _ := fresh(t, "m1")
	check(t, s.LimitPages(1))
	answers := make(chan error, 200)
	for i := range 200 {
		ret := aReturn(jidAfter(0), "r", fmt.Sprintf("db%d", i), proto.Outcome_OK, strings.Repeat("x", 5000))
		s.Enqueue(record(t, s.Stamp(), ret), func(err error) { answers <- err })
	}
	stored := 0
	for range 200 {
		if err := <-answers; err == nil {
			stored++
		} else if !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	}
	if got := must(s.Outcomes(t.Context(), jidAfter(0)))(t); len(got) != stored {
		t.Errorf("%d are stored, %d were told so", len(got), stored)
	}
}
