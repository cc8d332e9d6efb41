package job

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"brine/proto"
)

// A minion may return jobs that no master knows: their record may be lost.
// But each such return is kept, so their number and their bytes are limited.
const (
	strangeBurst = 200
	strangeRate  = 1        // a second, after the burst
	strangeBytes = 68 << 20 // at once: the largest return
	bytesRate    = 8 << 10  // a second, after those
)

var errTooMany = errors.New("too many messages about jobs that are not known here")

// allowance is a minion's token bucket.
type allowance struct {
	tokens, bytes float64
	at            time.Time
}

func (a *allowance) fill(now time.Time) {
	passed := max(0, now.Sub(a.at).Seconds())
	a.tokens = min(strangeBurst, a.tokens+passed*strangeRate)
	a.bytes = min(strangeBytes, a.bytes+passed*bytesRate)
	a.at = now
}

func (a *allowance) full(now time.Time) bool {
	a.fill(now)
	return a.tokens >= strangeBurst && a.bytes >= strangeBytes
}

// allow tells whether what a minion says about a job that is not in memory may
// be taken, which is so many messages and bytes: the job is in the store and
// means the minion, or the minion has not said much of the kind.
func (m *Manager) allow(ctx context.Context, id string, a about, messages, size int, now time.Time) bool {
	if rec, err := m.o.Store.Job(ctx, a.GetJid()); err == nil {
		r, err := m.readRecord(rec)
		if err == nil && r.means(id) && bytes.Equal(r.request.RequestId, a.GetRequestId()) {
			return true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.quota[id]
	if b == nil {
		b = &allowance{tokens: strangeBurst, bytes: strangeBytes, at: now}
		m.quota[id] = b
	}
	b.fill(now)
	if b.tokens < float64(messages) || b.bytes < float64(size) {
		return false
	}
	b.tokens -= float64(messages)
	b.bytes -= float64(size)
	return true
}

// A minion may return a job twice, such as refused, then done. But all that is
// different is kept, so that its number is limited: to four, of which the last
// ones are for what has run, then for what was cut short.
var errDiffers = errors.New("too many different returns of one job")

func mostReturns(o proto.Outcome) int { return 1 + weight(o) }

// depart notes that a return is on its way into the store, unless the store
// has too many others of the same job and minion.
func (m *Manager) depart(ctx context.Context, id string, f *flight) error {
	r := f.ret
	key := [2]string{r.Jid, r.Minion}
	m.mu.Lock()
	again := m.inFlight[id] != nil
	others := slices.Clone(m.flying[key])
	m.inFlight[id] = f
	m.flying[key] = append(m.flying[key], id)
	if len(others) == 0 && m.isFirst(r) {
		f.job = m.jobs[r.Jid]
		f.job.landing++
		f.last = f.job.isLast()
	}
	sure := again || f.job != nil
	m.mu.Unlock()
	if sure {
		return nil
	}
	ids, err := m.o.Store.ReturnIDs(ctx, r.Jid, r.Minion)
	if err == nil && !slices.Contains(ids, id) {
		ids = append(ids, others...)
		slices.Sort(ids)
		if len(slices.Compact(ids)) >= mostReturns(r.Outcome) {
			err = errDiffers
		}
	}
	if err != nil {
		m.land(id, f)
	}
	return err
}

// isFirst tells whether the store is known to have no return of this request
// by the minion. The caller holds mu.
func (m *Manager) isFirst(r *proto.Return) bool {
	j := m.jobs[r.Jid]
	if j == nil || j.record == nil || !j.recalled || !j.is(r.RequestId) {
		return false
	}
	n := j.minions[r.Minion]
	return n != nil && !n.ended()
}

// isLast tells whether somebody who watches the job waits for no more returns
// than those that are on their way into the store.
func (j *job) isLast() bool {
	for w := range j.watchers {
		if w.ends+j.landing >= w.awaits {
			return true
		}
	}
	return false
}

// land notes that a return is on its way no more, and tells whether it was new.
func (m *Manager) land(id string, f *flight) (isNew bool) {
	key := [2]string{f.ret.Jid, f.ret.Minion}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inFlight[id] == f {
		delete(m.inFlight, id)
	}
	left := m.flying[key]
	if i := slices.Index(left, id); i >= 0 {
		left = slices.Delete(left, i, i+1)
	}
	if m.flying[key] = left; len(left) == 0 {
		delete(m.flying, key)
	}
	if f.job != nil {
		f.job.landing--
	}
	return f.new
}

// Returns that could not be stored, such as on a full disk, are tried again:
// so many bytes of them. The minion keeps them too.
const (
	maxUnstored = 16 << 20
	retryAfter  = time.Second
)

type unstored struct {
	ret *proto.Return
	at  time.Time
}

// again keeps a return to store it later.
func (m *Manager) again(r *proto.Return, err error) {
	now := time.Now()
	if m.rare.due("store", now) {
		m.log.Error("return not stored; trying again", "minion", r.Minion, "job", r.Jid, "err", err)
	}
	m.mu.Lock()
	size := len(r.Value)
	for _, u := range m.retry {
		size += len(u.ret.Value) + 256
	}
	if size <= maxUnstored {
		m.retry = append(m.retry, unstored{r, now})
		m.mu.Unlock()
		m.wake()
		return
	}
	m.mu.Unlock()
	m.ask(r.Minion, r)
}

// restore tries again what could not be stored, and returns when to come back.
func (m *Manager) restore(ctx context.Context, now time.Time) (next time.Time) {
	m.mu.Lock()
	var due []unstored
	for len(m.retry) > 0 && now.Sub(m.retry[0].at) >= retryAfter {
		due = append(due, m.retry[0])
		m.retry = m.retry[1:]
	}
	if len(m.retry) > 0 {
		next = m.retry[0].at.Add(retryAfter)
	}
	m.mu.Unlock()
	for _, u := range due {
		if err := m.keep(ctx, u.ret, nil); err != nil {
			m.log.Error("return lost here; the minion keeps it", "minion", u.ret.Minion, "job", u.ret.Jid, "err", err)
		}
	}
	return next
}

// complaints keeps a minion that sends rubbish from filling the log: one line
// in ten seconds about each.
type complaints struct {
	mu   sync.Mutex // guards the field below
	last map[string]time.Time
}

const complainEvery = 10 * time.Second

func (c *complaints) due(about string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.last[about]; ok && now.Sub(last) < complainEvery {
		return false
	}
	if c.last == nil || len(c.last) > 10_000 {
		c.last = map[string]time.Time{}
	}
	c.last[about] = now
	return true
}
