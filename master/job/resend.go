package job

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"brine/proto"
	"brine/proto/subject"
)

// What a minion did not hear is sent again, on its own subject.
var (
	resends    = []time.Duration{300 * time.Millisecond, time.Second, 3 * time.Second} // after the first sending
	resendEach = 10 * time.Second                                                      // after those
)

const (
	takeOver     = 1500 * time.Millisecond // a master whose heartbeat is so late sends no more
	takeOverStep = 200 * time.Millisecond  // between the survivors, so that mostly one of them sends
	// While so many have not answered and others just do, the bus is busy with
	// the answers; sending again would only slow them down.
	busyMinions = 100
	busyFor     = 100 * time.Millisecond

	arrivalPoll = 50 * time.Millisecond // a minion subscribes soon after it has connected
	arrivalWait = 5 * time.Second
	broadcastAt = 10 // job.all from a tenth of the fleet on
	alwaysByID  = 3
)

// sending is when a job, or its cancel, is sent again.
type sending struct {
	base      time.Time // of the first sending
	due       time.Time // of the next; zero: none
	count     int       // of those that were
	takenOver bool      // from a master that is silent
	retried   bool      // the requester asked again: whoever holds the job sends it
}

// begin makes the next sending the first one.
func (s *sending) begin(now time.Time) { *s = sending{base: now, due: now, retried: s.retried} }

// done notes the first sending.
func (s *sending) done(now time.Time) {
	*s = sending{base: now, count: 1}
	s.next()
}

func (s *sending) idle() bool { return s.due.IsZero() }

// next sets due by the number of sendings.
func (s *sending) next() {
	i := s.count - 1
	if i < len(resends) {
		s.due = s.base.Add(resends[i])
		return
	}
	last := resends[len(resends)-1]
	s.due = s.base.Add(last + time.Duration(i-len(resends)+1)*resendEach)
}

// order is what is sent of a job now: the job itself, or its cancel.
type order struct {
	envelope []byte
	issuer   string
	until    time.Time
	cancel   bool
	secrets  map[string][]byte // by minion, of sealed arguments; nil: there are none
	batch    *record           // of which an envelope is made for those whose turn it is; nil for all at once
	asking   *record           // whose target minions decide by more than their ids; nil: by that alone
}

// to is the envelope as one minion gets it; nil when it can't have it.
func (o order) to(id string) []byte {
	if o.secrets == nil {
		return o.envelope
	}
	secret := o.secrets[id]
	if secret == nil {
		return nil
	}
	data := slices.Clone(o.envelope) // a field at the end of an encoded message belongs to it
	data = protowire.AppendTag(data, envelopeSecret, protowire.BytesType)
	return protowire.AppendBytes(data, secret)
}

// envelopeSecret is the number of that field of an Envelope.
const envelopeSecret = 6

func (j *job) order() order {
	if j.cancel != nil {
		return order{envelope: j.cancel.envelope, issuer: j.cancel.issuer, until: j.cancel.until, cancel: true}
	}
	if j.record == nil {
		return order{}
	}
	o := order{envelope: j.record.envelope, issuer: j.record.job.Master, until: j.record.notAfter, secrets: j.record.secrets}
	if j.record.request.Batch != nil {
		o.batch = j.record
	}
	if t := j.record.target; t == nil || !t.Asks().ID() {
		o.asking = j.record
	}
	return o
}

// needs tells whether a minion needs to hear the order (again).
func (o order) needs(n *minion) bool {
	if o.cancel {
		return !n.ended()
	}
	if o.batch != nil && !n.issued {
		return false
	}
	return !n.ended() && (n.accepted == proto.Accepted_STATE_UNSPECIFIED || n.asked)
}

// wave is one sending to those who need it.
type wave struct {
	job *job
	order
	first bool
	ids   []string
}

// step does all that is due, and returns when it wants to be called again.
func (m *Manager) step(ctx context.Context, now time.Time) (next time.Time) {
	m.stale(now)
	m.recallNew(ctx)
	for _, at := range []time.Time{m.forget(now), m.restore(ctx, now), m.resend(now), m.arrive(now), m.batches(now)} {
		next = sooner(next, at)
	}
	return next
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// resend sends what is due to those who have not answered, and returns when
// the next is due.
func (m *Manager) resend(now time.Time) (next time.Time) {
	late, rank := m.silent(now)
	m.mu.Lock()
	var waves []*wave
	for _, j := range m.jobs {
		if !j.sending.due.IsZero() && !now.Before(j.sending.due) {
			if w := m.wave(j, now, late, rank); w != nil {
				waves = append(waves, w)
			}
		}
		next = sooner(next, j.sending.due)
	}
	m.mu.Unlock()
	for _, w := range waves {
		online := m.publish(w.order, w.ids, w.first)
		m.mu.Lock()
		for _, id := range online {
			if n := w.job.minions[id]; n != nil && !w.cancel && (w.first || n.sentAt.IsZero()) {
				n.sentAt = now
			}
		}
		m.mu.Unlock()
	}
	return next
}

// silent asks how late the masters are whose jobs are due, and how many live
// masters come before this one when a silent one is to be replaced.
func (m *Manager) silent(now time.Time) (late map[string]time.Duration, rank int) {
	late = map[string]time.Duration{}
	m.mu.Lock()
	for _, j := range m.jobs {
		issuer := j.order().issuer
		if issuer != m.o.Master && !j.sending.due.IsZero() && !now.Before(j.sending.due) {
			late[issuer] = 0
		}
	}
	m.mu.Unlock()
	if len(late) == 0 {
		return late, 0
	}
	for issuer := range late {
		late[issuer] = m.o.Late(issuer)
	}
	live := m.o.Live()
	slices.Sort(live)
	return late, max(0, slices.Index(live, m.o.Master))
}

// wave says to whom the due order of j goes, if this master sends it now. It
// sets when it is due again. The caller holds mu.
func (m *Manager) wave(j *job, now time.Time, late map[string]time.Duration, rank int) *wave {
	s, o := &j.sending, m.orderNow(j)
	if o.envelope == nil || !now.Before(o.until) || j.open == 0 {
		s.due = time.Time{}
		return nil
	}
	if o.issuer != m.o.Master && !s.retried {
		behind := late[o.issuer]
		if behind < takeOver {
			s.takenOver = false
			s.due = now.Add(max(takeOver-behind, busyFor))
			return nil
		}
		if !s.takenOver {
			s.begin(now.Add(time.Duration(rank) * takeOverStep))
			s.takenOver = true
			if rank > 0 {
				return nil
			}
		}
	}
	w := &wave{job: j, order: o, first: s.count == 0}
	for id, n := range j.minions {
		if o.needs(n) {
			w.ids = append(w.ids, id)
		}
	}
	if len(w.ids) > busyMinions && now.Sub(j.heard) < busyFor {
		s.due = now.Add(busyFor)
		return nil
	}
	if s.count == 0 {
		s.base = now
	}
	s.count++
	s.next()
	if len(w.ids) == 0 {
		return nil
	}
	return w
}

// publish sends an order to those of ids who are online, and returns them. At
// a first sending to many, every minion hears it and decides by the target, if
// each of those that may take it for meant is one that the operator may mean.
// Where the target asks for pillar, which minions know from when they had it
// last, none hears it that this master did not find to be meant.
func (m *Manager) publish(o order, ids []string, first bool) (online []string) {
	for _, id := range ids {
		if m.o.Online(id) {
			online = append(online, id)
		}
	}
	if o.batch != nil && len(online) > 0 {
		if o.envelope = m.turn(o.batch, online); o.envelope == nil {
			return nil
		}
	}
	if first && o.secrets == nil && o.batch == nil && len(online) > 0 && len(ids) > alwaysByID {
		fleet := m.o.Accepted()
		if len(ids)*broadcastAt >= len(fleet) && (o.asking == nil || !o.asking.asksPillar() && m.mayAsk(o.asking, fleet)) {
			m.send(subject.JobAll, o.envelope)
			return online
		}
	}
	for _, id := range online {
		m.send(subject.Job(subject.Token(id)), o.to(id))
	}
	return online
}

func (r *record) asksPillar() bool { return r.target == nil || r.target.Asks().Pillar }

// mayAsk tells whether a job's operator may do it to a whole fleet. What a
// minion is, it knows before its masters do: one that has just become what the
// target means is none of those for which the operator's rights were checked.
func (m *Manager) mayAsk(r *record, fleet []string) bool {
	op, ok := m.asker(r)
	return ok && m.mayRun(op, r.request, fleet) == nil
}

func (m *Manager) send(subj string, envelope []byte) {
	if envelope == nil {
		return // not for this minion
	}
	if err := m.o.Publish(subj, envelope); err != nil {
		m.log.Warn("job not published; it is sent again", "subject", subj, "err", err)
	}
}

// arrival is a minion that has just connected.
type arrival struct {
	since time.Time
	sending
}

// Connected says that a minion has connected, or asks which jobs it has
// taken: what it still has to hear is sent at once, by whichever master.
func (m *Manager) Connected(id string) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.openFor(id, now)) > 0 {
		m.arrived(id, now)
	}
}

// arrived has a minion sent what it still has to hear. The caller holds mu.
func (m *Manager) arrived(id string, now time.Time) {
	m.arrivals[id] = &arrival{since: now, sending: sending{base: now, due: now}}
	m.wake()
}

// openFor are the jobs of which a minion needs to hear. The caller holds mu.
func (m *Manager) openFor(id string, now time.Time) (open []*job) {
	for _, j := range m.jobs {
		n, o := j.minions[id], j.order()
		if n != nil && o.envelope != nil && now.Before(o.until) && o.needs(n) {
			open = append(open, j)
		}
	}
	return open
}

// arrive sends to minions that have come what they need to hear, and returns
// when to come back.
func (m *Manager) arrive(now time.Time) (next time.Time) {
	m.mu.Lock()
	var due []string
	for id, a := range m.arrivals {
		if !now.Before(a.due) {
			due = append(due, id)
		}
	}
	m.mu.Unlock()
	for _, id := range due {
		m.greet(id, now, m.o.Online(id))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.arrivals {
		next = sooner(next, a.due)
	}
	return next
}

// greet sends to one minion that has come.
func (m *Manager) greet(id string, now time.Time, online bool) {
	var envelopes [][]byte
	m.mu.Lock()
	a := m.arrivals[id]
	switch {
	case a == nil:
	case !online && now.Sub(a.since) > arrivalWait:
		delete(m.arrivals, id)
	case !online:
		a.due = now.Add(arrivalPoll)
	default:
		first := a.count == 0
		for _, j := range m.openFor(id, now) {
			o := m.orderNow(j)
			if o.batch != nil {
				o.envelope = m.turn(o.batch, []string{id})
			}
			envelopes = append(envelopes, o.to(id))
			if n := j.minions[id]; !o.cancel && (first || n.sentAt.IsZero()) {
				n.sentAt = now
			}
			j.show(id, nil)
		}
		if first {
			a.base = now
		}
		a.count++
		a.next()
		if len(envelopes) == 0 || a.count > len(resends) {
			delete(m.arrivals, id)
		}
	}
	m.mu.Unlock()
	for _, e := range envelopes {
		m.send(subject.Job(subject.Token(id)), e)
	}
}
