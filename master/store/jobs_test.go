package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

func TestJobsAreFoundByWhatWasAsked(t *testing.T) {
	s, _ := fresh(t, "m1")
	ctx := t.Context()
	first, second, third := jidAfter(0), jidAfter(time.Second), jidAfter(2*time.Second)
	a, b := aJob(first, "a", "m1", "web1"), aJob(second, "b", "m1")
	put(t, s, b, a, aReturn(third, "c", "web1", proto.Outcome_OK, "1"))

	if got := must(s.Job(ctx, first))(t); !pb.Equal(got, a) {
		t.Errorf("job %v, want %v", got, a)
	}
	for _, id := range []string{third, jidAfter(time.Hour)} {
		if _, err := s.Job(ctx, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("job %s: %v, want ErrNotFound", id, err)
		}
	}
	tests := []struct {
		filter store.JobFilter
		want   []string
	}{
		{store.JobFilter{}, []string{third, second, first}},
		{store.JobFilter{Limit: 2}, []string{third, second}},
		{store.JobFilter{Before: second}, []string{first}},
		{store.JobFilter{Function: "test.*"}, []string{second, first}},
		{store.JobFilter{Function: "[!t]*"}, nil},
		{store.JobFilter{Target: "web[*]"}, []string{second, first}},
		{store.JobFilter{Target: "web[*]", Function: "cmd.*"}, nil},
	}
	for _, test := range tests {
		var got []string
		for _, j := range must(s.Jobs(ctx, test.filter))(t) {
			got = append(got, j.JID)
			if incomplete := j.JID == third; (j.Record == nil) != incomplete || len(j.RequestID) != 16 {
				t.Errorf("job %s: %v", j.JID, j)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v gives %v, want %v", test.filter, got, test.want)
		}
	}
	if _, err := s.Jobs(ctx, store.JobFilter{Before: "2026"}); err == nil {
		t.Error("half a job id was taken")
	}
}

// A job that a minion made itself, as its schedule does, has no record: its return tells what is asked for here.
func TestJobsThatMinionsMadeThemselvesAreFoundByTheirReturns(t *testing.T) {
	s, _ := fresh(t, "m1")
	ctx := t.Context()
	own, other := jidAfter(0), jidAfter(time.Second)
	r := aReturn(own, "a", "web1", proto.Outcome_FAILED, "1")
	r.Function, r.Cause = "state.apply", "schedule nightly"
	put(t, s, r, aReturn(other, "b", "web1", proto.Outcome_OK, "1"))
	for _, filter := range []store.JobFilter{
		{Function: "state.*"}, {Target: "web1"}, {Operator: "schedule *"},
		{Function: "state.apply", Target: "web*", Operator: "schedule nightly", Failed: true},
	} {
		if all := must(s.Jobs(ctx, filter))(t); len(all) != 1 || all[0].JID != own {
			t.Errorf("%+v gives %v, want %s alone", filter, all, own)
		}
	}
	for _, filter := range []store.JobFilter{{Function: "test.*"}, {Operator: "schedule *", Asked: true}} {
		if all := must(s.Jobs(ctx, filter))(t); len(all) > 0 {
			t.Errorf("%+v gives %v, want none", filter, all)
		}
	}
}

func TestAJobTakenTwiceIsTheOneIssuedFirst(t *testing.T) {
	id := jidAfter(0)
	early, late := aJob(id, "a", "m2"), aJob(id, "b", "m1")
	lateJob := &proto.Job{}
	check(t, pb.Unmarshal(late.Job.Body, lateJob))
	lateJob.IssuedAt++
	late.Job = envelope(proto.Kind_KIND_JOB, lateJob)
	ret, other := aReturn(id, "a", "web1", proto.Outcome_OK, "1"), aReturn(id, "b", "web1", proto.Outcome_FAILED, "2")
	for _, order := range [][]pb.Message{{early, late, ret, other}, {other, late, ret, early}, {ret, late, early, other}} {
		s, _ := fresh(t, "m1")
		put(t, s, order...)
		if got := must(s.Job(t.Context(), id))(t); !pb.Equal(got, early) {
			t.Errorf("job %v, want the one of m2", got)
		}
		if got := must(s.Return(t.Context(), id, "web1"))(t); !pb.Equal(got, ret) {
			t.Errorf("return %v, want %v", got, ret)
		}
	}
}

func TestOpenJobsAreThoseWhoseWindowIsOpen(t *testing.T) {
	s, w := fresh(t, "m1")
	put(t, s, aJob(jidAfter(0), "a", "m1"), aJob(jidAfter(30*time.Second), "b", "m1"),
		aReturn(jidAfter(time.Second), "c", "web1", proto.Outcome_OK, "1"))
	for after, want := range map[time.Duration]int{0: 2, 59 * time.Second: 2, 61 * time.Second: 1, 2 * time.Minute: 0} {
		if got := must(s.OpenJobs(t.Context(), w.Now().Add(after)))(t); len(got) != want {
			t.Errorf("after %s %d jobs are open, want %d", after, len(got), want)
		}
	}
}

func TestAReturnThatRanCountsBeforeOneThatDidNot(t *testing.T) {
	id := jidAfter(0)
	refused := aReturn(id, "a", "web1", proto.Outcome_REFUSED, "")
	refused.FinishedAt += 1000
	cut := aReturn(id, "a", "web1", proto.Outcome_INTERRUPTED, "")
	done := aReturn(id, "a", "web1", proto.Outcome_FAILED, "1")
	for _, order := range [][]pb.Message{{refused, cut, done}, {done, cut, refused}, {cut, done, refused}} {
		s, _ := fresh(t, "m1")
		for i, r := range order {
			put(t, s, r, aReturn(id, "a", fmt.Sprintf("db%d", i), proto.Outcome_OK, "2"))
		}
		got := must(s.Outcomes(t.Context(), id))(t)
		if len(got) != 4 || got["web1"].Outcome != proto.Outcome_FAILED || got["db1"].Outcome != proto.Outcome_OK {
			t.Errorf("outcomes %v", got)
		}
		var minions []string
		check(t, s.Returns(t.Context(), id, func(r *proto.Return) error {
			minions = append(minions, r.Minion+" "+string(r.Value))
			return nil
		}))
		if want := []string{"db0 2", "db1 2", "db2 2", "web1 1"}; !slices.Equal(minions, want) {
			t.Errorf("returns of %v, want %v", minions, want)
		}
		if _, err := s.Return(t.Context(), id, "web2"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("return of another: %v, want ErrNotFound", err)
		}
	}
}

func TestReturnsEndsWithItsCallersError(t *testing.T) {
	s, _ := fresh(t, "m1")
	put(t, s, aReturn(jidAfter(0), "a", "web1", proto.Outcome_OK, ""))
	enough := errors.New("enough")
	if err := s.Returns(t.Context(), jidAfter(0), func(*proto.Return) error { return enough }); err != enough {
		t.Errorf("got %v, want %v", err, enough)
	}
}

func TestTakenAreTheOpenJobsThatAMinionKnows(t *testing.T) {
	s, w := fresh(t, "m1")
	accepted, returned, other, over := jidAfter(0), jidAfter(time.Second), jidAfter(2*time.Second), jidAfter(-time.Hour)
	alone := jidAfter(3 * time.Second)
	put(t, s, aJob(accepted, "a", "m1"), aJob(returned, "b", "m1"), aJob(other, "c", "m1"), aJob(over, "d", "m1"),
		aReturn(returned, "b", "web1", proto.Outcome_OK, "1"), aReturn(alone, "e", "web1", proto.Outcome_OK, "1"),
		aReturn(over, "d", "web1", proto.Outcome_OK, "1"))
	check(t, s.SetAccepted(accepted, request("a"), "web1"))
	check(t, s.SetAccepted(accepted, request("a"), "web1"))
	check(t, s.SetAccepted(other, request("c"), "web2"))
	check(t, s.SetAccepted(other, request("x"), "web2")) // another request that took the same id
	put(t, s, &proto.Audit{Action: "behind the notes"})
	notes := must(s.Accepted(t.Context(), other))(t)
	if len(notes) != 1 || len(notes["web2"]) != 2 {
		t.Errorf("accepted by %v, want two requests of web2", notes)
	}

	var got []string
	for _, j := range must(s.Taken(t.Context(), "web1", w.Now()))(t) {
		got = append(got, j.Jid)
		issued := must(jid.Time(j.Jid))(t).UnixMicro()
		if j.IssuedAt != issued || j.NotAfter < issued+time.Minute.Microseconds() || len(j.RequestId) != 16 {
			t.Errorf("taken %v", j)
		}
	}
	if want := []string{accepted, returned, alone}; !slices.Equal(got, want) {
		t.Errorf("taken %v, want %v", got, want)
	}
	for _, bad := range []func() error{
		func() error { return s.SetAccepted("2026", request("a"), "web1") },
		func() error { return s.SetAccepted(accepted, []byte("short"), "web1") },
		func() error { return s.SetAccepted(accepted, request("a"), "../web1") },
	} {
		if bad() == nil {
			t.Error("a bad note was taken")
		}
	}
}

func TestCancelsAreFoundBeforeTheirJob(t *testing.T) {
	s, _ := fresh(t, "m1")
	c := aCancel(jidAfter(0), "a")
	put(t, s, c, aCancel(jidAfter(time.Second), "b"))
	if got := must(s.Cancels(t.Context(), jidAfter(0)))(t); len(got) != 1 || !pb.Equal(got[0], c) {
		t.Errorf("cancels %v", got)
	}
}

func TestReturnIDsAreThoseOfTheRecords(t *testing.T) {
	s, _ := fresh(t, "m1")
	id := jidAfter(0)
	recs := put(t, s, aReturn(id, "a", "web1", proto.Outcome_OK, "1"), aReturn(id, "b", "web1", proto.Outcome_OK, "2"),
		aReturn(id, "a", "web2", proto.Outcome_OK, "1"), aJob(id, "a", "m1"))
	want := []string{recs[0].Id, recs[1].Id}
	got := must(s.ReturnIDs(t.Context(), id, "web1"))(t)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
