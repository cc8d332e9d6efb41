package client

import (
	"context"
	"crypto/rand"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// Seal puts arguments into a request that only the minions of its target can
// read: no master, no store and no other minion. The keys that it returns go
// along with the request.
func (c *Client) Seal(ctx context.Context, req *proto.JobRequest, args []*proto.Argument) ([]*proto.SealedKey, error) {
	meant, err := c.Resolve(ctx, req)
	if err != nil {
		return nil, err
	}
	data, err := pb.Marshal(&proto.SealedArguments{Args: args})
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	if req.Sealed, err = pki.SealSecret(secret, data); err != nil {
		return nil, err
	}
	var keys []*proto.SealedKey
	for id, m := range meant.Minions {
		if len(m.SealingKey) == 0 {
			return nil, fmt.Errorf("cannot seal arguments for %d minions: the masters give no keys of so many at once (or are of an older version)",
				len(meant.Minions))
		}
		sealed, err := pki.Seal(m.SealingKey, secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, &proto.SealedKey{Minion: id, Sealed: sealed})
	}
	return keys, nil
}
