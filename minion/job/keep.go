package job

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

const (
	// unsettledBudget is how many bytes of returns may wait for masters.
	unsettledBudget = 256 << 20
	// unsettledAge is how long a return waits for masters that sign newer messages meanwhile.
	unsettledAge = 7 * 24 * time.Hour
	// minimal is the length of a Return whose value is not worth to be left out.
	minimal = 512
)

// reasonUnreadable is that of a return without its value.
const reasonUnreadable = "the value could not be read back from the minion's journal"

// accept keeps the job on disk: as started, or as waiting together with its envelope.
func (j *Journal) accept(e *entry, at state, envelope []byte) error {
	r := j.record(kindStarted, e)
	if at == queued {
		r.kind, r.data = kindAccepted, envelope
	}
	return j.file.append(true, r)
}

// start notes that a job that waited may have effects from now on.
func (j *Journal) start(e *entry) error { return j.file.append(false, j.record(kindStarted, e)) }

// restart notes that the job is about to end this process.
func (j *Journal) restart(e *entry) error { return j.file.append(false, j.record(kindRestarting, e)) }

// finish keeps the return. When the disk does not take it, the outcome is
// kept there and the rest in memory, and the error tells why.
func (j *Journal) finish(e *entry, res *result) error {
	err := j.save(e, res)
	if err == nil {
		return nil
	}
	j.mu.Lock()
	e.memory, e.state = res, max(e.state, returned)
	j.owed[e] = struct{}{}
	j.mu.Unlock()
	if len(res.fin) > minimal || len(res.parts) > 0 {
		r := j.record(kindReturned, e)
		r.data = strip(res.fin,
			"the minion's disk took only the outcome, and the minion ended before a master had the value")
		_ = j.file.append(false, r) // err tells it already
	}
	return err
}

// finishAll is finish for several small returns at once.
func (j *Journal) finishAll(jobs []lostJob) error {
	group := make([]record, len(jobs))
	for i, l := range jobs {
		group[i] = j.record(kindReturned, l.e)
		group[i].data = l.res.fin
	}
	err := j.file.append(false, group...)
	if err == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range jobs {
		l.e.memory, l.e.state = l.res, max(l.e.state, returned)
		j.owed[l.e] = struct{}{}
	}
	return err
}

func (j *Journal) save(e *entry, res *result) error {
	var group []record
	size := 0
	for i, part := range res.parts {
		r := j.record(kindValue, e)
		r.index, r.data = uint32(i), part
		group = append(group, r)
		if size += len(part); size >= frameTarget {
			if err := j.file.append(false, group...); err != nil {
				return err
			}
			group, size = nil, 0
		}
	}
	r := j.record(kindReturned, e)
	r.index, r.data = uint32(len(res.parts)), res.fin
	return j.file.append(false, append(group, r)...)
}

// retry writes what is only in memory.
func (j *Journal) retry() {
	j.mu.Lock()
	var waiting []*entry
	for e := range j.owed {
		if e.memory != nil {
			waiting = append(waiting, e)
		}
	}
	j.mu.Unlock()
	for _, e := range waiting {
		j.mu.Lock()
		res := e.memory
		j.mu.Unlock()
		if res == nil {
			continue
		}
		if j.save(e, res) != nil {
			return
		}
		j.mu.Lock()
		e.memory = nil
		j.mu.Unlock()
	}
}

// owing returns the jobs whose return masters lack, in order of age.
func (j *Journal) owing() []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return oldestFirst(slices.Collect(maps.Keys(j.owed)))
}

// unfinished returns the jobs that have not returned, in order of age.
func (j *Journal) unfinished() []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []*entry
	for _, e := range j.entries {
		if e.state == queued || e.state == started {
			all = append(all, e)
		}
	}
	return oldestFirst(all)
}

func (j *Journal) isWaiting(e *entry) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return e.state == queued
}

// touch notes that the return of e is sent now.
func (j *Journal) touch(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.offered = time.Now()
}

// due tells whether the return of e is to be offered: always when all are, else
// after a time that doubles with each offer.
func (j *Journal) due(e *entry, all bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case e.state != returned:
		return false
	case all:
		e.tries = 0
		return true
	case time.Since(e.offered) < min(offerFirst<<e.tries, offerLast):
		return false
	}
	e.tries = min(e.tries+1, 10)
	return true
}

func oldestFirst(all []*entry) []*entry {
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.issued, b.issued), cmp.Compare(a.jid, b.jid))
	})
	return all
}

// load returns the Return of e as it is sent, and the number of parts that go before it.
func (j *Journal) load(e *entry) (fin []byte, parts int, err error) {
	j.file.turn.RLock()
	defer j.file.turn.RUnlock()
	j.mu.Lock()
	memory, at, parts, trimmed := e.memory, e.fin, len(e.parts), e.trimmed
	j.mu.Unlock()
	switch {
	case memory != nil:
		return memory.fin, len(memory.parts), nil
	case at.n == 0:
		return unreadable(j.id, e), 0, nil
	}
	if fin, err = j.file.read(at); err != nil {
		return unreadable(j.id, e), 0, err
	}
	if trimmed {
		return strip(fin, reasonUnreadable), 0, nil
	}
	return fin, parts, nil
}

// part returns a piece of the value of e.
func (j *Journal) part(e *entry, i int) ([]byte, error) {
	j.file.turn.RLock()
	defer j.file.turn.RUnlock()
	j.mu.Lock()
	memory, at := e.memory, ref{}
	if i < len(e.parts) {
		at = e.parts[i]
	}
	j.mu.Unlock()
	if memory != nil && i < len(memory.parts) {
		return memory.parts[i], nil
	}
	return j.file.read(at)
}

// envelope returns the envelope of a job that waited.
func (j *Journal) envelope(e *entry) ([]byte, error) {
	j.file.turn.RLock()
	defer j.file.turn.RUnlock()
	j.mu.Lock()
	at := e.envelope
	j.mu.Unlock()
	return j.file.read(at)
}

// excess returns what must go so that one more return of size bytes may wait: the oldest first.
func (j *Journal) excess(size int64) (values, returns []*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for e := range j.owed {
		size += e.size()
		if causeOf(e.req) == "" && e.issued+unsettledAge.Microseconds() < j.newest { // of our own the age is not known
			returns = append(returns, e)
		}
	}
	if size > unsettledBudget {
		for _, e := range oldestFirst(slices.Collect(maps.Keys(j.owed))) {
			if n := e.size(); size > unsettledBudget && n > minimal {
				values = append(values, e)
				size -= n
			}
		}
	}
	return values, returns
}

// drop gives a return up.
func (j *Journal) drop(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.state == returned {
		j.settleNow(e)
	}
}

// dropValue gives the value of a return up and keeps its outcome.
func (j *Journal) dropValue(e *entry, reason string) error {
	fin, _, err := j.load(e)
	if err != nil {
		return err
	}
	fin = strip(fin, reason)
	j.mu.Lock()
	if e.memory != nil {
		e.memory = &result{fin: fin}
	}
	j.mu.Unlock()
	r := j.record(kindReturned, e)
	r.data = fin
	return j.file.append(false, r)
}

// strip takes the value out of a Return.
func strip(fin []byte, reason string) []byte {
	ret := &pb.Return{}
	if err := proto.Unmarshal(fin, ret); err != nil {
		return fin // it was made here: no input leads to this
	}
	ret.Value, ret.Parts, ret.ValueSha256, ret.Truncated = nil, 0, nil, true
	if ret.Reason == "" {
		ret.Reason = reason
	}
	return marshal(ret)
}

// unreadable is the Return of a job whose own can no longer be read.
func unreadable(minion string, e *entry) []byte {
	return marshal(&pb.Return{
		Jid: e.jid, RequestId: e.req[:], Minion: minion, Function: e.function,
		Outcome: pb.Outcome_INTERRUPTED, Reason: "the return could not be read back from the minion's journal",
	})
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("job: " + err.Error()) // a string that is not UTF-8: texts from outside go through strings.ToValidUTF8
	}
	return b
}
