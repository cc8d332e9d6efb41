package job

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/target"
)

const (
	lingers     = 5 * time.Second // how long a job that ended stays in memory
	forgetAfter = 24 * time.Hour  // after its window, even while a minion says that it runs
)

// job is what is known of a job. All fields are guarded by Manager.mu.
type job struct {
	jid       string
	record    *record       // nil until it is here
	own       *proto.Return // of a job that its minion made itself: it has no record
	recalled  bool          // what the store knew when it came was taken in
	unreached []string

	minions map[string]*minion
	open    int // minions without an outcome
	failed  int // those with a bad one, of the minions that were expected
	summed  int // expected minions that ended the job and are not in minions: it is listed only
	landing int // of those the ones whose return is on its way into the store

	sending sending
	heard   time.Time // when a minion spoke last

	cancel   *cancelling
	watchers map[*watcher]struct{}
	touched  time.Time
}

// record is a job record that was read.
type record struct {
	request  *proto.JobRequest
	job      *proto.Job
	envelope []byte // as it is published
	signer   ed25519.PublicKey
	target   *target.Matcher
	notAfter time.Time
	expected []string
	offline  []string
	leftOut  []*proto.LeftOut
	secrets  map[string][]byte // of sealed arguments, by minion; nil: there are none
}

// minion is what is known of a job on one minion.
type minion struct {
	expected bool
	issued   bool // of a batch: this master has let it begin
	end      ended
	freed    time.Time // of a batch: when it ended, as this master saw it
	accepted proto.Accepted_State
	waitsFor string
	progress *proto.Progress
	sentAt   time.Time // first sending since it came online; zero: never
	heard    time.Time // when it last said that it has the job, yet not on its disk
	away     time.Time // since when it is seen offline; zero: online
	asked    bool      // its return did not arrive whole: it is asked for it again
}

// ended is how a job ended on a minion.
type ended struct {
	outcome    proto.Outcome // unspecified: it has not
	retcode    int32
	finishedAt int64
	duration   int64 // microseconds
}

func endOf(r *proto.Return) ended { return ended{r.Outcome, r.Retcode, r.FinishedAt, r.Duration} }

// bad tells whether a batch counts it as failed.
func (e ended) bad() bool {
	switch e.outcome {
	case proto.Outcome_FAILED, proto.Outcome_INTERRUPTED, proto.Outcome_REFUSED, proto.Outcome_EXPIRED:
		return true
	}
	return false
}

// fails tells whether a batch counts the minion as failed: what one that nobody expected says counts for none.
func (n *minion) fails() bool { return n.expected && n.end.bad() }

func (n *minion) ended() bool { return n.end.outcome != proto.Outcome_OUTCOME_UNSPECIFIED }

// readRecord takes a job record apart. It comes from our own store, which
// checks what it takes; the minions check the signature.
func (m *Manager) readRecord(rec *proto.JobRecord) (*record, error) {
	r := &record{
		request: &proto.JobRequest{}, job: &proto.Job{}, signer: rec.GetJob().GetKey(),
		expected: rec.GetExpected(), offline: rec.GetOffline(), leftOut: rec.GetLeftOut(),
	}
	if err := pb.Unmarshal(rec.GetJob().GetBody(), r.job); err != nil {
		return nil, fmt.Errorf("cannot read job: %w", err)
	}
	if err := pb.Unmarshal(r.job.GetRequest().GetBody(), r.request); err != nil {
		return nil, fmt.Errorf("cannot read job's request: %w", err)
	}
	var err error
	if r.envelope, err = pb.Marshal(rec.GetJob()); err != nil {
		return nil, fmt.Errorf("cannot encode job %s: %w", r.request.Jid, err)
	}
	r.target, _ = m.made(r.job.Nodegroups, r.request.GetTarget()) // see means
	r.notAfter = time.UnixMicro(r.job.NotAfter)
	if len(r.request.Sealed) > 0 {
		r.secrets = make(map[string][]byte, len(rec.GetKeys()))
		for _, k := range rec.GetKeys() {
			r.secrets[k.Minion] = k.Sealed
		}
	}
	return r, nil
}

// newJob is a job of which only the id is known.
func newJob(jid string, now time.Time) *job {
	return &job{jid: jid, minions: map[string]*minion{}, watchers: map[*watcher]struct{}{}, touched: now}
}

// is tells whether a message with this request id is about the job. Before
// the record is here, everything under its jid is taken for it.
func (j *job) is(requestID []byte) bool {
	return j.record == nil || bytes.Equal(j.record.request.RequestId, requestID)
}

// minion returns what is known of the job on a minion, and begins to keep it
// when the minion was not expected but may be meant: its key was accepted
// after the job was made. It returns nil for one that is not meant.
func (j *job) minion(id string) *minion {
	if n := j.minions[id]; n != nil {
		return n
	}
	if j.record != nil && !j.record.means(id) {
		return nil
	}
	n := &minion{}
	j.minions[id] = n
	j.open++
	return n
}

// describe takes in a record of the job. Of two records of one request, made
// by masters that did not see each other, either is good for publishing.
func (j *job) describe(r *record) {
	for _, id := range r.expected {
		if j.minions[id] == nil {
			j.minions[id] = &minion{}
			j.open++
		}
		j.change(j.minions[id], func(n *minion) { n.expected = true })
	}
	if j.record != nil {
		return
	}
	j.record = r
	if r.request.Batch != nil {
		j.awayAtFirst(time.Now())
	}
	for id, n := range j.minions {
		if !n.expected && !r.means(id) {
			j.drop(id)
		}
	}
}

// means tells whether the job may be for a minion. A target that this version
// cannot read was resolved by a master that can: it means nobody else. Where
// the id is not enough to decide, the minion itself knows best.
func (r *record) means(id string) bool {
	return r.target != nil && (!r.target.Asks().ID() || r.target.Match(target.Facts{ID: id}))
}

// change has f change what is known of a minion, and counts anew whether it failed.
func (j *job) change(n *minion, f func(*minion)) {
	if n.fails() {
		j.failed--
	}
	f(n)
	if n.fails() {
		j.failed++
	}
}

func (j *job) drop(id string) {
	if j.minions[id].fails() {
		j.failed--
	}
	if !j.minions[id].ended() {
		j.open--
	}
	delete(j.minions, id)
}

// end takes in how the job ended on a minion, and tells whether that counts:
// a minion may return twice, such as refused while its clock was wrong, then done.
func (j *job) end(id string, e ended) bool {
	n := j.minion(id)
	if n == nil || !e.overrides(n.end) {
		return false
	}
	if !n.ended() {
		j.open--
		n.freed = time.Now()
	}
	j.change(n, func(n *minion) { n.end = e })
	n.progress, n.waitsFor, n.asked = nil, "", false
	return true
}

// mine tells whether this master is the one that publishes the job.
func (m *Manager) mine(j *job) bool { return j.record != nil && j.record.job.Master == m.o.Master }

// Committed takes in what the store has committed, whoever wrote it: own
// records, and those that came from other masters. It does not call the store.
func (m *Manager) Committed(recs []*proto.Record) {
	now := time.Now()
	for _, rec := range recs {
		switch rec.GetKind() {
		case proto.RecordKind_RECORD_JOB:
			m.committedJob(rec, now)
		case proto.RecordKind_RECORD_RETURN:
			m.committedReturn(rec, now)
		case proto.RecordKind_RECORD_CANCEL:
			m.committedCancel(rec, now)
		}
	}
}

func (m *Manager) committedJob(rec *proto.Record, now time.Time) {
	body := &proto.JobRecord{}
	if err := pb.Unmarshal(rec.GetBody(), body); err != nil {
		m.log.Error("job record skipped", "record", rec.GetId(), "err", err)
		return
	}
	r, err := m.readRecord(body)
	if err != nil {
		m.log.Error("job record skipped", "record", rec.GetId(), "err", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[r.request.Jid]
	if j == nil {
		if now.After(r.notAfter) {
			return // history
		}
		j = newJob(r.request.Jid, now)
		m.jobs[j.jid] = j
	}
	if !j.is(r.request.RequestId) {
		m.log.Error("two requests took one job id; minions run the one that they saw first", "job", j.jid)
		return
	}
	known := j.record != nil
	j.describe(r)
	j.tell()
	switch {
	case m.claims[j.jid] != nil:
		j.recalled = true // Submit has looked into the store, and publishes the job
	case !known:
		j.sentTo(body.GetOffline(), now)
		if j.sending.idle() {
			j.sending.begin(now)
		}
		m.wake()
	}
}

// sentTo notes that a job was published by another master, or by an earlier
// process, at some time: to all but those who were offline.
func (j *job) sentTo(offline []string, at time.Time) {
	if j.batch() != nil {
		return // those whose turn it was have accepted it, or get it again
	}
	for _, n := range j.minions {
		n.sentAt = at
	}
	for _, id := range offline {
		if n := j.minions[id]; n != nil {
			n.sentAt = time.Time{}
		}
	}
}

// load takes up a job from the store, unless it is in memory already. What
// is committed meanwhile is taken in too. It returns ErrNotFound of the store
// when nothing is known under the jid.
func (m *Manager) load(ctx context.Context, jid string) error {
	now := time.Now()
	m.mu.Lock()
	j := m.jobs[jid]
	if j == nil {
		j = newJob(jid, now)
		m.jobs[jid] = j
	}
	j.touched = now
	recalled := j.recalled
	m.mu.Unlock()
	if recalled {
		return nil
	}
	found, err := m.recall(ctx, j)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !found && j.record == nil && len(j.minions) == 0 {
		if len(j.watchers) == 0 && m.jobs[jid] == j { // another may have come while the store was read
			delete(m.jobs, jid)
		}
		return store.ErrNotFound
	}
	return nil
}

// recall reads from the store what is known of j.
func (m *Manager) recall(ctx context.Context, j *job) (found bool, err error) {
	var r *record
	rec, err := m.o.Store.Job(ctx, j.jid)
	if err == nil {
		r, err = m.readRecord(rec)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	outcomes, err := m.o.Store.Outcomes(ctx, j.jid)
	if err != nil {
		return false, err
	}
	cancels, err := m.o.Store.Cancels(ctx, j.jid)
	if err != nil {
		return false, err
	}
	notes, err := m.o.Store.Accepted(ctx, j.jid)
	if err != nil {
		return false, err
	}
	var own *proto.Return
	if r == nil {
		if own, err = m.ownReturn(ctx, j.jid, outcomes); err != nil {
			return false, err
		}
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	j.own = own
	j.recalled = r != nil || j.record != nil
	if r != nil && j.record == nil {
		j.describe(r)
		if c := m.claims[j.jid]; c == nil || !c.creating {
			m.resume(j, rec.GetOffline(), now)
		}
	}
	for id, o := range outcomes {
		if j.is(o.RequestID) {
			j.end(id, ended{o.Outcome, o.Retcode, o.FinishedAt, o.Duration})
		}
	}
	j.noted(notes, now)
	for _, c := range cancels {
		j.cancelled(c, now)
	}
	return r != nil || len(outcomes) > 0, nil
}

// noted takes in which minions had accepted the job, by the notes of an
// earlier process, unless they have said more meanwhile. It does not know
// whether they have begun; a note of long ago says nothing any more.
func (j *job) noted(notes map[string][][]byte, now time.Time) {
	if j.record == nil || now.After(j.record.notAfter.Add(forgetAfter)) {
		return
	}
	for id, requests := range notes {
		if !slices.ContainsFunc(requests, j.is) {
			continue
		}
		n := j.minion(id)
		if n != nil && !n.ended() && n.accepted == proto.Accepted_STATE_UNSPECIFIED {
			n.accepted = proto.Accepted_STARTED
			j.show(id, nil)
		}
	}
}

// resume makes a job that was read from the store go on: it was sent when it
// was issued, to all who were online then. What a minion says reaches this
// process since it began, so that the time to answer counts from then.
func (m *Manager) resume(j *job, offline []string, now time.Time) {
	m.sentBefore(j, offline)
	if now.Before(j.record.notAfter) {
		j.sending.begin(now)
		m.wake()
	}
}

// sentBefore notes that a job which was read from the store was sent when it was issued.
func (m *Manager) sentBefore(j *job, offline []string) {
	since := time.UnixMicro(j.record.job.IssuedAt)
	if since.Before(m.started) {
		since = m.started
	}
	j.sentTo(offline, since)
	for _, n := range j.minions { // until it is seen online
		n.away = since
	}
}

// recallNew takes in what the store knows of jobs whose record, or whose
// cancel, came from another master: returns and cancels may have been faster
// than the record, and a cancel may be of an old job.
func (m *Manager) recallNew(ctx context.Context) {
	var fresh []*job
	m.mu.Lock()
	for jid, j := range m.jobs {
		if (j.record != nil || j.cancel != nil) && !j.recalled && m.claims[jid] == nil {
			fresh = append(fresh, j)
		}
	}
	m.mu.Unlock()
	for _, j := range fresh {
		if _, err := m.recall(ctx, j); err != nil && ctx.Err() == nil {
			m.log.Error("cannot look up what is known of a job; trying again", "job", j.jid, "err", err)
		}
	}
}

// forget drops the jobs that need nothing more, and returns when to look again.
func (m *Manager) forget(now time.Time) (next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next = now.Add(lingers)
	for jid, j := range m.jobs {
		if m.claims[jid] == nil && j.forgettable(now) {
			delete(m.jobs, jid)
		}
	}
	for id, a := range m.quota {
		if a.full(now) {
			delete(m.quota, id)
		}
	}
	return next
}

func (j *job) forgettable(now time.Time) bool {
	if len(j.watchers) > 0 || now.Sub(j.touched) < lingers {
		return false
	}
	if j.record == nil || j.open == 0 {
		return true
	}
	if now.Before(j.record.notAfter.Add(lingers)) || j.cancel.active(now) {
		return false
	}
	return now.After(j.record.notAfter.Add(forgetAfter)) || !j.running()
}

// running tells whether a minion has accepted the job and not ended it.
func (j *job) running() bool {
	for _, n := range j.minions {
		if n.accepted != proto.Accepted_STATE_UNSPECIFIED && !n.ended() {
			return true
		}
	}
	return false
}
