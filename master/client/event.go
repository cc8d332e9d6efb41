package client

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// overlap is how much of what was told a further master is asked for again: its clock differs, and it stores in another
// order.
const overlap = 60_000_000 // microseconds

// SendEvent has the masters store that something happened. Data is an object of JSON. However many of them are asked until one
// answers, it is one event.
func (c *Client) SendEvent(ctx context.Context, tag string, data []byte) (*proto.EventSendReply, error) {
	req := &proto.EventSendRequest{Tag: tag, Data: data, RequestId: newID(), At: time.Now().UnixMicro()}
	reply := &proto.EventSendReply{}
	return reply, c.search(ctx, func(conn *nats.Conn, heard func()) error {
		req.Origin = cmp.Or(req.Origin, conn.ConnectedServerName())
		return c.ask(ctx, conn, "event.send", req, reply, heard)
	})
}

// WatchEvents calls each for every event that a query chooses, from now on, until ctx ends or each returns an error. When a
// master is lost it goes on with another, and none is told twice. Begun is called with the name of each that tells.
func (c *Client) WatchEvents(ctx context.Context, q *proto.EventQuery, begun func(master string), each func(*proto.EventInfo) error) error {
	seen, begin, asked, fresh := recent{}, time.Now().UnixMicro(), false, false
	ask := func() (pb.Message, error) {
		req := &proto.EventWatchRequest{Query: q}
		if asked {
			req.After = max(begin, seen.newest-overlap)
		}
		asked, fresh = true, true
		return req, nil
	}
	return c.stream(ctx, "event.watch", ask, func(data []byte) error {
		f := &proto.EventFrame{}
		if err := pb.Unmarshal(data, f); err != nil {
			return err
		}
		if fresh {
			fresh = false
			begun(c.Master())
		}
		for _, e := range f.Events {
			if !seen.first(e) {
				continue
			}
			if err := each(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// recent are the ids of the events of the last while.
type recent struct {
	newest int64
	at     map[string]int64
}

// first tells whether an event is seen for the first time.
func (r *recent) first(e *proto.EventInfo) bool {
	if _, ok := r.at[e.Id]; ok {
		return false
	}
	if r.at == nil {
		r.at = map[string]int64{}
	}
	r.at[e.Id] = e.Event.GetAt()
	r.newest = max(r.newest, e.Event.GetAt())
	if len(r.at) > 100_000 { // of which most are older than what is asked for again
		ids := make([]string, 0, len(r.at))
		for id := range r.at {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b string) int { return int(r.at[a] - r.at[b]) })
		for _, id := range ids[:len(ids)/2] {
			delete(r.at, id)
		}
	}
	return true
}
