package link

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "brine/proto"
)

// State tells how far a link is.
type State string

// The states of a link.
const (
	Connecting State = "connecting" // no master answers, or none has been asked yet
	Pending    State = "pending"    // the key waits for acceptance
	Rejected   State = "rejected"
	Refused    State = "refused" // the key is revoked, or the masters turn this minion away
	Linked     State = "linked"  // jobs are heard
)

// Status is a snapshot of a link.
type Status struct {
	State   State
	Master  string    // whose connection is active
	Standby string    // whose connection is ready to take over
	Full    []string  // masters on whose connections jobs are heard, the active one first
	Since   time.Time // when Master became active
	Reason  string    // why it is not linked
}

func (s Status) equal(t Status) bool {
	return s.State == t.State && s.Master == t.Master && s.Standby == t.Standby &&
		slices.Equal(s.Full, t.Full) && s.Since.Equal(t.Since) && s.Reason == t.Reason
}

// Status tells how the link is now.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Wait returns when ok holds for the link's status, or with the error of ctx.
func (l *Link) Wait(ctx context.Context, ok func(Status) bool) error {
	for {
		l.mu.Lock()
		status, changed := l.status, l.changed
		l.mu.Unlock()
		if ok(status) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publishState shows what the loop knows to everyone else.
func (l *Link) publishState() {
	now := Status{State: Connecting}
	if l.trouble != nil {
		now.Reason = l.trouble.Error()
	}
	switch {
	case l.pending != nil:
		now.State, now.Reason = l.pending.state, l.pending.reason
	case errors.Is(l.trouble, errRefused):
		now.State = Refused
	}
	var full, route []*session
	for _, s := range l.sessions {
		switch {
		case s == l.active:
			now.State, now.Master, now.Since, now.Reason = Linked, s.master, s.since, ""
			full, route = slices.Insert(full, 0, s), slices.Insert(route, 0, s)
			continue
		case s.full != nil:
			full = append(full, s)
		}
		route = append(route, s)
		if !s.draining {
			now.Standby = s.master
		}
	}
	for _, s := range full {
		if s.heard {
			now.Full = append(now.Full, s.master)
		}
	}
	l.mu.Lock()
	same := now.equal(l.status)
	l.status, l.full, l.route = now, full, route
	if l.learnt {
		l.known, l.learnt = l.roster.addresses(), false
	}
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if !same {
		l.notify()
	}
}

// Addresses lists where masters listen, as they told: that of the active
// connection first, that of the standby next.
func (l *Link) Addresses() []*pb.MasterAddress {
	l.mu.Lock()
	known, route := l.known, l.route
	l.mu.Unlock()
	out := slices.Clone(known)
	rank := func(a *pb.MasterAddress) int {
		if i := slices.IndexFunc(route, func(s *session) bool { return s.master == a.Name }); i >= 0 {
			return i
		}
		return len(route)
	}
	slices.SortStableFunc(out, func(a, b *pb.MasterAddress) int { return rank(a) - rank(b) })
	return out
}
