package job_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"brine/proto"
	"brine/proto/subject"
)

func TestWatchFollowsAJob(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Function = "state.apply"
		w.submit(q)
		v := w.watch(q.Jid, false)
		v.want(t, "at first", "web1 sent, web2 sent, web3 sent")
		if v.job.Jid != q.Jid || v.job.Targeted != 3 || v.job.Summary["sent"] != 3 || v.job.Operator != "ann" {
			t.Errorf("got job %v", v.job)
		}
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.say(subject.Accepted("web2", q.Jid), &proto.Accepted{Jid: q.Jid, RequestId: q.RequestId,
			State: proto.Accepted_QUEUED, WaitsFor: "20260101000000000000"})
		w.say(subject.Progress("web1", q.Jid), &proto.Progress{Jid: q.Jid, RequestId: q.RequestId,
			Done: 3, Total: 9, Current: "nginx"})
		w.pass(50 * ms)
		v.want(t, "accepted", "web1 running, web2 queued, web3 sent")
		if u := v.minions["web1"]; u.Done != 3 || u.Total != 9 || u.Current != "nginx" {
			t.Errorf("got progress %v", u)
		}
		if got := v.minions["web2"].Reason; got != "waits for job 20260101000000000000" {
			t.Errorf("got reason %q", got)
		}
		late := w.watch(q.Jid, false)
		late.want(t, "a late joiner", "web1 running, web2 queued, web3 sent")
		failed := returnOf(q, "web1")
		failed.Outcome, failed.Retcode, failed.Value = proto.Outcome_FAILED, 2, []byte(`{"a":1}`)
		w.say(subject.Final("web1", q.Jid), failed)
		w.finish(q, "web2", "web3")
		w.pass(0)
		for name, v := range map[string]*watching{"first": v, "late": late, "after": w.watch(q.Jid, false)} {
			v.want(t, name, "web1 failed, web2 ok, web3 ok; done")
			u := v.minions["web1"]
			if u.Retcode != 2 || string(u.Value) != `{"a":1}` || u.Duration != 1000 || u.Total != 0 {
				t.Errorf("%s: got %v", name, u)
			}
			if !v.job.Done || v.job.Summary["ok"] != 2 || v.job.Summary["failed"] != 1 || v.job.Targeted != 3 {
				t.Errorf("%s: got job %v", name, v.job)
			}
		}
	})
}

func TestDoneRule(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name   string
		waits  bool
		do     func(w *world, q *proto.JobRequest)
		within time.Duration // of which it must be done, and not before
		want   string
	}{
		{"all return", false, func(w *world, q *proto.JobRequest) { w.finish(q, "web1", "web2") }, 0,
			"web1 ok, web2 ok; done"},
		{"one is silent", false, func(w *world, q *proto.JobRequest) { w.finish(q, "web1") }, 2 * second,
			"web1 ok, web2 no-answer; done"},
		{"one goes before it accepts", false, func(w *world, q *proto.JobRequest) {
			w.finish(q, "web1")
			w.connect("web2", false)
		}, 5500 * ms, "web1 ok, web2 offline; done"},
		{"one goes while it runs", false, func(w *world, q *proto.JobRequest) {
			w.finish(q, "web1")
			w.accept(q, "web2", proto.Accepted_STARTED)
			w.connect("web2", false)
		}, 5500 * ms, "web1 ok, web2 offline; done"},
		{"one is silent to the end of its window", true, func(w *world, q *proto.JobRequest) { w.finish(q, "web1") },
			60 * second, "web1 ok, web2 no-answer; done"},
		{"one is away to the end of its window", true, func(w *world, q *proto.JobRequest) {
			w.finish(q, "web1")
			w.connect("web2", false)
		}, 60 * second, "web1 ok, web2 expired; done"},
	} {
		run(t, names(2), func(t *testing.T, w *world) {
			q := w.request("*")
			q.WaitOffline = c.waits
			w.submit(q)
			v := w.watch(q.Jid, false)
			c.do(w, q)
			if c.within > 0 {
				w.pass(c.within - 600*ms)
				if strings.HasSuffix(v.state(), "done") {
					t.Errorf("%s: done after %v: %s", c.name, v.took, v.state())
				}
				w.pass(1200 * ms)
			} else {
				w.pass(0)
			}
			v.want(t, c.name, c.want)
		})
	}
}

func TestOfflineIsNotWaitedFor(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		w.connect("web3", false)
		q := w.request("*")
		w.submit(q)
		v := w.watch(q.Jid, false)
		v.want(t, "at first", "web1 sent, web2 sent, web3 offline")
		w.finish(q, "web1", "web2")
		w.pass(0)
		v.want(t, "at the end", "web1 ok, web2 ok, web3 offline; done")
		if v.took > 0 {
			t.Errorf("it took %v of waiting", v.took)
		}
		// A return overrides the absence.
		w.finish(q, "web3")
		w.watch(q.Jid, false).want(t, "after all", "web1 ok, web2 ok, web3 ok; done")
	})
}

func TestMovingToAnotherMasterIsNotAbsence(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		v := w.watch(q.Jid, false)
		for range 3 {
			w.connect("web1", false)
			w.pass(4 * time.Second)
			w.connect("web1", true)
			w.pass(time.Second)
		}
		v.want(t, "moving", "web1 running")
		w.finish(q, "web1")
		w.pass(0)
		v.want(t, "at the end", "web1 ok; done")
	})
}

func TestASilentStreamSaysThatItLives(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		v := w.watch(q.Jid, false)
		w.pass(10 * time.Second)
		alive := 0
		for _, f := range v.frames {
			if f.Alive {
				alive++
			}
		}
		if alive < 19 || alive > 20 {
			t.Errorf("got %d signs of life in 10 s, want 20", alive)
		}
		w.stop()
	})
}

func TestASlowSubmissionSaysThatItLives(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		q.Function, q.Environment, q.Window = "state.apply", "slow", (5 * time.Second).Microseconds()
		v := &watching{minions: map[string]*proto.MinionUpdate{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() {
			done <- w.m.Request(ctx, w.op, &proto.RunRequest{Request: w.sign(q), Watch: true}, v.take)
		}()
		w.pass(9900 * ms)
		v.mu.Lock()
		n, alive := len(v.frames), len(v.frames) > 0 && v.frames[0].Alive
		v.mu.Unlock()
		if n != 19 || !alive {
			t.Errorf("got %d frames while the tree is made, want 19 signs of life", n)
		}
		w.pass(200 * ms)
		v.want(t, "submitted", "web1 sent")
		if _, j := asked(w.store.all()[0]); j.NotAfter <= time.Now().UnixMicro() || j.NotAfter-j.IssuedAt != q.Window {
			t.Errorf("got a window from %d to %d, which is over before it began", j.IssuedAt, j.NotAfter)
		}
		w.finish(q, "web1")
		if err := <-done; err != nil || !v.frames[len(v.frames)-1].Done {
			t.Errorf("got %v, want the end", err)
		}

		q = w.request("*")
		q.Function, q.Environment = "state.apply", "none"
		err := w.m.Request(ctx, w.op, &proto.RunRequest{Request: w.sign(q), Watch: true}, v.take)
		wantCode(t, "no tree", err, proto.ApiError_BAD_DATA)
	})
}

func TestFramesStaySmall(t *testing.T) {
	run(t, names(400), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		v := w.watch(q.Jid, false)
		text := string(jsonText(2000))
		for _, id := range names(400) {
			r := returnOf(q, id)
			r.Value = []byte(text)
			w.say(subject.Final(id, q.Jid), r)
		}
		w.pass(100 * ms)
		late := w.watch(q.Jid, true)
		for name, v := range map[string]*watching{"watching": v, "late": late} {
			if len(v.frames) < 5 || len(v.frames) > 60 {
				t.Errorf("%s: got %d frames", name, len(v.frames))
			}
			for id, u := range v.minions {
				if string(u.Value) != text {
					t.Errorf("%s: got %d bytes of %s", name, len(u.Value), id)
				}
			}
			if len(v.minions) != 400 {
				t.Errorf("%s: got %d minions", name, len(v.minions))
			}
		}
	})
}

func TestWatchOfNothing(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		for jid, code := range map[string]proto.ApiError_Code{
			"":                     proto.ApiError_INVALID,
			"../../secret":         proto.ApiError_INVALID,
			"20260701115959000000": proto.ApiError_NOT_FOUND,
		} {
			err := w.m.Watch(t.Context(), jid, false, func(*proto.WatchFrame, bool) error { return nil })
			wantCode(t, jid, err, code)
		}
	})
}

func TestWatchAfterARestart(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.finish(q, "web1")
		w.boot("m1")
		v := w.watch(q.Jid, false)
		v.want(t, "after a restart", "web1 ok, web2 sent, web3 sent")
		w.finish(q, "web2", "web3")
		w.pass(0)
		v.want(t, "at the end", "web1 ok, web2 ok, web3 ok; done")
		w.pass(time.Hour)
		w.watch(q.Jid, false).want(t, "from the store", "web1 ok, web2 ok, web3 ok; done")
	})
}

func TestAnOldJobThatStillRuns(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.pass(3 * time.Hour)
		w.watch(q.Jid, true).want(t, "hours later", "web1 running")
		w.boot("m1")
		w.accept(q, "web1", proto.Accepted_STARTED) // as a minion does when it comes
		w.pass(time.Minute)
		w.watch(q.Jid, true).want(t, "after a restart", "web1 running")
		w.finish(q, "web1")
		w.watch(q.Jid, true).want(t, "at the end", "web1 ok; done")
	})
}

func TestOldJobWithoutAnswers(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		w.connect("web3", false)
		q := w.request("*")
		w.submit(q)
		w.finish(q, "web1")
		w.connect("web2", false)
		w.pass(time.Hour)
		w.boot("m1")
		w.watch(q.Jid, true).want(t, "an hour later", "web1 ok, web2 sent, web3 offline")
		w.pass(6 * time.Second)
		w.watch(q.Jid, true).want(t, "and some seconds", "web1 ok, web2 offline, web3 offline; done")
	})
}

func TestRequestWithoutWatching(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("*")
		var frames []*proto.WatchFrame
		err := w.m.Request(t.Context(), w.op, &proto.RunRequest{Request: w.sign(q)},
			func(f *proto.WatchFrame, more bool) error {
				if more {
					t.Error("more is announced")
				}
				frames = append(frames, f)
				return nil
			})
		if err != nil || len(frames) != 1 || frames[0].Job.GetJid() != q.Jid || frames[0].Done {
			t.Errorf("got %v, %v, want one frame with the job", frames, err)
		}
	})
}

func TestList(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		w.connect("web2", false)
		first, second := w.request("*"), w.request("*")
		first.Args = []*proto.Argument{{Value: &proto.Argument_Text{Text: strings.Repeat("x", 10_000)}}}
		w.submit(first)
		w.submit(second)
		w.finish(first, "web1")
		w.finish(second, "web1")
		for _, when := range []string{"at once", "from the store"} {
			got, err := w.m.List(t.Context(), &proto.JobListRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Jobs) != 2 || got.Jobs[0].Jid != second.Jid || got.Jobs[0].Summary["ok"] != 1 ||
				got.Jobs[0].Summary["offline"] != 1 || got.Jobs[0].Targeted != 2 || len(got.Jobs[1].Args) != 0 {
				t.Errorf("%s: got %v", when, got)
			}
			w.pass(time.Hour)
		}
		_, err := w.m.List(t.Context(), &proto.JobListRequest{Before: "x"})
		wantCode(t, "before", err, proto.ApiError_INVALID)
		_, err = w.m.List(t.Context(), &proto.JobListRequest{Function: "test.["})
		wantCode(t, "glob", err, proto.ApiError_INVALID)
	})
}
