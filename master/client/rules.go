package client

import (
	"context"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// ReplayRules asks what rules would have made of what happened, and calls each for every line. It returns how many events were
// looked at. A master that is lost is asked again, or another one, from the beginning: begun is called each time.
func (c *Client) ReplayRules(ctx context.Context, req *proto.RulesTryRequest, begun func(), each func(*proto.RuleLine) error) (events int64, err error) {
	ask := func() (pb.Message, error) {
		begun()
		return req, nil
	}
	err = c.stream(ctx, "rules.replay", ask, func(data []byte) error {
		f := &proto.RulesTryFrame{}
		if err := pb.Unmarshal(data, f); err != nil {
			return err
		}
		for _, l := range f.Lines {
			if err := each(l); err != nil {
				return err
			}
		}
		events = f.Events
		return nil
	})
	return events, err
}
