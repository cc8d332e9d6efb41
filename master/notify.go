package master

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"brine/master/store"
)

// tellSystemd sends a state to systemd's notification socket, if there is one
// (sd_notify(3)).
func tellSystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	c, err := net.Dial("unixgram", path)
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state)) // systemd that does not listen is its own trouble
}

// sound tells whether a restart would not help: a full disk is no reason for
// one, a damaged database is.
func (m *Master) sound() bool {
	var corrupt *store.CorruptError
	return !errors.As(m.store.Err(), &corrupt)
}

// watchdog tells systemd that the master lives, as often as it asked for,
// while alive says so.
func watchdog(ctx context.Context, alive func() bool) {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return
	}
	tick := time.NewTicker(time.Duration(usec) * time.Microsecond / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if alive() {
				tellSystemd("WATCHDOG=1")
			}
		case <-ctx.Done():
			return
		}
	}
}
