package master

import (
	"context"
	"slices"
	"sync"
	"time"

	"brine/master/job"
	"brine/master/peer"
)

const (
	presenceEvery = 2 * time.Second
	presenceBegin = 15 * time.Second // after its start a master learns who is there
	presenceLost  = 6 * time.Second  // a minion that moves to another master is away for less
)

// presences are the minions that were there when it was looked last.
type presences struct {
	there map[string]time.Time // when each was seen last; nil before the first look
}

// look takes in who is accepted and online at a time, and tells who came and whose absence is long enough to count.
func (p *presences) look(accepted []string, online func(id string) bool, now time.Time) (came, lost []string) {
	first := p.there == nil
	if first {
		p.there = map[string]time.Time{}
	}
	for _, id := range accepted {
		if !online(id) {
			continue
		}
		if _, known := p.there[id]; !known && !first {
			came = append(came, id)
		}
		p.there[id] = now
	}
	for id, seen := range p.there {
		if now.Sub(seen) >= presenceLost {
			lost = append(lost, id)
			delete(p.there, id)
		}
	}
	slices.Sort(lost)
	return came, lost
}

// keepPresence tells as events who comes and who is lost, under Salt's tag. All masters look, and the first by name of those
// that live tells; while masters are cut off from each other each side does.
func (m *Master) keepPresence(ctx context.Context) {
	begin := time.NewTimer(presenceBegin)
	defer begin.Stop()
	select {
	case <-begin.C:
	case <-ctx.Done():
		return
	}
	var p presences
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		came, lost := p.look(m.keys.Accepted(), m.broker.Online, time.Now())
		if len(came)+len(lost) > 0 && slices.Min(append(m.peers.Live(), m.id.Name)) == m.id.Name {
			m.event("salt/presence/change", map[string]any{"new": append([]string{}, came...), "lost": append([]string{}, lost...)})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// comers are the minions that have come to this master since it lets them in, as long as others may still be on their way.
type comers struct {
	mu    sync.Mutex // guards the fields below
	until time.Time
	seen  map[string]bool // nil when nobody is on the way
}

// begin says that minions are let in from now on.
func (c *comers) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.seen = now.Add(job.ComingTime), map[string]bool{}
}

// came notes that a minion has connected.
func (c *comers) came(id string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.After(c.until) {
		c.seen = nil
	}
	if c.seen != nil {
		c.seen[id] = true
	}
}

// awaits tells whether a minion that is not online may be on its way; one that has come and gone is not.
func (c *comers) awaits(id string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !now.After(c.until) && !c.seen[id]
}

// coming tells whether a minion that hears no jobs is about to: its standby connection is here, which it makes its active one
// when its master is lost; or all masters that live have started a moment ago.
func (m *Master) coming(id string) bool {
	if m.broker.ConnectedHere(id) {
		return true
	}
	return m.comers.awaits(id, time.Now()) && !older(m.peers.Beats(), m.peers.Beat(m.id.Name).StartedAt)
}

// older tells whether a master lives that has run for a while when this one started: minions are there already.
func older(others []peer.Beat, started int64) bool {
	return slices.ContainsFunc(others, func(b peer.Beat) bool {
		return b.Live && b.Beat.GetStartedAt() < started-job.ComingTime.Microseconds()
	})
}

// peersSeen are the masters that lived last.
type peersSeen struct {
	sync.Mutex // guards the field below
	live       []string
}

// mastersChanged tells as events which masters are lost and which are back. One of those that see it tells: the first by name.
func (m *Master) mastersChanged(live []string) {
	m.peersSeen.Lock()
	defer m.peersSeen.Unlock()
	before := m.peersSeen.live
	m.peersSeen.live = slices.Clone(live)
	if before == nil || len(live) == 0 || slices.Min(live) != m.id.Name {
		return
	}
	for _, name := range before {
		if !slices.Contains(live, name) {
			m.event("salt/master/"+name+"/lost", map[string]any{"id": name, "by": m.id.Name})
		}
	}
	for _, name := range live {
		if !slices.Contains(before, name) {
			m.event("salt/master/"+name+"/back", map[string]any{"id": name, "by": m.id.Name})
		}
	}
}
