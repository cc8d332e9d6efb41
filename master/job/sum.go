package job

import (
	"context"
	"slices"
	"time"

	"brine/master/store"
	"brine/proto"
)

// How a job of ten thousand minions ended is in ten thousand returns. So that a list of jobs need not
// read them all, the store keeps the sum of each job that is over: the counts, and who is missing,
// of whom it depends on the time what they are.

const (
	sumEach = 5 * time.Second
	sumMost = 1000 // jobs that are looked at in one turn
	sumLot  = 50   // that are kept in one commit
)

// keepSums sums up the jobs that are no more in memory.
func (m *Manager) keepSums(ctx context.Context) {
	tick := time.NewTicker(sumEach)
	defer tick.Stop()
	broken := map[string]bool{} // that could not be read: told once
	for {
		if err := m.sumUp(ctx, broken); err != nil && ctx.Err() == nil {
			m.log.Warn("cannot sum up jobs", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *Manager) sumUp(ctx context.Context, broken map[string]bool) error {
	entries, err := m.o.Store.Unsummed(ctx, sumMost)
	if err != nil {
		return err
	}
	for lot := range slices.Chunk(entries, sumLot) {
		if err := m.sumLot(ctx, lot, broken); err != nil {
			return err
		}
	}
	return nil
}

// sumLot sums up a few jobs, which are kept together: each commit waits for the disk.
func (m *Manager) sumLot(ctx context.Context, entries []store.JobEntry, broken map[string]bool) error {
	var found []store.JobEntry
	for _, e := range entries {
		m.mu.Lock()
		_, busy := m.jobs[e.JID]
		m.mu.Unlock()
		if busy || broken[e.JID] {
			continue
		}
		var err error
		switch e.Sum, err = m.sum(ctx, e.JID); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			broken[e.JID] = true
			m.log.Warn("cannot sum up a job", "job", e.JID, "err", err)
		case e.Sum != nil:
			found = append(found, e)
		}
	}
	return m.o.Store.SetSums(ctx, found)
}

// sum reads how a job ended; nil when it has no record.
func (m *Manager) sum(ctx context.Context, id string) (*store.JobSum, error) {
	j := newJob(id, time.Now())
	if _, err := m.recall(ctx, j); err != nil || j.record == nil {
		return nil, err
	}
	sum := &store.JobSum{Counts: map[string]uint32{}, Failed: j.failed, Expected: j.expected()}
	for _, n := range j.minions {
		if status, ended := ending(n.end.outcome); ended {
			sum.Counts[string(status)]++
		}
	}
	for _, id := range j.record.expected {
		if n := j.minions[id]; n != nil && !n.ended() {
			sum.Missing = append(sum.Missing, id)
		}
	}
	for _, id := range j.record.offline {
		if n := j.minions[id]; n != nil && !n.ended() {
			sum.Offline = append(sum.Offline, id)
		}
	}
	return sum, nil
}

// summedUp tells about a job that was summed up: what of it is no longer certain is looked at again.
func (m *Manager) summedUp(ctx context.Context, e store.JobEntry) (*proto.JobInfo, error) {
	rec := &proto.JobRecord{Job: e.Record.Job, Expected: e.Sum.Missing, Offline: e.Sum.Offline}
	r, err := m.readRecord(rec)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	j := newJob(e.JID, now)
	j.describe(r)
	j.failed, j.summed = e.Sum.Failed, e.Sum.Expected-len(e.Sum.Missing)
	m.sentBefore(j, rec.Offline)
	cancels, err := m.o.Store.Cancels(ctx, e.JID)
	if err != nil {
		return nil, err
	}
	for _, c := range cancels {
		j.cancelled(c, now)
	}
	if len(e.Sum.Missing) > 0 && now.Before(r.notAfter.Add(forgetAfter)) {
		notes, err := m.o.Store.Accepted(ctx, e.JID, e.Sum.Missing...)
		if err != nil {
			return nil, err
		}
		j.noted(notes, now)
	}
	counts, settled := tallied(m.look(j, nil, true))
	for status, n := range e.Sum.Counts {
		counts[status] += n
	}
	return m.describe(j, counts, settled), nil
}
