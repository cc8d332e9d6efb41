package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/schedule"
)

// A site is masters that share a log.
type site struct {
	t     *testing.T
	began time.Time

	mu      sync.Mutex              // guards the fields below, but between masters and the test, which waits for them
	log     map[string]schedule.Run // by job and time
	made    []string
	live    map[string]context.CancelFunc
	config  map[string]any
	broken  bool
	running bool // what was made has not ended
	said    lines
}

// lines are those of a log, safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (s *site) masters(string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.live {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func (s *site) start(name string) *schedule.Schedule {
	s.t.Helper()
	jobs, _, err := schedule.Read(s.config, time.UTC, func(string) string { return "master.toml" })
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.live[name] = cancel
	s.mu.Unlock()
	x := schedule.New(schedule.Options{
		Master: name, Jobs: jobs, Zone: time.UTC, Masters: s.masters, Log: hclog.New(&hclog.LoggerOptions{Output: &s.said}),
		Begin: func(_ context.Context, d schedule.Due) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.broken {
				return errors.New("the store does not answer")
			}
			key := fmt.Sprint(d.Name, d.At)
			if _, ok := s.log[key]; !ok {
				s.log[key] = schedule.Run{At: d.At, JID: key}
				s.made = append(s.made, fmt.Sprintf("%s at %v", d.Name, d.At.Sub(s.began)))
			}
			return nil
		},
		Runs: func(_ context.Context, job string) (runs []schedule.Run, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for key, r := range s.log {
				if strings.HasPrefix(key, job) {
					r.Running = s.running
					runs = append(runs, r)
				}
			}
			slices.SortFunc(runs, func(a, b schedule.Run) int { return b.At.Compare(a.At) })
			return runs, nil
		},
	})
	go x.Run(ctx)
	return x
}

func (s *site) kill(name string) {
	s.mu.Lock()
	s.live[name]()
	delete(s.live, name)
	s.mu.Unlock()
	synctest.Wait()
}

func (s *site) want(after time.Duration, want ...string) {
	s.t.Helper()
	time.Sleep(after)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.made, want) {
		s.t.Errorf("got %q, want %q", s.made, want)
	}
	s.made = nil
}

func (s *site) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func run(t *testing.T, config map[string]any, do func(*site)) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, began: time.Now(), log: map[string]schedule.Run{}, live: map[string]context.CancelFunc{}, config: config}
		do(s)
		for _, name := range s.masters("") {
			s.kill(name)
		}
	})
}

func ping(pairs ...any) map[string]any {
	m := map[string]any{"function": "test.ping", "tgt": "*"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func TestAJobIsMadeOnceWhicheverMasterLives(t *testing.T) {
	run(t, map[string]any{"a": ping("minutes", int64(1))}, func(s *site) {
		x := s.start("m1")
		s.start("m2")
		s.want(150*time.Second, "a at 1m0s", "a at 2m0s")
		driver := x.Driver("a")
		other := map[string]string{"m1": "m2", "m2": "m1"}[driver]
		time.Sleep(29 * time.Second)
		synctest.Wait()
		s.kill(driver) // a second before the next one
		s.want(31*time.Second, "a at 3m0s")
		s.start(driver)
		s.want(time.Minute, "a at 4m0s")
		s.kill(other)
		s.want(time.Minute, "a at 5m0s")
	})
}

func TestWhatNoMasterMadeIsMadeLaterOrNot(t *testing.T) {
	run(t, map[string]any{"h": ping("hours", int64(1)), "m": ping("hours", int64(1), "run_missed", true)}, func(s *site) {
		s.start("m1")
		s.want(61*time.Minute, "h at 1h0m0s", "m at 1h0m0s")
		s.kill("m1")
		time.Sleep(60 * time.Minute) // 2h1m: a minute too late
		s.start("m2")
		s.want(10*time.Second, "h at 2h0m0s", "m at 2h0m0s")
		s.kill("m2")
		time.Sleep(89 * time.Minute) // 3h30m
		s.start("m1")
		s.want(10*time.Second, "m at 3h0m0s")
		s.set(func() { s.broken = true })
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		s.set(func() { s.broken = false })
		s.want(10*time.Second, "h at 4h0m0s", "m at 4h0m0s")
	})
}

// That something can't be made is said once, not each time that it is tried.
func TestARunThatCanNotBeMadeIsToldOnce(t *testing.T) {
	run(t, map[string]any{"a": ping("minutes", int64(2))}, func(s *site) {
		s.broken = true
		s.start("m1")
		s.want(150 * time.Second)
		if n := s.said.count("scheduled job not made"); n != 1 {
			t.Errorf("it is told %d times", n)
		}
		s.set(func() { s.broken = false })
		s.want(10*time.Second, "a at 2m0s")
		s.set(func() { s.broken = true })
		s.want(150 * time.Second)
		if n := s.said.count("scheduled job not made"); n != 2 {
			t.Errorf("it is told %d times, want again after one that was made", n)
		}
	})
}

func TestMaxRunningAndRangesCount(t *testing.T) {
	run(t, map[string]any{
		"a": ping("minutes", int64(1)), "b": ping("minutes", int64(1), "range", map[string]any{"start": "00:02", "end": "00:03"}),
		"start": ping("hours", int64(2), "run_on_start", true),
	}, func(s *site) {
		s.set(func() { s.running = true })
		x := s.start("m1")
		s.want(270*time.Second, "start at 0s", "a at 1m0s", "b at 2m0s")
		if next := x.Next(x.Jobs()[1]); !next.Equal(s.began.Add(24*time.Hour + 2*time.Minute)) {
			t.Errorf("got next %v", next)
		}
	})
}

func TestEveryMistakeIsTold(t *testing.T) {
	_, _, err := schedule.Read(map[string]any{
		"a": ping("secnds", int64(1)), "b": "x", "c": map[string]any{"tgt": int64(1), "function": "test.ping", "hours": int64(1)}, "enabled": true,
	}, time.UTC, func(name string) string { return "master.toml:" + name })
	for _, want := range []string{"master.toml:a: ", "secnds", "master.toml:b: ", "master.toml:c: ", "tgt = 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
