// Package schedule reads jobs that are to run at certain times, in Salt's format, and tells when. It is the same for those
// that a minion runs by itself and for those that masters make.
package schedule

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// A Job is what a schedule has under one name. It says when something runs, and keeps the rest as it was given.
// (Salt's documentation: "Scheduling jobs".)
type Job struct {
	Name     string
	Function string
	Args     any // a list; nil for none
	Kwargs   any // a mapping; nil for none
	Metadata any // kept for whoever looks at the schedule

	Enabled    bool
	MaxRunning int // of this job at the same time; 0: any number
	ReturnJob  bool
	RunOnStart bool // also when the program starts
	DryRun     bool // it is due, and never runs
	RunMissed  bool // brine's own: once, when the program was not there at its time

	Interval time.Duration // between the runs; 0: at the times of the fields below
	times    []Moment      // "when", or the one of "once"
	cron     cron.Schedule // nil for none
	cronText string        // as it was given
	explicit []time.Time   // runs besides
	skips    []time.Time   // runs that are left out

	runRange, skipRange *span
	runAfterSkip        bool
	after, until        *Moment
	splayFrom, splayTo  time.Duration
}

// A span is one of each day, or between two moments of the calendar.
type span struct {
	start, end Moment
	invert     bool
}

// has tells whether a time is within the span as it stands at that time.
func (s *span) has(at time.Time) bool {
	if s.start.fixed() || s.end.fixed() {
		start, end := s.start.On(at), s.end.On(at)
		return !at.Before(start) && !at.After(end)
	}
	begun := s.start.Last(at)
	ended := s.end.Last(at)
	return at.Equal(ended) || begun.After(ended)
}

// Next is the first time after a moment at which the job is due, whether or not it may run then (see May). since is when its
// interval was begun: by the last run, or by the start of the program. It is zero when the job is never due again.
func (j *Job) Next(after, since time.Time) time.Time {
	var next time.Time
	sooner := func(at time.Time) {
		if !at.IsZero() && at.After(after) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if j.Interval > 0 {
		sooner(since.Add(max(1, (after.Sub(since)+j.Interval)/j.Interval) * j.Interval))
	}
	for _, m := range j.times {
		sooner(m.Next(after))
	}
	if j.cron != nil {
		sooner(j.cron.Next(after))
	}
	for _, at := range j.explicit {
		sooner(at)
	}
	if j.runAfterSkip && j.skipRange != nil {
		sooner(j.skipRange.end.Next(after.Add(-afterSkip)).Add(afterSkip))
	}
	return next
}

// afterSkip is how long after a span that is left out a job runs.
const afterSkip = time.Second

// Why a job may not run at a time, in Salt's words.
const (
	Disabled    = "disabled"
	NeverRuns   = "dry_run"
	NotInRange  = "not_in_range"
	InSkipRange = "in_skip_range" // or in a range that is inverted
	SkippedOnce = "skip_explicit"
	Over        = "until_passed"
	NotYet      = "after_not_passed"
	TooMany     = "maxrunning" // for who knows what runs to say
)

// May tells whether the job may run at a time, and if not why.
func (j *Job) May(at time.Time) (ok bool, why string) {
	switch {
	case !j.Enabled:
		return false, Disabled
	case j.runRange != nil && j.runRange.invert && j.runRange.has(at):
		return false, InSkipRange
	case j.runRange != nil && !j.runRange.invert && !j.runRange.has(at):
		return false, NotInRange
	case j.skipRange != nil && j.skipRange.has(at):
		return false, InSkipRange
	case j.until != nil && !at.Before(j.until.On(at)):
		return false, Over
	case j.after != nil && !at.After(j.after.On(at)):
		return false, NotYet
	}
	for _, skip := range j.skips {
		if at.Sub(skip).Abs() < time.Second {
			return false, SkippedOnce
		}
	}
	if j.DryRun {
		return false, NeverRuns
	}
	return true, ""
}

// Splay is how long after it is due a run begins. It follows from who runs it and from when it is due, so that it is the same
// for each of several masters, and another one for each minion.
func (j *Job) Splay(who string, due time.Time) time.Duration {
	if slices.ContainsFunc(j.explicit, due.Equal) {
		return 0
	}
	width := j.splayTo - j.splayFrom
	if width <= 0 {
		return max(0, j.splayFrom)
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", who, j.Name, due.Unix())
	return j.splayFrom + time.Duration(h.Sum64()%uint64(width)).Truncate(time.Millisecond)
}

// Repeats tells whether a job that has run may be due once more after a moment.
func (j *Job) Repeats(after time.Time) bool { return !j.Next(after, after).IsZero() }

// Skip leaves out the run of a time, which stands in the format of Salt's schedule.skip_job.
func (j *Job) Skip(at time.Time) { j.skips = append(j.skips, at) }

// Add has the job run at a time besides its own ones.
func (j *Job) Add(at time.Time) { j.explicit = append(j.explicit, at) }

// Timing says in words when a job runs.
func (j *Job) Timing() string {
	var parts []string
	if j.Interval > 0 {
		parts = append(parts, "every "+j.Interval.String())
	}
	for _, m := range j.times {
		parts = append(parts, m.text)
	}
	if j.cronText != "" {
		parts = append(parts, "cron "+j.cronText)
	}
	return strings.Join(parts, ", ")
}
