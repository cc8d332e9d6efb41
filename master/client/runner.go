package client

import (
	"context"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// NewCall makes a request to call a function that works on masters.
func (c *Client) NewCall(kind, function string, args []*proto.Argument) *proto.RunnerRequest {
	return &proto.RunnerRequest{Jid: c.clock.Next(time.Now()), RequestId: newID(), Kind: kind, Function: function, Args: args}
}

// Runner calls a function that works on masters and follows it until it has ended, whichever master dies meanwhile. The frame
// that it returns has the whole value; each is told of every frame. Cancelling ctx ends no orchestration.
func (c *Client) Runner(ctx context.Context, req *proto.RunnerRequest, each func(*proto.RunnerFrame)) (*proto.RunnerFrame, error) {
	return c.frames(ctx, "runner.run", func() (pb.Message, error) { return req, nil }, each)
}

// WatchRunner follows an orchestration, or tells once what is known of it.
func (c *Client) WatchRunner(ctx context.Context, jid string, once bool, each func(*proto.RunnerFrame)) (*proto.RunnerFrame, error) {
	return c.frames(ctx, "runner.watch", func() (pb.Message, error) { return &proto.RunnerWatchRequest{Jid: jid, Once: once}, nil }, each)
}

// frames takes frames and puts the pieces of the value together.
func (c *Client) frames(ctx context.Context, verb string, ask func() (pb.Message, error), each func(*proto.RunnerFrame)) (*proto.RunnerFrame, error) {
	var last *proto.RunnerFrame
	var value []byte
	again := func() (pb.Message, error) {
		value = nil // another master begins anew
		return ask()
	}
	err := c.stream(ctx, verb, again, func(data []byte) error {
		f := &proto.RunnerFrame{}
		if err := pb.Unmarshal(data, f); err != nil {
			return err
		}
		value = append(value, f.Value...)
		last = f
		each(f)
		return nil
	})
	if last != nil {
		last.Value = value
	}
	return last, err
}
