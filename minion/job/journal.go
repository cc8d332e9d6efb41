package job

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// overSlack is how far clocks of masters and minions may differ together: a window
	// that ended longer ago, by the newest time that a master signed, is over for good.
	overSlack = 2 * clockSlack
	// cancelLimit is how many cancelled jobs are remembered that have not come.
	cancelLimit = 10_000
)

// state is how far a job is. It only grows.
type state int

const (
	claimed  state = iota // known, nothing is on disk
	queued                // accepted
	started               // it may have had effects
	returned              // its return is kept
	settled               // and all live masters have it
)

// Journal is what one minion remembers of its jobs. It may be used from many
// goroutines.
type Journal struct {
	file *File
	id   string

	mu       sync.Mutex // guards the fields below; after File.turn and Runner.mu
	entries  map[key]*entry
	jids     map[string]*entry    // the first with this jid
	requests map[requestID]*entry // the first with this request id
	owed     map[*entry]struct{}  // returned, not settled
	cancels  map[key]record
	newest   int64 // issued-at, microseconds of Unix time, that a master signed
	pruneAt  int   // number of entries
}

// entry is one job. Its journal's mu guards the fields from state on.
type entry struct {
	key
	function string
	issued   int64
	notAfter int64

	state      state
	saved      state // what the disk holds; behind state while it is written
	restarting bool
	distrusted bool // waited in a journal that was damaged
	envelope   ref  // while it waits
	fin        ref  // the Return; zero when it was never kept
	parts      []ref
	trimmed    bool     // pieces of the value are missing
	memory     *result  // a return that the disk did not take
	acks       []string // masters whose word is here
	refused    string   // what one of them said that will never take it
	offered    time.Time
	tries      int // offers since the last change of master
}

// result is a job's return as it travels.
type result struct {
	fin   []byte // Return; holds the value, unless there are parts
	parts [][]byte
}

func (r *result) bytes() (n int64) {
	n = int64(len(r.fin))
	for _, p := range r.parts {
		n += int64(len(p))
	}
	return n
}

// size is what the return takes, wherever it is.
func (e *entry) size() int64 {
	if e.memory != nil {
		return e.memory.bytes()
	}
	return e.bytes()
}

func (e *entry) bytes() (n int64) {
	n = int64(e.fin.n)
	for _, p := range e.parts {
		n += int64(p.n)
	}
	return n
}

func newJournal(f *File, id string) *Journal {
	return &Journal{file: f, id: id, entries: map[key]*entry{}, jids: map[string]*entry{},
		requests: map[requestID]*entry{}, owed: map[*entry]struct{}{}, cancels: map[key]record{}, pruneAt: 256}
}

func (j *Journal) record(k kind, e *entry) record {
	return record{kind: k, minion: j.id, jid: e.jid, req: e.req,
		issued: e.issued, notAfter: e.notAfter, function: e.function}
}

// lookup returns the entry of a job, nil when there is none.
func (j *Journal) lookup(k key) *entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[k]
}

// claim makes the entry of a job that is new. Another job that has the same
// jid or the same request id is named in conflict; then this one must not run.
func (j *Journal) claim(k key, function string, issued, notAfter int64) (e *entry, conflict string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= j.pruneAt {
		j.prune()
	}
	if other := j.jids[k.jid]; other != nil {
		conflict = fmt.Sprintf("job id %s is that of request %x; this is request %x", k.jid, other.req, k.req)
	} else if other := j.requests[k.req]; other != nil {
		conflict = fmt.Sprintf("request id %x is that of job %s; this is job %s", k.req, other.jid, k.jid)
	}
	return j.add(k, function, issued, notAfter), conflict
}

func (j *Journal) add(k key, function string, issued, notAfter int64) *entry {
	e := &entry{key: k, function: function, issued: issued, notAfter: notAfter}
	j.entries[k] = e
	if j.jids[k.jid] == nil {
		j.jids[k.jid] = e
	}
	if j.requests[k.req] == nil {
		j.requests[k.req] = e
	}
	return e
}

// advance notes a time that a master signed.
func (j *Journal) advance(issued int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.newest = max(j.newest, issued)
}

// over tells that a window ended for good, whatever this machine's clock says.
func (j *Journal) over(notAfter int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.isOver(notAfter)
}

func (j *Journal) isOver(notAfter int64) bool {
	return notAfter+overSlack.Microseconds() < j.newest
}

// prune forgets what can't come again: its window is over for good.
func (j *Journal) prune() {
	for k, e := range j.entries {
		if e.state == settled && e.saved == settled && j.isOver(e.notAfter) {
			delete(j.entries, k)
			if j.jids[k.jid] == e {
				delete(j.jids, k.jid)
			}
			if j.requests[k.req] == e {
				delete(j.requests, k.req)
			}
		}
	}
	maps.DeleteFunc(j.cancels, func(_ key, c record) bool { return j.isOver(c.notAfter) })
	j.pruneAt = 2*len(j.entries) + 256
}

// fold takes a record that is on disk.
func (j *Journal) fold(r *record, at ref) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch r.kind {
	case kindNewest:
		j.newest = max(j.newest, r.issued)
		return
	case kindCancelled:
		j.cancels[r.key()] = *r
		return
	}
	e := j.entries[r.key()]
	if e == nil {
		e = j.add(r.key(), r.function, r.issued, r.notAfter)
	}
	j.foldEntry(e, r, at)
}

func (j *Journal) foldEntry(e *entry, r *record, at ref) {
	switch r.kind {
	case kindAccepted:
		e.saved, e.envelope = max(e.saved, queued), at
		j.signed(e, r)
	case kindStarted:
		e.saved, e.envelope = max(e.saved, started), ref{}
		j.signed(e, r)
	case kindRestarting:
		e.restarting = true
	case kindValue:
		e.parts = append(e.parts[:min(int(r.index), len(e.parts))], at)
		return
	case kindReturned:
		e.trimmed = int(r.index) > len(e.parts)
		e.saved, e.fin, e.parts = max(e.saved, returned), at, e.parts[:min(int(r.index), len(e.parts))]
		if e.saved == returned && e.state < settled {
			e.state = returned
			j.owed[e] = struct{}{}
		}
	case kindSettled:
		e.saved = settled
		j.settle(e)
	}
	e.state = max(e.state, e.saved)
}

// signed notes when a job was issued, unless this minion made it itself: its
// clock may be years off.
func (j *Journal) signed(e *entry, r *record) {
	if causeOf(e.req) == "" {
		j.newest = max(j.newest, r.issued)
	}
}

func (j *Journal) settle(e *entry) {
	delete(j.owed, e)
	e.state, e.memory, e.acks = settled, nil, nil
}

// ack notes that a master has committed a return, or, with why, that it never
// will. It is settled once every master in need has had its word; refused tells
// that it is, and that one of them does not have it.
func (j *Journal) ack(k key, master, why string, need []string) (refused *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[k]
	if e == nil || e.state != returned {
		return nil
	}
	if !slices.Contains(e.acks, master) {
		e.acks = append(e.acks, master)
	}
	if why != "" {
		e.refused = fmt.Sprintf("%s: %s", master, why)
	}
	if j.settleIf(e, need) && e.refused != "" {
		return e
	}
	return nil
}

// reconsider settles what lacked only masters that are no longer in need, and
// returns of that what one of the others has refused.
func (j *Journal) reconsider(need []string) (refused []*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for e := range j.owed {
		if len(e.acks) > 0 && j.settleIf(e, need) && e.refused != "" {
			refused = append(refused, e)
		}
	}
	return refused
}

func (j *Journal) settleIf(e *entry, need []string) bool {
	for _, master := range need {
		if !slices.Contains(e.acks, master) {
			return false
		}
	}
	j.settleNow(e)
	return true
}

func (j *Journal) settleNow(e *entry) {
	j.settle(e)
	j.file.later(j.record(kindSettled, e))
}

// setKnown settles a job whose return the masters have and this minion does not.
func (j *Journal) setKnown(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settleNow(e)
}

// cancel remembers that a job is not to begin. It tells whether that is new.
func (j *Journal) cancel(k key, issued, notAfter int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, known := j.cancels[k]; known || len(j.cancels) >= cancelLimit {
		return false
	}
	c := record{kind: kindCancelled, minion: j.id, jid: k.jid, req: k.req, issued: issued, notAfter: notAfter}
	j.cancels[k] = c
	j.file.later(c)
	return true
}

func (j *Journal) cancelled(k key) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.cancels[k]
	return ok
}

// distrust makes jobs that waited count as begun: the damaged journal may have said so.
func (j *Journal) distrust() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.saved == queued {
			e.saved, e.state, e.distrusted, e.envelope = started, started, true, ref{}
		}
	}
}

// snapshot returns everything that must outlive a compaction.
func (j *Journal) snapshot() (others []record, entries []kept) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.prune()
	if j.newest != 0 {
		others = append(others, record{kind: kindNewest, minion: j.id, issued: j.newest})
	}
	for _, c := range j.cancels {
		others = append(others, c)
	}
	for _, e := range j.entries {
		if e.saved > claimed {
			entries = append(entries, kept{e, *e})
		}
	}
	return others, entries
}
