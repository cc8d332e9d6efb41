package master

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/keys"
	"brine/master/store"
	"brine/proto"
	"brine/proto/role"
)

// operatorList tells of operators. Who has no right to see them all is told of themselves.
func (m *Master) operatorList(_ context.Context, c *call) (pb.Message, error) {
	req := &proto.OperatorListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	own := req.Self || len(req.Patterns) == 1 && req.Patterns[0] == c.operator.Name
	if !own {
		if err := c.may("@operator.list"); err != nil {
			return nil, err
		}
	}
	if req.Self {
		req.Patterns = []string{c.operator.Name}
	}
	ops, err := m.keys.Operators(req.Patterns)
	if err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	reply := &proto.OperatorListReply{}
	for _, op := range ops {
		if info := m.operatorInfo(op); req.All || info.State == "active" {
			reply.Operators = append(reply.Operators, info)
		}
	}
	return reply, nil
}

func (m *Master) operatorInfo(op store.Operator) *proto.OperatorInfo {
	return &proto.OperatorInfo{
		Name: op.Name, State: m.keys.State(op), Roles: op.Roles, Admin: keys.IsAdmin(op.OperatorRecord), Key: op.Key,
		Fingerprint: keys.Fingerprint(op.Key), NotAfter: op.NotAfter, Via: cmp.Or(op.Via, "key"), AddedBy: op.AddedBy, ChangedAt: op.Stamp,
	}
}

// operatorSet adds or changes an operator.
func (m *Master) operatorSet(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.OperatorSetRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	before := m.lasting(req.Name)
	op, err := changed(before, req)
	if err != nil {
		return nil, err
	}
	op.AddedBy = c.operator.Name
	if err := m.mayChange(c, before, op); err != nil {
		return nil, err
	}
	if err := mayLast(c.operator, before, op); err != nil {
		return nil, err
	}
	late, err := m.keys.SetOperator(ctx, op)
	if err != nil {
		return nil, keyRefusal(err)
	}
	action := "operator.set"
	if req.Add {
		action = "operator.add"
	}
	m.audit(c, action, op.Name+": "+strings.Join(role.FormatAll(op.Roles), "; ")+" (key "+keys.Fingerprint(op.Key)+", until "+until(op)+")")
	reply := &proto.OperatorDecideReply{Unconfirmed: late}
	for _, k := range m.keys.OperatorKeys(op.Name) {
		if string(k.Key) == string(op.Key) {
			reply.Operators = append(reply.Operators, m.operatorInfo(k))
		}
	}
	return reply, nil
}

// lasting is the key that an operator has now; nil without one.
func (m *Master) lasting(name string) *proto.OperatorRecord {
	for _, k := range m.keys.OperatorKeys(name) {
		if !k.Revoked && !k.Past && !store.Session(k.OperatorRecord) {
			return k.OperatorRecord
		}
	}
	return nil
}

// changed is an operator as a request wants it.
func changed(before *proto.OperatorRecord, req *proto.OperatorSetRequest) (*proto.OperatorRecord, error) {
	switch {
	case req.Add && before != nil:
		return nil, refuse(proto.ApiError_CONFLICT, "there is an operator %q: change it with brine operator set %s", req.Name, req.Name)
	case !req.Add && before == nil:
		return nil, refuse(proto.ApiError_NOT_FOUND, "there is no operator %q with a key (brine operator ls --all shows all that there were)", req.Name)
	}
	op := &proto.OperatorRecord{Name: req.Name, Key: req.Key, Via: "key"}
	if before != nil {
		op.Roles, op.NotAfter = before.Roles, before.NotAfter
		if len(op.Key) == 0 {
			op.Key = before.Key
		}
	}
	if len(op.Key) != ed25519.PublicKeySize {
		return nil, refuse(proto.ApiError_INVALID, "the key of %q is missing", req.Name)
	}
	if len(req.Roles) > 0 {
		op.Roles = req.Roles
	}
	op.Roles = slices.Clone(op.Roles)
	for _, r := range req.FewerRoles {
		n := len(op.Roles)
		op.Roles = slices.DeleteFunc(op.Roles, func(have *proto.Role) bool { return role.Format(have) == role.Format(r) })
		if len(op.Roles) == n {
			return nil, refuse(proto.ApiError_NOT_FOUND, "operator %q has no role '%s', but %s", req.Name, role.Format(r),
				strings.Join(role.FormatAll(op.Roles), "; "))
		}
	}
	for _, r := range req.MoreRoles {
		if !slices.ContainsFunc(op.Roles, func(have *proto.Role) bool { return role.Format(have) == role.Format(r) }) {
			op.Roles = append(op.Roles, r)
		}
	}
	if req.End {
		op.NotAfter = req.NotAfter
	}
	return op, nil
}

func until(op *proto.OperatorRecord) string {
	if op.NotAfter == 0 {
		return "revoked"
	}
	return moment(op.NotAfter)
}

// mayChange refuses who would give or take what they don't have.
func (m *Master) mayChange(c *call, ops ...*proto.OperatorRecord) error {
	for _, op := range ops {
		if err := m.keys.MayGrant(c.operator, op.GetRoles()); err != nil {
			return refuse(proto.ApiError_NOT_PERMITTED, "%v", err)
		}
	}
	return nil
}

// mayLast refuses who would have a key hold longer than their own does: also what they themselves may do ends then.
func mayLast(giver, before, op *proto.OperatorRecord) error {
	given := before == nil || before.NotAfter != op.NotAfter || !bytes.Equal(before.Key, op.Key)
	if giver.NotAfter == 0 || !given || op.NotAfter != 0 && op.NotAfter <= giver.NotAfter {
		return nil
	}
	return refuse(proto.ApiError_NOT_PERMITTED, "cannot have the key of %q hold longer than yours, which ends at %s: say --until with an earlier time, "+
		"or ask an operator whose key lasts", op.Name, moment(giver.NotAfter))
}

// operatorRevoke ends keys of an operator.
func (m *Master) operatorRevoke(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.OperatorRevokeRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	var concerned []*proto.OperatorRecord
	for _, k := range m.keys.OperatorKeys(req.Name) {
		concerned = append(concerned, k.OperatorRecord)
	}
	if err := m.mayChange(c, concerned...); err != nil {
		return nil, err
	}
	gone, late, err := m.keys.RevokeOperator(ctx, c.operator.Name, req.Name, req.Fingerprint)
	if err != nil {
		return nil, keyRefusal(err)
	}
	m.audit(c, "operator.revoke", strings.TrimSpace(req.Name+" "+req.Fingerprint))
	reply := &proto.OperatorDecideReply{Unconfirmed: late}
	for _, k := range gone {
		reply.Operators = append(reply.Operators, m.operatorInfo(k))
	}
	return reply, nil
}

func moment(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
