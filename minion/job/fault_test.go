package job

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// faults makes disks fail on demand.
type faults struct {
	full  atomic.Bool  // no file grows
	write atomic.Bool  // writing fails
	sync  atomic.Bool  // syncing fails
	slow  atomic.Int64 // how long syncing takes
}

type faulty struct {
	disk
	f *faults
}

func (f *faults) wrap(d disk) disk { return faulty{d, f} }

func (d faulty) Grow(size int64) error {
	if d.f.full.Load() {
		return syscall.ENOSPC
	}
	return d.disk.Grow(size)
}

func (d faulty) WriteAt(b []byte, at int64) (int, error) {
	if d.f.write.Load() {
		n, _ := d.disk.WriteAt(b[:len(b)/2], at)
		return n, syscall.EIO
	}
	return d.disk.WriteAt(b, at)
}

func (d faulty) Sync() error {
	if d.f.sync.Load() {
		return syscall.EIO
	}
	time.Sleep(time.Duration(d.f.slow.Load())) // of the test's own time
	return d.disk.Sync()
}

func withFaults(t *testing.T, f func(t *testing.T, m *minion, disk *faults)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		disk := &faults{}
		f(t, newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"),
			func(_ *minion, jo *JournalOptions) { jo.wrap = disk.wrap }), disk)
	})
}

func TestJobsRunOnAFullDisk(t *testing.T) {
	withFaults(t, func(t *testing.T, m *minion, disk *faults) {
		disk.full.Store(true)
		for i := range 3000 { // several times what the file holds
			d := m.draft("cmd.run", "size=1000")
			m.Handle("job.all", m.sign(d))
			ret := final(t, d, m.take())
			if ret.Outcome != pb.Outcome_OK || ret.Truncated {
				t.Fatalf("job %d: %v", i, ret)
			}
			m.ack("m1", "m1", d)
		}
		if m.file.header.generation < 4 || m.file.size != preallocated {
			t.Errorf("generation %d, size %d", m.file.header.generation, m.file.size)
		}
	})
}

func TestAJobThatComesAgainWhileTheDiskIsSlowIsAnsweredWithASignOfLife(t *testing.T) {
	withFaults(t, func(t *testing.T, m *minion, disk *faults) {
		disk.slow.Store(int64(5 * time.Second))
		d := m.draft("cmd.run")
		job := m.sign(d)
		m.Handle("job.all", job)
		time.Sleep(3 * time.Second)
		if all := m.take(); len(all) != 0 {
			t.Errorf("got %d messages before anybody asked", len(all))
		}
		m.Handle("job.id.web1", job)
		all := m.take()
		p := &pb.Progress{}
		if len(all) != 1 || all[0].subject != subject.Progress("web1", d.Jid) || proto.Unmarshal(all[0].data, p) != nil ||
			p.Total != 0 || string(p.RequestId) != string(d.RequestId) {
			t.Fatalf("got %v, want one sign of life", all)
		}
		if m.runs(d) != 0 {
			t.Error("it runs before it is on disk")
		}
		time.Sleep(8 * time.Second)
		if ret := final(t, d, m.take()); ret.Outcome != pb.Outcome_OK || m.runs(d) != 1 {
			t.Errorf("got %v after %d runs", ret, m.runs(d))
		}
	})
}

func TestALargeReturnOnAFullDiskIsSentAllTheSame(t *testing.T) {
	withFaults(t, func(t *testing.T, m *minion, disk *faults) {
		disk.full.Store(true)
		d := m.draft("cmd.run", "size=3000000")
		data := m.sign(d)
		m.Handle("job.all", data)
		want := []byte(`"` + strings.Repeat("x", 3000000-2) + `"`)
		checkValue(t, d, m.take(), want)
		m.Reoffer()
		checkValue(t, d, m.take(), want)
		crashed := m.crash() // the value is gone, the outcome is not
		crashed.Handle("job.all", data)
		ret := final(t, d, crashed.take())
		wantOutcome(t, ret, pb.Outcome_OK, "disk took only the outcome")
		if !ret.Truncated || crashed.runs(d) != 0 {
			t.Errorf("got %v", ret)
		}
	})
}

func TestWhatIsInMemoryReachesTheDiskOnceItHasSpace(t *testing.T) {
	withFaults(t, func(t *testing.T, m *minion, disk *faults) {
		disk.full.Store(true)
		d := m.draft("cmd.run", "size=3000000")
		m.Handle("job.all", m.sign(d))
		checkValue(t, d, m.take(), []byte(`"`+strings.Repeat("x", 3000000-2)+`"`))
		disk.full.Store(false)
		time.Sleep(offerFirst + retryDelay)
		m.take()
		crashed := m.crash()
		crashed.Reoffer()
		checkValue(t, d, crashed.take(), []byte(`"`+strings.Repeat("x", 3000000-2)+`"`))
	})
}

func TestAFullDiskKeepsSpaceForReturns(t *testing.T) {
	withFaults(t, func(t *testing.T, m *minion, disk *faults) {
		disk.full.Store(true)
		refused := 0
		for range 2000 { // no master acks
			d := m.draft("cmd.run", "size=1000")
			m.Handle("job.all", m.sign(d))
			ret := final(t, d, m.take())
			switch {
			case ret.Outcome == pb.Outcome_REFUSED && strings.Contains(ret.Reason, "no space left on device"):
				refused++
			case ret.Outcome != pb.Outcome_OK || refused > 0:
				t.Fatalf("after %d refused: %v", refused, ret)
			}
		}
		if refused == 0 || refused > 1500 {
			t.Errorf("%d refused", refused)
		}
		m.file.Close()
		m = newMinion(t, m.site, m.path)
		if n := len(m.journal.owing()); n < 2000-refused {
			t.Errorf("%d returns are on disk, %d jobs ran", n, 2000-refused)
		}
	})
}

func TestADiskThatFailsStopsNothingButNewJobs(t *testing.T) {
	for name, set := range map[string]func(*faults, bool){
		"write": func(f *faults, on bool) { f.write.Store(on) },
		"sync":  func(f *faults, on bool) { f.sync.Store(on) },
	} {
		t.Run(name, func(t *testing.T) {
			withFaults(t, func(t *testing.T, m *minion, disk *faults) {
				before := m.draft("test.ping")
				m.Handle("job.all", m.sign(before))
				m.take()
				gate := m.hold("cmd.run")
				running := m.draft("cmd.run")
				m.Handle("job.all", m.sign(running))
				synctest.Wait()
				set(disk, true)
				gate <- Result{Value: []byte("7")}
				ret := final(t, running, m.take())
				if ret.Outcome != pb.Outcome_OK || string(ret.Value) != "7" {
					t.Errorf("got %v", ret)
				}
				next := m.draft("test.ping")
				data := m.sign(next)
				m.Handle("job.all", data)
				wantOutcome(t, final(t, next, m.take()), pb.Outcome_REFUSED, "cannot keep the job on disk")
				set(disk, false)
				time.Sleep(retryDelay + 1)
				m.Handle("job.all", m.sign(m.draft("test.ping")))
				m.take()
				m.Handle("job.all", data) // refused once is refused for good
				wantOutcome(t, final(t, next, m.take()), pb.Outcome_REFUSED, "cannot keep the job on disk")
				if generation := m.file.header.generation; name == "sync" && generation != 2 {
					t.Errorf("did not leave the file that could not be synced: generation %d", generation)
				}
				last := m.draft("test.ping")
				m.Handle("job.all", m.sign(last))
				wantOutcome(t, final(t, last, m.take()), pb.Outcome_OK, "")
				time.Sleep(offerFirst)
				m.take()
				m = m.crash()
				m.Reoffer()
				all := m.take()
				for d, outcome := range map[draft]pb.Outcome{before: pb.Outcome_OK, running: pb.Outcome_OK,
					next: pb.Outcome_REFUSED, last: pb.Outcome_OK} {
					wantOutcome(t, final(t, d, all), outcome, "")
				}
				if len(m.ran) != 0 {
					t.Errorf("ran %v", m.ran)
				}
			})
		})
	}
}

func TestAJournalThatCannotBeMade(t *testing.T) {
	if _, err := Open(filepath.Join("/proc/self", "journal"), JournalOptions{}); err == nil ||
		!strings.HasPrefix(err.Error(), `cannot open journal "/proc/self/journal"`) {
		t.Errorf("got %v", err)
	}
}

// TestManyMinionsAppendWhileItCompacts: nobody's records get lost or mixed up.
func TestManyMinionsAppendWhileItCompacts(t *testing.T) {
	const minions, jobs = 40, 60
	path := filepath.Join(t.TempDir(), "journal")
	f, err := Open(path, JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range minions {
		work.Go(func() {
			j := f.Minion(fmt.Sprintf("web%d", i))
			h := &history{t: t, r: &recorder{}, f: f, j: j, n: i * jobs}
			for n := range jobs {
				e := h.accept(started)
				h.finish(e, 2000)
				if n > 0 {
					j.ack(h.facts[2*n-1].k, "m1", "", []string{"m1"})
				}
				checkStored(t, j, e, value(e, 2000))
			}
		})
	}
	work.Wait()
	if f.header.generation < 3 {
		t.Errorf("%d compactions", f.header.generation-1)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := f.append(false); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if f, err = Open(path, JournalOptions{}); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range minions {
		j := f.Minion(fmt.Sprintf("web%d", i))
		for _, e := range j.entries {
			if e.state < returned || e.state == returned && len(j.owed) > 1 {
				t.Errorf("%s: job %s in state %d, %d owed", j.id, e.jid, e.state, len(j.owed))
			}
			if e.state == returned {
				checkStored(t, j, e, value(e, 2000))
			}
		}
		if len(j.owed) < 1 {
			t.Errorf("%s owes %d returns", j.id, len(j.owed))
		}
	}
}
