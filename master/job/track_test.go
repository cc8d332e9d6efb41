package job_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"brine/proto"
)

// slowStore takes its time for the jobs that it does not have.
type slowStore struct {
	*fakeStore
	wait atomic.Int64
}

func (s *slowStore) Job(ctx context.Context, jid string) (*proto.JobRecord, error) {
	rec, err := s.fakeStore.Job(ctx, jid)
	if wait := s.wait.Swap(0); err != nil && wait > 0 {
		<-time.After(time.Duration(wait))
	}
	return rec, err
}

func TestASlowLookUpDoesNotDropTheJobThatCameMeanwhile(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		slow := &slowStore{fakeStore: w.store}
		w.stored = slow
		w.boot("m1")
		q := w.request("*")
		slow.wait.Store(int64(time.Minute))
		v := w.watch(q.Jid, true) // longer than a job that nobody needs is kept
		w.pass(30 * time.Second)
		q.IssuedAt = time.Now().UnixMicro()
		q.Window = time.Hour.Microseconds()
		w.submit(q)
		w.clear()
		w.pass(31 * time.Second)
		if !v.over {
			t.Fatal("the slow look-up goes on")
		}
		synctest.Wait()
		w.clear()
		w.pass(15 * time.Second)
		if got := w.subjects("job.id.web1"); len(got) == 0 {
			t.Error("the job is not sent again: it was dropped")
		}
	})
}

func TestAnAcceptedJobStillRunsAfterARestart(t *testing.T) {
	run(t, names(4), func(t *testing.T, w *world) {
		q := w.request("*")
		w.submit(q)
		w.accept(q, "web1", proto.Accepted_STARTED)
		w.accept(q, "web2", proto.Accepted_STARTED)
		other := w.request("*")
		other.Jid, other.RequestId = q.Jid, []byte("request-id-00002")
		w.accept(other, "web3", proto.Accepted_STARTED)
		w.finish(q, "web4")
		w.pass(3 * time.Hour)
		w.setOnline("web2", false)
		w.boot("m1")
		v := w.watch(q.Jid, false)
		v.want(t, "at once", "web1 running, web2 running, web3 sent, web4 ok")
		w.pass(6 * time.Second)
		v.want(t, "after the time to report", "web1 running, web2 offline, web3 no-answer, web4 ok")
		w.finish(q, "web1")
		w.pass(time.Second)
		v.want(t, "at the end", "web1 ok, web2 offline, web3 no-answer, web4 ok; done")

		w.pass(48 * time.Hour)
		w.boot("m1")
		w.watch(q.Jid, true).want(t, "days later", "web1 ok, web2 sent, web3 sent, web4 ok")
	})
}
