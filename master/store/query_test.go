package store_test

import (
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

// asked is a job of an operator, an hour after the one before it.
func asked(t *testing.T, n int, function, target, operator string) *proto.JobRecord {
	t.Helper()
	rec := aJob(jidAfter(time.Duration(n)*time.Hour), "r", "m1", "web1", "web2")
	job, req := new(proto.Job), new(proto.JobRequest)
	check(t, pb.Unmarshal(rec.Job.Body, job))
	check(t, pb.Unmarshal(job.Request.Body, req))
	req.Function, req.Target.Expression, req.Operator = function, target, operator
	job.Request = envelope(proto.Kind_KIND_JOB_REQUEST, req)
	rec.Job = envelope(proto.Kind_KIND_JOB, job)
	return rec
}

func jobNumbers(t *testing.T, s *store.Store, f store.JobFilter) string {
	t.Helper()
	var all []string
	for _, e := range must(s.Jobs(t.Context(), f))(t) {
		for n := range 500 {
			if e.JID == jidAfter(time.Duration(n)*time.Hour) {
				all = append(all, fmt.Sprint(n))
			}
		}
	}
	return strings.Join(all, " ")
}

func TestJobsAreChosen(t *testing.T) {
	s, w := fresh(t, "m1")
	put(t, s, asked(t, 0, "state.apply", "*", "ann"), asked(t, 1, "test.ping", "*", "ann"), asked(t, 2, "test.ping", "web*", "bob"),
		asked(t, 3, "state.apply", "web*", "bob"), asked(t, 4, "test.ping", "*", "bob"), asked(t, 5, "grains.items,cmd.run,pillar.get", "db1", "eve"))
	w.Add(5 * time.Hour)
	put(t, s, aReturn(jidAfter(time.Hour), "r", "web1", proto.Outcome_FAILED, "1"), aReturn(jidAfter(2*time.Hour), "r", "web1", proto.Outcome_OK, "1"),
		aReturn(jidAfter(3*time.Hour), "r", "web1", proto.Outcome_OK, "1"), aReturn(jidAfter(3*time.Hour), "r", "web2", proto.Outcome_REFUSED, "1"))
	for _, c := range []struct {
		f    store.JobFilter
		want string
	}{
		{store.JobFilter{}, "5 4 3 2 1 0"},
		{store.JobFilter{Limit: 2}, "5 4"},
		{store.JobFilter{Function: "cmd.run"}, "5"},
		{store.JobFilter{Function: "grains.it?ms"}, "5"},
		{store.JobFilter{Function: "run"}, ""},
		{store.JobFilter{Before: jidAfter(2 * time.Hour)}, "1 0"},
		{store.JobFilter{Since: start.Add(3 * time.Hour)}, "5 4 3"},
		{store.JobFilter{Function: "test.*", Limit: 2}, "4 2"},
		{store.JobFilter{Function: "test.*", Since: start.Add(time.Hour), Before: jidAfter(4 * time.Hour)}, "2 1"},
		{store.JobFilter{Operator: "b?b", Function: "state.apply"}, "3"},
		{store.JobFilter{Target: "[!wd]"}, "4 1 0"},
		{store.JobFilter{Target: "nobody"}, ""},
		{store.JobFilter{Failed: true}, "3 1"},
		{store.JobFilter{Failed: true, Operator: "ann"}, "1"},
	} {
		if got := jobNumbers(t, s, c.f); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.f, got, c.want)
		}
	}
}

// Of very many kinds of jobs the list is made another way.
func TestJobsOfManyKindsAreChosen(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(500 * time.Hour)
	var all []pb.Message
	for n := range 300 {
		all = append(all, asked(t, n, "test.ping", fmt.Sprintf("host%d", n), "ann"))
	}
	put(t, s, all...)
	if got := jobNumbers(t, s, store.JobFilter{Target: "host*", Limit: 3}); got != "299 298 297" {
		t.Errorf("got %s", got)
	}
	if got := jobNumbers(t, s, store.JobFilter{Target: "host?7", Limit: 3}); got != "97 87 77" {
		t.Errorf("got %s", got)
	}
	must(s.Prune(t.Context(), start.Add(298*time.Hour), 50))(t)
	if got := jobNumbers(t, s, store.JobFilter{Target: "host*"}); got != "299 298" {
		t.Errorf("got %s after pruning", got)
	}
}

func TestASumHoldsUntilAnotherReturnComes(t *testing.T) {
	s, _ := fresh(t, "m1")
	ctx := t.Context()
	put(t, s, aJob(jidAfter(0), "r", "m1", "web1", "web2"), aReturn(jidAfter(0), "r", "web1", proto.Outcome_OK, "1"))
	of := func() store.JobEntry { return must(s.Jobs(ctx, store.JobFilter{}))(t)[0] }
	unsummed := must(s.Unsummed(ctx, 10))(t)
	if len(unsummed) != 1 || of().Sum != nil || len(of().Record.Expected) != 2 {
		t.Fatalf("got %v, %v", unsummed, of())
	}
	want := &store.JobSum{Counts: map[string]uint32{"ok": 1}, Expected: 2, Missing: []string{"web2"}}
	unsummed[0].Sum = want
	check(t, s.SetSums(ctx, unsummed))
	if got := of(); fmt.Sprint(got.Sum) != fmt.Sprint(want) || got.Record.GetJob() == nil || got.Record.Expected != nil {
		t.Errorf("got %v, want %v", got, want)
	}
	put(t, s, aReturn(jidAfter(0), "r", "web2", proto.Outcome_OK, "1"))
	if got := of(); got.Sum != nil || len(got.Record.Expected) != 2 {
		t.Errorf("got %v after another return", got)
	}
	check(t, s.SetSums(ctx, unsummed)) // as it was before: too late
	if got := of(); got.Sum != nil {
		t.Errorf("got %v: an old sum", got.Sum)
	}
}

func TestTheLastJobsOfAMinion(t *testing.T) {
	w := &watch{now: start}
	path := filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	w.Add(100 * time.Hour)
	highstate := func(n int) *proto.Return {
		r := aReturn(jidAfter(time.Duration(n)*time.Hour), "r", "web1", proto.Outcome_FAILED, "1")
		r.Function = "state.highstate"
		return r
	}
	put(t, s, asked(t, 1, "state.highstate", "*", "ann"), highstate(1))
	for n := range 70 {
		put(t, s, aReturn(jidAfter(time.Duration(n+2)*time.Hour), "r", "web1", proto.Outcome_OK, "1"),
			aReturn(jidAfter(time.Duration(n+2)*time.Hour), "r", "web2", proto.Outcome_OK, "1"))
	}
	want := func(when string) {
		t.Helper()
		ids, runs, err := s.LastJobs(t.Context(), "web1")
		check(t, err)
		if !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) || len(ids) != 50 || ids[0] != jidAfter(71*time.Hour) {
			t.Errorf("%s: got %v", when, ids)
		}
		if len(runs) != 1 || runs[0] != jidAfter(time.Hour) {
			t.Fatalf("%s: got runs %v", when, runs)
		}
		run := must(s.MinionJob(t.Context(), runs[0], "web1"))(t)
		if run.Record.GetJob() == nil || run.Outcome.Outcome != proto.Outcome_FAILED {
			t.Errorf("%s: got run %v", when, run)
		}
	}
	want("in memory")
	check(t, s.Close())
	s = at(t, path, "m1", w)
	want("opened again")
	w.Add(time.Minute) // what waits is written beside other things
	for range 4 {
		put(t, s, aKey("web1", fmt.Sprint(s.Stamp()), proto.KeyState_KEY_ACCEPTED))
		w.Add(time.Minute)
	}
	want("written")
	check(t, s.Close())
	must(store.Rebuild(t.Context(), path, nil))(t)
	s = at(t, path, "m1", w)
	want("rebuilt")
	if jobs, runs, err := s.LastJobs(t.Context(), "nobody"); err != nil || jobs != nil || runs != nil {
		t.Errorf("of nobody: %v, %v, %v", jobs, runs, err)
	}
}
