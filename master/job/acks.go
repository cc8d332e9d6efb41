package job

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

const (
	// maxItems bounds one Ack; a minion rarely has more than one.
	maxItems = 1000
	// ackTogether is how often acks are sent to minions: a message to each costs
	// a master more than to store what it returned.
	ackTogether = 100 * time.Millisecond
	// ackWait is how long an ack waits for the word of the other masters, which
	// store a return at about the same time.
	ackWait = 300 * time.Millisecond
	// ackGather collects what a burst of commits stores into one batch for the other masters.
	ackGather = 80 * time.Millisecond
)

// acks are the acknowledgements that wait to be sent.
type acks struct {
	ready chan struct{} // says that some wait

	mu     sync.Mutex // guards the fields below
	first  map[string][]*proto.AckItem
	again  map[string][]*proto.AckItem // of returns that were offered again: somebody's ack was lost
	handed []handed
}

// handed is what another master has stored.
type handed struct {
	master string
	batch  *proto.AckBatch
}

func newAcks() *acks {
	return &acks{
		ready: make(chan struct{}, 1),
		first: map[string][]*proto.AckItem{}, again: map[string][]*proto.AckItem{},
	}
}

// add has a return acknowledged; first tells that the store did not have it.
func (a *acks) add(minion, jid string, requestID []byte, first bool) {
	item := &proto.AckItem{Jid: jid, RequestId: requestID}
	a.mu.Lock()
	if first {
		a.first[minion] = append(a.first[minion], item)
	} else {
		a.again[minion] = append(a.again[minion], item)
	}
	a.mu.Unlock()
	a.wake()
}

func (a *acks) wake() {
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

func (a *acks) take() (first, again map[string][]*proto.AckItem, from []handed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first, again, from = a.first, a.again, a.handed
	a.first, a.again, a.handed = make(map[string][]*proto.AckItem), make(map[string][]*proto.AckItem), nil
	return first, again, from
}

// HandedAcks takes what another master has stored of minions that may be
// connected here.
func (m *Manager) HandedAcks(master string, batch *proto.AckBatch) {
	m.acks.mu.Lock()
	m.acks.handed = append(m.acks.handed, handed{master, batch})
	m.acks.mu.Unlock()
	m.acks.wake()
}

// acknowledge tells minions what is stored, until ctx ends.
func (m *Manager) acknowledge(ctx context.Context) {
	held := map[string]*holding{}
	p := newPulse(m.o.Master)
	beat := time.NewTicker(pulseEach)
	defer beat.Stop()
	gather, together := newTimer(), newTimer()
	defer gather.Stop()
	defer together.Stop()
	gathering := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.acks.ready:
			if !gathering {
				gathering = true
				gather.Reset(ackGather)
			}
		case <-gather.C:
			gathering = false
			none := len(held) == 0
			m.hold(held, m.o.Live())
			if none && len(held) > 0 {
				together.Reset(ackTogether)
			}
		case <-together.C:
			m.release(ripe(held, m.o.Live(), time.Now()), p)
			if len(held) > 0 {
				together.Reset(ackTogether)
			}
		case <-beat.C:
			m.sendPulse(p)
		}
	}
}

// holding is an ack that waits for the word of other masters.
type holding struct {
	ack   *proto.Ack
	pulse bool // its minion hears pulses
	since time.Time
}

// ripe takes out of held what need not wait any more.
func ripe(held map[string]*holding, live []string, now time.Time) map[string]*holding {
	out := map[string]*holding{}
	for id, h := range held {
		if h.complete(live) || now.Sub(h.since) >= ackWait {
			out[id] = h
			delete(held, id)
		}
	}
	return out
}

// release acknowledges what was held: with the next pulse, or by a message to
// the minion where a pulse can't tell it.
func (m *Manager) release(all map[string]*holding, p *pulse) {
	alone := map[string]*proto.Ack{}
	for id, h := range all {
		if p.takes(h) {
			p.add(id, h.ack)
		} else {
			alone[id] = h.ack
		}
	}
	m.sendAcks(alone)
}

// complete tells whether all live masters have stored the same number of
// returns; that it is the same ones is for the minion to see.
func (h *holding) complete(live []string) bool {
	for _, name := range live {
		if name == h.ack.Master {
			continue
		}
		i := slices.IndexFunc(h.ack.Others, func(o *proto.Ack) bool { return o.Master == name })
		if i < 0 || len(h.ack.Others[i].Items) < len(h.ack.Items) {
			return false
		}
	}
	return len(h.ack.Items) > 0
}

// newTimer returns a timer that has not been set yet.
func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// hold sorts what waits: what was offered again is answered at once; for a
// minion that is connected here it is held until the others' word is here;
// for the rest it is handed to the other masters.
func (m *Manager) hold(held map[string]*holding, live []string) {
	first, again, from := m.acks.take()
	now := time.Now()
	atOnce := map[string]*proto.Ack{}
	ackNow := func(id string, items []*proto.AckItem) {
		if atOnce[id] == nil {
			atOnce[id] = &proto.Ack{Master: m.o.Master, Live: live}
		}
		atOnce[id].Items = append(atOnce[id].Items, items...)
	}
	ackLater := func(id string, pulse bool) *proto.Ack {
		if held[id] == nil {
			held[id] = &holding{&proto.Ack{Master: m.o.Master, Live: live}, pulse, now}
		}
		return held[id].ack
	}
	for id, items := range again {
		ackNow(id, items)
	}
	groups := map[string]*proto.AckGroup{}
	for id, items := range first {
		switch here, pulse := m.o.Here(id); {
		case here && (pulse || len(live) > 1):
			ack := ackLater(id, pulse)
			ack.Items = append(ack.Items, items...)
		case len(live) < 2:
			ackNow(id, items)
		default:
			group(groups, id, items)
		}
	}
	for _, h := range from {
		for _, g := range h.batch.GetGroups() {
			for _, id := range g.GetMinions() {
				if here, pulse := m.o.Here(id); here {
					handOn(ackLater(id, pulse), h, g.GetItem())
				}
			}
		}
	}
	m.sendAcks(atOnce)
	if len(groups) > 0 {
		m.handAcks(groups, live)
	}
}

// group puts minions together that have ended the same job.
func group(groups map[string]*proto.AckGroup, id string, items []*proto.AckItem) {
	for _, item := range items {
		key := item.Jid + string(item.RequestId)
		if groups[key] == nil {
			groups[key] = &proto.AckGroup{Item: item}
		}
		groups[key].Minions = append(groups[key].Minions, id)
	}
}

func (m *Manager) handAcks(groups map[string]*proto.AckGroup, live []string) {
	batch := &proto.AckBatch{Live: live}
	for _, g := range groups {
		batch.Groups = append(batch.Groups, g)
	}
	m.o.HandAcks(batch)
}

// handOn adds another master's word to an ack.
func handOn(ack *proto.Ack, h handed, item *proto.AckItem) {
	i := slices.IndexFunc(ack.Others, func(o *proto.Ack) bool { return o.Master == h.master })
	if i < 0 {
		i = len(ack.Others)
		ack.Others = append(ack.Others, &proto.Ack{Master: h.master, Live: h.batch.GetLive()})
	}
	ack.Others[i].Items = append(ack.Others[i].Items, item)
}

func (m *Manager) sendAcks(all map[string]*proto.Ack) {
	var last *proto.Ack // most minions of a batch have ended the same job
	var encoded []byte
	for id, whole := range all {
		for ack := range pieces(whole) {
			if last == nil || !pb.Equal(last, ack) {
				var err error
				if encoded, err = pb.Marshal(ack); err != nil {
					m.log.Error("acknowledgement not sent", "minion", id, "err", err)
					continue
				}
				last = ack
			}
			if err := m.o.Publish(subject.Ack(subject.Token(id)), encoded); err != nil {
				m.log.Warn("acknowledgement not sent", "minion", id, "err", err)
			}
		}
	}
}

// pieces cuts an ack that has grown large; the others' word goes with the first.
func pieces(ack *proto.Ack) func(yield func(*proto.Ack) bool) {
	return func(yield func(*proto.Ack) bool) {
		for len(ack.Items) > maxItems {
			rest := &proto.Ack{Master: ack.Master, Live: ack.Live, Items: ack.Items[maxItems:]}
			ack.Items = ack.Items[:maxItems]
			if !yield(ack) {
				return
			}
			ack = rest
		}
		yield(ack)
	}
}
