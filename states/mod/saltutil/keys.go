package saltutil

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/value"
)

// regenKeys differs from Salt, where the minion has to be accepted again.
func regenKeys(ctx context.Context, h *host.Host, _ noArgs) (any, error) {
	if h.Rekey == nil {
		return nil, errors.New("cannot change the key: no minion runs here, this is a call of its own")
	}
	from, to, err := h.Rekey(ctx)
	if err != nil {
		return nil, err
	}
	return value.NewDict("old", from, "new", to), nil
}
