package link

import (
	"context"
	"time"

	pb "brine/proto"
)

// Masters that are cut off from each other must each reach every minion. So a
// minion also hears, on a full connection, each master of the site that the
// master of its active connection does not see: it may be dead, then nothing
// comes of it, or be on the other side of a cut.

// sees notes which masters are live in the eyes of one, as it told.
func (l *Link) sees(master string, live []*pb.MasterAddress) {
	if len(live) == 0 {
		return // it told nothing
	}
	view := map[string]bool{master: true}
	for _, m := range live {
		view[m.GetName()] = true
	}
	l.views[master] = view
}

// apart tells whether a master of the site is out of sight of the active
// connection's.
func (l *Link) apart(master string) bool {
	if l.active == nil || l.active.draining {
		return false
	}
	view := l.views[l.active.master]
	return view != nil && !view[master] && master != "" && !l.gone(master)
}

// bridge hears the masters that are apart, and goes back to standby on
// connections whose masters no longer are.
func (l *Link) bridge() {
	for _, s := range l.sessions {
		was := s.bridge
		s.bridge = s != l.active && l.apart(s.master)
		switch {
		case s == l.active || s == l.next || s.ordered:
		case s.bridge && s.full == nil:
			l.log.Info("hearing a master that others don't see", "master", s.master)
			l.hear(s)
		case was && !s.bridge:
			l.demote(s)
		}
	}
}

// bridgeDue starts the attempts at masters that are apart, and returns when
// the next one is due.
func (l *Link) bridgeDue(ctx context.Context, now time.Time) (due time.Time) {
	if l.pending != nil {
		return due
	}
	for {
		p, at := l.roster.pick(now, func(p *place) bool { return l.apart(p.name) && l.free(p) })
		if p == nil {
			return earliest(due, at)
		}
		l.dial(ctx, p, now)
	}
}

// hear subscribes fully on a connection beside the active one.
func (l *Link) hear(s *session) {
	if err := l.fill(s); err != nil {
		s.abort(err)
		return
	}
	l.work(func() {
		if s.nc.FlushTimeout(l.t.Dial) == nil { // on error the connection ends by itself
			l.post(func() { s.heard = s.full != nil })
		}
	})
}
