package schedule

import (
	"context"
	"slices"
	"time"

	"brine/proto/schedule"
	"brine/states/value"
)

const (
	lookEvery = 30 * time.Second // at most between two looks at the clock, which may have been set, or have stood still with the host
	grace     = 2 * time.Minute  // a run that comes later than this is one that was missed
	setBack   = 2 * time.Hour    // by as much a clock may be set back before times that have come are waited for again
	keepEvery = 10 * time.Second // at most as often it is kept when jobs ran
)

// Run runs the jobs until ctx ends.
func (s *Set) Run(ctx context.Context) {
	s.mu.Lock()
	s.seen = s.now()
	s.refresh()
	s.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			s.keep(true)
			return
		}
		for _, r := range s.look() {
			s.start(r)
		}
		s.keep(false)
		timer.Reset(s.pause())
	}
}

// look notes which times have come, and returns what is to run.
func (s *Set) look() (runs []Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.clockSet(now)
	for _, name := range s.names() {
		e := s.entries[name]
		if e.begin.IsZero() || e.begin.After(now) {
			continue
		}
		if r, ok := s.come(e, now); ok {
			runs = append(runs, r)
		}
		e.past, s.dirty = now, true
		e.plan(s.o.ID, now)
	}
	return runs
}

// clockSet counts intervals anew when the clock was set back. The caller holds mu.
func (s *Set) clockSet(now time.Time) {
	back := s.seen.Sub(now)
	s.seen = now
	if back < time.Second {
		return
	}
	for _, e := range s.entries {
		if e.Interval > 0 {
			e.since = now
		}
		if e.Interval > 0 || back > setBack {
			e.plan(s.o.ID, now)
		}
	}
}

// come tells what runs now that the time of an entry has come, if anything. The caller holds mu.
func (s *Set) come(e *entry, now time.Time) (Run, bool) {
	at := e.begin
	late := now.Sub(at) > grace
	if late {
		at = now
	}
	r := Run{Name: e.Name, At: at, Function: e.Function, Args: e.Args, Kwargs: e.Kwargs, Quiet: !e.ReturnJob}
	ok, why := e.May(at)
	e.jids = slices.DeleteFunc(e.jids, func(jid string) bool { return !s.o.Running(jid) })
	switch {
	case late && !e.RunMissed:
		why = "missed: the minion was not there at its time"
	case s.rests:
		why = schedule.Disabled
	case !ok && s.instead != "" && slices.Contains([]string{schedule.NotInRange, schedule.InSkipRange, schedule.SkippedOnce}, why):
		r.Function, r.Args, r.Kwargs = s.instead, nil, nil
		return r, true
	case !ok:
	case e.MaxRunning > 0 && len(e.jids) >= e.MaxRunning:
		why = schedule.TooMany
	default:
		return r, true
	}
	e.skipped, e.why = now, why
	s.o.Log.Debug("scheduled job left out", "job", e.Name, "why", why)
	return Run{}, false
}

// start begins a run.
func (s *Set) start(r Run) {
	jid, err := s.o.Start(r)
	if err != nil {
		s.o.Log.Error("scheduled job not run", "job", r.Name, "function", r.Function, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[r.Name]
	switch {
	case e == nil:
	case err != nil:
		e.skipped, e.why = r.At, err.Error()
	default:
		e.last, e.skipped, e.why = r.At, time.Time{}, ""
		e.jids = append(e.jids, jid)
	}
}

// pause is how long to wait before the next look.
func (s *Set) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.now(), lookEvery
	for _, e := range s.entries {
		if !e.begin.IsZero() {
			wait = min(wait, e.begin.Sub(now))
		}
	}
	if len(s.entries) == 0 && !s.dirty {
		return time.Hour // a change wakes it
	}
	return max(wait, time.Millisecond)
}

// keep writes down when jobs have run, now and then or at once.
func (s *Set) keep(atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.dirty || s.o.WriteRuns == nil || !atOnce && now.Sub(s.written).Abs() < keepEvery {
		return
	}
	all := &value.Dict{}
	for _, name := range s.names() {
		e := s.entries[name]
		d := value.NewDict("interval", int64(e.Interval), "since", e.since.UnixMicro(), "past", e.past.UnixMicro())
		if !e.last.IsZero() {
			d.Put("last", e.last.UnixMicro())
		}
		all.Put(name, d)
	}
	s.written, s.dirty = now, false
	if err := s.o.WriteRuns(all); err != nil {
		s.o.Log.Error("not kept when jobs ran", "err", err)
	}
}
