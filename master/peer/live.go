package peer

import (
	"crypto/ed25519"
	"slices"
	"time"

	"brine/proto"
)

// A master is one of the others. Its fields are guarded by Peers.mu.
type master struct {
	name     string
	key      ed25519.PublicKey // that signed the last heartbeat
	beat     *proto.Heartbeat  // the last; nil before the first
	heard    time.Time         // when
	problem  string            // why its messages are refused
	troubled time.Time         // when the last one was
	twin     time.Time         // when an older process of the same name was last heard
	caughtUp bool              // its log was read to the end, as it was when we met
	cursor   *proto.PeerCursor // how far its log was read; nil before the first reading
	beats    chan *proto.Heartbeat
}

// Beat is what is known of one master.
type Beat struct {
	Name    string
	Beat    *proto.Heartbeat // the last one; nil when none came. Don't change it.
	Late    time.Duration    // time since it came, or since the start of this process
	Live    bool
	Problem string // why messages of this master are refused, "" when they are not
	Lag     int64  // entries of its log that are not read yet
}

// liveFor is how long a master counts as live after a heartbeat.
func (p *Peers) liveFor() time.Duration { return 3 * p.o.Interval }

// Live returns the names of the live masters, this one included, sorted.
func (p *Peers) Live() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.liveNow()
}

// liveNow is Live with p.mu held.
func (p *Peers) liveNow() []string {
	live := []string{p.o.Name}
	for name, m := range p.masters {
		if p.isLive(m) {
			live = append(live, name)
		}
	}
	slices.Sort(live)
	return live
}

func (p *Peers) isLive(m *master) bool {
	return m.beat != nil && p.o.Now().Sub(m.heard) <= p.liveFor() && p.trusted(m.key)
}

// Late is the time since a master's last heartbeat, or since the start of this
// process when there was none. This master itself is never late.
func (p *Peers) Late(name string) time.Duration {
	if name == p.o.Name {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late(p.masters[name])
}

func (p *Peers) late(m *master) time.Duration {
	if m == nil || m.beat == nil {
		return p.o.Now().Sub(p.started)
	}
	return p.o.Now().Sub(m.heard)
}

// Beat is a master's last heartbeat, nil when none came. For this master it is
// the one that would be sent now.
func (p *Peers) Beat(name string) *proto.Heartbeat {
	if name == p.o.Name {
		return p.ownBeat()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.masters[name]; m != nil {
		return m.beat
	}
	return nil
}

// Beats tells of each other master that the trust bundle lists or that was
// heard, in order of name.
func (p *Peers) Beats() []Beat {
	names := p.expected()
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.masters {
		names = append(names, name)
	}
	slices.Sort(names)
	var beats []Beat
	for _, name := range slices.Compact(names) {
		b := Beat{Name: name, Late: p.late(p.masters[name])}
		if m := p.masters[name]; m != nil {
			b.Beat, b.Live, b.Problem, b.Lag = m.beat, p.isLive(m), p.problem(m), m.lag()
			if !m.twin.IsZero() && p.o.Now().Sub(m.twin) < p.liveFor() {
				b.Problem = "two processes run under this name"
			}
		}
		beats = append(beats, b)
	}
	return beats
}

// Away returns the masters of the trust bundle that are not live, sorted.
func (p *Peers) Away() []string {
	var away []string
	live := p.Live()
	for _, name := range p.expected() {
		if !slices.Contains(live, name) {
			away = append(away, name)
		}
	}
	slices.Sort(away)
	return away
}

func (m *master) lag() int64 {
	switch {
	case m.beat == nil:
		return 0
	case m.cursor.GetIncarnation() != m.beat.Incarnation:
		return m.beat.Sequence
	}
	return max(0, m.beat.Sequence-m.cursor.Sequence)
}

// expected is the other masters that the trust bundle lists as valid, but for those that have never run.
func (p *Peers) expected() (names []string) {
	for _, m := range p.o.Trust.Bundle().GetMasters() {
		if !m.Revoked && m.Name != p.o.Name && (p.o.Invited == nil || !p.o.Invited(m.Name)) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Refused returns the masters that are there, but whose messages are refused:
// nothing is exchanged with them. Sorted.
func (p *Peers) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name, m := range p.masters {
		if p.problem(m) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// problem is why a master's messages are refused; "" when they are not, or when
// none comes any more. Call it with p.mu held.
func (p *Peers) problem(m *master) string {
	if p.o.Now().Sub(m.troubled) > p.liveFor() {
		return ""
	}
	return m.problem
}

// trouble notes why messages of a master are refused.
func (p *Peers) trouble(name, problem string) {
	if name == p.o.Name {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.master(name)
	m.problem, m.troubled = problem, p.o.Now()
}

// master is the entry of a master whose name is proven. Call it with p.mu held.
func (p *Peers) master(name string) *master {
	m := p.masters[name]
	if m == nil {
		m = &master{name: name, beats: make(chan *proto.Heartbeat, 1)}
		p.masters[name] = m
	}
	return m
}
