package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// maxValue is the longest return value; a minion cuts what is longer.
const maxValue = 64 << 20

// Returned takes in a message that a minion published on one of its return
// subjects. It keeps data. The subject proves who the minion is; everything
// else is checked here. Only what the store has committed is acknowledged.
func (m *Manager) Returned(ctx context.Context, subj string, data []byte) {
	id, job, kind, err := subject.ParseReturn(subj)
	if err == nil {
		err = subject.CheckID(id)
	}
	if err == nil {
		switch kind {
		case subject.KindAccepted:
			err = m.accepted(ctx, id, job, data)
		case subject.KindProgress:
			err = m.progress(id, job, data)
		case subject.KindPart:
			err = m.part(ctx, id, job, data)
		case subject.KindFinal:
			err = m.final(ctx, id, job, data)
		}
	}
	if err != nil && m.rare.due(id, time.Now()) {
		m.log.Warn("minion's message refused", "minion", id, "subject", subj, "bytes", len(data), "err", err)
	}
}

// about is what every message of a minion tells about its job.
type about interface {
	pb.Message
	GetJid() string
	GetRequestId() []byte
}

// read decodes a message and checks that it is about the job of its subject,
// if that names one.
func read(data []byte, job string, into about) error {
	if err := pb.Unmarshal(data, into); err != nil {
		return fmt.Errorf("cannot read it: %w", err)
	}
	if job != "" && into.GetJid() != job {
		return fmt.Errorf("cannot take what is about job %.40q", into.GetJid())
	}
	if _, err := jid.Time(into.GetJid()); err != nil {
		return err
	}
	if n := len(into.GetRequestId()); n != requestIDLen {
		return fmt.Errorf("cannot use a request id of %d bytes, want %d", n, requestIDLen)
	}
	return nil
}

// accepted notes that a minion has a job on its disk.
func (m *Manager) accepted(ctx context.Context, id, job string, data []byte) error {
	a := &proto.Accepted{}
	if err := read(data, job, a); err != nil {
		return err
	}
	if a.State == proto.Accepted_STATE_UNSPECIFIED {
		return errors.New("cannot take an acceptance without a state")
	}
	if a.WaitsFor != "" {
		if _, err := jid.Time(a.WaitsFor); err != nil {
			return err
		}
	}
	if !m.expects(id, a) {
		if !m.allow(ctx, id, a, 1, len(data), time.Now()) {
			return errTooMany
		}
		// A minion that still runs an old job says so when it comes to a master
		// that has just started.
		if err := m.load(ctx, a.Jid); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("cannot look up job %s: %w", a.Jid, err)
		}
	}
	if err := m.o.Store.SetAccepted(a.Jid, a.RequestId, id); err != nil {
		return fmt.Errorf("cannot note that the job was accepted: %w", err)
	}
	m.update(id, a, func(n *minion) { n.accepted, n.waitsFor = a.State, a.WaitsFor })
	return nil
}

// progress notes how far a state run is, or that a minion's disk is slow to take its job. It is not kept.
func (m *Manager) progress(id, job string, data []byte) error {
	p := &proto.Progress{}
	if err := read(data, job, p); err != nil {
		return err
	}
	if p.Done > p.Total || len(p.Current) > 1024 {
		return fmt.Errorf("cannot use progress %d of %d with a name of %d bytes", p.Done, p.Total, len(p.Current))
	}
	m.update(id, p, func(n *minion) {
		if p.Total == 0 {
			n.heard = time.Now()
			return
		}
		n.progress = p
		n.accepted = proto.Accepted_STARTED // a progress that overtook its acceptance
	})
	return nil
}

// update changes what is known of a job on a minion that has not ended it.
func (m *Manager) update(id string, a about, change func(*minion)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[a.GetJid()]
	if j == nil || !j.is(a.GetRequestId()) {
		return
	}
	j.heard = time.Now()
	n := j.minion(id)
	if n == nil || n.ended() {
		return
	}
	change(n)
	j.show(id, nil)
}

// expects tells whether a message is about a job in memory that means this minion.
func (m *Manager) expects(id string, a about) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[a.GetJid()]
	if j == nil || j.record == nil || !j.is(a.GetRequestId()) {
		return false
	}
	n := j.minions[id]
	return n != nil && n.expected || j.record.means(id)
}

// part takes in a piece of a large value.
func (m *Manager) part(ctx context.Context, id, job string, data []byte) error {
	p := &proto.Part{}
	if err := read(data, job, p); err != nil {
		return err
	}
	if !m.expects(id, p) {
		messages := 1
		if m.large.has(id, p) {
			messages = 0 // it counts once, and all its bytes
		}
		if !m.allow(ctx, id, p, messages, len(data), time.Now()) {
			return errTooMany
		}
	}
	if err := m.large.part(id, p, time.Now()); err != nil {
		m.ask(id, p)
		return err
	}
	return nil
}

// final takes in a return. One whose value went as parts is kept when the
// last of them is here.
func (m *Manager) final(ctx context.Context, id, job string, data []byte) error {
	r := &proto.Return{}
	if err := read(data, job, r); err != nil {
		return err
	}
	if err := checkReturn(id, r); err != nil {
		return err
	}
	if !m.expects(id, r) && !m.allow(ctx, id, r, 1, len(data), time.Now()) {
		return errTooMany
	}
	if r.Parts > 0 {
		if err := m.large.final(id, r, time.Now()); err != nil {
			m.ask(id, r)
			return err
		}
		return nil
	}
	return m.keep(ctx, r, nil)
}

func checkReturn(id string, r *proto.Return) error {
	if r.Minion != id {
		return fmt.Errorf("cannot take a return of minion %.140q", r.Minion)
	}
	if _, known := ending(r.Outcome); !known {
		return fmt.Errorf("cannot take outcome %d", r.Outcome)
	}
	if r.Duration < 0 || r.StartedAt < 0 || r.FinishedAt < 0 {
		return errors.New("cannot take a return with a negative time")
	}
	if len(r.Value) > 0 && r.Parts > 0 {
		return errors.New("cannot take a return with a value and parts too")
	}
	if len(r.Value) > 0 && !json.Valid(r.Value) {
		return errors.New("cannot take a value that is not JSON")
	}
	return nil
}

// keep puts a return into the store. done, which may be nil, is called when
// it is there or could not be stored.
func (m *Manager) keep(ctx context.Context, r *proto.Return, done func()) error {
	rec, err := store.Make(m.o.Store.Stamp(), r.Minion, r)
	if err != nil {
		return err
	}
	f := &flight{ret: r}
	if err := m.depart(ctx, rec.Id, f); err != nil {
		if errors.Is(err, errDiffers) {
			m.dismiss(r, err)
		}
		return err
	}
	m.o.Store.EnqueueMade(rec, func(err error) {
		m.stored(f, rec.Id, err)
		if done != nil {
			done()
		}
	})
	if f.last {
		m.o.Store.Hurry()
	}
	return nil
}

// flight is a return on its way into the store.
type flight struct {
	ret  *proto.Return
	new  bool // the store did not have it
	job  *job // that it is the first of its minion for; nil when it may not be
	last bool // somebody who watches waits for no more than what is on its way
}

// stored is called by the store for each return that was given to it.
func (m *Manager) stored(f *flight, id string, err error) {
	isNew := m.land(id, f)
	r := f.ret
	switch {
	case err == nil:
		m.acks.add(r.Minion, r.Jid, r.RequestId, isNew)
	case errors.Is(err, store.ErrClosed):
		// The minion keeps it and offers it to the next process.
	case errors.Is(err, store.ErrAhead):
		if m.rare.due(r.Minion, time.Now()) {
			m.log.Warn("return refused", "minion", r.Minion, "job", r.Jid, "err", err)
		}
	default:
		m.again(r, err)
	}
}

// committedReturn takes in a return that is in the store now.
func (m *Manager) committedReturn(rec *proto.Record, now time.Time) {
	var r *proto.Return
	m.mu.Lock()
	if f := m.inFlight[rec.GetId()]; f != nil {
		r, f.new = f.ret, true
	}
	m.mu.Unlock()
	if r == nil { // it came from another master: the minion waits for our word too
		r = &proto.Return{}
		if err := pb.Unmarshal(rec.GetBody(), r); err != nil {
			m.log.Error("return skipped", "record", rec.GetId(), "err", err)
			return
		}
		if m.o.Online(r.Minion) {
			m.acks.add(r.Minion, r.Jid, r.RequestId, true)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[r.Jid]
	if j == nil || !j.is(r.RequestId) {
		return
	}
	j.heard, j.touched = now, now
	if j.record == nil && r.Cause != "" {
		j.own = ownOf(r)
	}
	if j.end(r.Minion, endOf(r)) {
		if j.batch() != nil {
			m.wake() // its place is free
		}
		j.show(r.Minion, r)
	}
}

// ask notes that a return did not arrive whole, so that the job is sent
// again: the minion then answers with what its journal has.
func (m *Manager) ask(id string, a about) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[a.GetJid()]
	if j == nil || !j.is(a.GetRequestId()) {
		return
	}
	if n := j.minions[id]; n != nil && !n.ended() {
		n.asked = true
	}
}

// Seen answers a minion that asks which of the jobs whose window is open it
// has taken, before it takes another one. What it still has to hear is sent again.
func (m *Manager) Seen(ctx context.Context, id string) (*proto.SeenReply, error) {
	m.Connected(id)
	now := time.Now()
	taken, err := m.o.Store.Taken(ctx, id, now)
	if err != nil {
		return nil, fmt.Errorf("cannot tell minion %q which jobs it took: %w", id, err)
	}
	live := m.o.Live()
	known := map[string]*proto.SeenJob{}
	for _, s := range taken {
		known[s.Jid] = s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs { // what the store has not written yet
		n := j.minions[id]
		if s := known[j.jid]; s != nil {
			s.Returned = s.Returned || n != nil && n.ended()
			continue
		}
		if n == nil || j.record == nil || now.After(j.record.notAfter) ||
			n.accepted == proto.Accepted_STATE_UNSPECIFIED && !n.ended() {
			continue
		}
		taken = append(taken, &proto.SeenJob{
			Jid: j.jid, RequestId: j.record.request.RequestId,
			IssuedAt: j.record.job.IssuedAt, NotAfter: j.record.job.NotAfter, Returned: n.ended(),
		})
	}
	return &proto.SeenReply{Now: now.UnixMicro(), Jobs: taken, Live: live}, nil
}
