package master

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/broker"
	"brine/proto"
)

// hears remembers which minions hear jobs at this master: to ask the broker
// costs more than the ack that depends on it.
type hears struct {
	connected func(id string) bool
	ask       func(id string) broker.Hearing   // of one, for which the broker copies its list of all
	all       func() map[string]broker.Hearing // of those who are connected

	mu     sync.Mutex // guards the fields below
	here   map[string]broker.Hearing
	at     time.Time // when all were asked
	asked  int       // one by one, since
	moving time.Time // until then minions move here
}

const (
	hearsFor    = 10 * time.Second
	hearsMoving = time.Second // for which it is remembered while minions move
	hearsRest   = 100 * time.Millisecond
	hearsSingly = 16 // are asked for one by one before all are
)

func newHears(b *broker.Broker) *hears {
	return &hears{connected: b.ConnectedHere, ask: b.HearsHere, all: b.Hearing}
}

// hearsHere tells whether a minion hears jobs and pulses here, or did some
// seconds ago. A wrong answer delays an ack until the minion offers its return again.
func (h *hears) hearsHere(id string) (jobs, pulse bool) {
	if !h.connected(id) {
		return false, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	age, most := now.Sub(h.at), hearsFor
	if now.Before(h.moving) {
		most = hearsMoving
	}
	if age > most || h.asked >= hearsSingly && age > hearsRest {
		h.here, h.at, h.asked = h.all(), now, 0
	}
	is, known := h.here[id]
	if !known && h.asked < hearsSingly {
		h.asked++
		is = h.ask(id)
		h.here[id] = is
	}
	return is.Jobs, is.Pulse
}

// forgetAll has the broker asked again about each: when a master is gone, its
// minions hear jobs on what was a standby.
func (h *hears) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.here, h.at, h.asked, h.moving = map[string]broker.Hearing{}, now, 0, now.Add(hearsFor)
}

// forget has the broker asked again.
func (h *hears) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.here, id)
}

// handAcks tells the other live masters what is stored here.
func (m *Master) handAcks(batch *proto.AckBatch) {
	for _, name := range slices.DeleteFunc(m.peers.Live(), func(n string) bool { return n == m.id.Name }) {
		m.handing.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := m.peers.Call(ctx, name, "sys", "acks", batch, &proto.Empty{}); err != nil {
				m.log.Debug("acks not handed on", "master", name, "err", err)
			}
		})
	}
}

func (m *Master) handedAcks(_ context.Context, from string, payload []byte) (pb.Message, error) {
	batch := &proto.AckBatch{}
	if err := pb.Unmarshal(payload, batch); err != nil {
		return nil, err
	}
	m.jobs.HandedAcks(from, batch)
	return &proto.Empty{}, nil
}
