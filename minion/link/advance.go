package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "brine/proto"
)

// wanted is how many connections a minion holds: one active, one standby.
const wanted = 2

// advance does what is due and returns how long nothing will be, as far as
// can be told now.
func (l *Link) advance(ctx context.Context, now time.Time) time.Duration {
	l.rekey(now)
	l.choose(now)
	l.bridge()
	l.trim()
	wake := now.Add(time.Minute)
	wake = earliest(wake, l.spreadDue(ctx, now))
	wake = earliest(wake, l.enrolDue(now))
	wake = earliest(wake, l.refreshDue(ctx, now))
	wake = earliest(wake, l.dialDue(ctx, now))
	wake = earliest(wake, l.bridgeDue(ctx, now))
	wake = earliest(wake, l.rekeyBy)
	l.publishState()
	return max(time.Until(wake), 0)
}

// choose promotes a standby when there is no active connection, or when its master is about to stop.
func (l *Link) choose(now time.Time) {
	if l.next != nil || l.active != nil && !l.active.draining {
		return
	}
	var best *session
	for _, s := range l.sessions {
		if s.draining || s == l.active {
			continue
		}
		if best == nil || s.ordered && !best.ordered {
			best = s
		}
	}
	if best == nil && l.active == nil && len(l.sessions) > 0 {
		best = l.sessions[0] // about to stop, but all there is
	}
	if best != nil {
		l.promote(best)
	}
}

// promote subscribes fully on s, which is active once the master has
// confirmed that. The old active connection goes on until then.
func (l *Link) promote(s *session) {
	l.next = s
	if err := l.fill(s); err != nil {
		l.next = nil
		s.abort(err)
		return
	}
	l.work(func() {
		err := s.nc.FlushTimeout(l.t.Dial)
		l.post(func() { l.promoted(s, err) })
	})
}

func (l *Link) promoted(s *session, err error) {
	if l.next != s {
		return // it has ended meanwhile
	}
	l.next = nil
	if err != nil {
		s.abort(fmt.Errorf("subscriptions are not confirmed: %w", err))
		return
	}
	old := l.active
	l.active, s.since, s.heard = s, time.Now(), true
	if old == nil {
		l.log.Info("linked", "master", s.master, "address", s.addr)
	} else {
		l.log.Info("moved to another master", "master", s.master, "from", old.master)
		l.demote(old)
	}
}

// demote makes s a standby, after what its master has sent until now has come in.
func (l *Link) demote(s *session) {
	l.work(func() {
		s.nc.FlushTimeout(l.t.Dial) // on error the connection ends by itself
		l.post(func() {
			switch {
			case s == l.active || s == l.next:
			case s.draining:
				l.end(s, errDraining)
			case !s.ordered && !s.bridge:
				s.empty()
			}
		})
	})
}

var (
	errDraining = errors.New("its master stops")
	errSurplus  = errors.New("it is not needed")
)

// trim closes connections beyond the one standby; the newest stays.
func (l *Link) trim() {
	if l.active == nil || l.next != nil {
		return
	}
	standby := 0
	for _, s := range slices.Backward(l.sessions) {
		switch {
		case s == l.active || s.ordered || s.bridge || s.full != nil:
		case s.draining:
			l.end(s, errDraining)
		default:
			if standby++; standby > wanted-1 {
				l.end(s, errSurplus)
			}
		}
	}
}

// dialDue starts the attempts that are due and returns when the next one is.
func (l *Link) dialDue(ctx context.Context, now time.Time) (due time.Time) {
	for l.pending == nil {
		ready := 0
		for _, s := range l.sessions {
			if !s.draining {
				ready++
			}
		}
		limit := wanted - ready
		if ready == 0 {
			limit = wanted + 1
			if at := l.hedge(); now.Before(at) {
				return at
			}
		}
		if len(l.dials) >= limit {
			return due
		}
		p, at := l.roster.pick(now, l.free)
		if p == nil {
			return earliest(due, at)
		}
		l.dial(ctx, p, now)
	}
	return due
}

// hedge is when a further master may be tried while others are; the zero time when none is.
func (l *Link) hedge() (at time.Time) {
	for _, begun := range l.dials {
		if t := begun.Add(l.t.Hedge); t.After(at) {
			at = t
		}
	}
	return at
}

// free tells whether there is neither a connection to p's master nor an attempt at p.
func (l *Link) free(p *place) bool {
	for addr := range l.dials {
		if other := l.roster.at(addr); addr == p.addr || other != nil && p.name != "" && other.name == p.name {
			return false
		}
	}
	for _, s := range l.sessions {
		if s.addr == p.addr || s.master == p.name {
			return false
		}
	}
	return true
}

func (l *Link) dial(ctx context.Context, p *place, now time.Time) {
	l.dials[p.addr] = now
	l.work(func() {
		s, hello, err := l.open(ctx, p.addr)
		l.post(func() {
			delete(l.dials, p.addr)
			l.opened(p, s, hello, err)
		})
	})
}

// hello is what a master says to a new connection; nil from one that has not accepted the key.
type hello struct {
	bundle *bundleAnswer
	seen   *pb.SeenReply
}

// open connects, finds out whether the key is accepted, and asks for what
// must be known before any job is taken.
func (l *Link) open(ctx context.Context, addr string) (*session, *hello, error) {
	s, err := l.connect(ctx, addr)
	if err != nil {
		return nil, nil, err
	}
	l.work(func() { s.watch(ctx, l.t.Ping) })
	ok, err := l.admitted(s)
	if err != nil {
		s.end(err)
		return nil, nil, err
	}
	if !ok && len(s.signed.changes) > 0 && l.proves(s) {
		s.end(errSurplus)
		return l.open(ctx, addr)
	}
	if !ok {
		return s, nil, nil
	}
	within, cancel := context.WithTimeout(ctx, l.t.Open)
	defer cancel()
	h, err := l.greet(within, s)
	if err != nil {
		s.end(err)
		return nil, nil, err
	}
	return s, h, nil
}

// opened takes the outcome of an attempt.
func (l *Link) opened(p *place, s *session, h *hello, err error) {
	if l.roster.at(p.addr) != p {
		p = &place{addr: p.addr} // forgotten meanwhile
	}
	l.checkPin()
	switch {
	case err != nil:
		l.failed(p, err)
		return
	case h == nil:
		l.unaccepted(p, s)
		return
	case slices.ContainsFunc(l.sessions, func(o *session) bool { return o.master == s.master }):
		l.roster.answered(p, s.master)
		l.end(s, errSurplus)
		return
	}
	if l.pending != nil {
		l.endEnrolment()
	}
	l.roster.answered(p, s.master)
	l.adopt(p, s, h)
}

// adopt makes an accepted connection one of the link's.
func (l *Link) adopt(p *place, s *session, h *hello) {
	if len(l.sessions) == 0 {
		l.roster.chosen() // what the master tells of others below came too late for the choice
	}
	l.sessions = append(l.sessions, s)
	l.work(func() {
		<-s.closed
		l.post(func() { l.lost(s) })
	})
	if !l.takeBundle(s, h.bundle) {
		return
	}
	if l.o.Seen != nil {
		l.o.Seen(h.seen)
	}
	if !l.enrolled {
		l.enrolled = true
		if l.o.Enrolled != nil {
			l.o.Enrolled()
		}
	}
	p.rtt = time.Duration(s.rtt.Load())
	l.log.Debug("connected", "master", s.master, "address", s.addr, "rtt", p.rtt)
	if l.refresh.IsZero() {
		l.refresh = time.Now().Add(l.roster.spread(l.t.Refresh*9/10, l.t.Refresh*11/10))
	}
	if l.active != nil || l.next != nil {
		l.returned(s.master, time.Now())
	}
}

// failed notes that nothing came of an attempt at p.
func (l *Link) failed(p *place, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	signs := l.signs.Load()
	if errors.Is(err, errRefused) && l.o.Refused != nil {
		l.o.Refused()
	}
	limit, first := l.t.RetryMax, l.t.Retry
	if l.active != nil {
		limit = l.t.StandbyMax
	}
	if (errors.Is(err, errRefused) || errors.Is(err, errUnaccepted)) && signs == l.signs.Load() {
		first, limit = l.t.Enrol, l.t.Enrol
	}
	if text := err.Error(); p.complaint != text {
		p.complaint = text
		l.log.Warn("cannot use master", "address", p.addr, "err", err)
	} else {
		l.log.Debug("cannot use master", "address", p.addr, "err", err)
	}
	l.roster.failed(p, time.Now(), first, limit)
	if l.spread != nil && l.spread.dialling == p.addr {
		l.stay(l.spread.master)
	}
	l.trouble = fmt.Errorf("cannot use master at %s: %w", p.addr, err)
}

// lost takes note that a connection has ended.
func (l *Link) lost(s *session) {
	i := slices.Index(l.sessions, s)
	if i < 0 {
		return
	}
	l.sessions = slices.Delete(l.sessions, i, i+1)
	err := s.reason()
	if l.next == s {
		l.next = nil
	}
	if l.active == s {
		l.active = nil
		l.trouble = fmt.Errorf("connection to master %q lost: %w", s.master, err)
		l.log.Warn("connection lost", "master", s.master, "address", s.addr, "err", err)
	} else {
		l.log.Info("standby connection ended", "master", s.master, "err", err)
	}
	if errors.Is(err, errSurplus) {
		return
	}
	now := time.Now()
	l.stay(s.master)
	l.roster.unfair(s.master, s.addr)
	if p := l.roster.at(s.addr); p != nil {
		l.roster.failed(p, now, l.t.Retry, l.t.RetryMax)
	}
	if len(l.sessions) == 0 { // the others were put off for longer, as there was a master
		l.roster.soon(everyone, now, l.t.Hedge)
	}
}

// drain prepares for the end of a master that said it will stop.
func (l *Link) drain(s *session) {
	s.draining = true
	l.roster.unfair(s.master, s.addr)
	if p := l.roster.at(s.addr); p != nil {
		l.roster.failed(p, time.Now(), l.t.RetryMax, l.t.RetryMax)
	}
	l.log.Info("master is about to stop", "master", s.master)
}

// end closes a connection without holding up the loop.
func (l *Link) end(s *session, why error) {
	s.because(why)
	l.work(func() { s.end(why) })
}

// work runs f in a goroutine that Run waits for.
func (l *Link) work(f func()) {
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		f()
	}()
}

// checkPin tells once which site was pinned on first use.
func (l *Link) checkPin() {
	if pin := l.o.Trust.Pin(); !l.pinned && !pin.IsZero() {
		l.pinned = true
		l.log.Info("site pinned on first use: compare with `brine key fingerprint`", "ca_fingerprint", pin.String())
		if l.o.Pinned != nil {
			l.o.Pinned(pin)
		}
	}
}
