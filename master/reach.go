package master

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// reach keeps every minion within this master's reach while masters are cut
// off from each other (architecture: failover).
type reach struct {
	mu      sync.Mutex // guards the fields below
	ordered map[string]bool
	until   time.Time // routes are made anew, if it is in the future
}

// routesBack is how long routes that are made anew are away, at most.
const routesBack = 4 * time.Second

func (r *reach) renewing(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = until
}

func (r *reach) renews(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.until)
}

const (
	reachEvery  = 500 * time.Millisecond
	noticeEvery = 5 * time.Second // while a master is away
)

// keepReach asks minions that are on standby here, and that no route leads to,
// to subscribe fully here too; and lets them go back when all masters are live.
func (m *Master) keepReach(ctx context.Context) {
	tick := time.NewTicker(reachEvery)
	defer tick.Stop()
	var told time.Time
	for {
		select {
		case now := <-tick.C:
			switch {
			case m.reach.renews(now):
				hearing := m.broker.Hearing()
				m.orderFull(func(id string) bool { return hearing[id].Jobs })
				continue
			case m.complete():
				m.orderBack()
				continue
			}
			m.orderFull(m.broker.Online)
			if now.Sub(told) > noticeEvery { // a notice may be lost
				told = now
				m.notice(m.peers.Live())
			}
		case <-ctx.Done():
			return
		}
	}
}

// complete tells whether every master that the bundle trusts is live.
func (m *Master) complete() bool {
	live := m.peers.Live()
	for _, k := range m.trust.Bundle().GetMasters() {
		if !k.Revoked && !slices.Contains(live, k.Name) {
			return false
		}
	}
	return true
}

func (m *Master) orderFull(reached func(id string) bool) {
	for _, id := range m.keys.Accepted() {
		if !reached(id) && m.broker.ConnectedHere(id) {
			m.order(id, true)
		}
	}
}

func (m *Master) orderBack() {
	m.reach.mu.Lock()
	ids := make([]string, 0, len(m.reach.ordered))
	for id := range m.reach.ordered {
		ids = append(ids, id)
	}
	m.reach.mu.Unlock()
	for _, id := range ids {
		m.order(id, false)
	}
}

func (m *Master) order(id string, full bool) {
	data, err := m.signed(proto.Kind_KIND_LINK_ORDER, &proto.LinkOrder{
		Master: m.id.Name, Minion: id, IssuedAt: time.Now().UnixMicro(), Full: full,
	})
	if err == nil {
		err = m.broker.Site().Publish(subject.Link(subject.Token(id)), data)
	}
	if err != nil {
		m.log.Warn("cannot order a standby connection", "minion", id, "err", err)
		return
	}
	m.reach.mu.Lock()
	defer m.reach.mu.Unlock()
	if full {
		if m.reach.ordered == nil {
			m.reach.ordered = map[string]bool{}
		}
		m.reach.ordered[id] = true
	} else {
		delete(m.reach.ordered, id)
	}
}

// notice tells every minion which masters are live and how new the trust
// bundle is, when either has changed.
func (m *Master) notice(live []string) {
	n := &proto.Notice{Master: m.id.Name, IssuedAt: time.Now().UnixMicro(), BundleSerial: m.trust.Serial(), BundleDigest: m.trust.Digest()}
	for _, name := range live {
		if beat := m.peers.Beat(name); beat.GetAddress() != nil && !beat.Draining {
			n.Live = append(n.Live, beat.Address)
		}
	}
	data, err := m.signed(proto.Kind_KIND_NOTICE, n)
	if err == nil {
		err = m.broker.Site().Publish(subject.JobAll, data)
	}
	if err != nil {
		m.log.Warn("cannot tell minions of the masters", "err", err)
	}
}

func (m *Master) signed(kind proto.Kind, msg pb.Message) ([]byte, error) {
	body, err := pb.Marshal(msg)
	if err != nil {
		return nil, err
	}
	return pb.Marshal(m.sign(kind, body))
}

func (m *Master) sign(kind proto.Kind, body []byte) *proto.Envelope {
	return pki.Sign(m.id.Now().Key, m.id.Site(), kind, body)
}
