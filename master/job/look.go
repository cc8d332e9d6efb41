package job

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"brine/proto"
)

// looked is what is known of a job on a minion at one moment.
type looked struct {
	id      string
	n       minion // a copy
	status  Status
	settled bool
	online  bool
	coming  bool
	stopped string // why its turn in a batch does not come
}

// look folds what is known of minions: of those named, or of all; with those
// that have ended the job, or without. They come sorted, and ids are then too.
func (m *Manager) look(j *job, ids []string, withEnded bool) []looked {
	now := time.Now()
	m.mu.Lock()
	if ids == nil {
		ids = slices.Collect(maps.Keys(j.minions))
	}
	slices.Sort(ids)
	all, stopped := make([]looked, 0, len(ids)), j.batchStopped()
	for _, id := range ids {
		if n := j.minions[id]; n != nil && (withEnded || !n.ended()) {
			all = append(all, looked{id: id, n: *n, stopped: stopped})
		}
	}
	facts := j.facts(now)
	m.mu.Unlock()

	for i := range all {
		if l := &all[i]; !l.n.ended() {
			l.online = m.o.Online(l.id)
			l.coming = !l.online && m.o.Coming(l.id)
		}
	}
	m.mu.Lock()
	for i := range all {
		if n := j.minions[all[i].id]; n != nil && !n.ended() {
			if all[i].online && !n.away.IsZero() && n.sentAt.Before(n.away) && m.arrivals[all[i].id] == nil {
				m.arrived(all[i].id, now) // on a connection that it had before
			}
			n.seen(all[i].online, now)
			all[i].n.away = n.away
		}
	}
	m.mu.Unlock()
	for i := range all {
		all[i].fold(facts, now)
	}
	return all
}

// away tells whether a minion is offline. One that is about to hear jobs is not.
func (m *Manager) away(id string) bool { return !m.o.Online(id) && !m.o.Coming(id) }

// seen notes since when a minion is away.
func (n *minion) seen(online bool, now time.Time) {
	switch {
	case online:
		n.away = time.Time{}
	case n.away.IsZero():
		n.away = now
	}
}

// facts are those that are the same for all minions of the job. The caller
// holds Manager.mu.
func (j *job) facts(now time.Time) Facts {
	f := Facts{Cancelled: j.cancel != nil, Batch: j.batch() != nil, Stopped: j.batchStopped() != ""}
	if j.record != nil {
		f.WaitOffline = j.record.request.WaitOffline
		f.WindowOver = now.After(j.record.notAfter)
	}
	return f
}

func (l *looked) fold(f Facts, now time.Time) {
	f.Outcome, f.Accepted, f.Online, f.Coming = l.n.end.outcome, l.n.accepted, l.online, l.coming
	f.Sent = !l.n.sentAt.IsZero()
	f.SinceSent = now.Sub(l.n.sentAt)
	f.Heard = now.Sub(l.n.heard) < heardTime
	if !l.n.away.IsZero() {
		f.Away = now.Sub(l.n.away)
	}
	l.status, l.settled = Fold(f)
}

// with is l after this return.
func (l looked) with(r *proto.Return) looked {
	l.n.end = endOf(r)
	l.n.progress, l.n.waitsFor = nil, ""
	l.status, l.settled = ending(r.Outcome)
	return l
}

// reason says in words what the status leaves open.
func (l *looked) reason() string {
	switch {
	case l.n.ended():
		return ""
	case l.status == Cancelled && l.stopped != "":
		return l.stopped
	case l.status == Queued && l.n.waitsFor != "":
		return "waits for job " + l.n.waitsFor
	case l.status == Queued && l.coming:
		return "is connecting"
	case l.status == Sent && !l.n.heard.IsZero():
		return "its disk is slow to take the job"
	case l.status == Offline && l.n.accepted != proto.Accepted_STATE_UNSPECIFIED:
		return "went away after it had accepted the job; what it returns counts when it is back"
	default:
		return ""
	}
}

// tell passes on the state of a minion, unless the watcher knows it. r is its
// return, when it has ended and the store has it.
func (w *watcher) tell(l looked, r *proto.Return) error {
	s := shown{status: l.status, settled: l.settled, end: l.n.end, reason: l.reason()}
	if p := l.n.progress; p != nil {
		s.done, s.total, s.current = p.Done, p.Total, p.Current
	}
	old, told := w.shown[l.id]
	if told && old == s {
		return nil
	}
	if told && !old.settled {
		w.unsettled--
	}
	if !s.settled {
		w.unsettled++
	}
	w.shown[l.id] = s
	u := &proto.MinionUpdate{
		Minion: l.id, Status: string(l.status), Retcode: l.n.end.retcode, Duration: l.n.end.duration,
		Reason: s.reason, Done: s.done, Total: s.total, Current: s.current,
	}
	if r != nil {
		u.Value, u.Reason, u.Truncated = r.Value, r.Reason, r.Truncated
		if r.Outcome == proto.Outcome_NOT_MATCHED && u.Reason == "" {
			u.Reason = "it does not match the target"
		}
	}
	return w.out.add(u)
}

// info tells about a job in memory.
func (m *Manager) info(id string) (*proto.JobInfo, error) {
	m.mu.Lock()
	j := m.jobs[id]
	m.mu.Unlock()
	if j == nil {
		return nil, fmt.Errorf("cannot tell about job %s: it is not in memory", id)
	}
	return m.infoOf(j, m.look(j, nil, true)), nil
}

// infoOf tells about a job whose minions are all in looked.
func (m *Manager) infoOf(j *job, all []looked) *proto.JobInfo {
	counts, settled := tallied(all)
	return m.describe(j, counts, settled)
}

// tallied counts minions by their status, and tells whether all are settled.
func tallied(all []looked) (counts map[string]uint32, settled bool) {
	counts, settled = map[string]uint32{}, true
	for _, l := range all {
		counts[string(l.status)]++
		settled = settled && l.settled
	}
	return counts, settled
}

// describe tells about a job, of which so many minions are in each state.
func (m *Manager) describe(j *job, counts map[string]uint32, settled bool) *proto.JobInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	info := &proto.JobInfo{Jid: j.jid, Summary: counts, Incomplete: j.record == nil, UnreachedMasters: j.unreached}
	for _, n := range counts {
		info.Targeted += n
	}
	if j.record == nil && j.own != nil {
		j.tellOwn(info, settled)
	}
	if r := j.record; r != nil {
		info.RequestId, info.Function, info.Args = r.request.RequestId, r.request.Function, r.request.Args
		info.Calls, info.Batch, info.Cause = r.request.Calls, r.request.Batch, r.request.Cause
		info.Target, info.Operator = r.request.Target, r.request.Operator
		info.Environment, info.Sealed = r.request.Environment, len(r.request.Sealed) > 0
		info.Master, info.IssuedAt, info.NotAfter = r.job.Master, r.job.IssuedAt, r.job.NotAfter
		info.Tree, info.Commits, info.LeftOut = r.job.Tree, r.job.Commits, r.leftOut
		info.Done = settled
	}
	return info
}
