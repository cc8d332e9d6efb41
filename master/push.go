package master

import (
	"context"

	pb "google.golang.org/protobuf/proto"

	"brine/master/pushed"
	"brine/proto"
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

func (m *Master) pushReply(id string, data []byte) (pb.Message, error) {
	req := &proto.PushRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, err
	}
	return m.pushed.Piece(id, req), nil
}
