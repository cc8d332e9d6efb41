package schedule

import (
	"errors"
	"fmt"
	"time"

	"brine/states/host"
	"brine/states/value"
)

var _ host.Schedule = (*Set)(nil)

// List returns the configuration by names.
func (s *Set) List(pillar, own bool) *value.Dict {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := value.Clone(s.merged(pillar, own))
	if err != nil {
		return &value.Dict{} // it came as JSON: nothing in it contains itself
	}
	return c.(*value.Dict)
}

// Saved tells whether a name is kept for later starts.
func (s *Set) Saved(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.brief.Get(name); ok && v != nil {
		return false
	}
	v, ok := s.kept.Get(name)
	_, fixed := dictOr(s.o.Fixed).Get(name)
	return ok && v != nil || !ok && fixed
}

// Check tells every mistake in the configuration of a job.
func (s *Set) Check(name string, config *value.Dict) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" || isGlobal(name) {
		return fmt.Errorf("cannot schedule %q: no job may have this name", name)
	}
	_, _, err := s.read(name, config, &value.Dict{})
	return err
}

// Edit changes what stands under a name, for later starts too if that is wanted. What pillar has changes until pillar does.
func (s *Set) Edit(name string, config any, keep bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, fixed := dictOr(s.o.Fixed).Get(name)
	v, own := s.kept.Get(name)
	own = own && v != nil || fixed
	_, ofPillar := dictOr(s.pillar).Get(name)
	var err error
	switch {
	case ofPillar && !own, !keep:
		s.brief.Put(name, config)
	case config == nil && !fixed:
		s.brief.Delete(name)
		s.kept.Delete(name)
		_, err = s.save()
	default:
		s.brief.Delete(name)
		s.kept.Put(name, config)
		_, err = s.save()
	}
	s.refresh()
	return err
}

var errNoFiles = errors.New("this minion keeps no files: its schedule is as it was at the next start")

// save keeps what functions changed. The caller holds mu.
func (s *Set) save() (string, error) {
	if s.o.Write == nil {
		return "", errNoFiles
	}
	path, err := s.o.Write(s.kept)
	if err != nil {
		return "", fmt.Errorf("cannot keep the schedule: %w", err)
	}
	return path, nil
}

// Save keeps all that functions changed of what is not pillar's, and returns the file.
func (s *Set) Save() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, v := range s.brief.All() {
		if _, ofPillar := dictOr(s.pillar).Get(name); !ofPillar {
			s.kept.Put(value.KeyText(name), v)
			s.brief.Delete(name)
		}
	}
	return s.save()
}

// Reload takes what is kept, and forgets what is not.
func (s *Set) Reload() (string, error) {
	if s.o.Edits == nil {
		return "", errNoFiles
	}
	kept, path, err := s.o.Edits()
	if err != nil {
		return path, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.brief = dictOr(kept), &value.Dict{}
	s.refresh()
	return path, nil
}

// RunJob runs a job at once, beside the times that it has.
func (s *Set) RunJob(name string) error {
	s.mu.Lock()
	e := s.entries[name]
	why := s.told[name]
	now := s.now()
	s.mu.Unlock()
	switch {
	case e == nil && why == "":
		return fmt.Errorf("cannot run job %s: no minion runs here", name)
	case e == nil:
		return errors.New(why)
	case e.DryRun:
		return fmt.Errorf("cannot run job %s: its dry_run is true", name)
	}
	r := Run{Name: name, At: now, Function: e.Function, Args: e.Args, Kwargs: e.Kwargs, Quiet: !e.ReturnJob}
	jid, err := s.o.Start(r)
	if err == nil {
		s.mu.Lock()
		e.last, e.jids = now, append(e.jids, jid)
		s.mu.Unlock()
	}
	return err
}

// Status tells when a job runs next and ran last, and why it did not; a mistake that keeps it from running.
func (s *Set) Status(name string) host.ScheduleStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	if e == nil {
		return host.ScheduleStatus{Mistake: s.told[name]}
	}
	st := host.ScheduleStatus{Last: e.last, Skipped: e.skipped, Why: e.why, Next: s.next(e)}
	for _, jid := range e.jids {
		if s.o.Running(jid) {
			st.Running = append(st.Running, jid)
		}
	}
	return st
}

const looksAhead = 50_000

// next is the first of the coming times at which a job may run; zero when it is none of those that can be foreseen.
func (s *Set) next(e *entry) time.Time {
	if s.rests || !e.Enabled {
		return time.Time{}
	}
	due, begin := e.due, e.begin
	for range looksAhead {
		if begin.IsZero() {
			break
		}
		if ok, _ := e.May(begin); ok {
			return begin
		}
		if due = e.Next(due, e.since); due.IsZero() {
			break
		}
		begin = due.Add(e.Splay(s.o.ID, due))
	}
	return time.Time{}
}
