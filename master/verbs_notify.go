package master

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"

	pb "google.golang.org/protobuf/proto"

	"brine/master/notify"
	"brine/proto"
)

const listBytes = 700 << 10 // of an answer

// notifyList tells of messages to other systems.
func (m *Master) notifyList(_ context.Context, c *call) (pb.Message, error) {
	req := &proto.NotifyListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	var states []notify.State
	for _, s := range req.States {
		states = append(states, notify.State(s))
	}
	reply := &proto.NotifyListReply{Channels: m.notes.Channels()}
	all := m.notes.List(states...)
	if limit := int(cmp.Or(min(req.Limit, 1000), 50)); len(all) > limit {
		all = all[:limit]
	}
	room := listBytes
	for _, i := range all {
		n := &proto.NotifyInfo{Id: i.ID, Channel: i.Channel, Subject: i.Subject, State: string(i.State), Record: i.Record, At: i.At.UnixMicro(),
			Attempts: uint32(i.Attempts), Reason: i.Reason, Master: i.Master}
		if !i.Changed.IsZero() {
			n.Changed = i.Changed.UnixMicro()
		}
		if i.Next.After(i.At) {
			n.Next = i.Next.UnixMicro()
		}
		if room -= pb.Size(n); room < 0 {
			break
		}
		reply.Messages = append(reply.Messages, n)
	}
	return reply, nil
}

// notifyRetry has dead messages tried again, or forgotten.
func (m *Master) notifyRetry(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.NotifyAgainRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	done, err := m.notes.Again(ctx, req.Ids, req.Drop, "operator "+c.operator.Name)
	switch {
	case errors.Is(err, notify.ErrUnknown):
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	case err != nil:
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	return &proto.NotifyAgainReply{Ids: done}, nil
}

// notifyTest sends a message at once, from this master.
func (m *Master) notifyTest(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.NotifyTestRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if err := m.notes.Check(req.Channel); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	now := m.store.Stamp()
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	outcome, err := m.notes.Test(ctx, testMessage(m.id.Name, c.operator.Name, req.Channel, now))
	reply := &proto.NotifyTestReply{Outcome: outcome}
	if err != nil {
		reply.Problem = err.Error()
	}
	m.audit(c, "notify.test", req.Channel)
	return reply, nil
}

// notifySend has a message of an operator's sent.
func (m *Master) notifySend(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.NotifySendRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	msg := notify.Message{ID: cmp.Or(req.Id, rand.Text()), Channel: req.Channel, Subject: req.Subject, Text: req.Text, Actor: "operator " + c.operator.Name}
	if err := m.notes.Check(req.Channel); err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	if err := m.notes.Send(ctx, msg); err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "%v", err)
	}
	m.audit(c, "notify.send", req.Channel)
	return &proto.NotifySendReply{Id: msg.ID}, nil
}
