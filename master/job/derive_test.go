package job_test

import (
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
)

// restart is what a rule has made of an event.
func restart(at time.Time) job.Derived {
	return job.Derived{
		Cause: "event/1/abc", Key: "rule web/1", At: at, Depth: 1, Actor: "rule web", Function: "service.restart",
		Args:   []*proto.Argument{{Value: &proto.Argument_Text{Text: "nginx"}}},
		Target: &proto.Target{Syntax: proto.Target_LIST, Expression: "web1"},
	}
}

// asked is the request of a job as it was sent to a minion.
func (w *world) asked(m message) *proto.JobRequest {
	w.t.Helper()
	env, j, q := &proto.Envelope{}, &proto.Job{}, &proto.JobRequest{}
	for _, err := range []error{pb.Unmarshal(m.data, env), pb.Unmarshal(env.Body, j), pb.Unmarshal(j.GetRequest().GetBody(), q)} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return q
}

func TestWhoHasADerivedJobHasWhatLedToIt(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		d := restart(time.Now())
		for _, tag := range []string{"site/down", "brine/rule/web/fired"} {
			rec, err := store.NewRecord(d.At.UnixMicro(), "m1", &proto.Event{Tag: tag, Origin: "m1", Data: []byte("{}"), At: d.At.UnixMicro()})
			if err != nil {
				t.Fatal(err)
			}
			d.With = append(d.With, rec)
		}
		if _, err := w.m.Derive(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		last := len(w.committed) - 1
		if last < 2 || w.committed[0] != d.With[0] || w.committed[1] != d.With[1] || w.committed[last].Kind != proto.RecordKind_RECORD_JOB {
			t.Errorf("together with the job the other masters were given %v", w.committed)
		}
	})
}

func TestADerivedJobIsTheSameAtEachMaster(t *testing.T) {
	run(t, []string{"db1", "web1"}, func(t *testing.T, w *world) {
		at := time.Now()
		info, err := w.m.Derive(t.Context(), restart(at))
		if err != nil {
			t.Fatal(err)
		}
		q := w.asked(w.first())
		if q.Cause != "event/1/abc" || q.Depth != 1 || q.Operator != "rule web" || info.Operator != "rule web" || !q.Automatic() || info.Targeted != 1 {
			t.Errorf("got %v of %v", info, q)
		}
		w.clear()
		if again, err := w.m.Derive(t.Context(), restart(at)); err != nil || again.Jid != info.Jid || len(w.subjects("job.")) > 0 {
			t.Errorf("made once more: %v, %v, %v", again, err, w.subjects("job."))
		}
		w.empty()
		w.boot("m2")
		if there, err := w.m.Derive(t.Context(), restart(at)); err != nil || there.Jid != info.Jid || string(there.RequestId) != string(info.RequestId) {
			t.Errorf("the other master made %v, %v", there, err)
		}
		second := restart(at)
		second.Key = "rule web/2"
		if other, err := w.m.Derive(t.Context(), second); err != nil || other.Jid == info.Jid || string(other.RequestId) == string(info.RequestId) {
			t.Errorf("another attempt is %v, %v", other, err)
		}
	})
}

// What was approved after hours, or has lasted for them, or was told late, is done all the same.
func TestADerivedJobMayBeOfLongAgo(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		info, err := w.m.Derive(t.Context(), restart(time.Now().Add(-20*time.Hour)))
		if err != nil || len(w.subjects("job.")) != 1 || info.Targeted != 1 {
			t.Errorf("of 20 hours ago: %v, %v, sent %v", info, err, w.subjects("job."))
		}
		if _, err = w.m.Derive(t.Context(), restart(time.Now().Add(time.Hour))); err == nil || !strings.Contains(err.Error(), "clock differs by 36") {
			t.Errorf("of an hour ahead: %v, want that clocks differ", err)
		}
		if _, err = w.m.Derive(t.Context(), restart(time.Now().Add(-26*time.Hour))); err == nil || !strings.Contains(err.Error(), "26h0m0s ago") {
			t.Errorf("of 26 hours ago: %v, want that it is too late", err)
		}
		w.store.horizon = time.Now().Add(-2 * time.Hour)
		if _, err = w.m.Derive(t.Context(), restart(time.Now().Add(-3*time.Hour))); err == nil || !strings.Contains(err.Error(), "was removed from the store") {
			t.Errorf("of before the store's horizon: %v, want that it is too late", err)
		}
		if n := len(w.subjects("job.")); n != 1 {
			t.Errorf("sent %d jobs", n)
		}
	})
}

func TestADerivedJobIsNotMadeAgainWhenOnlyItsReturnsAreLeft(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		d := restart(time.Now().Add(-time.Hour))
		info, err := w.m.Derive(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		w.finish(&proto.JobRequest{Jid: info.Jid, RequestId: info.RequestId, Function: d.Function}, "web1")
		w.pass(0)
		w.store.forgetJobs()
		w.clear()
		w.boot("m2")
		if _, err := w.m.Derive(t.Context(), d); err == nil || !strings.Contains(err.Error(), `minion "web1" has run it`) {
			t.Errorf("got %v, want that it has run", err)
		}
		if got := w.subjects("job."); len(got) != 0 {
			t.Errorf("sent %v", got)
		}
	})
}

func TestAnOperatorsJobIsNotOfLongAgo(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		d := restart(time.Now().Add(-time.Hour))
		d.Operator = w.op
		if _, err := w.m.Derive(t.Context(), d); err == nil || !strings.Contains(err.Error(), "clock differs") {
			t.Errorf("got %v, want that clocks differ", err)
		}
	})
}

func TestADerivedJobTakesAnotherIDWhenItsOwnIsTaken(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		at := time.Now()
		info, err := w.m.Derive(t.Context(), restart(at))
		if err != nil {
			t.Fatal(err)
		}
		w.empty()
		w.boot("m2")
		q := w.request("web1")
		q.Jid = info.Jid
		w.submit(q)
		there, err := w.m.Derive(t.Context(), restart(at))
		if err != nil || there.Jid == info.Jid || there.Jid[:14] != info.Jid[:14] || string(there.RequestId) != string(info.RequestId) {
			t.Errorf("got %v, %v; want another id of the second of %v", there, err, info)
		}
	})
}

func TestADerivedJobHasTheRightsOfWhoAskedForIt(t *testing.T) {
	run(t, []string{"web1"}, func(t *testing.T, w *world) {
		d := restart(time.Now())
		d.Operator, d.Function = w.op, "no.way"
		_, err := w.m.Derive(t.Context(), d)
		wantCode(t, "a function that its operator may not use", err, proto.ApiError_NOT_PERMITTED)
		d.Function, d.Depth = "test.ping", job.MaxDepth+1
		_, err = w.m.Derive(t.Context(), d)
		wantCode(t, "a reaction too deep", err, proto.ApiError_INVALID)
		q := w.request("web1")
		q.Cause = "event/1/abc"
		_, err = w.m.Submit(t.Context(), w.op, w.sign(q))
		wantCode(t, "an operator who says what led to a job", err, proto.ApiError_INVALID)
	})
}

func TestWhatADerivedJobSealsIsForItsMinions(t *testing.T) {
	run(t, []string{"db1", "web1"}, func(t *testing.T, w *world) {
		d := restart(time.Now())
		d.Function, d.Args = "state.apply", nil
		d.Sealed = []*proto.Argument{{Name: "pillar", Value: &proto.Argument_Json{Json: []byte(`{"token":"secret"}`)}}}
		if _, err := w.m.Derive(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got := w.subjects("job."); len(got) != 1 || got[0] != subject.Job(subject.Token("web1")) {
			t.Errorf("sent on %v", got)
		}
		if q := w.asked(w.first()); len(q.Sealed) == 0 || strings.Contains(q.String(), "secret") {
			t.Errorf("sent %v", q)
		}
	})
}
