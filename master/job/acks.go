package job

import (
	"context"
	"sync"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// maxItems bounds one Ack; a minion rarely has more than one.
const maxItems = 1000

// acks are the acknowledgements that wait to be sent, one message a minion.
type acks struct {
	ready chan struct{} // says that some wait

	mu      sync.Mutex // guards the field below
	waiting map[string][]*proto.AckItem
}

func newAcks() *acks {
	return &acks{ready: make(chan struct{}, 1), waiting: map[string][]*proto.AckItem{}}
}

func (a *acks) add(minion, jid string, requestID []byte) {
	item := &proto.AckItem{Jid: jid, RequestId: requestID}
	a.mu.Lock()
	a.waiting[minion] = append(a.waiting[minion], item)
	a.mu.Unlock()
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

func (a *acks) take() map[string][]*proto.AckItem {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.waiting
	a.waiting = make(map[string][]*proto.AckItem)
	return taken
}

// acknowledge tells minions what is stored, until ctx ends.
func (m *Manager) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.acks.ready:
		}
		m.sendAcks(m.acks.take())
	}
}

func (m *Manager) sendAcks(waiting map[string][]*proto.AckItem) {
	ack := &proto.Ack{Master: m.o.Master, Live: m.o.Live()}
	var last *proto.AckItem // most minions of a batch have ended the same job
	var encoded []byte
	for id, items := range waiting {
		for len(items) > 0 {
			n := min(len(items), maxItems)
			ack.Items = items[:n]
			items = items[n:]
			if n > 1 || last == nil || !pb.Equal(last, ack.Items[0]) {
				var err error
				if encoded, err = pb.Marshal(ack); err != nil {
					m.log.Error("acknowledgement not sent", "minion", id, "err", err)
					continue
				}
				last = nil
				if n == 1 {
					last = ack.Items[0]
				}
			}
			if err := m.o.Publish(subject.Ack(subject.Token(id)), encoded); err != nil {
				m.log.Warn("acknowledgement not sent", "minion", id, "err", err)
			}
		}
	}
}
