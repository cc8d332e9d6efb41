package master

import (
	"context"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/master/keys"
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
	m.audit(c, "operator.rotate", fmt.Sprintf("%s: key %s in the place of %s", c.operator.Name, keys.Fingerprint(change.ByNew.GetKey()), keys.Fingerprint(change.ByOld.GetKey())))
	return &proto.KeyDecideReply{Unconfirmed: unconfirmed}, nil
}
