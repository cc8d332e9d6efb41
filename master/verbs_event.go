package master

import (
	"context"
	"encoding/json"
	"errors"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	tags "brine/proto/tag"
	"brine/proto/target"
)

func (m *Master) eventList(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.EventListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	reply, err := m.events.List(ctx, req.Query, int(req.Limit), req.Before)
	return reply, unlisted(err)
}

// unlisted says whose mistake it is that events can't be told.
func unlisted(err error) error {
	switch {
	case err == nil || errors.Is(err, errGone):
		return err
	case errors.As(err, new(*target.Error)):
		return refuse(proto.ApiError_INVALID, "cannot read the filter: %v", err)
	}
	return refuse(proto.ApiError_UNAVAILABLE, "cannot read events: %v", err)
}

// eventWatch tells of events until the operator leaves.
func (m *Master) eventWatch(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.EventWatchRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	err := m.events.Watch(ctx, req.Query, req.After, func(f *proto.EventFrame) error { return c.next(f, true) })
	if ctx.Err() != nil {
		return nil, errGone // the operator asks another master
	}
	return nil, unlisted(err)
}

// eventSend stores an event of an operator's on all masters.
func (m *Master) eventSend(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.EventSendRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if err := checkTag(req.Tag, req.Data); err != nil {
		return nil, err
	}
	now := m.store.Stamp()
	rec, err := store.NewRecord(now, m.id.Name, &proto.Event{
		Tag: req.Tag, Origin: m.id.Name, Data: req.Data, At: now, Actor: "operator " + c.operator.Name,
	})
	audit, unmade := m.audited(c.operator, &proto.Audit{Action: "event.send", Detail: req.Tag})
	if err = errors.Join(err, unmade); err == nil {
		err = m.store.Append(ctx, rec, audit)
	}
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot store the event: %v", err)
	}
	_, late := m.peers.Commit(ctx, []*proto.Record{rec, audit}, "")
	return &proto.EventSendReply{Id: rec.Id, Unconfirmed: append(late, m.peers.Away()...)}, nil
}

// checkTag refuses what an operator's event may not be.
func checkTag(tag string, data []byte) error {
	switch {
	case !tags.Plain(tag):
		return refuse(proto.ApiError_INVALID, "cannot use the tag %.80q: want up to %d bytes without spaces, such as site/deploy/done", tag, tags.Max)
	case len(data) > maxEvent || !json.Valid(data) || data[0] != '{':
		return refuse(proto.ApiError_INVALID, "cannot take the data of event %s: want an object of JSON of up to %d KiB", tag, maxEvent>>10)
	case tags.Reserved(tag):
		return refuse(proto.ApiError_NOT_PERMITTED, "tag %q is for masters and minions alone, who say what they did: take another", tag)
	}
	return nil
}
