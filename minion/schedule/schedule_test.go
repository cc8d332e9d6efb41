package schedule_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/schedule"
	"brine/states/value"
)

// A world is a minion whose jobs are only noted, with what it keeps.
type world struct {
	t       *testing.T
	fixed   *value.Dict
	edits   *value.Dict
	kept    *value.Dict
	ahead   atomic.Int64 // nanoseconds of its clock
	began   time.Time
	mu      sync.Mutex // guards runs and running
	runs    []string
	running map[string]bool
	log     bytes.Buffer
	*schedule.Set
	stop func()
}

func test(t *testing.T, fixed *value.Dict, do func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, fixed: fixed, running: map[string]bool{}, began: time.Now()}
		w.start()
		do(w)
		w.stop()
	})
}

func (w *world) start() {
	w.Set = schedule.New(schedule.Options{
		ID: "web1", Fixed: w.fixed, Runs: w.kept, Zone: time.UTC,
		Log:   hclog.New(&hclog.LoggerOptions{Output: &w.log, Level: hclog.Info}),
		Now:   func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
		Where: func(name string) string { return "minion.toml:" + name },
		Start: func(r schedule.Run) (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.runs = append(w.runs, fmt.Sprintf("%s %s at %v", r.Name, r.Function, time.Since(w.began).Round(time.Second)))
			jid := fmt.Sprint(len(w.runs))
			w.running[jid] = r.Function == "test.sleep"
			return jid, nil
		},
		Running: func(jid string) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.running[jid]
		},
		Edits:     func() (*value.Dict, string, error) { return w.edits, "/kept", nil },
		Write:     func(d *value.Dict) (string, error) { w.edits = copied(d); return "/kept", nil },
		WriteRuns: func(d *value.Dict) error { w.kept = copied(d); return nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done }
	synctest.Wait()
}

func copied(d *value.Dict) *value.Dict {
	c, err := value.Clone(d)
	if err != nil {
		panic(err)
	}
	return c.(*value.Dict)
}

// want compares what ran since it was asked last, after a while.
func (w *world) want(after time.Duration, want ...string) {
	w.t.Helper()
	time.Sleep(after)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.runs, want) {
		w.t.Errorf("got runs %q, want %q", w.runs, want)
	}
	w.runs = nil
}

func job(pairs ...any) *value.Dict {
	return value.NewDict(append([]any{"function", "test.ping"}, pairs...)...)
}

func TestJobsRunAtTheirTimes(t *testing.T) {
	fixed := value.NewDict("a", job("seconds", int64(10)), "b", job("cron", "*/2 * * * *"), "start", job("hours", int64(1), "run_on_start", true),
		"off", job("seconds", int64(10), "enabled", false), "wrong", job("secnds", int64(1)))
	test(t, fixed, func(w *world) {
		w.want(25*time.Second, "start test.ping at 0s", "a test.ping at 10s", "a test.ping at 20s")
		w.want(4*time.Second+5*time.Second, "a test.ping at 30s")
		w.want(time.Minute+30*time.Second, "a test.ping at 40s", "a test.ping at 50s", "a test.ping at 1m0s", "a test.ping at 1m10s",
			"a test.ping at 1m20s", "a test.ping at 1m30s", "a test.ping at 1m40s", "a test.ping at 1m50s", "a test.ping at 2m0s", "b test.ping at 2m0s")
		if n := strings.Count(w.log.String(), "minion.toml:wrong"); n != 1 {
			t.Errorf("a mistake was told %d times with its place, want once: %s", n, &w.log)
		}
		if m := w.Status("wrong").Mistake; !strings.Contains(m, "secnds") {
			t.Errorf("got mistake %q", m)
		}
	})
}

func TestAnIntervalKeepsItsPhase(t *testing.T) {
	test(t, value.NewDict("a", job("seconds", int64(60))), func(w *world) {
		w.want(70*time.Second, "a test.ping at 1m0s")
		w.SetPillar(value.NewDict("b", job("seconds", int64(3600))), nil)
		if err := w.Edit("a", job("seconds", int64(60), "maxrunning", int64(2)), true); err != nil {
			t.Fatal(err)
		}
		w.want(60*time.Second, "a test.ping at 2m0s")
		w.stop()
		time.Sleep(15 * time.Second)
		w.start()
		w.want(40*time.Second, "a test.ping at 3m0s")
		_ = w.Edit("a", job("seconds", int64(30)), true)
		w.want(40*time.Second, "a test.ping at 3m35s")
	})
}

func TestWhatWasMissedRunsOnceIfWanted(t *testing.T) {
	fixed := value.NewDict("daily", job("cron", "0 3 * * *"), "missed", job("cron", "0 3 * * *", "run_missed", true), "often", job("seconds", int64(5)))
	test(t, fixed, func(w *world) {
		time.Sleep(time.Hour)
		w.stop()
		w.mu.Lock()
		w.runs = nil
		w.mu.Unlock()
		time.Sleep(30 * time.Hour)
		w.start()
		w.want(time.Second, "missed test.ping at 31h0m0s")
		w.stop()
		w.start()
		w.want(time.Second)
	})
}

func TestAClockThatIsSetBringsNoBurst(t *testing.T) {
	test(t, value.NewDict("a", job("seconds", int64(60))), func(w *world) {
		w.want(time.Minute, "a test.ping at 1m0s")
		w.ahead.Store(int64(10*time.Hour + 30*time.Second)) // as after a sleep of the host
		w.want(time.Minute)                                 // what was missed does not come
		w.want(time.Minute, "a test.ping at 2m30s")
		w.ahead.Store(0)
		w.want(3*time.Minute, "a test.ping at 4m30s", "a test.ping at 5m30s")
	})
}

func TestRunsAreBoundedAndLeftOut(t *testing.T) {
	fixed := value.NewDict("long", job("function", "test.sleep", "seconds", int64(10)),
		"range", job("minutes", int64(1), "skip_during_range", value.NewDict("start", "00:02", "end", "00:04")), "skip_function", "test.true",
		"dry", job("seconds", int64(10), "dry_run", true))
	test(t, fixed, func(w *world) {
		w.want(30*time.Second, "long test.sleep at 10s")
		if st := w.Status("long"); st.Why != "maxrunning" || len(st.Running) != 1 {
			t.Errorf("got %+v", st)
		}
		if st, err := w.Status("dry"), w.RunJob("dry"); st.Why != "dry_run" || err == nil {
			t.Errorf("got %+v, %v of one that is only for show", st, err)
		}
		_ = w.Edit("long", nil, true)
		w.want(285*time.Second, "range test.ping at 1m0s", "range test.true at 2m0s", "range test.true at 3m0s", "range test.true at 4m0s", "range test.ping at 5m0s")
		_ = w.Edit("enabled", false, true)
		w.want(time.Minute)
		if next := w.Status("range").Next; !next.IsZero() {
			t.Errorf("got next %v of a schedule that rests", next)
		}
	})
}

func TestSkipFunctionRunsOutOfARange(t *testing.T) {
	fixed := value.NewDict("range", job("minutes", int64(1), "range", value.NewDict("start", "00:02", "end", "00:03")), "skip_function", "test.true")
	test(t, fixed, func(w *world) {
		w.want(250*time.Second, "range test.true at 1m0s", "range test.ping at 2m0s", "range test.ping at 3m0s", "range test.true at 4m0s")
	})
}

func TestEditsLastAsLongAsTheyAreToLast(t *testing.T) {
	test(t, value.NewDict("fixed", job("hours", int64(1))), func(w *world) {
		w.SetPillar(value.NewDict("p", job("hours", int64(1)), "q", job("hours", int64(1))), nil)
		_ = w.Edit("brief", job("hours", int64(1)), false)
		_ = w.Edit("kept", job("hours", int64(1)), true)
		_ = w.Edit("fixed", nil, true)
		_ = w.Edit("p", nil, true)
		wantNames(w, "brief kept q")
		w.SetPillar(value.NewDict("p", job("hours", int64(2)), "q", job("hours", int64(1))), nil)
		wantNames(w, "brief kept p q")
		w.stop()
		w.start()
		wantNames(w, "kept")
		if w.Saved("brief") || !w.Saved("kept") {
			t.Error("wrong about what is kept")
		}
	})
}

func wantNames(w *world, want string) {
	w.t.Helper()
	var names []string
	for k := range w.List(true, true).All() {
		names = append(names, fmt.Sprint(k))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != want {
		w.t.Errorf("got %q, want %q", got, want)
	}
}
