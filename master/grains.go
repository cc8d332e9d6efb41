package master

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
)

// grainsTogether is how many bytes of grains one answer holds.
const grainsTogether = 512 << 10

// hearGrains stores what a minion tells of its host. The master to which the minion is connected answers.
func (m *Master) hearGrains(ctx context.Context, msg *nats.Msg) {
	m.grains.Hear(ctx, msg.Subject, msg.Data, func(id string, answer *proto.GrainsReply) {
		if answer.Error != "" {
			m.complain(id, "grains refused", "minion", id, "err", answer.Error)
		}
		if msg.Reply == "" || !m.broker.OnlineHere(id) && !m.broker.StandbyHere(id) {
			return
		}
		data, err := pb.Marshal(answer)
		if err == nil {
			err = m.broker.Reply(msg, subject.Token(id), data)
		}
		if err != nil {
			m.complain(id, "cannot answer minion", "minion", id, "verb", "grains", "err", err)
		}
	})
}

// addGrains adds a minion's grains to what is told of it.
func (m *Master) addGrains(ctx context.Context, info *proto.MinionInfo) error {
	g, err := m.grains.Of(ctx, info.Id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	info.Grains = g
	return err
}
