// Package schedule runs jobs at the times that the configuration, pillar and functions say.
package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto/schedule"
	"brine/states/value"
)

// A Run is one run of a job.
type Run struct {
	Name     string
	At       time.Time // when it was to begin
	Function string
	Args     any // a list, or nil
	Kwargs   any // a dict, or nil
	Quiet    bool
}

// Options are what a Set needs. What may be left out says so.
type Options struct {
	ID      string
	Fixed   *value.Dict               // of the configuration; nil: nothing
	Runs    *value.Dict               // what WriteRuns kept; nil: nothing
	Grains  func() *value.Dict        // which may say "whens"; nil: nothing
	Where   func(name string) string  // the place of a job of Fixed; nil: none is known
	Start   func(Run) (string, error) // begins a run, and returns its job id; nil: no minion runs here
	Running func(jid string) bool     // nil: none does

	// Edits reads what Write kept; nil with no error: nothing.
	Edits func() (d *value.Dict, path string, err error)
	// Write keeps what functions changed, and WriteRuns when jobs have run. Nil: nothing is kept.
	Write     func(*value.Dict) (path string, err error)
	WriteRuns func(*value.Dict) error

	Log  hclog.Logger
	Now  func() time.Time // nil: time.Now
	Zone *time.Location   // nil: time.Local
}

// A Set is the schedule of a minion. It is safe for concurrent use.
type Set struct {
	o    Options
	wake chan struct{}

	mu      sync.Mutex  // guards the fields below
	pillar  *value.Dict // of pillar
	whens   *value.Dict // likewise
	kept    *value.Dict // what functions changed, by name; nil is gone
	brief   *value.Dict // likewise, until the minion ends
	runs    *value.Dict // of an earlier start
	entries map[string]*entry
	rests   bool   // all jobs
	instead string // runs in the place of what is left out
	told    map[string]string
	seen    time.Time // the last look at the clock
	dirty   bool      // runs are not kept yet
	written time.Time
}

// An entry is a job with what became of it.
type entry struct {
	*schedule.Job
	config *value.Dict
	since  time.Time // its interval counts from here

	due, begin time.Time // the next run; zero for none
	past       time.Time // times up to then have come, whether or not it ran
	last       time.Time // run
	jids       []string  // of runs that may be under way
	skipped    time.Time
	why        string
}

// globals are the names of a schedule that are no jobs.
func isGlobal(name string) bool {
	return name == "enabled" || name == "splay" || name == "skip_during_range" || name == "skip_function"
}

// New makes a schedule. It runs nothing before Run.
func New(o Options) *Set {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Running == nil {
		o.Running = func(string) bool { return false }
	}
	if o.Start == nil {
		o.Start = func(Run) (string, error) { return "", errors.New("no minion runs here") }
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	s := &Set{o: o, wake: make(chan struct{}, 1), entries: map[string]*entry{}, told: map[string]string{}}
	s.kept, s.brief, s.runs = &value.Dict{}, &value.Dict{}, dictOr(o.Runs)
	if o.Edits != nil {
		kept, path, err := o.Edits()
		if err != nil {
			o.Log.Error("what schedule functions changed is not used", "file", path, "err", err)
		}
		s.kept = dictOr(kept)
	}
	return s
}

func dictOr(d *value.Dict) *value.Dict {
	if d == nil {
		return &value.Dict{}
	}
	return d
}

func (s *Set) now() time.Time { return s.o.Now().Round(0) } // by the clock on the wall

// SetPillar takes the schedule of pillar, and the names that pillar has for times; nil for none.
func (s *Set) SetPillar(jobs, whens any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.pillar
	s.pillar, _ = jobs.(*value.Dict)
	s.whens, _ = whens.(*value.Dict)
	for name := range s.brief.All() { // what was changed of pillar's lasts until pillar changes it
		old, had := dictOr(before).Get(name)
		now, has := dictOr(s.pillar).Get(name)
		if had && (!has || !value.Equal(old, now)) {
			s.brief.Delete(name)
		}
	}
	s.refresh()
}

// merged is the schedule as it stands: what functions changed counts more than the configuration, and that more than pillar.
// The caller holds mu.
func (s *Set) merged(pillar, own bool) *value.Dict {
	all := &value.Dict{}
	if pillar {
		overlay(all, s.pillar)
	}
	if own {
		overlay(all, s.o.Fixed)
		overlay(all, s.kept)
	}
	for name, v := range s.brief.All() {
		_, ofPillar := dictOr(s.pillar).Get(name)
		if own && !ofPillar || pillar && ofPillar {
			lay(all, name, v)
		}
	}
	return all
}

func overlay(all, over *value.Dict) {
	for name, v := range dictOr(over).All() {
		lay(all, name, v)
	}
}

func lay(all *value.Dict, name, v any) {
	if v == nil {
		all.Delete(name)
		return
	}
	all.Put(value.KeyText(name), v)
}

// refresh makes the entries of what the sources say now. The caller holds mu.
func (s *Set) refresh() {
	now := s.now()
	all := s.merged(true, true)
	s.globals(all)
	names := map[string]bool{}
	for key, v := range all.All() {
		name := value.KeyText(key)
		if isGlobal(name) {
			continue
		}
		j, warnings, err := s.read(name, v, all)
		s.complain(name, errors.Join(err, asError(warnings)))
		if err != nil {
			continue
		}
		names[name] = true
		s.enter(name, j, v.(*value.Dict), now)
	}
	maps.DeleteFunc(s.entries, func(name string, _ *entry) bool { return !names[name] })
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func asError(warnings []string) error {
	var all []error
	for _, w := range warnings {
		all = append(all, errors.New(w))
	}
	return errors.Join(all...)
}

// complain tells of an entry that is wrong, once.
func (s *Set) complain(name string, err error) {
	if err == nil {
		delete(s.told, name)
		return
	}
	if s.told[name] != err.Error() {
		s.told[name] = err.Error()
		s.o.Log.Error("mistake in the schedule", "job", name, "in", s.where(name), "err", err)
	}
}

// where is the source of an entry.
func (s *Set) where(name string) string {
	for _, d := range []*value.Dict{s.brief, s.kept} {
		if _, ok := d.Get(name); ok {
			return "schedule functions"
		}
	}
	if _, ok := dictOr(s.o.Fixed).Get(name); !ok {
		return "pillar"
	}
	if s.o.Where == nil {
		return "minion.toml"
	}
	return cmp.Or(s.o.Where(name), "minion.toml")
}

// globals takes what is said of all jobs. The caller holds mu.
func (s *Set) globals(all *value.Dict) {
	on, has := all.Get("enabled")
	s.rests = has && on == false
	f, _ := all.Get("skip_function")
	s.instead, _ = f.(string)
}

// read reads one entry, for which what is said of all counts where it says nothing itself.
func (s *Set) read(name string, v any, all *value.Dict) (*schedule.Job, []string, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, nil, fmt.Errorf("cannot schedule %q: want a dictionary with function and a time", name)
	}
	spec := Spec(d)
	for _, key := range []string{"splay", "skip_during_range"} {
		if v, ok := all.Get(key); ok && spec[key] == nil {
			spec[key] = plain(laid(v))
		}
	}
	return schedule.Read(name, spec, s.o.Zone, s.when)
}

// when finds the time that a name stands for.
func (s *Set) when(name string) (string, bool) {
	places := []*value.Dict{s.whens}
	if s.o.Grains != nil {
		w, _ := dictOr(s.o.Grains()).Get("whens")
		d, _ := w.(*value.Dict)
		places = append(places, d)
	}
	for _, d := range places {
		if v, ok := dictOr(d).Get(name); ok {
			text, isText := v.(string)
			return text, isText
		}
	}
	return "", false
}

// enter takes an entry. One whose interval is what it was keeps its phase. The caller holds mu.
func (s *Set) enter(name string, j *schedule.Job, config *value.Dict, now time.Time) {
	e := s.entries[name]
	switch {
	case e == nil:
		e = s.restored(name, j, now)
		s.entries[name] = e
		if e.Job, e.config = j, config; j.RunOnStart {
			e.due, e.begin = now, now
			return
		}
		e.plan(s.o.ID, e.past)
		return
	case value.Equal(e.config, config):
		e.Job = j // names of times may stand for others
	case e.Interval != j.Interval:
		e.since = now
	}
	e.Job, e.config = j, config
	e.plan(s.o.ID, now)
}

// restored is an entry as it was when the minion ended.
func (s *Set) restored(name string, j *schedule.Job, now time.Time) *entry {
	e := &entry{since: now, past: now}
	v, _ := s.runs.Get(name)
	d, ok := v.(*value.Dict)
	if !ok {
		return e
	}
	s.runs.Delete(name)
	at := func(key string) time.Time {
		v, _ := d.Get(key)
		if n, ok := v.(int64); ok && n > 0 && !time.UnixMicro(n).After(now) {
			return time.UnixMicro(n)
		}
		return time.Time{}
	}
	e.last = at("last")
	if past := at("past"); !past.IsZero() {
		e.past = past
	}
	if v, _ := d.Get("interval"); v == int64(j.Interval) && !at("since").IsZero() {
		e.since = at("since")
	}
	return e
}

// plan finds the next run after a time.
func (e *entry) plan(id string, after time.Time) {
	e.due, e.begin = e.Next(after, e.since), time.Time{}
	if !e.due.IsZero() {
		e.begin = e.due.Add(e.Splay(id, e.due))
	}
}

// names are those of the entries, in order.
func (s *Set) names() []string { return slices.Sorted(maps.Keys(s.entries)) }
