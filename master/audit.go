package master

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/runner"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// Bounds of one record of the audit trail, in bytes.
const (
	maxDetail = 2 << 10
	maxReason = 1 << 10
)

// audited makes the record that tells what an operator asked for.
func (m *Master) audited(op *proto.OperatorRecord, a *proto.Audit) (*proto.Record, error) {
	m.askedBy(op, a)
	return m.auditRecord(a)
}

// askedBy tells in a who asks, and from where.
func (m *Master) askedBy(op *proto.OperatorRecord, a *proto.Audit) *proto.Audit {
	a.Operator, a.Key = op.GetName(), op.GetKey()
	if a.Address == "" {
		a.Address = strings.Join(m.broker.Addresses(a.Key), ", ")
	}
	if a.Address == "" {
		a.Address = "not connected to " + m.id.Name
	}
	return a
}

func (m *Master) auditRecord(a *proto.Audit) (*proto.Record, error) {
	if a.Outcome == "" {
		a.Outcome = store.AuditDone
	}
	a.Detail, a.Reason = cut(a.Detail, maxDetail), cut(a.Reason, maxReason)
	return store.NewRecord(m.store.Stamp(), m.id.Name, a)
}

// cut is the beginning of a text.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// audit stores what an operator did, here and at the live masters.
func (m *Master) audit(c *call, action, detail string) {
	m.auditOf(c, &proto.Audit{Action: action, Detail: detail})
}

func (m *Master) auditOf(c *call, a *proto.Audit) {
	rec, err := m.audited(c.operator, a)
	if err == nil {
		err = m.store.Append(c.ctx, rec)
	}
	if err != nil {
		m.log.Error("cannot keep the audit trail", "action", a.Action, "err", err)
		return
	}
	m.peers.Commit(c.ctx, []*proto.Record{rec}, "") // who does not confirm it reads it in our log
}

// auditSoon stores what nobody waits for; the other masters read it in our log.
func (m *Master) auditSoon(rec *proto.Record, err error) {
	if err == nil {
		m.store.Enqueue(rec, func(err error) {
			if err != nil {
				m.log.Error("cannot keep the audit trail", "err", err)
			}
		})
		return
	}
	m.log.Error("cannot keep the audit trail", "err", err)
}

// deciding are the verbs that decide something: what fails of them is in the
// audit trail too. Of all others only what was not permitted is.
var deciding = map[string]bool{
	"job.cancel": true, "key.decide": true, "key.token": true, "master.bundle": true, "master.certificate": true,
	"master.drain": true, "master.invite": true, "master.key": true, "master.rotate": true, "master.site": true, "notify.retry": true,
	"notify.send": true, "notify.test": true, "operator.revoke": true, "operator.rotate": true, "operator.set": true,
	"runner.run": true,
}

// auditRefusal stores that an operator did not get what was asked for. A flood
// of such requests becomes few records, each of which says for how many it stands.
func (m *Master) auditRefusal(c *call, err error) {
	outcome := "failed"
	var r *job.Error
	if errors.As(err, &r) && (r.Code == proto.ApiError_NOT_PERMITTED || r.Code == proto.ApiError_POLICY) {
		outcome = "refused"
	} else if !deciding[c.request.Verb] || errors.As(err, &r) && r.Code == proto.ApiError_UNAVAILABLE {
		return
	}
	times, ok := m.refusals.take(string(c.operator.Key), time.Now())
	if !ok {
		return
	}
	a := &proto.Audit{Action: cut(c.request.Verb, 100), Outcome: outcome, Reason: err.Error(), Times: times}
	if c.request.Verb == "job.run" {
		a.Function, a.Detail, a.Jid = wanted(c.request.Payload)
	}
	m.auditSoon(m.audited(c.operator, a))
}

// wanted tells what job a request was about.
func wanted(payload []byte) (function, target, jid string) {
	run, q := &proto.RunRequest{}, &proto.JobRequest{}
	if pb.Unmarshal(payload, run) != nil || pb.Unmarshal(run.GetRequest().GetBody(), q) != nil {
		return "", "", ""
	}
	return cut(q.Function, 128), job.TargetText(q.Target), cut(q.Jid, 20)
}

// auditLogin stores that somebody came with a key that was an operator's once, and is nobody's now.
func (m *Master) auditLogin(nkey, address string) {
	key, err := pki.ParseNKey(nkey)
	if err != nil {
		return
	}
	name, past := m.keys.PastOperator(key)
	if !past {
		return
	}
	times, ok := m.refusals.take(string(key), time.Now())
	if !ok {
		return
	}
	m.auditSoon(m.auditRecord(&proto.Audit{
		Operator: name, Key: key, Action: "login", Address: hostIn(address), Outcome: "refused", Times: times,
		Reason: "the key is revoked, replaced or expired",
	}))
}

func hostIn(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// Refusals are kept in the audit trail so many at once of one operator, and
// then one each so often; and of all operators together.
const (
	refusalsAtOnce  = 20
	refusalEach     = time.Minute
	refusalsOfAll   = 200
	refusalEachAll  = 10 * time.Second
	refusalsTracked = 1000 // operators
)

// refusals bounds what a flood of refused requests leaves behind.
type refusals struct {
	mu  sync.Mutex // guards the fields below
	of  map[string]*bucket
	all bucket
}

// bucket holds tokens, of which each refusal that is kept takes one.
type bucket struct {
	full   bool // it has been filled
	tokens float64
	at     time.Time
	missed uint32 // refusals since the last that was kept
}

// take tells whether a refusal is to be kept, and for how many it then stands.
func (r *refusals) take(who string, now time.Time) (times uint32, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || len(r.of) >= refusalsTracked && r.of[who] == nil {
		r.of = map[string]*bucket{}
	}
	b := r.of[who]
	if b == nil {
		b = &bucket{}
		r.of[who] = b
	}
	b.fill(now, refusalsAtOnce, refusalEach)
	r.all.fill(now, refusalsOfAll, refusalEachAll)
	if b.tokens < 1 || r.all.tokens < 1 {
		b.missed++
		return 0, false
	}
	b.tokens, r.all.tokens = b.tokens-1, r.all.tokens-1
	times, b.missed = b.missed+1, 0
	return times, true
}

func (b *bucket) fill(now time.Time, most int, each time.Duration) {
	if !b.full {
		b.full, b.tokens, b.at = true, float64(most), now
	}
	b.tokens = min(float64(most), b.tokens+float64(now.Sub(b.at))/float64(each))
	b.at = now
}

// late are those of whom refusals were not kept, although there is room again.
func (r *refusals) late(now time.Time) (who map[string]uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	who = map[string]uint32{}
	for key, b := range r.of {
		b.fill(now, refusalsAtOnce, refusalEach)
		r.all.fill(now, refusalsOfAll, refusalEachAll)
		if b.missed > 0 && b.tokens >= 1 && r.all.tokens >= 1 {
			b.tokens, r.all.tokens = b.tokens-1, r.all.tokens-1
			who[key], b.missed = b.missed, 0
		}
		if b.missed == 0 && b.tokens >= refusalsAtOnce {
			delete(r.of, key)
		}
	}
	return who
}

// keepOperators closes the connections of operators whose time is over, and
// says how much a flood of refusals left out of the audit trail.
func (m *Master) keepOperators(ctx context.Context) {
	expire, flush := time.NewTicker(time.Second), time.NewTicker(refusalEach)
	defer expire.Stop()
	defer flush.Stop()
	for {
		select {
		case <-expire.C:
			m.keys.Expire()
		case now := <-flush.C:
			for key, n := range m.refusals.late(now) {
				name := m.keys.Whose([]byte(key))
				m.auditSoon(m.auditRecord(&proto.Audit{
					Operator: name, Key: []byte(key), Action: "more", Outcome: "refused", Times: n,
					Reason: "as many more requests came than are written down one by one",
				}))
			}
		case <-ctx.Done():
			return
		}
	}
}

// auditList tells who asked for what.
func (m *Master) auditList(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.AuditRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	if _, err := anyOf(notEmpty(req.Operator, req.Function)); err != nil {
		return nil, err
	}
	limit := min(max(int(req.Limit), 0), maxAudits)
	entries, err := m.store.Audits(ctx, store.AuditFilter{
		Limit: limit, Since: req.Since, Before: req.Before, Operator: req.Operator, Function: req.Function, Failed: req.Failed,
	})
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot read the audit trail: %v", err)
	}
	reply, size := &proto.AuditReply{}, 0
	for i, e := range entries {
		entry := &proto.AuditEntry{At: e.Stamp, Master: e.Master, Audit: e.Audit, Summary: m.summary(ctx, e.Audit)}
		// A page ends between two moments, so that the next one begins where this one ends.
		if size += pb.Size(entry); size > auditBytes && i > 0 && entries[i-1].Stamp != e.Stamp {
			break
		}
		reply.Entries = append(reply.Entries, entry)
	}
	if n := len(reply.Entries); n > 0 && (n < len(entries) || n >= limit) {
		reply.Next = reply.Entries[n-1].At
	}
	return reply, nil
}

// Bounds of a page of the audit trail; it goes in one message of the bus.
const (
	maxAudits  = 500
	auditBytes = 700 << 10
)

func notEmpty(texts ...string) (some []string) {
	for _, t := range texts {
		if t != "" {
			some = append(some, t)
		}
	}
	return some
}

// summary tells how a job of the audit trail went, or a call of a function of masters.
func (m *Master) summary(ctx context.Context, a *proto.Audit) map[string]uint32 {
	if a.Outcome != store.AuditDone || a.Jid == "" {
		return nil
	}
	if strings.HasPrefix(a.Action, runner.Runner+".") || strings.HasPrefix(a.Action, runner.Wheel+".") {
		c, err := m.calling(ctx, a.Jid)
		if err != nil || c == nil || c.User != a.Operator {
			return nil // another operator's, whose id this one was refused
		}
		return c.info().Summary
	}
	if a.Action != "job.run" {
		return nil
	}
	info, err := m.jobs.Summary(ctx, a.Jid)
	if err != nil {
		return nil // pruned, or not here yet
	}
	return info
}
