package event

import (
	"context"

	"brine/master/store"
	"brine/proto"
	"brine/proto/event"
)

const (
	lookedThrough = 5_000 // jobs and returns for one answer: a fraction of a second
	lot           = 100   // of them at a time
)

// sought are up to limit events of jobs and returns that a filter with texts or actors chooses, and where to look on; 0 is
// the end. No index has what they say: each is read.
func (l *Log) sought(ctx context.Context, q *proto.EventQuery, f store.EventFilter) (all []store.EventEntry, next int64, err error) {
	filter, err := event.Compile(q)
	if err != nil {
		return nil, 0, err
	}
	limit := f.Limit
	f.Limit = lot
	for looked := 0; looked < lookedThrough && len(all) < limit; looked += lot {
		some, err := l.store.JobBodies(ctx, f)
		if err != nil {
			return nil, 0, err
		}
		for _, t := range some {
			if e, err := l.of(t); err == nil && e != nil && filter.Match(e) { // else pruned meanwhile, or another
				all = append(all, store.EventEntry{Seq: t.Sequence, ID: t.Record.Id, Event: e})
			}
			f.Before = t.Sequence
		}
		if len(some) < lot {
			return all, 0, nil
		}
	}
	return all, f.Before, nil
}
