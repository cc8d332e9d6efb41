package master

import (
	"context"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// operatorRotate gives the operator who asks another key; each may do so with his own.
func (m *Master) operatorRotate(ctx context.Context, c *call) (pb.Message, error) {
	change := &proto.KeyChange{}
	if err := c.decode(change); err != nil {
		return nil, err
	}
	unconfirmed, err := m.keys.RotateOperator(ctx, c.operator, change)
	if err != nil {
		return nil, keyRefusal(err)
	}
	m.audit(c, "operator.rotate", c.operator.Name)
	return &proto.KeyDecideReply{Unconfirmed: unconfirmed}, nil
}
