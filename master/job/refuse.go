package job

import (
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// dismiss tells a minion that a return of it will never be taken here, so that
// it does not offer it for days.
func (m *Manager) dismiss(r *proto.Return, why error) {
	data, err := pb.Marshal(&proto.Ack{
		Master: m.o.Master, Live: m.o.Live(),
		Items: []*proto.AckItem{{Jid: r.Jid, RequestId: r.RequestId, Refused: why.Error()}},
	})
	if err == nil {
		err = m.o.Publish(subject.Ack(subject.Token(r.Minion)), data)
	}
	if err != nil {
		m.log.Debug("refusal not sent", "minion", r.Minion, "job", r.Jid, "err", err)
	}
}
