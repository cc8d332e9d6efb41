package master

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// What one minion may tell of itself on average; a minute's worth may come at once. Each that is other than the one before is
// kept as long as events are.
const (
	toldRate  = 1        // messages a second
	toldBytes = 32 << 10 // bytes a second: the largest mine and the largest grains pass twice
)

// A hearing takes a message in which a minion tells something of itself; grains.DB and mine.DB do.
type hearing interface {
	Hear(ctx context.Context, subj string, data []byte, done func(minion string, answer *proto.ToldReply))
}

// told hands on what a minion tells of itself. The master to which the minion is connected answers.
func (m *Master) told(ctx context.Context, what string, parse func(subject string) (string, error), to hearing) nats.MsgHandler {
	return func(msg *nats.Msg) {
		id, err := parse(msg.Subject)
		if err != nil {
			return // no minion may publish there
		}
		if ok, refused := m.tellings.take(id, len(msg.Data), time.Now()); !ok {
			m.answerTold(msg, what, id, &proto.ToldReply{Error: fmt.Sprintf(
				"the minion tells too much of itself: %d messages were over its quota of %d a second and %d bytes a second; it will be taken later",
				refused, toldRate, toldBytes)})
			return
		}
		to.Hear(ctx, msg.Subject, msg.Data, func(id string, answer *proto.ToldReply) { m.answerTold(msg, what, id, answer) })
	}
}

func (m *Master) answerTold(msg *nats.Msg, what, id string, answer *proto.ToldReply) {
	if answer.Error != "" {
		m.complain(id, what+" refused", "minion", id, "err", answer.Error)
	}
	if msg.Reply == "" || !m.broker.ConnectedHere(id) {
		return
	}
	data, err := pb.Marshal(answer)
	if err == nil {
		err = m.broker.Reply(msg, subject.Token(id), data)
	}
	if err != nil {
		m.complain(id, "cannot answer minion", "minion", id, "verb", what, "err", err)
	}
}
