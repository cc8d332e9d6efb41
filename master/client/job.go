package client

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// NewJob makes a request for a job with a new jid and request id, in the
// operator's name. The caller may change it until it is sent.
func (c *Client) NewJob(target *proto.Target, function string, args []*proto.Argument) *proto.JobRequest {
	now := time.Now()
	return &proto.JobRequest{
		Jid: c.clock.Next(now), RequestId: newID(), Target: target, Function: function, Args: args,
		IssuedAt: now.UnixMicro(), Operator: c.config.Name,
	}
}

// A Result is what is known of a job.
type Result struct {
	Job     *proto.JobInfo
	Minions map[string]*Minion
	Done    bool // nothing more will come by itself
}

// A Minion is what is known of a job on one minion.
type Minion struct {
	*proto.MinionUpdate        // newest; its Value is whole
	partial             []byte // of a large value that is still coming
}

// IDs returns the minions' ids, sorted.
func (r *Result) IDs() []string {
	ids := make([]string, 0, len(r.Minions))
	for id := range r.Minions {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// Counts returns how many minions have each status.
func (r *Result) Counts() map[string]int {
	n := map[string]int{}
	for _, m := range r.Minions {
		n[m.Status]++
	}
	return n
}

// An Update tells a watcher what a frame changed: the minions whose status
// or progress is new. It is called in order, never at the same time twice.
type Update func(r *Result, changed []string)

// Run asks for a job and follows it until it is done, whichever master dies
// meanwhile. Cancelling ctx leaves the job running. An id that another
// request took already is replaced by the next one. Keys are those of its
// sealed arguments.
func (c *Client) Run(ctx context.Context, req *proto.JobRequest, update Update, keys ...*proto.SealedKey) (*Result, error) {
	r := newResult()
	for {
		err := c.stream(ctx, "job.run", func() (pb.Message, error) { return c.runRequest(req, true, keys) }, r.take(update))
		if !IsCode(err, proto.ApiError_JID_TAKEN) {
			return r, err
		}
		if err := c.renumber(req); err != nil {
			return r, err
		}
	}
}

// Submit asks for a job and returns when it is committed. Keys are those of its
// sealed arguments.
func (c *Client) Submit(ctx context.Context, req *proto.JobRequest, keys ...*proto.SealedKey) (*Result, error) {
	for {
		r := newResult()
		msg, err := c.runRequest(req, false, keys)
		if err != nil {
			return nil, err
		}
		frame := &proto.WatchFrame{}
		err = c.Call(ctx, "job.run", msg, frame)
		if err == nil {
			r.merge(frame)
			return r, nil
		}
		if !IsCode(err, proto.ApiError_JID_TAKEN) {
			return nil, err
		}
		if err := c.renumber(req); err != nil {
			return nil, err
		}
	}
}

// Resolve says whom a job would reach, without making it.
func (c *Client) Resolve(ctx context.Context, req *proto.JobRequest) (*Result, error) {
	r := newResult()
	ask := func() (pb.Message, error) {
		msg, err := c.runRequest(req, false, nil)
		if err == nil {
			msg.Test = true
		}
		return msg, err
	}
	return r, c.stream(ctx, "job.run", ask, r.take(func(*Result, []string) {}))
}

// Watch follows a job until it is done. A master that takes over may hear of
// the job only from its minions' returns, so one that is not known there is
// waited for: ask Show first whether it exists at all.
func (c *Client) Watch(ctx context.Context, id string, update Update) (*Result, error) {
	r := newResult()
	ask := func() (pb.Message, error) { return &proto.WatchRequest{Jid: id}, nil }
	for began := time.Now(); ; {
		err := c.stream(ctx, "job.watch", ask, r.take(func(r *Result, changed []string) {
			began = time.Now()
			update(r, changed)
		}))
		if !IsCode(err, proto.ApiError_NOT_FOUND) || time.Since(began) > searchFor {
			return r, err
		}
		c.elsewhere()
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// Show returns what is known of a job now.
func (c *Client) Show(ctx context.Context, id string) (*Result, error) {
	r := newResult()
	ask := func() (pb.Message, error) { return &proto.WatchRequest{Jid: id, Once: true}, nil }
	err := c.stream(ctx, "job.watch", ask, r.take(func(*Result, []string) {}))
	// A master that was away may not have caught up with what another knows.
	if IsCode(err, proto.ApiError_NOT_FOUND) && c.elsewhere() {
		err = c.stream(ctx, "job.watch", ask, r.take(func(*Result, []string) {}))
	}
	return r, err
}

func (c *Client) runRequest(req *proto.JobRequest, watch bool, keys []*proto.SealedKey) (*proto.RunRequest, error) {
	body, err := pb.Marshal(req)
	if err != nil {
		return nil, err
	}
	env := pki.Sign(c.keys.now(), c.trust.Pin(), proto.Kind_KIND_JOB_REQUEST, body)
	return &proto.RunRequest{Request: env, Watch: watch, Keys: keys}, nil
}

// renumber gives a request the next jid after its own.
func (c *Client) renumber(req *proto.JobRequest) error {
	at, err := jid.Time(req.Jid)
	if err != nil {
		return err
	}
	req.Jid = c.clock.Next(at)
	return nil
}

// stream asks for frames and has each taken, until the last one. When a
// master is lost it asks another.
func (c *Client) stream(ctx context.Context, verb string, ask func() (pb.Message, error), take func(frame []byte) error) error {
	return c.search(ctx, func(conn *nats.Conn, heard func()) error {
		master := conn.ConnectedServerName()
		inbox := conn.NewRespInbox()
		sub, err := conn.SubscribeSync(inbox)
		if err != nil {
			return lost(ctx, master, err)
		}
		defer func() { _ = sub.Unsubscribe() }()
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return lost(ctx, master, err)
		}
		req, err := ask()
		if err != nil {
			return err
		}
		data, err := c.sign(conn, verb, req)
		if err != nil {
			return err
		}
		if err := conn.PublishRequest(subject.API(master, verb), inbox, data); err != nil {
			return lost(ctx, master, err)
		}
		return c.follow(ctx, conn, sub, heard, take)
	})
}

// follow reads one master's frames. One that is missing means the stream
// can't be trusted any more, and is treated as a lost master.
func (c *Client) follow(ctx context.Context, conn *nats.Conn, sub *nats.Subscription, heard func(), take func([]byte) error) error {
	master := conn.ConnectedServerName()
	for want := uint64(1); ; want++ {
		wait, cancel := context.WithTimeout(ctx, silence)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return lost(ctx, master, err)
		}
		reply, err := c.open(m)
		if err != nil {
			return err
		}
		if reply.Sequence != want {
			return lost(ctx, master, fmt.Errorf("frame %d is missing", want))
		}
		heard()
		if err := take(reply.Payload); err != nil {
			return fmt.Errorf("cannot take a frame of %s: %w", master, err)
		}
		if !reply.More {
			return nil
		}
	}
}

// take reads a frame of a job's stream. A further master tells everything again.
func (r *Result) take(update Update) func([]byte) error {
	return func(data []byte) error {
		frame := &proto.WatchFrame{}
		if err := pb.Unmarshal(data, frame); err != nil {
			return err
		}
		if changed := r.merge(frame); frame.Job != nil || len(changed) > 0 {
			update(r, changed)
		}
		return nil
	}
}

func newResult() *Result { return &Result{Minions: map[string]*Minion{}} }

// merge takes a frame in and returns the minions it says something new about.
// A large value counts when its last piece is here.
func (r *Result) merge(f *proto.WatchFrame) (changed []string) {
	if f.Job != nil {
		r.Job = f.Job
	}
	r.Done = f.Done
	for _, u := range f.Minions {
		m := r.Minions[u.Minion]
		if m == nil {
			m = &Minion{MinionUpdate: &proto.MinionUpdate{Minion: u.Minion}}
			r.Minions[u.Minion] = m
		}
		if u.ValueOffset == 0 {
			m.partial = nil
		}
		if int64(len(m.partial)) != u.ValueOffset {
			continue // a piece of a stream that was cut: the next master tells all again
		}
		if u.MoreValue {
			m.partial = append(m.partial, u.Value...)
			continue
		}
		if len(m.partial) > 0 {
			u.Value = append(m.partial, u.Value...)
			u.ValueOffset, m.partial = 0, nil
		}
		if !pb.Equal(m.MinionUpdate, u) {
			m.MinionUpdate = u
			changed = append(changed, u.Minion)
		}
	}
	return changed
}
