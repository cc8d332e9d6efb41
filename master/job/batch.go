package job

import (
	"errors"
	"fmt"
	"slices"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

const (
	batchEach = 250 * time.Millisecond // how often a batch is looked at when nothing returns
	batchRest = 20 * time.Millisecond  // between two looks: many returns in a row are one
	batchLife = 24 * time.Hour         // within which all minions of a batch must have begun
	maxWait   = time.Hour
)

// checkBatch tells what is wrong with a request's batch, if it has one.
func checkBatch(b *proto.Batch) error {
	switch {
	case b == nil:
		return nil
	case (b.Width == 0) == (b.Percent == 0):
		return errors.New("cannot use the batch: want a number of minions at once, or a share of them")
	case b.Percent > 100 || b.MaxFailPercent > 100:
		return errors.New("cannot use the batch: a share is 1 to 100 percent")
	case b.Wait < 0 || b.Wait > maxWait.Microseconds():
		return fmt.Errorf("cannot use the batch: it waits 0s to %v between minions", maxWait)
	}
	return nil
}

// life is how long a job may wait for a minion, of which a batch has many turns.
func (q *request) life(window time.Duration) time.Duration {
	if q.Batch != nil {
		return max(window, batchLife)
	}
	return window
}

// batch is that of the job; nil when all minions begin at once.
func (j *job) batch() *proto.Batch {
	if j.record == nil {
		return nil
	}
	return j.record.request.GetBatch()
}

// awayAtFirst notes who was offline when a batch was made: nobody waits for them, as for one that moves to another master.
func (j *job) awayAtFirst(now time.Time) {
	for _, id := range j.record.offline {
		if n := j.minions[id]; n != nil {
			n.away = now.Add(-awayTime - time.Second)
		}
	}
}

// width is how many minions may be under way.
func (j *job) width(b *proto.Batch) int {
	if b.Width > 0 {
		return int(b.Width)
	}
	return max(1, j.expected()*int(b.Percent)/100)
}

// expected is how many minions the job is for.
func (j *job) expected() int {
	n := j.summed
	for _, m := range j.minions {
		if m.expected {
			n++
		}
	}
	return n
}

// batchStopped says why no further minion begins; "" while they do. Every master finds the same, as it follows from returns.
func (j *job) batchStopped() string {
	b := j.batch()
	if !b.GetFailLimit() {
		return ""
	}
	limit, text := int(b.MaxFail), fmt.Sprint(b.MaxFail)
	if b.MaxFailPercent > 0 {
		limit, text = j.expected()*int(b.MaxFailPercent)/100, fmt.Sprintf("%d %%", b.MaxFailPercent)
	}
	if j.failed <= limit {
		return ""
	}
	return fmt.Sprintf("not run: %d failed before its turn, and the batch allows %s", j.failed, text)
}

// batches lets the next minions of each batch begin that this master drives: its own, and those of a master that is
// silent. It returns when to come back.
func (m *Manager) batches(now time.Time) (next time.Time) {
	if again := m.batched.Add(batchRest); now.Before(again) {
		return again
	}
	m.mu.Lock()
	var open []*job
	for _, j := range m.jobs {
		if j.batch() != nil && j.open > 0 && j.cancel == nil && now.Before(j.record.notAfter) {
			open = append(open, j)
		}
	}
	m.mu.Unlock()
	for _, j := range open {
		next, m.batched = now.Add(batchEach), now
		if m.drives(j) {
			m.advance(j, now)
		}
	}
	return next
}

// drives tells whether it is for this master to let a job's minions begin: for the one that took the job, and once that is
// silent for the first one that is live.
func (m *Manager) drives(j *job) bool {
	issuer := j.record.job.Master
	if issuer == m.o.Master {
		return true
	}
	if m.o.Late(issuer) < takeOver {
		return false
	}
	live := m.o.Live()
	slices.Sort(live)
	return slices.Index(live, m.o.Master) == 0
}

// advance lets as many minions begin as there are places free.
func (m *Manager) advance(j *job, now time.Time) {
	looked := m.look(j, nil, true)
	m.mu.Lock()
	ids := j.next(looked, now)
	for _, id := range ids {
		if n := j.minions[id]; n != nil {
			n.issued, n.sentAt = true, now
			j.show(id, nil)
		}
	}
	o := m.orderNow(j)
	if len(ids) > 0 {
		j.sending.done(now)
	}
	m.mu.Unlock()
	if len(ids) > 0 {
		m.publish(o, ids, true)
	}
}

// next are the minions whose turn it is: those that are there, in order of id. The caller holds Manager.mu.
func (j *job) next(all []looked, now time.Time) (ids []string) {
	b := j.batch()
	if j.batchStopped() != "" {
		return nil
	}
	free, wait := j.width(b), time.Duration(b.Wait)*time.Microsecond
	all = slices.DeleteFunc(all, func(l looked) bool { return !l.n.expected })
	for _, l := range all {
		if l.underWay(now) || l.n.ended() && now.Sub(l.n.freed) < wait {
			free--
		}
	}
	for _, l := range all {
		if free <= 0 {
			break
		}
		if l.online && !l.begun() && !l.n.ended() {
			ids = append(ids, l.id)
			free--
		}
	}
	return ids
}

func (l *looked) begun() bool {
	return l.n.issued || l.n.accepted != proto.Accepted_STATE_UNSPECIFIED
}

// underWay tells whether a minion holds a place of its batch: not one that gives no answer or has gone.
func (l *looked) underWay(now time.Time) bool {
	if !l.begun() || l.n.ended() {
		return false
	}
	if l.online {
		return l.status != NoAnswer
	}
	return now.Sub(l.n.away) <= awayTime
}

// turn is the job as it is sent to those whose turn it is: signed by this master now, for them alone.
func (m *Manager) turn(r *record, ids []string) []byte {
	window := time.Duration(r.request.Window) * time.Microsecond
	if window == 0 {
		window = m.o.Window
	}
	now := time.Now()
	job := pb.CloneOf(r.job)
	job.Master, job.Only = m.o.Master, ids
	job.IssuedAt, job.NotAfter = now.UnixMicro(), min(now.Add(window).UnixMicro(), r.job.NotAfter)
	body, err := pb.Marshal(job)
	if err == nil {
		body, err = pb.Marshal(m.o.Sign(proto.Kind_KIND_JOB, body))
	}
	if err != nil {
		m.log.Error("batch not sent", "job", r.request.Jid, "err", err)
		return nil
	}
	return body
}
