package schedule

import (
	"context"
	"slices"
	"time"

	"brine/proto/schedule"
)

// Run has jobs made until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	if len(s.entries) == 0 {
		return
	}
	began := s.o.Now().Round(0)
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for first := true; ; first = false {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if first {
			s.begin(ctx, began)
		}
		timer.Reset(s.look(ctx))
	}
}

// begin finds out what was made before this master began.
func (s *Schedule) begin(ctx context.Context, began time.Time) {
	for _, e := range s.entries {
		alone := !slices.ContainsFunc(s.o.Masters(e.Name), func(m string) bool { return m != s.o.Master })
		if e.past = began; !alone {
			continue
		}
		if e.RunOnStart {
			e.open = append(e.open, began)
		}
		runs, err := s.o.Runs(ctx, e.Name)
		if err != nil {
			s.o.Log.Warn("not known when a scheduled job ran last", "job", e.Name, "err", err)
		}
		if len(runs) == 0 || runs[0].At.After(began) {
			continue // it is new: nothing was missed
		}
		if e.past = runs[0].At; !e.RunMissed && began.Sub(e.past) > late {
			e.past = began.Add(-late)
		}
	}
}

// look makes what is to be made, and returns when to look again.
func (s *Schedule) look(ctx context.Context) time.Duration {
	now, wait := s.o.Now().Round(0), restMost
	for _, e := range s.entries {
		next := e.come(now)
		e.open = slices.DeleteFunc(e.open, func(at time.Time) bool { return s.done(ctx, e, at, now) })
		if len(e.open) > 0 {
			wait = min(wait, lookEvery)
		}
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// come notes the times that have come, of many only the last, and returns the next one.
func (e *entry) come(now time.Time) time.Time {
	var last time.Time
	if e.past.After(now) && e.past.Sub(now) > late { // the clock was set back
		e.past = now
	}
	if now.Sub(e.past) > 2*late && e.Interval > 0 { // the last of many
		_, first := e.next(e.past)
		if e.past = now.Add(-max(late, e.Interval)); first.After(e.past) {
			e.past = first.Add(-time.Nanosecond)
		}
	}
	for {
		due, begin := e.next(e.past)
		if due.IsZero() || begin.After(now) {
			if !last.IsZero() {
				e.open = append(e.open, last)
			}
			return begin
		}
		e.past, last = due, begin
	}
}

// done tells whether nothing is left to do for a time that has come.
func (s *Schedule) done(ctx context.Context, e *entry, at, now time.Time) bool {
	age := now.Sub(at)
	switch {
	case age > late && !e.RunMissed:
		s.o.Log.Warn("scheduled job missed", "job", e.Name, "at", at)
		return true
	case s.Driver(e.Name) != s.o.Master:
		return age > trusted
	}
	if ok, why := e.May(at); !ok {
		s.o.Log.Debug("scheduled job left out", "job", e.Name, "why", why)
		return true
	}
	runs, err := s.o.Runs(ctx, e.Name)
	if err != nil {
		s.o.Log.Warn("scheduled job waits: not known what runs", "job", e.Name, "err", err)
		return false
	}
	running := 0
	for _, r := range runs {
		if r.Running {
			running++
		}
		if r.At.Equal(at.Truncate(time.Second)) {
			return true // it was made
		}
	}
	if e.MaxRunning > 0 && running >= e.MaxRunning {
		s.o.Log.Info("scheduled job left out", "job", e.Name, "why", schedule.TooMany)
		return true
	}
	if err := s.o.Begin(ctx, Due{e.Job, at}); err != nil {
		if why := err.Error(); why != e.problem { // not each time that it is tried
			e.problem = why
			s.o.Log.Error("scheduled job not made; it is tried again for a while", "job", e.Name, "at", at, "err", err)
		}
		return age > late
	}
	e.problem = ""
	return true
}
