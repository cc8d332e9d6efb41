package job

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	pb "brine/proto"
)

func TestACrashInterruptsWhatRan(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("cmd.run")
		d := m.draft("cmd.run")
		data := m.sign(d)
		m.Handle("job.all", data)
		time.Sleep(time.Second)
		for range 2 {
			m = m.crash()
			m.take()
			time.Sleep(time.Second)
			m.Handle("job.all", data)
			wantOutcome(t, final(t, d, m.take()), pb.Outcome_INTERRUPTED, "the minion ended while the job ran")
			if m.runs(d) != 0 {
				t.Error("ran again")
			}
		}
	})
}

func TestACrashLeavesWhatWaited(t *testing.T) {
	for name, c := range map[string]struct {
		pause  time.Duration
		cancel bool
		want   pb.Outcome
		runs   int
	}{
		"in time":   {time.Second, false, pb.Outcome_OK, 1},
		"too late":  {2 * time.Minute, false, pb.Outcome_EXPIRED, 0},
		"cancelled": {time.Second, true, pb.Outcome_CANCELLED, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, m *minion) {
				m.hold("state.apply")
				first, second := m.draft("state.apply"), m.draft("state.apply", "queue=True")
				m.Handle("job.all", m.sign(first))
				m.Handle("job.all", m.sign(second))
				time.Sleep(c.pause)
				if c.cancel {
					m.journal.cancel(key{second.Jid, requestID(second.RequestId)}, second.job.IssuedAt, second.job.NotAfter)
					m.Handle("job.all", m.sign(m.draft("test.ping"))) // takes the cancel to disk
				}
				synctest.Wait()
				m = m.crash()
				time.Sleep(time.Second)
				all := m.take()
				wantOutcome(t, final(t, first, all), pb.Outcome_INTERRUPTED, "")
				wantOutcome(t, final(t, second, all), c.want, "")
				if m.runs(second) != c.runs {
					t.Errorf("ran %d times", m.runs(second))
				}
			})
		})
	}
}

func TestARestartThatTheJobAskedForIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, _ *JournalOptions) {
			m.o.Exec = func(ctx context.Context, j *Job) Result {
				if err := j.Restarting(); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				return Result{}
			}
		})
		d := m.draft("pkg.upgrade")
		m.Handle("job.all", m.sign(d))
		synctest.Wait()
		m = m.crash()
		m.Reoffer()
		ret := final(t, d, m.take())
		if ret.Outcome != pb.Outcome_OK || string(ret.Value) != `"the minion was restarted"` {
			t.Errorf("got %v", ret)
		}
	})
}

func TestStoppingAfterARestartWasAskedForIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, _ *JournalOptions) {
			m.o.Exec = func(ctx context.Context, j *Job) Result {
				if err := j.Restarting(); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				return Result{Retcode: 1}
			}
		})
		d := m.draft("pkg.upgrade")
		m.Handle("job.all", m.sign(d))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m.Close(ctx)
		if ret := final(t, d, m.take()); ret.Outcome != pb.Outcome_OK || ret.Retcode != 0 {
			t.Errorf("got %v", ret)
		}
	})
}

func TestCloseCutsShortWhatDoesNotEnd(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("cmd.run")
		d := m.draft("cmd.run")
		m.Handle("job.all", m.sign(d))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		m.Close(ctx)
		m.Close(ctx)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("waited %v", took)
		}
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_INTERRUPTED, "the minion ended while the job ran")
		late := m.draft("test.ping")
		m.Handle("job.all", m.sign(late))
		if all := m.take(); len(all) != 0 || m.runs(late) != 0 {
			t.Error("took a job after its end")
		}
	})
}

func TestForgottenJobsAreNotRunAgain(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		known, forgotten := m.draft("test.ping"), m.draft("test.ping")
		m.Handle("job.all", m.sign(known))
		m.take()
		seen := &pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{"m1"}}
		for _, d := range []draft{known, forgotten} {
			seen.Jobs = append(seen.Jobs, &pb.SeenJob{Jid: d.Jid, RequestId: d.RequestId,
				IssuedAt: d.job.IssuedAt, NotAfter: d.job.NotAfter})
		}
		seen.Jobs = append(seen.Jobs, nil, &pb.SeenJob{Jid: "x"}, &pb.SeenJob{Jid: known.Jid})
		m.Seen(seen)
		m.Handle("job.all", m.sign(forgotten))
		wantOutcome(t, final(t, forgotten, m.take()), pb.Outcome_INTERRUPTED, "lost its journal")
		m.Reoffer()
		all := m.take()
		wantOutcome(t, final(t, known, all), pb.Outcome_OK, "")
		wantOutcome(t, final(t, forgotten, all), pb.Outcome_INTERRUPTED, "lost its journal")
		m = m.crash()
		m.Handle("job.all", m.sign(forgotten))
		wantOutcome(t, final(t, forgotten, m.take()), pb.Outcome_INTERRUPTED, "lost its journal")
		if m.runs(forgotten) != 0 {
			t.Error("ran")
		}
	})
}

func TestSeenSettlesWhatOnlyADeadMasterLacked(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		m.Handle("job.all", m.sign(d))
		m.take()
		m.ack("m1", "m1 m2", d)
		m.Seen(&pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{"m1"}})
		m.Reoffer()
		if all := m.take(); len(all) != 0 {
			t.Errorf("offered again: %d messages", len(all))
		}
	})
}

func TestAfterADamagedJournalOnlyNewJobsAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal")
		for i := range 2 {
			name := path + "." + string(rune('0'+i))
			if err := os.WriteFile(name, []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := newSite(t)
		old := s.draft("test.ping")
		m := newMinion(t, s, path)
		m.Recover()
		aside, _ := filepath.Glob(path + ".damaged-*")
		if len(aside) != 2 {
			t.Errorf("set aside: %q", aside)
		}
		m.Handle("job.all", m.sign(old))
		wantOutcome(t, final(t, old, m.take()), pb.Outcome_REFUSED, "journal was damaged")
		// A master's clock is 10 s ahead: what it issued before counts as old too.
		m.Seen(&pb.SeenReply{Now: time.Now().Add(10 * time.Second).UnixMicro()})
		time.Sleep(5 * time.Second)
		early := m.draft("test.ping")
		m.Handle("job.all", m.sign(early))
		wantOutcome(t, final(t, early, m.take()), pb.Outcome_REFUSED, "journal was damaged")
		m = m.crash()
		m.Seen(&pb.SeenReply{Now: time.Now().Add(30 * time.Second).UnixMicro()}) // no longer new
		time.Sleep(6 * time.Second)
		late := m.draft("test.ping")
		m.Handle("job.all", m.sign(late))
		wantOutcome(t, final(t, late, m.take()), pb.Outcome_OK, "")
	})
}

// TestARestoredSnapshotRunsNothingTwice: the journal says of one job that it waits and of
// another that it runs, and both have returned since.
func TestARestoredSnapshotRunsNothingTwice(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		first, second := m.draft("state.apply"), m.draft("state.apply", "queue=True")
		m.Handle("job.all", m.sign(first))
		m.Handle("job.all", m.sign(second))
		synctest.Wait()
		snapshot := filepath.Join(t.TempDir(), "journal")
		for i := range 2 {
			copyFile(t, m.file.name(i), fmt.Sprintf("%s.%d", snapshot, i))
		}
		gate <- Result{}
		gate <- Result{}
		all := m.take()
		final(t, first, all)
		final(t, second, all)
		m.close()
		m = newMinion(t, m.site, snapshot)
		m.Recover()
		m.Reoffer()
		time.Sleep(time.Second)
		if all := m.take(); len(all) != 0 || len(m.ran) != 0 {
			t.Fatalf("before a master was asked: %d messages, ran %v", len(all), m.ran)
		}
		seen := &pb.SeenReply{Now: time.Now().UnixMicro()}
		for _, d := range []draft{first, second} {
			for _, returned := range []bool{true, false} { // as accepted and as returned
				seen.Jobs = append(seen.Jobs, &pb.SeenJob{Jid: d.Jid, RequestId: d.RequestId,
					IssuedAt: d.job.IssuedAt, NotAfter: d.job.NotAfter, Returned: returned})
			}
		}
		forgotten := m.draft("test.ping")
		seen.Jobs = append(seen.Jobs, &pb.SeenJob{Jid: forgotten.Jid, RequestId: forgotten.RequestId,
			IssuedAt: forgotten.job.IssuedAt, NotAfter: forgotten.job.NotAfter, Returned: true})
		m.Seen(seen)
		for range 2 {
			for _, d := range []draft{first, second, forgotten} {
				m.Handle("job.all", m.sign(d))
			}
			m.Reoffer()
			if all := m.take(); len(all) != 0 || len(m.ran) != 0 {
				t.Fatalf("%d messages, ran %v", len(all), m.ran)
			}
			ping := m.draft("test.ping")
			m.Handle("job.all", m.sign(ping))
			m.take()
			m.ack("m1", "m1", ping)
			m.file.append(false, record{kind: kindNewest, minion: "web1", issued: 1}) // takes what waits along
			if err := m.file.compact(0); err != nil {
				t.Fatal(err)
			}
			m = m.crash()
		}
	})
}

func TestWhatEndsTheProcessComesAfterTheReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called, end := make(chan bool, 1), make(chan bool)
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, _ *JournalOptions) {
			m.o.Exec = func(context.Context, *Job) Result {
				return Result{Value: []byte(`"done"`), Last: func(context.Context) {
					called <- true
					<-end
				}}
			}
		})
		d := m.draft("service.restart")
		m.Handle("job.all", m.sign(d))
		if ret := final(t, d, m.take()); string(ret.Value) != `"done"` || len(called) != 1 {
			t.Errorf("got %v, called %d times", ret, len(called))
		}
		close(end)
	})
}
