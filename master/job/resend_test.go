package job_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

const ms = time.Millisecond

// from makes times relative to the first.
func from(times []time.Duration, zero time.Duration) []time.Duration {
	for i := range times {
		times[i] -= zero
	}
	return times
}

func TestResendTimes(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("web1")
		q.Window = (25 * time.Second).Microseconds()
		w.submit(q)
		zero := w.times("job.")[0]
		w.pass(time.Minute)
		want := []time.Duration{0, 300 * ms, 1000 * ms, 3000 * ms, 13_000 * ms, 23_000 * ms} // then the window is over
		if got := from(w.times("job.id.web1"), zero); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for _, m := range w.published("job.id.web1") {
			if !slices.Equal(m.data, w.first().data) {
				t.Error("a resent envelope differs from the first")
			}
		}
	})
}

func TestOnlyWhoHasNotAcceptedHearsAgain(t *testing.T) {
	run(t, names(6), func(t *testing.T, w *world) {
		q := w.request("*")
		w.setOnline("web6", false)
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.accept(q, "web2", proto.Accepted_QUEUED)
		w.finish(q, "web3")
		w.pass(500 * ms)
		if got, want := w.subjects("job."), []string{"job.all", "job.id.web4", "job.id.web5"}; !slices.Equal(got, want) &&
			!slices.Equal(got, []string{want[0], want[2], want[1]}) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestManyAreNotSentAgainWhileAnswersStream(t *testing.T) {
	run(t, names(300), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		ids := names(300)
		for len(ids) > 150 { // 50 answers each 50 ms: at 300 ms they still come
			w.finish(q, ids[:25]...)
			ids = ids[25:]
			w.pass(50 * ms)
		}
		if got := w.subjects("job.id."); len(got) > 0 {
			t.Errorf("got %d resends while answers came, want none", len(got))
		}
		w.pass(200 * ms)
		if got := w.subjects("job.id."); len(got) != 150 {
			t.Errorf("got %d resends after they stopped, want 150", len(got))
		}
	})
}

func TestTakeoverFromASilentMaster(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q) // by m1
		w.boot("m2")
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.setLive("m2", "m3")
		w.clear()
		w.pass(time.Second)
		if got := w.subjects("job."); got != nil {
			t.Errorf("got %v while m1 lives, want nothing", got)
		}
		w.setLate("m1", 1500*ms)
		w.pass(8 * time.Second)
		got := w.times("job.id.web2")
		if len(got) == 0 || got[0] > 2*time.Second {
			t.Fatalf("got resends at %v, want the first within 2 s", got)
		}
		want := []time.Duration{0, 300 * ms, 1000 * ms, 3000 * ms}
		if got := from(got, got[0]); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := len(w.subjects("job.")); n != len(want) {
			t.Errorf("got %d messages, want only those to web2", n)
		}
		w.setLate("m1", 0)
		w.clear()
		w.pass(30 * time.Second)
		if got := w.subjects("job."); got != nil {
			t.Errorf("got %v after m1 came back, want nothing", got)
		}
	})
}

func TestSurvivorsTakeTurns(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		w.submit(w.request("*"))
		w.setLive("m2", "m3")
		w.setLate("m1", time.Hour)
		first := map[string]time.Duration{}
		for _, name := range []string{"m2", "m3"} {
			w.stop()
			w.clear()
			w.boot(name)
			w.pass(time.Second)
			first[name] = w.times("job.id.web1")[0]
		}
		if d := first["m3"] - first["m2"]; d != 200*ms {
			t.Errorf("got %v between m2 and m3, want 200ms", d)
		}
	})
}

// TestReplicatedJob is a job of a peer that came into the store while this
// master runs; a return was faster than the record.
func TestReplicatedJob(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		rec := w.store.order[0]
		w.stop()
		w.empty()
		w.boot("m2")
		w.clear()
		w.finish(q, "web1")
		w.watch(q.Jid, true).want(t, "without a record", "web1 ok")
		w.store.commit([]*proto.Record{rec})
		synctest.Wait()
		v := w.watch(q.Jid, false)
		v.want(t, "with the record", "web1 ok, web2 sent")
		w.pass(1200 * ms)
		if got := w.subjects("job."); got != nil {
			t.Errorf("got %v while m1 lives, want nothing", got)
		}
		w.setLate("m1", 2*time.Second)
		w.pass(1500 * ms)
		if got := w.subjects("job."); len(got) == 0 || got[0] != "job.id.web2" || slices.Contains(got, "job.id.web1") {
			t.Errorf("got %v, want job.id.web2 alone", got)
		}
		w.finish(q, "web2")
		w.pass(0)
		v.want(t, "at the end", "web1 ok, web2 ok; done")
	})
}

func TestComingBackOnline(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		w.connect("web2", false)
		q := w.request("*")
		q.WaitOffline, q.Window = true, time.Hour.Microseconds()
		w.submit(q)
		w.finish(q, "web1")
		v := w.watch(q.Jid, false)
		w.pass(10 * time.Minute)
		v.want(t, "waiting", "web1 ok, web2 queued")
		w.clear()
		w.m.Connected("web2") // it subscribes a little later
		w.pass(70 * ms)
		w.connect("web2", true)
		w.pass(0)
		if got := w.times("job.id.web2"); len(got) != 1 || got[0] > 150*ms {
			t.Errorf("got resends at %v, want one at once", got)
		}
		w.pass(320 * ms)
		if got := w.times("job.id.web2"); len(got) != 2 {
			t.Errorf("got resends at %v, want a second one", got)
		}
		v.want(t, "sent", "web1 ok, web2 sent")
		w.accept(q, "web2", proto.Accepted_STARTED)
		w.pass(time.Minute)
		if n := len(w.subjects("job.id.web2")); n != 2 {
			t.Errorf("got %d sendings after it was accepted, want 2", n)
		}
		w.finish(q, "web2")
		w.pass(0)
		v.want(t, "at the end", "web1 ok, web2 ok; done")
	})
}

func TestAMinionThatIsAboutToMoveHereIsNotOffline(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		for _, id := range []string{"web2", "web3"} {
			w.setOnline(id, false)
			w.setComing(id, true)
		}
		q := w.request("*")
		info := w.submit(q)
		if info.Summary["offline"] != 0 || info.Summary["queued"] != 2 {
			t.Errorf("got %v, want nobody offline", info.Summary)
		}
		if rec := w.store.all()[0]; len(rec.Offline) != 0 {
			t.Errorf("other masters are told that %v are offline", rec.Offline)
		}
		w.finish(q, "web1")
		v := w.watch(q.Jid, false)
		w.pass(200 * ms)
		v.want(t, "moving", "web1 ok, web2 queued, web3 queued")
		w.setOnline("web2", true) // it hears jobs now, on the connection that it had
		w.pass(200 * ms)
		if got := w.times("job.id.web2"); len(got) != 1 {
			t.Errorf("got sendings at %v, want one", got)
		}
		w.finish(q, "web2")
		w.pass(3 * time.Second) // the third resend is over
		w.setOnline("web3", true)
		w.pass(time.Second)
		if got := w.times("job.id.web3"); len(got) == 0 || got[0] > 3600*ms {
			t.Errorf("got sendings at %v, want one when it has moved", got)
		}
		w.setOnline("web3", false)
		v.want(t, "one has come", "web1 ok, web2 ok, web3 sent")
		w.pass(6 * time.Second)
		v.want(t, "nobody waits for ever", "web1 ok, web2 ok, web3 offline; done")
	})
}

func TestAMinionWhoseDiskIsSlowIsWaitedFor(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.finish(q, "web1")
		v := w.watch(q.Jid, false)
		alive := func() {
			w.say(subject.Progress("web2", q.Jid), &proto.Progress{Jid: q.Jid, RequestId: q.RequestId})
		}
		w.pass(time.Second)
		alive()
		w.pass(5 * time.Second)
		v.want(t, "slow", "web1 ok, web2 sent")
		if got := w.times("job.id.web2"); len(got) == 0 {
			t.Error("it is not asked again, though it has not accepted the job")
		}
		w.pass(5 * time.Second)
		alive()
		w.pass(11 * time.Second)
		v.want(t, "still slow", "web1 ok, web2 sent")
		w.pass(2 * time.Second)
		v.want(t, "silent", "web1 ok, web2 no-answer; done")
	})
}

func TestAMinionThatMovedHereIsSentWhatItsLostMasterWasGiven(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q) // web2 seems to be online, by a route that is dead
		w.finish(q, "web1")
		v := w.watch(q.Jid, false)
		w.pass(400 * ms)
		w.setOnline("web2", false)
		w.setComing("web2", true)
		w.pass(800 * ms)
		w.clear()
		w.setOnline("web2", true)
		w.pass(1500 * ms)
		if got := w.times("job.id.web2"); len(got) == 0 || got[0] > 500*ms {
			t.Errorf("got sendings at %v, want one as soon as it hears jobs", got)
		}
		v.want(t, "moved", "web1 ok, web2 sent")
		w.finish(q, "web2")
		w.pass(0)
		v.want(t, "at the end", "web1 ok, web2 ok; done")
	})
}

func TestSeen(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		w.connect("web1", false)
		missed, taken, returned := w.request("*"), w.request("*"), w.request("*")
		for _, q := range []*proto.JobRequest{missed, taken, returned} {
			w.submit(q)
		}
		w.accept(taken, "web1", proto.Accepted_STARTED)
		w.finish(returned, "web1")
		w.clear()
		w.setOnline("web1", true)
		reply, err := w.m.Seen(t.Context(), "web1")
		if err != nil {
			t.Fatal(err)
		}
		var jids []string
		for _, s := range reply.Jobs {
			jids = append(jids, s.Jid)
			if len(s.RequestId) != 16 || s.NotAfter <= s.IssuedAt || s.IssuedAt == 0 {
				t.Errorf("got %v", s)
			}
		}
		slices.Sort(jids)
		if want := []string{taken.Jid, returned.Jid}; !slices.Equal(jids, want) {
			t.Errorf("got %v, want %v", jids, want)
		}
		if reply.Now != time.Now().UnixMicro() || !slices.Equal(reply.Live, []string{"m1", "m2"}) {
			t.Errorf("got now %d, live %v", reply.Now, reply.Live)
		}
		w.pass(0)
		if got := w.subjects("job."); !slices.Equal(got, []string{"job.id.web1"}) {
			t.Errorf("got %v, want the missed job on job.id.web1", got)
		}
	})
}

func TestCancel(t *testing.T) {
	run(t, names(4), func(t *testing.T, w *world) {
		w.connect("web4", false)
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.finish(q, "web2")
		v := w.watch(q.Jid, false)
		v.want(t, "before", "web1 running, web2 ok, web3 sent, web4 offline")
		w.pass(100 * ms)
		w.clear()
		reply, err := w.m.Cancel(t.Context(), w.op, q.Jid)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"web1", "web3", "web4"}; !slices.Equal(reply.Minions, want) {
			t.Errorf("got %v, want %v", reply.Minions, want)
		}
		w.pass(400 * ms)
		v.want(t, "asked", "web1 running, web2 ok, web3 cancelled, web4 cancelled")
		env, c := &proto.Envelope{}, &proto.Cancel{}
		if err := pb.Unmarshal(w.first().data, env); err != nil || env.Kind != proto.Kind_KIND_CANCEL {
			t.Fatalf("got %v, %v, want a cancel", env.Kind, err)
		}
		if err := pb.Unmarshal(env.Body, c); err != nil || c.Jid != q.Jid || c.Operator != "ann" || c.Master != "m1" ||
			c.NotAfter <= time.Now().UnixMicro() {
			t.Errorf("got cancel %v, %v", c, err)
		}
		if got := len(w.subjects("job.id.")); got != 4 { // to web1 and web3, and again
			t.Errorf("got %v, want two and two resends", w.subjects("job."))
		}
		cancelled := returnOf(q, "web1")
		cancelled.Outcome, cancelled.Value = proto.Outcome_CANCELLED, nil
		w.say(subject.Final("web1", q.Jid), cancelled)
		w.pass(2 * time.Second)
		v.want(t, "at the end", "web1 cancelled, web2 ok, web3 cancelled, web4 cancelled; done")

		w.clear()
		w.connect("web4", true)
		w.pass(100 * ms)
		if got := w.subjects("job.id.web4"); len(got) != 1 || !slices.Equal(w.first().data, mustMarshal(t, env)) {
			t.Errorf("got %v when web4 came, want the cancel", got)
		}
		if _, err := w.m.Cancel(t.Context(), w.op, q.Jid); err != nil {
			t.Fatal(err)
		}
		if cancels, _ := w.store.Cancels(t.Context(), q.Jid); len(cancels) != 1 {
			t.Errorf("got %d cancel records after asking twice, want 1", len(cancels))
		}
		w.denied = errDenied
		_, err = w.m.Cancel(t.Context(), w.op, q.Jid)
		wantCode(t, "no right", err, proto.ApiError_NOT_PERMITTED)
		_, err = w.m.Cancel(t.Context(), w.op, "20260101000000000000")
		wantCode(t, "no job", err, proto.ApiError_NOT_FOUND)
		_, err = w.m.Cancel(t.Context(), w.op, "x")
		wantCode(t, "no jid", err, proto.ApiError_INVALID)
	})
}

func TestCancelOfAPeerIsTakenOver(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		if _, err := w.m.Cancel(t.Context(), w.op, q.Jid); err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.clear()
		w.setLate("m1", 2*time.Second)
		w.boot("m2")
		w.pass(time.Second)
		if got := w.published("job.id.web1"); len(got) == 0 {
			t.Error("the cancel was not sent again")
		} else if env := (&proto.Envelope{}); pb.Unmarshal(got[0].data, env) != nil || env.Kind != proto.Kind_KIND_CANCEL {
			t.Errorf("got a message of %v, want a cancel", env.Kind)
		}
	})
}

func mustMarshal(t *testing.T, m pb.Message) []byte {
	data, err := pb.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCancelOfAnOldJobByAPeer(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.pass(3 * time.Hour)
		if _, err := w.m.Cancel(t.Context(), w.op, q.Jid); err != nil {
			t.Fatal(err)
		}
		records := w.store.order
		w.stop()
		w.empty()
		w.store.commit(records[:1])
		w.clear()
		w.setLate("m1", 2*time.Second)
		w.boot("m2") // does not follow the job, whose window is over
		w.store.commit(records[1:])
		w.pass(time.Second)
		if got := w.subjects("job.id.web1"); len(got) == 0 {
			t.Error("the cancel was not sent")
		}
		w.pass(time.Second) // a minion has two to report to a new process
		w.watch(q.Jid, true).want(t, "cancelled", "web1 cancelled; done")
	})
}
