package job

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// cancelFor is how long a cancel is sent to minions that have not ended the
// job, at least: also to one that is away now.
const cancelFor = time.Hour

// cancelling is a job's cancel. A nil one is none.
type cancelling struct {
	envelope []byte // as it is published
	signer   ed25519.PublicKey
	cancel   *proto.Cancel
	issuer   string
	until    time.Time
}

// active tells whether the cancel may still reach a minion.
func (c *cancelling) active(now time.Time) bool { return c != nil && now.Before(c.until) }

// Cancel asks every minion that has not ended a job to end it, or never to
// begin it. It returns their ids; a refusal is an *Error.
func (m *Manager) Cancel(ctx context.Context, op *proto.OperatorRecord, jid string) (
	*proto.CancelReply, error) {
	if err := m.find(ctx, jid); err != nil {
		return nil, err
	}
	m.mu.Lock()
	j := m.jobs[jid]
	if j == nil || j.record == nil {
		m.mu.Unlock()
		return nil, refuse(proto.ApiError_UNAVAILABLE,
			"cannot cancel job %s: only returns of it are here; ask another master", jid)
	}
	j.touched = time.Now()
	request, all, open := j.record.request, []string{}, []string{}
	notAfter := j.record.notAfter
	active := j.cancel.active(j.touched)
	for id, n := range j.minions {
		all = append(all, id)
		if !n.ended() {
			open = append(open, id)
		}
	}
	m.mu.Unlock()
	if err := m.mayRun(op, request, all); err != nil {
		return nil, refuse(proto.ApiError_NOT_PERMITTED, "cannot cancel job %s: %v", jid, err)
	}
	slices.Sort(open)
	switch {
	case active:
		m.repeat(jid)
	case len(open) > 0:
		if err := m.commitCancel(ctx, op, request, notAfter); err != nil {
			return nil, err
		}
	}
	return &proto.CancelReply{Minions: open}, nil
}

func (m *Manager) commitCancel(ctx context.Context, op *proto.OperatorRecord, request *proto.JobRequest,
	notAfter time.Time) error {
	now := time.Now()
	until := now.Add(cancelFor)
	if notAfter.After(until) {
		until = notAfter
	}
	body, err := pb.Marshal(&proto.Cancel{
		Jid: request.Jid, RequestId: request.RequestId, Operator: op.GetName(), Master: m.o.Master,
		IssuedAt: now.UnixMicro(), NotAfter: until.UnixMicro(),
	})
	if err != nil {
		return fmt.Errorf("cannot encode the cancel of job %s: %w", request.Jid, err)
	}
	rec, err := store.NewRecord(m.o.Store.Stamp(), m.o.Master,
		&proto.CancelRecord{Cancel: m.o.Sign(proto.Kind_KIND_CANCEL, body)})
	if err != nil {
		return fmt.Errorf("cannot make the cancel of job %s: %w", request.Jid, err)
	}
	if err := m.o.Store.Append(ctx, rec); err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "cannot commit the cancel of job %s: %v", request.Jid, err)
	}
	m.o.Commit(ctx, []*proto.Record{rec})
	return nil
}

// repeat sends the cancel of a job now, whichever master has it from.
func (m *Manager) repeat(jid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.jobs[jid]; j != nil && j.cancel != nil {
		j.sending = sending{retried: true}
		j.sending.begin(time.Now())
		m.wake()
	}
}

// cancelled takes in a cancel. The one that lasts longest counts.
func (j *job) cancelled(rec *proto.CancelRecord, now time.Time) {
	c := &proto.Cancel{}
	if pb.Unmarshal(rec.GetCancel().GetBody(), c) != nil || !j.is(c.RequestId) {
		return
	}
	until := time.UnixMicro(c.NotAfter)
	if j.cancel != nil && !until.After(j.cancel.until) {
		return
	}
	envelope, err := pb.Marshal(rec.Cancel)
	if err != nil {
		return
	}
	j.cancel = &cancelling{envelope: envelope, signer: rec.Cancel.GetKey(), cancel: c, issuer: c.Master, until: until}
	j.sending = sending{}
	if j.cancel.active(now) {
		j.sending.begin(now)
	}
	j.tell()
}

func (m *Manager) committedCancel(rec *proto.Record, now time.Time) {
	body, c := &proto.CancelRecord{}, &proto.Cancel{}
	err := pb.Unmarshal(rec.GetBody(), body)
	if err == nil {
		err = pb.Unmarshal(body.GetCancel().GetBody(), c)
	}
	if err != nil {
		m.log.Error("cancel record skipped", "record", rec.GetId(), "err", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[c.Jid]
	if j == nil {
		if now.UnixMicro() > c.NotAfter {
			return // history
		}
		// It may be ahead of its job's record.
		j = newJob(c.Jid, now)
		m.jobs[c.Jid] = j
	}
	j.touched = now
	j.cancelled(body, now)
	m.wake()
}

// find takes up a job for an operator who asks about it.
func (m *Manager) find(ctx context.Context, id string) error {
	if err := checkJID(id); err != nil {
		return err
	}
	err := m.load(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(proto.ApiError_NOT_FOUND, "cannot find job %s: no record of it is here", id)
	}
	if err != nil {
		return refuse(proto.ApiError_UNAVAILABLE, "cannot look up job %s: %v", id, err)
	}
	return nil
}
