package master

import (
	"context"
	"encoding/json"
	"errors"
	"time"

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
	e := &proto.Event{Tag: req.Tag, Origin: req.Origin, Data: req.Data, At: req.At, Actor: "operator " + c.operator.Name, RequestId: req.RequestId}
	if len(req.RequestId) == 0 {
		e.Origin, e.At = m.id.Name, m.store.Stamp()
	} else if err := m.checkSent(req, time.Now()); err != nil {
		return nil, err
	}
	recs, err := m.sent(ctx, c, e)
	if err == nil {
		err = m.store.Append(ctx, recs...)
	}
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot store the event: %v", err)
	}
	_, late := m.peers.Commit(ctx, recs, "")
	return &proto.EventSendReply{Id: recs[0].Id, Unconfirmed: append(late, m.peers.Away()...)}, nil
}

// sent are the record of an event, and that of who sent it unless the event is here already.
func (m *Master) sent(ctx context.Context, c *call, e *proto.Event) ([]*proto.Record, error) {
	rec, err := store.NewRecord(e.At, e.Origin, e)
	if err != nil {
		return nil, err
	}
	missing, err := m.store.Missing(ctx, []string{rec.Id})
	if err != nil || len(missing) == 0 {
		return []*proto.Record{rec}, err
	}
	audit, err := m.audited(c.operator, &proto.Audit{Action: "event.send", Detail: e.Tag})
	return []*proto.Record{rec, audit}, err
}

// askedFor is how long an event may be sent, to one master after the other.
const askedFor = 10 * time.Minute

// checkSent refuses what would make another event of the same request, or one of another time.
func (m *Master) checkSent(req *proto.EventSendRequest, now time.Time) error {
	off := now.Sub(time.UnixMicro(req.At))
	switch {
	case len(req.RequestId) != 16:
		return refuse(proto.ApiError_INVALID, "the id of event %s has %d bytes, want 16", req.Tag, len(req.RequestId))
	case !m.lists(req.Origin):
		return refuse(proto.ApiError_INVALID, "cannot take event %s of %.80q: there is no such master", req.Tag, req.Origin)
	case off > askedFor || -off > eventAhead:
		return refuse(proto.ApiError_INVALID, "cannot take event %s: its time differs by %.0f s from that of %s: check NTP", req.Tag, off.Abs().Seconds(), m.id.Name)
	}
	return nil
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
