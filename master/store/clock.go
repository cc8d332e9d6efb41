package store

import (
	"sync"
	"time"
)

// clock is the hybrid clock: the time of day, but never going back, and ahead
// of every stamp that was seen.
type clock struct {
	mu   sync.Mutex
	last int64
}

// next is a stamp above all others.
func (c *clock) next(now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, now.UnixMicro())
	return c.last
}

// see takes note of a stamp.
func (c *clock) see(stamp int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, stamp)
}

// ahead tells whether a stamp is too far in the future. What this store has
// given out or taken already never is: after the own time of day was set back
// the master must be able to go on.
func (c *clock) ahead(stamp int64, now time.Time) bool {
	if stamp <= now.Add(MaxAhead).UnixMicro() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return stamp > c.last
}

// now is the highest stamp so far.
func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
