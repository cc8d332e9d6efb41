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
