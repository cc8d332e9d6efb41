package job

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	pb "brine/proto"
	"brine/states/host"
)

func TestTheSeventeenthJobWaits(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("cmd.run")
		var jobs []draft
		for range 18 {
			d := m.draft("cmd.run")
			m.Handle("job.all", m.sign(d))
			jobs = append(jobs, d)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		all := m.take()
		for i, d := range jobs {
			want := pb.Accepted_STARTED
			if i >= 16 {
				want = pb.Accepted_QUEUED
			}
			if acc := accepted(t, d, all); len(acc) != 1 || acc[0].State != want {
				t.Errorf("job %d: got %v, want %v", i, acc, want)
			}
		}
		if running := m.Running(); len(running) != 18 || running[15].Started.IsZero() || !running[16].Started.IsZero() {
			t.Errorf("got %v", running)
		}
		urgent := m.draft("saltutil.kill_job")
		m.Handle("job.all", m.sign(urgent))
		final(t, urgent, m.take())
		gate <- Result{}
		time.Sleep(time.Second)
		all = m.take()
		acc := accepted(t, jobs[16], all)
		if len(acc) != 1 || acc[0].State != pb.Accepted_STARTED || m.runs(jobs[17]) != 0 {
			t.Errorf("got %v", acc)
		}
		time.Sleep(time.Until(time.UnixMicro(jobs[17].job.NotAfter)) + time.Millisecond)
		wantOutcome(t, final(t, jobs[17], m.take()), pb.Outcome_EXPIRED, "window")
		for range 16 {
			gate <- Result{}
		}
		for i, d := range jobs {
			if want := 1 - i/17; m.runs(d) != want {
				t.Errorf("job %d: ran %d times, want %d", i, m.runs(d), want)
			}
		}
		synctest.Wait()
		if n := len(m.Running()); n != 0 {
			t.Errorf("%d jobs left", n)
		}
	})
}

func TestJobsThatWaitAreLimited(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("cmd.run")
		for range maxRunning + maxWaiting {
			m.Handle("job.all", m.sign(m.draft("cmd.run")))
		}
		d := m.draft("cmd.run")
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "1000 jobs wait here already")
	})
}

func TestOneStateRunAtATime(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		first, second := m.draft("state.apply", "=web"), m.draft("state.sls", "=db")
		patient := m.draft("state.apply", "queue=True")
		m.Handle("job.all", m.sign(first))
		m.Handle("job.all", m.sign(second))
		wantOutcome(t, final(t, second, m.take()), pb.Outcome_REFUSED, first.Jid)
		m.Handle("job.all", m.sign(patient))
		acc := accepted(t, patient, m.take())
		if len(acc) != 1 || acc[0].State != pb.Accepted_QUEUED || acc[0].WaitsFor != first.Jid {
			t.Fatalf("got %v", acc)
		}
		time.Sleep(time.Hour) // its window is over; it asked to wait, and came in time
		other := m.draft("test.ping")
		m.Handle("job.all", m.sign(other))
		final(t, other, m.take())
		gate <- Result{}
		synctest.Wait()
		if m.runs(patient) != 1 {
			t.Fatal("did not get its turn")
		}
		third := m.draft("state.apply")
		m.Handle("job.all", m.sign(third))
		wantOutcome(t, final(t, third, m.take()), pb.Outcome_REFUSED, patient.Jid)
		gate <- Result{}
		wantOutcome(t, final(t, patient, m.take()), pb.Outcome_OK, "")
	})
}

func TestConcurrentStateRun(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		first, beside := m.draft("state.apply"), m.draft("state.apply", "concurrent=True")
		m.Handle("job.all", m.sign(first))
		m.Handle("job.all", m.sign(beside))
		synctest.Wait()
		if m.runs(first) != 1 || m.runs(beside) != 1 {
			t.Error("the two did not run at once")
		}
		for range 2 {
			gate <- Result{}
		}
		wantOutcome(t, final(t, beside, m.take()), pb.Outcome_OK, "")
	})
}

func TestSoftStop(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		run, ping := m.draft("state.apply"), m.draft("test.ping")
		m.Handle("job.all", m.sign(run))
		synctest.Wait()
		if err := m.SoftStop(run.Jid, "web"); err != nil {
			t.Fatal(err)
		}
		if err := m.SoftStop(ping.Jid, ""); !errors.Is(err, ErrNotRunning) {
			t.Errorf("got %v", err)
		}
		job := m.last
		if !job.Stop("web") || job.Stop("db") {
			t.Error("does not stop before web only")
		}
		if err := m.SoftStop(run.Jid, ""); err != nil || !job.Stop("db") {
			t.Errorf("does not stop before any: %v", err)
		}
		gate <- Result{}
	})
}

func TestStateRunsWaitInOrder(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		var jobs []draft
		for range 4 {
			d := m.draft("state.apply", "queue=True")
			m.Handle("job.all", m.sign(d))
			jobs = append(jobs, d)
		}
		for i := range jobs {
			synctest.Wait()
			for k, d := range jobs {
				if want := min(1, max(0, i+1-k)); m.runs(d) != want {
					t.Errorf("after %d: job %d ran %d times, want %d", i, k, m.runs(d), want)
				}
			}
			gate <- Result{}
		}
		synctest.Wait()
	})
}

func TestCancelBeforeTheJob(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		m.Handle("job.all", m.cancel(d))
		m.Handle("job.all", m.cancel(d))
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_CANCELLED, "before it began")
		if m.runs(d) != 0 {
			t.Error("ran")
		}
		again := m.draft("test.ping") // same jid would be a contradiction, another is another job
		m.Handle("job.all", m.sign(again))
		wantOutcome(t, final(t, again, m.take()), pb.Outcome_OK, "")
	})
}

func TestCancelDuringTheJob(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("cmd.run")
		d := m.draft("cmd.run")
		m.Handle("job.all", m.sign(d))
		synctest.Wait()
		other := m.draft("cmd.run")
		other.Jid = d.Jid // another request: not this job
		m.Handle("job.all", m.cancel(other))
		if all := m.take(); len(all) != 0 {
			t.Fatalf("got %d messages", len(all))
		}
		time.Sleep(time.Hour) // a cancel may come whenever it likes
		m.take()
		m.Handle("job.all", m.cancel(d))
		ret := final(t, d, m.take())
		wantOutcome(t, ret, pb.Outcome_CANCELLED, "cancelled by bob")
		if string(ret.Value) != `"cut"` {
			t.Errorf("got value %s", ret.Value)
		}
		m.Handle("job.all", m.cancel(d))
		if all := m.take(); len(all) != 0 {
			t.Errorf("a cancel of what has ended: got %d messages", len(all))
		}
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		first, second := m.draft("state.apply"), m.draft("state.apply", "queue=yes")
		m.Handle("job.all", m.sign(first))
		m.Handle("job.all", m.sign(second))
		synctest.Wait()
		m.Handle("job.all", m.cancel(second))
		wantOutcome(t, final(t, second, m.take()), pb.Outcome_CANCELLED, "cancelled by bob")
		// In the same moment, before the job is on disk.
		third := m.draft("cmd.run")
		m.hold("cmd.run")
		m.Handle("job.all", m.sign(third))
		m.Handle("job.all", m.cancel(third))
		wantOutcome(t, final(t, third, m.take()), pb.Outcome_CANCELLED, "cancelled by bob")
		gate <- Result{}
		synctest.Wait()
		if m.runs(second) != 0 {
			t.Error("ran")
		}
	})
}

func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		m := newMinion(t, newSite(t), t.TempDir()+"/journal", func(m *minion, _ *JournalOptions) {
			m.o.Exec = func(ctx context.Context, _ *Job) Result {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return Result{Retcode: 1}
			}
		})
		for sig, hard := range map[syscall.Signal]bool{syscall.SIGTERM: false, syscall.SIGKILL: true} {
			d := m.draft("cmd.run")
			if err := m.Kill(d.Jid, sig); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), d.Jid) {
				t.Errorf("got %v", err)
			}
			m.Handle("job.all", m.sign(d))
			synctest.Wait()
			if err := m.Kill(d.Jid, syscall.SIGUSR1); err == nil {
				t.Error("signalled a job without commands")
			}
			if err := m.Kill(d.Jid, sig); err != nil {
				t.Error(err)
			}
			wantOutcome(t, final(t, d, m.take()), pb.Outcome_CANCELLED, "ended with signal")
			if errors.Is(cause, host.ErrKill) != hard {
				t.Errorf("%v: got cause %v", sig, cause)
			}
		}
	})
}

func TestProgressIsNotTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept *Job
		m := newMinion(t, newSite(t), t.TempDir()+"/journal", func(m *minion, _ *JournalOptions) {
			m.o.Exec = func(_ context.Context, j *Job) Result {
				kept = j
				for i := range 1000 {
					j.Progress(i, 1000, "pkg_|-x\xff")
					time.Sleep(time.Millisecond)
				}
				return Result{}
			}
		})
		d := m.draft("state.apply")
		m.Handle("job.all", m.sign(d))
		time.Sleep(2 * time.Second)
		all := m.take()
		if ret := final(t, d, all); string(ret.Value) != "null" {
			t.Errorf("got %s", ret.Value)
		}
		if n := len(all); n != 5+2 {
			t.Errorf("got %d messages, want 5 of progress, .acc and .fin", n)
		}
		kept.Progress(1, 1, "")
		if len(m.take()) != 0 || kept.Restarting() == nil {
			t.Error("a job that has ended can still speak")
		}
	})
}
