package beacon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/states/value"
)

const (
	settle   = 50 * time.Millisecond // from a wake-up to the look, so that what belongs together comes together
	stuckBy  = time.Second           // after its timeout a look should have ended
	endGrace = 5 * time.Second       // for looks and followers when Run ends
	maxTag   = 400                   // bytes of what stands behind a beacon's name; masters take 512 in all
)

// An instance is a beacon with one configuration. Set.mu guards the fields below the gap.
type instance struct {
	name        string
	config      any
	look        looker
	manner      manner
	interval    time.Duration
	timeout     time.Duration
	fixed       bool // the configuration gives the interval: nothing wakes it before
	stream      bool
	off         bool
	once        bool
	outsideRuns bool
	seen        map[string]*seen // of the one goroutine that looks
	lost        bool             // likewise: the last event could not be kept, which was logged

	life    context.Context
	end     context.CancelFunc
	due     time.Time // zero: never again
	began   time.Time // of the look that is under way; zero when there is none
	last    time.Time // when the last one began
	failing bool      // it was told
	stuck   bool      // likewise, of the look that is under way
}

// Run looks until ctx ends.
func (s *Set) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer s.stop()
	for {
		s.renew(ctx)
		timer.Reset(s.begin(time.Now()))
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// stop ends all, but does not wait for a look that hangs.
func (s *Set) stop() {
	s.mu.Lock()
	for _, i := range s.all {
		i.end()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
	}
}

// renew brings what runs to what is configured.
func (s *Set) renew(ctx context.Context) {
	s.mu.Lock()
	changed := s.changed
	s.changed = false
	want, enable := s.list(true, true), true
	s.mu.Unlock()
	if !changed {
		return
	}
	if v, ok := want.Get(enabled); ok {
		enable = value.Truth(v)
		want.Delete(enabled)
	}
	if !enable {
		want = &value.Dict{}
	}
	names := map[string]bool{}
	for k, config := range want.All() {
		name := value.KeyText(k)
		names[name] = true
		s.renewOne(ctx, name, config)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, i := range s.all {
		if !names[name] {
			i.end()
			delete(s.all, name)
		}
	}
	for name := range s.wrong {
		if !names[name] {
			delete(s.wrong, name)
		}
	}
}

// renewOne makes a beacon anew unless it is as it was. What is wrong with it is told once.
func (s *Set) renewOne(ctx context.Context, name string, config any) {
	s.mu.Lock()
	old := s.all[name]
	s.mu.Unlock()
	if old != nil && value.Equal(old.config, config) {
		return
	}
	i, err := s.make(name, config)
	s.mu.Lock()
	if old != nil {
		old.end()
		delete(s.all, name)
	}
	if err == nil {
		delete(s.wrong, name)
		if !i.off {
			i.life, i.end = context.WithCancel(ctx)
			i.due = time.Now()
			s.all[name] = i
		}
		s.mu.Unlock()
		return
	}
	place, told := s.place(name, err), s.wrong[name] == err.Error()
	s.wrong[name] = err.Error()
	s.mu.Unlock()
	if !told {
		s.complain(name, place, err)
	}
}

// begin starts the looks that are due, and tells when the next one is.
func (s *Set) begin(now time.Time) time.Duration {
	s.mu.Lock()
	var hang []*instance
	next := now.Add(time.Hour)
	for _, i := range s.all {
		switch {
		case !i.began.IsZero() && i.stuck:
			continue
		case !i.began.IsZero():
			at := i.began.Add(i.timeout + stuckBy)
			if i.stuck = !at.After(now); i.stuck {
				hang = append(hang, i)
			} else if at.Before(next) {
				next = at
			}
			continue
		case i.due.IsZero():
			continue
		case !i.due.After(now):
			since := i.last
			i.began, i.last, i.due = now, now, now.Add(i.interval)
			s.work.Go(func() { s.lookOnce(i, now, since) })
			i.stuck = false
			continue
		}
		if i.due.Before(next) {
			next = i.due
		}
	}
	s.mu.Unlock()
	for _, i := range hang {
		s.failed(i, fmt.Errorf("a look takes more than %v, and does not end", i.timeout))
	}
	return next.Sub(now)
}

// lookOnce is one look of a beacon.
func (s *Set) lookOnce(i *instance, now, since time.Time) {
	defer func() {
		s.mu.Lock()
		i.began = time.Time{}
		s.mu.Unlock()
		s.poke()
	}()
	if i.outsideRuns && !i.stream && s.o.Job().States {
		return
	}
	ctx, cancel := context.WithTimeout(i.life, i.timeout)
	defer cancel()
	found, err := i.look(ctx, s.o.Host(ctx))
	if i.life.Err() != nil {
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("a look takes more than %v: %w", i.timeout, err)
	}
	s.failed(i, err)
	job := s.o.Job()
	if i.outsideRuns && i.stream && (job.States || !job.Last.Before(since)) {
		return
	}
	if back := now.Add(-i.interval); since.IsZero() || back.Before(since) {
		since = back
	}
	cause := ""
	if job.Ended.IsZero() || !job.Ended.Before(since) {
		cause = job.JID
	}
	var before reading
	for _, r := range found {
		if i.passes(r, now) && !before.same(r) {
			s.tell(i, r, cause)
			before = r
		}
	}
	if i.once && err == nil {
		s.mu.Lock()
		i.due = time.Time{}
		s.mu.Unlock()
	}
}

// failed tells of a look that failed, once until one has worked.
func (s *Set) failed(i *instance, err error) {
	s.mu.Lock()
	told := i.failing || i.life.Err() != nil
	i.failing = err != nil
	place := s.place(i.name, nil)
	s.mu.Unlock()
	if err != nil && !told {
		s.complain(i.name, place, err)
	}
}

// rouse has a beacon looked at soon.
func (s *Set) rouse(i *instance) {
	s.mu.Lock()
	soon := time.Now().Add(settle)
	early := !i.fixed && !i.due.IsZero() && soon.Before(i.due)
	if early {
		i.due = soon
	}
	s.mu.Unlock()
	if early {
		s.poke()
	}
}

// tell sends the event of a reading.
func (s *Set) tell(i *instance, r reading, cause string) {
	if _, ok := r.data.Get("id"); !ok {
		r.data.Put("id", s.o.ID)
	}
	if r.count > 1 {
		r.data.Put("count", r.count)
	}
	tag := "salt/beacon/" + s.o.ID + "/" + tagPart(i.name) + "/" + tagPart(r.tag)
	err := s.o.Send(tag, r.data, cause)
	told := i.lost
	if i.lost = err != nil; i.lost && !told {
		s.o.Log.Error("an event of a beacon is lost", "beacon", i.name, "tag", tag, "err", err)
	}
}

// tagPart is text as a tag may have it.
func tagPart(text string) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' {
			return '_'
		}
		return r
	}, text)
	if len(text) > maxTag {
		text = strings.ToValidUTF8(text[:maxTag], "")
	}
	return text
}
