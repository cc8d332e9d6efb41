package master

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	pruneBatch = 250 // records in one commit: others are written in between
	boundEach  = time.Minute
	keepAlways = 2 * time.Hour // however large the store is
	leastSize  = 64 << 20
)

// retention is how the store is kept within its bounds.
type retention struct {
	over atomic.Int64 // bytes that it takes, when that is more than max_size however much was removed
}

// readSize reads a number of bytes with a unit; "" is 0, for no bound.
func readSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits := strings.TrimRight(text, "BKMGTi ")
	units := map[string]int64{"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	unit, known := units[strings.TrimSpace(text[len(digits):])]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || !known || n > uint64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("want a size such as 20GiB or 500MB")
	}
	if int64(n)*unit < leastSize {
		return 0, fmt.Errorf("want at least %d MiB", leastSize>>20)
	}
	return int64(n) * unit, nil
}

// prune removes what is older than the retention.
func (m *Master) prune(ctx context.Context) error {
	// By whole days, so that every master removes the same.
	_, err := m.store.Prune(ctx, time.Now().Add(-m.o.Config.Retention()).UTC().Truncate(24*time.Hour), pruneBatch)
	return err
}

// keepBounds has the store hold no more than max_size, and no more than the other masters hold: one of them may be
// allowed less, or have removed by its size what this one has not yet.
func (m *Master) keepBounds(ctx context.Context) {
	limit, _ := readSize(m.o.Config.Store.MaxSize) // it was checked
	tick := time.NewTicker(boundEach)
	defer tick.Stop()
	for {
		if err := m.bound(ctx, limit, time.Now()); err != nil && ctx.Err() == nil {
			m.log.Error("cannot keep the store within its bounds", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Master) bound(ctx context.Context, limit int64, now time.Time) error {
	keep := now.Add(-keepAlways)
	own := m.store.Horizon()
	for _, name := range m.peers.Live() {
		theirs := time.UnixMicro(m.peers.Beat(name).GetHorizon())
		if name == m.id.Name || !theirs.After(own) || theirs.After(keep) {
			continue
		}
		m.log.Info("removing what another master keeps no more", "master", name, "before", theirs.UTC())
		if _, err := m.store.Prune(ctx, theirs, pruneBatch); err != nil {
			return err
		}
		own = theirs
	}
	if limit == 0 {
		return nil
	}
	removed, within, err := m.store.Bound(ctx, limit, keep, pruneBatch)
	if err != nil {
		return err
	}
	if removed > 0 {
		m.log.Info("removed the oldest records to keep the store within max_size", "records", removed, "before", m.store.Horizon().UTC())
	}
	m.retention.over.Store(0)
	if !within {
		used, err := m.store.Used(ctx)
		if err != nil {
			return err
		}
		m.retention.over.Store(used)
	}
	return nil
}

// retentionWarnings tell of a store that can't be kept within its size.
func (m *Master) retentionWarnings() []string {
	if over := m.retention.over.Load(); over > 0 {
		return []string{fmt.Sprintf("the store takes %d MiB, more than max_size: what is of the last %v, of open jobs or counts for ever is not removed",
			over>>20, keepAlways)}
	}
	return nil
}
