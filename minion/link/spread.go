package link

import (
	"context"
	"time"
)

// A spreading is a move that a returned master's share asks for.
type spreading struct {
	master   string
	at       time.Time
	active   bool   // to become active there; else only to have the standby there
	dialling string // address
}

// returned gives a master that came back, or is new, its chance: with the
// probability of its share this minion moves to it, at a random moment. A move
// that is still to be made to another one gives way, so that of several that
// come back together each gets as much.
func (l *Link) returned(master string, now time.Time) {
	if l.roster.fair(master) || l.active != nil && l.active.master == master {
		return
	}
	// A master that is just starting refuses at first: one return is one draw.
	if at, drawn := l.drawn[master]; drawn && now.Sub(at) < l.t.SpreadMax {
		return
	}
	l.drawn[master] = now
	n := l.roster.present()
	draw := l.roster.rand.IntN(max(n, 2))
	if draw > 1 || draw == 1 && (n <= wanted || l.spread != nil) {
		return // with two masters the standby is there anyway
	}
	l.spread = &spreading{
		master: master, active: draw == 0,
		at: now.Add(l.roster.spread(l.t.SpreadMin, l.t.SpreadMax)),
	}
	l.log.Debug("will move to a master that came back", "master", master, "at", l.spread.at)
}

// stay forgets the move to a master that is away, and that it was drawn for:
// its next return is another draw, for all minions alike.
func (l *Link) stay(master string) {
	delete(l.drawn, master)
	if l.spread != nil && l.spread.master == master {
		l.spread = nil
	}
}

// spreadDue makes the move when its time has come.
func (l *Link) spreadDue(ctx context.Context, now time.Time) (due time.Time) {
	sp := l.spread
	if sp == nil || l.next != nil || sp.dialling != "" && l.dials[sp.dialling] != (time.Time{}) {
		return time.Time{}
	}
	if now.Before(sp.at) {
		return sp.at
	}
	s := l.to(sp.master)
	switch {
	case l.active == nil || l.active.master == sp.master || s == nil && sp.dialling != "":
		l.spread = nil // overtaken by events
	case s == nil:
		p, at := l.roster.pick(now, func(p *place) bool { return p.name == sp.master && l.free(p) })
		switch {
		case p != nil:
			sp.dialling = p.addr
			l.dial(ctx, p, now)
		case at.IsZero() && len(l.dials) == 0:
			l.spread = nil
		}
		return at
	default:
		l.spread = nil
		if sp.active && !s.draining {
			l.promote(s)
		}
	}
	return time.Time{}
}

// to is the connection to a master, nil when there is none.
func (l *Link) to(master string) *session {
	for _, s := range l.sessions {
		if s.master == master {
			return s
		}
	}
	return nil
}
