package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

// claim is a request that is being committed. It keeps a second one of the
// same jid waiting.
type claim struct {
	requestID []byte
	done      chan struct{}
	creating  bool // the job is new: whoever finds it in the store leaves its sending to Submit
}

// Submit makes a job of what op asks for and publishes it. A request that was
// taken before, here or at another master, is not taken twice: the answer is
// about the same job. A refusal is an *Error.
func (m *Manager) Submit(ctx context.Context, op *proto.OperatorRecord, env *proto.Envelope, keys ...*proto.SealedKey) (
	*proto.JobInfo, error) {
	jid, err := m.submit(ctx, op, env, keys...)
	if err != nil {
		return nil, err
	}
	return m.info(jid)
}

// submit is Submit for whoever needs only the job's id.
func (m *Manager) submit(ctx context.Context, op *proto.OperatorRecord, env *proto.Envelope, keys ...*proto.SealedKey) (
	jid string, err error) {
	q, err := m.open(op, env)
	if err != nil {
		return "", err
	}
	q.keys = keys
	return q.Jid, m.take(ctx, q)
}

// take makes the job of a request that was found in order, unless there is one.
func (m *Manager) take(ctx context.Context, q *request) error {
	release, err := m.claim(ctx, q)
	if err != nil {
		return err
	}
	defer release()
	known, err := m.known(ctx, q)
	if err == nil && !known {
		err = m.create(ctx, q)
	}
	return err
}

// Resolve tells whom a request would reach and who of them is offline, and with
// which keys arguments are sealed for them. It makes no job.
func (m *Manager) Resolve(ctx context.Context, op *proto.OperatorRecord, env *proto.Envelope) (*proto.WatchFrame, error) {
	q, err := m.open(op, env)
	if err != nil {
		return nil, err
	}
	ids, left, err := m.resolve(ctx, q)
	if err != nil {
		return nil, err
	}
	frame := &proto.WatchFrame{Done: true, Job: &proto.JobInfo{
		Jid: q.Jid, RequestId: q.RequestId, Function: q.Function, Calls: q.Calls, Target: q.Target, Operator: q.Operator,
		Master: m.o.Master, IssuedAt: q.IssuedAt, Targeted: uint32(len(ids)), Summary: map[string]uint32{}, LeftOut: left,
	}}
	for _, id := range ids {
		status := Queued
		if !q.WaitOffline && m.away(id) {
			status = Offline
		}
		frame.Job.Summary[string(status)]++
		update := &proto.MinionUpdate{Minion: id, Status: string(status)}
		if len(ids) <= maxSealed {
			update.SealingKey = m.o.SealingKey(id)
		}
		frame.Minions = append(frame.Minions, update)
	}
	return frame, nil
}

// claim reserves the jid of a request until release is called.
func (m *Manager) claim(ctx context.Context, q *request) (release func(), err error) {
	for {
		m.mu.Lock()
		other := m.claims[q.Jid]
		if other == nil {
			c := &claim{requestID: q.RequestId, done: make(chan struct{})}
			m.claims[q.Jid] = c
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				delete(m.claims, q.Jid)
				m.mu.Unlock()
				close(c.done)
			}, nil
		}
		m.mu.Unlock()
		if !bytes.Equal(other.requestID, q.RequestId) {
			return nil, taken(q)
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func taken(q *request) error {
	return refuse(proto.ApiError_JID_TAKEN, "cannot use job id %s: another request has it", q.Jid)
}

// known tells whether the job of a request exists. If so, and if it is not
// this master that has published it, it is sent to all who have not answered: the
// one that has taken it may have died before.
func (m *Manager) known(ctx context.Context, q *request) (bool, error) {
	err := m.load(ctx, q.Jid)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, refuse(proto.ApiError_UNAVAILABLE, "cannot look up job %s: %v", q.Jid, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[q.Jid]
	if j.record == nil {
		return false, nil // only returns are here: the record was lost
	}
	if !bytes.Equal(j.record.request.RequestId, q.RequestId) {
		return false, taken(q)
	}
	if !m.mine(j) && j.open > 0 && !j.sending.retried {
		j.sending.retried = true
		j.sending.begin(time.Now())
		m.wake()
	}
	return true, nil
}

// checkLost refuses a job that masters make by themselves when it was made before: its returns are here while its record is
// lost, or the store has removed what is of that time. Minions forget after a while what they have run, and would run it again.
func (m *Manager) checkLost(ctx context.Context, q *request) error {
	if !q.Automatic() {
		return nil
	}
	at, _ := jid.Time(q.Jid)
	if h := m.o.Store.Horizon(); at.Before(h) {
		return refuse(proto.ApiError_INVALID, "cannot make job %s: what is from before %s was removed from the store", q.Jid, h.UTC().Format(time.RFC3339))
	}
	outcomes, err := m.o.Store.Outcomes(ctx, q.Jid)
	if err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "cannot look up job %s: %v", q.Jid, err)
	}
	for id, o := range outcomes {
		if bytes.Equal(o.RequestID, q.RequestId) {
			return refuse(proto.ApiError_INVALID, "cannot make job %s again: minion %q has run it, though its record is lost", q.Jid, id)
		}
	}
	return nil
}

// create commits a new job and publishes it.
func (m *Manager) create(ctx context.Context, q *request) error {
	if err := q.checkClock(m.o.Master, time.Now()); err != nil {
		return err
	}
	if err := m.checkLost(ctx, q); err != nil {
		return err
	}
	ids, left, err := m.resolve(ctx, q)
	if err != nil {
		return err
	}
	files, err := m.filesOf(ctx, q, ids)
	if err != nil {
		return err
	}
	body, err := m.record(q, ids, files, time.Now()) // the trees may have taken long: the window begins after them
	if err != nil {
		return err
	}
	body.LeftOut = left
	rec, err := store.NewRecord(m.o.Store.Stamp(), m.o.Master, body)
	if err != nil {
		return fmt.Errorf("cannot make job %s: %w", q.Jid, err)
	}
	recs, err := m.audits(q)
	if err != nil {
		return err
	}
	recs = append(recs, rec)
	m.mu.Lock()
	m.claims[q.Jid].creating = true
	m.mu.Unlock()
	if err := m.o.Store.Append(ctx, recs...); err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "cannot commit job %s: %v", q.Jid, err)
	}
	_, unreached := m.o.Commit(ctx, append(slices.Clip(q.with), recs...), Trees(files)...)
	m.launch(q.Jid, unreached)
	return nil
}

// record signs the job and writes down whom it is for.
func (m *Manager) record(q *request, ids []string, files *proto.Job, now time.Time) (*proto.JobRecord, error) {
	window := time.Duration(q.Window) * time.Microsecond
	if window == 0 {
		window = m.o.Window
	}
	body, err := pb.Marshal(&proto.Job{
		Request: q.envelope, Master: m.o.Master, Nodegroups: q.nodegroups,
		Tree: files.Tree, Commits: files.Commits, Environments: files.Environments,
		IssuedAt: now.UnixMicro(), NotAfter: now.Add(q.life(window)).UnixMicro(),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encode job %s: %w", q.Jid, err)
	}
	keys, err := q.sealedFor(ids)
	if err != nil {
		return nil, err
	}
	rec := &proto.JobRecord{Keys: keys, Job: m.o.Sign(proto.Kind_KIND_JOB, body), Expected: ids}
	for _, id := range ids {
		if m.away(id) {
			rec.Offline = append(rec.Offline, id)
		}
	}
	return rec, nil
}

// launch publishes a job that was committed.
func (m *Manager) launch(jid string, unreached []string) {
	m.mu.Lock()
	j := m.jobs[jid] // taken in by Committed
	var ids []string
	var o order
	if j != nil && j.record != nil {
		j.unreached = unreached
		o = m.orderNow(j)
		for id, n := range j.minions {
			if !n.ended() {
				ids = append(ids, id)
			}
		}
	}
	m.mu.Unlock()
	if o.envelope == nil {
		m.log.Error("job not published: the store did not tell of it", "job", jid)
		return
	}
	if o.batch != nil {
		m.mu.Lock()
		j.sending.done(time.Now())
		m.mu.Unlock()
		m.wake() // batches begins
		return
	}
	slices.Sort(ids)
	online := m.publish(o, ids, true)
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range online {
		if n := j.minions[id]; n != nil {
			n.sentAt = now
		}
	}
	if j.cancel == nil {
		j.sending.done(now)
	}
	m.wake()
}

// resolve finds the minions that a request is for, sorted, and checks that
// its operator may do this to them. Left are those of whom nobody can tell.
func (m *Manager) resolve(ctx context.Context, q *request) (ids []string, left []*proto.LeftOut, err error) {
	fleet := m.o.Accepted()
	if err := UnknownIDs(q.target.IDs(), fleet, m.o.Key); err != nil {
		return nil, nil, err
	}
	if err := m.mayAskPillar(q, fleet); err != nil {
		return nil, nil, err
	}
	ids, unsure, err := m.matching(ctx, q.target, fleet, m.askable(q, fleet))
	if err != nil {
		return nil, nil, err
	}
	if left = m.leftOut(q, unsure); len(ids) == 0 {
		return nil, nil, refuse(proto.ApiError_NO_MATCH, "no minion matches %q%s: %d are accepted; brine key ls shows them%s",
			q.Target.GetExpression(), Meant(q.Target, fleet, m.o.Key), len(fleet), explained(left))
	}
	if err := m.mayRun(q.operator, q.JobRequest, ids); err != nil {
		return nil, nil, refuse(proto.ApiError_NOT_PERMITTED, "%v", err)
	}
	return ids, left, nil
}
