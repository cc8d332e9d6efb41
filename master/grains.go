package master

import (
	"context"
	"errors"

	"brine/master/store"
	"brine/proto"
)

// grainsTogether is how many bytes of grains one answer holds.
const grainsTogether = 512 << 10

// addGrains adds a minion's grains to what is told of it.
func (m *Master) addGrains(ctx context.Context, info *proto.MinionInfo) error {
	g, err := m.grains.Of(ctx, info.Id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	info.Grains = g
	return err
}
