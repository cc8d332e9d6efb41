package job_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// turns are the minions that a message lets begin, of each message about a job; none is for somebody else.
func (w *world) turns() []string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, m := range w.published("job.") {
		env, j := &proto.Envelope{}, &proto.Job{}
		if err := pb.Unmarshal(m.data, env); err != nil {
			w.t.Fatal(err)
		}
		if err := pb.Unmarshal(env.Body, j); err != nil {
			w.t.Fatal(err)
		}
		id := strings.TrimPrefix(m.subject, "job.id.")
		if !slices.Contains(j.Only, id) {
			w.t.Errorf("%s is for %v", m.subject, j.Only)
		}
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

func (w *world) fail(q *proto.JobRequest, id string) {
	r := returnOf(q, id)
	r.Outcome, r.Retcode = proto.Outcome_FAILED, 1
	w.say(subject.Final(subject.Token(id), q.Jid), r)
}

func TestAReturnLetsTheNextBeginAtOnce(t *testing.T) {
	run(t, names(5), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Batch = &proto.Batch{Width: 2}
		w.submit(q)
		w.pass(100 * ms)
		for _, c := range []struct {
			ends []string
			want []string
		}{
			{[]string{"web2"}, []string{"web1", "web2", "web3"}},
			{[]string{"web1", "web3"}, []string{"web1", "web2", "web3", "web4", "web5"}},
		} {
			w.finish(q, c.ends...)
			w.pass(25 * ms)
			if got := w.turns(); !slices.Equal(got, c.want) {
				t.Errorf("25 ms after the return of %v: got %v, want %v", c.ends, got, c.want)
			}
		}
	})
}

func TestABatchIsAWindowThatMovesOn(t *testing.T) {
	run(t, names(5), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Batch = &proto.Batch{Width: 2}
		w.submit(q)
		w.pass(500 * ms)
		want := func(ids ...string) {
			t.Helper()
			if got := w.turns(); !slices.Equal(got, ids) {
				t.Errorf("got %v, want %v", got, ids)
			}
		}
		want("web1", "web2")
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.finish(q, "web2")
		w.pass(500 * ms)
		want("web1", "web2", "web3")
		w.pass(2500 * ms) // web3 gives no answer: it holds no place for ever
		want("web1", "web2", "web3", "web4")
		w.accept(q, "web4", proto.Accepted_STARTED)
		w.setOnline("web1", false)
		w.pass(10 * time.Second)
		want("web1", "web2", "web3", "web4", "web5")
		v := w.watch(q.Jid, false)
		w.finish(q, "web1", "web3", "web5")
		w.pass(time.Second)
		if v.over {
			t.Error("over while web4 runs")
		}
		w.finish(q, "web4")
		w.pass(time.Second)
		if !v.over || v.job.GetSummary()["ok"] != 5 {
			t.Errorf("got %v, over %v", v.job, v.over)
		}
	})
}

func TestABatchWaitsBetweenMinions(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Batch = &proto.Batch{Percent: 10, Wait: (3 * time.Second).Microseconds()}
		w.submit(q)
		w.pass(500 * ms)
		w.finish(q, "web1")
		w.pass(2500 * ms)
		if got := w.turns(); len(got) != 1 {
			t.Errorf("got %v before the wait is over", got)
		}
		w.pass(time.Second)
		if got := w.turns(); len(got) != 2 {
			t.Errorf("got %v after it", got)
		}
	})
}

func TestABatchEndsWhenTooManyFail(t *testing.T) {
	run(t, names(4), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Batch = &proto.Batch{Width: 1, FailLimit: true, MaxFailPercent: 25}
		w.submit(q)
		w.pass(500 * ms)
		w.fail(q, "web1")
		w.pass(500 * ms)
		w.fail(q, "web2")
		w.pass(time.Second)
		if got := w.turns(); !slices.Equal(got, []string{"web1", "web2"}) {
			t.Errorf("got %v", got)
		}
		v := w.watch(q.Jid, false)
		w.pass(time.Second)
		if got := v.minions["web3"]; !v.over || got.GetStatus() != "cancelled" || got.GetReason() != "not run: 2 failed before its turn, and the batch allows 25 %" {
			t.Errorf("got %v, over %v", got, v.over)
		}
		w.boot("m2") // another master finds the same
		v = w.watch(q.Jid, true)
		w.pass(time.Second)
		if got := v.minions["web4"]; got.GetStatus() != "cancelled" {
			t.Errorf("another master: got %v", got)
		}
	})
}

func TestASurvivorGoesOnWithABatch(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Batch = &proto.Batch{Width: 1}
		w.submit(q) // by m1
		w.pass(500 * ms)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.boot("m2")
		w.setLive("m2", "m3")
		w.clear()
		w.finish(q, "web1")
		w.pass(time.Second)
		if got := w.turns(); got != nil {
			t.Errorf("got %v while m1 lives, want nothing", got)
		}
		w.setLate("m1", 2*time.Second)
		w.pass(time.Second)
		if got := w.turns(); !slices.Equal(got, []string{"web2"}) {
			t.Errorf("got %v, want web2", got)
		}
		w.finish(q, "web2")
		w.pass(time.Second)
		if got := w.turns(); !slices.Equal(got, []string{"web2", "web3"}) {
			t.Errorf("got %v, want web2 and web3", got)
		}
	})
}

func TestABadBatchIsRefused(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		for name, b := range map[string]*proto.Batch{
			"nothing": {}, "both": {Width: 1, Percent: 1}, "over 100 %": {Percent: 101}, "a long wait": {Width: 1, Wait: 1 << 60},
			"failures": {Width: 1, MaxFailPercent: 101},
		} {
			q := w.request("*")
			q.Batch = b
			_, err := w.m.Submit(t.Context(), w.op, w.sign(q))
			wantCode(t, name, err, proto.ApiError_INVALID)
		}
	})
}

// A minion that the masters did not mean may answer all the same, when the target asks for more than its id.
func TestWhatUnexpectedMinionsReturnCountsForNoBatch(t *testing.T) {
	run(t, names(6), func(t *testing.T, w *world) {
		w.roles = map[string]string{"web1": "web", "web2": "web", "web3": "web", "web4": "web"}
		q := w.request("role:web")
		q.Target.Syntax = proto.Target_GRAIN
		q.Batch = &proto.Batch{Percent: 50, FailLimit: true, MaxFail: 0}
		w.submit(q)
		w.fail(q, "web5")
		w.accept(q, "web6", proto.Accepted_STARTED)
		w.pass(500 * ms)
		if got := w.turns(); !slices.Equal(got, []string{"web1", "web2"}) {
			t.Errorf("got %v, want web1 and web2: half of the four", got)
		}
		w.finish(q, "web1", "web2")
		w.pass(500 * ms)
		if got := w.turns(); !slices.Equal(got, []string{"web1", "web2", "web3", "web4"}) {
			t.Errorf("got %v, want all four and nobody else", got)
		}
		w.boot("m2") // so it is when the job comes out of the store
		w.setLate("m1", 2*time.Second)
		w.setLive("m2")
		w.pass(time.Second)
		if got := w.watch(q.Jid, true).minions["web3"]; got.GetStatus() == "cancelled" {
			t.Errorf("another master: got %v", got)
		}
	})
}
