package job

import (
	"context"
	"errors"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

// A minion makes some jobs itself, such as the states of its start. No master has a record of such a job:
// what is known of it is in its return.

// ownReturn finds the return of a job without a record that tells why its minion made it; nil when there is
// none, for then the record may still come.
func (m *Manager) ownReturn(ctx context.Context, id string, minions map[string]store.Outcome) (*proto.Return, error) {
	for minion := range minions {
		r, err := m.o.Store.Return(ctx, id, minion)
		if errors.Is(err, store.ErrNotFound) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		if r.Cause != "" {
			return ownOf(r), nil
		}
	}
	return nil, nil
}

// ownOf is what tells of a job of a minion's own.
func ownOf(r *proto.Return) *proto.Return {
	return &proto.Return{Jid: r.Jid, RequestId: r.RequestId, Minion: r.Minion, Function: r.Function, Cause: r.Cause}
}

// tellOwn describes a job of a minion's own. The caller holds Manager.mu.
func (j *job) tellOwn(info *proto.JobInfo, settled bool) {
	info.Incomplete, info.Done = false, settled
	info.RequestId, info.Function, info.Operator = j.own.RequestId, j.own.Function, j.own.Cause
	info.Target = &proto.Target{Syntax: proto.Target_LIST, Expression: j.own.Minion}
	if at, err := jid.Time(j.jid); err == nil {
		info.IssuedAt = at.UnixMicro()
	}
}

// ownOver tells whether a job of a minion's own has ended, to whoever asks for what is known now: who follows
// it waits as for any record that is missing, since only the minion says that there is none.
func (m *Manager) ownOver(w *watcher) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return w.job.record == nil && w.job.own != nil && w.unsettled == 0
}
