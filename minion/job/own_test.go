package job

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// finalOf waits for the return of a job that no draft describes.
func finalOf(t *testing.T, m *minion, jid string) *pb.Return {
	t.Helper()
	synctest.Wait()
	for _, msg := range m.take() {
		if msg.subject == subject.Final(m.token, jid) {
			r := &pb.Return{}
			if err := proto.Unmarshal(msg.data, r); err != nil {
				t.Fatal(err)
			}
			return r
		}
	}
	t.Fatalf("no return of job %s", jid)
	return nil
}

func ranOf(m *minion, jid string) int {
	return m.runs(draft{JobRequest: &pb.JobRequest{Jid: jid}})
}

func TestAJobOfTheMinionsOwnRunsOnceAndIsReturned(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		own := Own{Cause: CauseStartup, At: time.Now(), Function: "state.highstate"}
		id, err := m.Start(own)
		if err != nil {
			t.Fatal(err)
		}
		ret := finalOf(t, m, id)
		wantOutcome(t, ret, pb.Outcome_OK, "")
		if ret.Cause != CauseStartup || ret.Function != "state.highstate" || len(ret.RequestId) != 16 {
			t.Errorf("got %v", ret)
		}
		again, err := m.Start(own)
		if n := ranOf(m, id); err != nil || again != id || n != 1 {
			t.Errorf("got %s, %v, and it ran %d times; want %s once", again, err, n, id)
		}
		own.At = own.At.Add(time.Second)
		if other, err := m.Start(own); err != nil || other == id {
			t.Errorf("got %s, %v for a later start", other, err)
		}
		if _, err := m.Start(Own{Cause: "whim", Function: "test.ping"}); err == nil {
			t.Error("got no error for a cause that there is not")
		}
	})
}

func TestAJobOfTheMinionsOwnWaitsForAStateRun(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("state.apply")
		first := m.draft("state.apply")
		m.Handle("job.all", m.sign(first))
		synctest.Wait()
		id, err := m.Start(Own{Cause: CauseStartup, At: time.Now(), Function: "state.highstate"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if ranOf(m, id) != 0 {
			t.Fatal("it did not wait")
		}
		gate <- Result{}
		wantOutcome(t, finalOf(t, m, id), pb.Outcome_OK, "")
	})
}

func TestAJobOfTheMinionsOwnIsToldOfAfterACrash(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("state.highstate")
		begun, err := m.Start(Own{Cause: CauseStartup, At: time.Now(), Function: "state.highstate"})
		if err != nil {
			t.Fatal(err)
		}
		waits, err := m.Start(Own{Cause: CauseStartup, At: time.Now().Add(time.Second), Function: "state.highstate"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		next := m.crash()
		next.Seen(&pb.SeenReply{})
		synctest.Wait()
		ends := map[string]pb.Outcome{}
		for _, msg := range next.take() {
			r := &pb.Return{}
			if _, _, kind, err := subject.ParseReturn(msg.subject); err != nil || kind != subject.KindFinal {
				continue
			}
			if err := proto.Unmarshal(msg.data, r); err != nil {
				t.Fatal(err)
			}
			if r.Cause != CauseStartup {
				t.Errorf("got cause %q of job %s", r.Cause, r.Jid)
			}
			ends[r.Jid] = r.Outcome
		}
		if ends[begun] != pb.Outcome_INTERRUPTED || ends[waits] != pb.Outcome_EXPIRED {
			t.Errorf("got %v, want %s interrupted and %s expired", ends, begun, waits)
		}
		if ranOf(next, waits) != 0 {
			t.Error("a job of the last run ran")
		}
	})
}

// A host may start with a clock that is years off, until it is set.
func TestTheTimeOfAJobOfTheMinionsOwnIsNotThatOfAMaster(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 80_000 * time.Hour, "behind": -80_000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, m *minion) {
				known := m.draft("test.ping")
				m.Handle("job.all", m.sign(known))
				synctest.Wait()
				m.ack("m1", "m1", known)
				id, err := m.Start(Own{Cause: CauseStartup, At: time.Now().Add(off), Function: "state.highstate"})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, finalOf(t, m, id), pb.Outcome_OK, "")
				for _, want := range []int{1, 0} { // in this process
					d := m.draft("test.ping")
					m.Handle("job.all", m.sign(d))
					wantOutcome(t, finalOf(t, m, d.Jid), pb.Outcome_OK, "")
					m.Handle("job.all", m.sign(known))
					synctest.Wait()
					if n := m.runs(known); n != want {
						t.Errorf("a job that was known ran %d times, want %d", n, want)
					}
					m = m.crash()
					m.Seen(&pb.SeenReply{})
					m.Reoffer()
					wantOutcome(t, finalOf(t, m, id), pb.Outcome_OK, "") // no master has it yet
				}
			})
		})
	}
}

func TestAJobOfAScheduleNamesItAndMayBeQuiet(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		own := Own{Cause: CauseSchedule, Name: "ping", At: time.Now(), Function: "test.ping"}
		id, err := m.Start(own)
		if err != nil {
			t.Fatal(err)
		}
		if ret := finalOf(t, m, id); ret.Cause != "schedule ping" {
			t.Errorf("got cause %q", ret.Cause)
		}
		own.Name = "other"
		other, err := m.Start(own)
		if err != nil || other == id {
			t.Errorf("got %s, %v for another job of the same time", other, err)
		}
		finalOf(t, m, other)
		own.Name, own.Quiet = "quiet", true
		quiet, err := m.Start(own)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, msg := range m.take() {
			if _, jid, _, err := subject.ParseReturn(msg.subject); err == nil && jid == quiet {
				t.Errorf("masters were told: %s", msg.subject)
			}
		}
		if n := ranOf(m, quiet); n != 1 {
			t.Errorf("it ran %d times, want once", n)
		}
	})
}
