package master

import (
	"context"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/pushed"
	"brine/proto"
	"brine/proto/subject"
)

// maxPushes is how many pieces of files wait to be written.
const maxPushes = 256

func (m *Master) startPushed(context.Context) (func(), error) {
	c := m.o.Config
	o := pushed.Options{Dir: m.layout.Pushed(), Minion: m.minionOf, Log: m.log.Named("files")}
	if c.FileRecv {
		o.FileBytes, o.MinionBytes = int64(c.FileRecvMaxSize)<<20, int64(c.FileRecvMaxTotal)<<20
	}
	store, err := pushed.New(o)
	if err != nil {
		return nil, err
	}
	m.pushed = store
	return func() { _ = store.Close() }, nil // nothing was written through it
}

// askedPush puts a piece of a minion's file aside: the disk takes as long as it takes. When too many wait it is
// dropped, and the minion sends it again.
func (m *Master) askedPush(msg *nats.Msg) bool {
	_, verb, err := subject.ParseRequest(msg.Subject)
	if err != nil || verb != subject.Push {
		return false
	}
	select {
	case m.pushes <- msg:
	default:
	}
	return true
}

func (m *Master) servePushes(ctx context.Context) {
	for {
		select {
		case msg := <-m.pushes:
			m.minionAsks(ctx, msg)
		case <-ctx.Done():
			return
		}
	}
}

func (m *Master) pushReply(id string, data []byte) (pb.Message, error) {
	req := &proto.PushRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, err
	}
	return m.pushed.Piece(id, req), nil
}
