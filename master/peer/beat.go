package peer

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// ownBeat is what this master says of itself.
func (p *Peers) ownBeat() *proto.Heartbeat {
	b := &proto.Heartbeat{
		Instance:     p.instance,
		StartedAt:    p.started.UnixMicro(),
		Incarnation:  p.o.Store.Incarnation(),
		BundleSerial: p.o.Trust.Serial(),
	}
	b.Set, b.Records, b.Sequence = p.o.Store.Set()
	if p.o.Address != nil {
		b.Address = p.o.Address()
	}
	p.mu.Lock()
	for _, m := range p.masters {
		if m.cursor != nil {
			b.Cursors = append(b.Cursors, m.cursor)
		}
	}
	p.mu.Unlock()
	if p.o.Fill != nil {
		p.o.Fill(b)
	}
	return b
}

func (p *Peers) sendBeat() error {
	payload, err := pb.Marshal(p.ownBeat())
	if err != nil {
		return err
	}
	data, err := p.post.seal(&proto.PeerMessage{Subject: subject.Heartbeat, Payload: payload, Id: newID()})
	if err != nil {
		return err
	}
	return p.o.Conn.Publish(subject.Heartbeat, data)
}

// beatLoop sends heartbeats and notices who has fallen silent.
func (p *Peers) beatLoop() {
	step := p.o.Interval / 5
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	var next time.Time
	last := p.o.Now()
	for {
		now := p.o.Now()
		p.forgive(now.Sub(last) - step)
		last = now
		if !now.Before(next) {
			next = now.Add(p.o.Interval)
			if err := p.sendBeat(); err != nil && p.ctx.Err() == nil {
				p.noise.warn("cannot send heartbeat", err)
			}
		}
		p.compare()
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
			next = time.Time{}
		case <-ticker.C:
		}
	}
}

// forgive puts the time for which this process itself did not run on
// everybody's account, so that after a stop or a suspended machine the others
// are not taken for dead before their waiting heartbeats are read.
func (p *Peers) forgive(gap time.Duration) {
	if gap < p.o.Interval {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.masters {
		if m.heard = m.heard.Add(gap); m.heard.After(p.o.Now()) {
			m.heard = p.o.Now()
		}
	}
}

// compare has tellLoop called when the live set is another than before.
func (p *Peers) compare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if live := p.liveNow(); !slices.Equal(live, p.live) {
		p.log.Info("live masters", "live", live, "before", p.live)
		p.live = live
		p.broadcast()
		poke(p.notify)
	}
}

// tellLoop calls OnChange outside of the loop that sends heartbeats, so that a
// slow listener does not make this master look dead.
func (p *Peers) tellLoop() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.notify:
		}
		p.mu.Lock()
		live := slices.Clone(p.live)
		p.mu.Unlock()
		if p.o.OnChange != nil {
			p.o.OnChange(live)
		}
	}
}

// onBeat judges a heartbeat. Our own ones come back too.
func (p *Peers) onBeat(msg *nats.Msg) {
	m, key, err := p.post.open(msg.Data, subject.Heartbeat)
	if err != nil {
		var clock *clockError
		if errors.As(err, &clock) && m.From != p.o.Name {
			p.trouble(m.From, clock.Error())
			p.clocks.warn("nothing is exchanged with a master whose clock is another: neither stores what the other does", err)
		} else {
			p.noise.warn("heartbeat refused", err)
		}
		return
	}
	beat := &proto.Heartbeat{}
	if err := pb.Unmarshal(m.Payload, beat); err != nil {
		p.noise.warn("heartbeat refused", fmt.Errorf("cannot read heartbeat of %q: %v", m.From, err))
		return
	}
	switch {
	case m.From == p.o.Name && beat.Instance == p.instance:
	case !p.post.first(m):
		p.noise.warn("heartbeat refused", fmt.Errorf("cannot accept a heartbeat of %q twice", m.From))
	case m.From == p.o.Name:
		p.duplicate(beat, time.UnixMicro(m.At))
	default:
		p.heard(m.From, key, beat)
	}
}

// duplicate handles a heartbeat that another process signed with our key. One
// from before our start is our own last life, delayed or played back.
func (p *Peers) duplicate(other *proto.Heartbeat, at time.Time) {
	p.mu.Lock()
	known := p.others[other.Instance]
	if !at.Before(p.started) {
		p.others[other.Instance] = true
	}
	p.mu.Unlock()
	if known || at.Before(p.started) {
		return
	}
	own := p.started.UnixMicro()
	yield := other.StartedAt < own || other.StartedAt == own && other.Instance < p.instance
	p.log.Error("another process runs as this master: copy no master's state, use brine master invite",
		"name", p.o.Name, "address", other.GetAddress().GetBus(),
		"started", time.UnixMicro(other.StartedAt), "yield", yield)
	if p.o.OnDuplicate != nil {
		p.o.OnDuplicate(other, yield)
	}
}

// heard takes a good heartbeat of another master in. Of two live processes of
// one name the later one counts.
func (p *Peers) heard(name string, key ed25519.PublicKey, beat *proto.Heartbeat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.master(name)
	other := m.beat.GetInstance() != beat.Instance
	if other && beat.StartedAt < m.beat.GetStartedAt() && p.isLive(m) {
		m.twin = p.o.Now()
		p.noise.warn("heartbeat refused", fmt.Errorf("cannot have two processes run as master %q", name))
		return
	}
	if m.beat == nil && !p.spawn(func() { p.pullLoop(m) }) {
		return
	}
	if other || !p.isLive(m) {
		poke(p.wake) // so that it hears us, too, at once
	}
	m.key, m.beat, m.heard, m.problem = key, beat, p.o.Now(), ""
	select {
	case <-m.beats: // an unread one is out of date
	default:
	}
	m.beats <- beat
}

// revive takes a request of a master that counts as silent for a sign of life: it was stopped and has just woken, and what is
// written from now on has to be committed to it, too, before its next heartbeat. One that is live stays so by heartbeats only.
func (p *Peers) revive(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.masters[name]; m != nil && m.beat != nil && !p.isLive(m) {
		m.heard = p.o.Now()
		poke(p.wake)
	}
}

// Hurry sends a heartbeat soon: what Fill tells has changed.
func (p *Peers) Hurry() { poke(p.wake) }
