package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"brine/proto"
	"brine/proto/subject"
)

// Bounds of what waits to be written, and of one commit.
const (
	queueLength = 4096
	queueBytes  = 128 << 20
	batchOps    = 1024
	batchBytes  = 8 << 20
	// In a burst of returns a commit waits so long for more of them: each
	// commit writes the same pages of the trees again, and syncs.
	burstWait = 80 * time.Millisecond
	burstOps  = 8 // in the last commit, or waiting
	// aheadWait is how long what goes ahead waits for what it goes ahead of.
	aheadWait = 2 * time.Millisecond
)

// op is one thing to be written, whole or not at all.
type op struct {
	entries []*entry
	apply   func(*folder) error // besides the entries; may be nil
	size    int64
	patient bool // may wait for others in a burst
	ahead   bool // waits for what comes next
	done    func(error)
}

// writer is the one goroutine that writes, and the one that reports what was
// committed while the next commit is under way.
type writer struct {
	s     *Store
	db    *conn
	fold  *folder
	queue chan *op
	hurry chan struct{} // ends the wait for more of a burst
	room  *semaphore.Weighted

	gate   sync.RWMutex
	closed bool // under gate: the queue takes no more

	hooks struct {
		sync.Mutex
		list []func([]*proto.Record)
	}
	committed chan commit
	ended     chan struct{}
}

// commit is what the reporting goroutine tells about.
type commit struct {
	ops []*op
	new []*proto.Record
	err error
}

func newWriter(s *Store, db *conn, me self) *writer {
	return &writer{
		s: s, db: db,
		fold:      newFolder(db, me, s.now),
		queue:     make(chan *op, queueLength),
		hurry:     make(chan struct{}, 1),
		room:      semaphore.NewWeighted(queueBytes),
		committed: make(chan commit, 1),
		ended:     make(chan struct{}),
	}
}

// Append stores records, all or none, and returns once they are on the disk.
// A record that is there already is no error. It refuses a record that Check
// refuses or that is stamped too far ahead (ErrAhead). When ctx ends first the
// records may be stored all the same.
func (s *Store) Append(ctx context.Context, recs ...*proto.Record) error {
	if len(recs) == 0 {
		return nil
	}
	o := &op{entries: make([]*entry, 0, len(recs))}
	for _, rec := range recs {
		e, err := s.admit(rec)
		if err != nil {
			return err
		}
		o.entries = append(o.entries, e)
	}
	return s.wait(ctx, o)
}

// Enqueue stores one record like Append and calls done afterwards. It waits
// while too much is queued. Of several records done is called in the order in
// which they were handed in, from a goroutine of the store: it must be quick
// and must not wait for the store. When the record is refused done is called at once.
func (s *Store) Enqueue(rec *proto.Record, done func(error)) {
	e, err := decode(rec)
	if err != nil {
		done(err)
		return
	}
	s.EnqueueMade(Made{rec, e}, done)
}

// EnqueueMade is Enqueue for what Make has made.
func (s *Store) EnqueueMade(rec Made, done func(error)) {
	s.enqueue(&op{entries: []*entry{rec.entry}, done: done, patient: true})
}

// EnqueueAhead is Enqueue for a record after which an Append of the same cause is to come at
// once: when it does, one commit has both.
func (s *Store) EnqueueAhead(rec *proto.Record, done func(error)) {
	e, err := decode(rec)
	if err != nil {
		done(err)
		return
	}
	s.enqueue(&op{entries: []*entry{e}, done: done, patient: true, ahead: true})
}

func (s *Store) enqueue(o *op) {
	err := s.timely(o.entries[0])
	if err == nil {
		err = s.w.submit(context.Background(), o)
	}
	if err != nil {
		o.done(err)
	}
}

// Hurry ends the wait for more of a burst: what was handed in is committed now.
func (s *Store) Hurry() {
	select {
	case s.w.hurry <- struct{}{}:
	default:
	}
}

// OnCommit calls f after each commit with the records that were new to the
// store, in the order of the log, before Append returns or a done is called. It
// must be quick and must not wait for a write; it may query.
func (s *Store) OnCommit(f func([]*proto.Record)) {
	s.w.hooks.Lock()
	defer s.w.hooks.Unlock()
	s.w.hooks.list = append(slices.Clip(s.w.hooks.list), f)
}

// SetAccepted notes that a minion has a job on its disk. The note is for this
// master alone and does not wait for the disk.
func (s *Store) SetAccepted(jid string, requestID []byte, minion string) error {
	micro, err := jidMicro(jid)
	if err == nil && len(requestID) != requestLen {
		err = fmt.Errorf("the request id has %d bytes, want %d", len(requestID), requestLen)
	}
	if err == nil {
		err = subject.CheckID(minion)
	}
	if err != nil {
		return fmt.Errorf("cannot note job %.40q as accepted: %w", jid, err)
	}
	return s.w.submit(context.Background(), &op{done: func(error) {}, patient: true, apply: func(f *folder) error {
		_, err := f.db.exec("INSERT OR IGNORE INTO accepted VALUES (?, ?, ?)", micro, minion, requestID)
		return err
	}})
}

// Import stores what was read from the log of master from in one incarnation,
// and that the log was read up to upTo. Records that are there already, or so
// old that they were pruned, are passed over. A record that Check refuses is
// logged and passed over, so that it cannot hold up all that follow it. When one
// is stamped too far ahead the others are stored, the cursor stays and the error
// wraps ErrAhead: to be tried again later.
func (s *Store) Import(
	ctx context.Context, from, incarnation string, upTo int64, recs []*proto.Record,
) error {
	if err := subject.CheckID(from); err != nil || from == s.master {
		return fmt.Errorf("cannot import from master %.140q: it is this one or none", from)
	}
	if incarnation == "" || len(incarnation) > maxText || upTo < 0 {
		return fmt.Errorf("cannot import from master %q: its position %d is of no log", from, upTo)
	}
	o := &op{entries: make([]*entry, 0, len(recs))}
	var ahead error
	for _, rec := range recs {
		e, err := s.admit(rec)
		switch {
		case err == nil:
			o.entries = append(o.entries, e)
		case errors.Is(err, ErrAhead):
			ahead = err
		default:
			s.log.Error("record of a peer refused", "peer", from, "err", err)
		}
	}
	if ahead == nil {
		o.apply = func(f *folder) error {
			_, err := f.db.exec("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", from, incarnation, upTo)
			return err
		}
	}
	if err := s.wait(ctx, o); err != nil {
		return err
	}
	return ahead
}

// admit checks a record on its way in.
func (s *Store) admit(rec *proto.Record) (*entry, error) {
	e, err := decode(rec)
	if err == nil {
		err = s.timely(e)
	}
	return e, err
}

// timely refuses what comes from too far ahead.
func (s *Store) timely(e *entry) error {
	now := s.now()
	if s.clock.ahead(e.Stamp, now) {
		return fmt.Errorf("cannot take record %q: it is stamped %s ahead: %w", e.Id,
			time.Duration(e.Stamp-now.UnixMicro())*time.Microsecond, ErrAhead)
	}
	if e.jid > now.Add(maxJIDAhead).UnixMicro() {
		return fmt.Errorf("cannot take record %q: its job id is of another day: %w", e.Id, ErrAhead)
	}
	return nil
}

// maxJIDAhead is how far ahead a job id may be. It is made by the requester's
// clock; one far in the future would never be pruned.
const maxJIDAhead = 24 * time.Hour

// do has the writer run f in a transaction, and waits for the commit.
func (s *Store) do(ctx context.Context, f func(*folder) error) error {
	return s.wait(ctx, &op{apply: f})
}

// wait hands in an op and waits until it is committed.
func (s *Store) wait(ctx context.Context, o *op) error {
	answer := make(chan error, 1)
	o.done = func(err error) { answer <- err }
	if err := s.w.submit(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submit hands an op to the writer, waiting while the queue is full.
func (w *writer) submit(ctx context.Context, o *op) error {
	for _, e := range o.entries {
		o.size += int64(len(e.Body) + len(e.Id))
	}
	o.size = min(o.size, queueBytes)
	if err := w.room.Acquire(ctx, o.size); err != nil {
		return err
	}
	w.gate.RLock()
	defer w.gate.RUnlock()
	err := ErrClosed
	if !w.closed {
		select {
		case w.queue <- o:
			if !o.patient || len(w.queue) >= batchOps {
				w.s.Hurry()
			}
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	w.room.Release(o.size)
	return err
}

// stop lets the writer finish what it has and waits for its end.
func (w *writer) stop() {
	w.gate.Lock()
	w.closed = true
	close(w.queue)
	w.gate.Unlock()
	w.s.Hurry()
	<-w.ended
}

// run commits until the queue is closed and empty.
func (w *writer) run() {
	defer close(w.committed)
	last := 0
	for first := range w.queue {
		ops := w.gather(first, last)
		last = len(ops)
		added, err := w.commit(ops)
		for _, o := range ops {
			w.room.Release(o.size)
		}
		w.committed <- commit{ops: ops, new: added, err: err}
	}
}

// gather takes what waits, up to the bounds of a commit. In a burst it waits
// for more, asleep, until somebody comes who can't.
func (w *writer) gather(first *op, last int) []*op {
	b := &bundle{}
	b.add(first)
	b.fill(w.queue)
	if b.ahead {
		b.await(w.queue)
	}
	if !b.patient || b.full() || last < burstOps && len(b.ops) < burstOps {
		return b.ops
	}
	timer := time.NewTimer(burstWait)
	defer timer.Stop()
	select {
	case <-w.hurry:
	case <-timer.C:
	}
	b.fill(w.queue)
	return b.ops
}

// bundle is what one commit writes.
type bundle struct {
	ops     []*op
	size    int64
	patient bool // nobody in it is in a hurry
	ahead   bool // the last waits for what comes next
}

func (b *bundle) add(o *op) {
	b.patient = o.patient && (b.patient || len(b.ops) == 0)
	b.ops, b.size, b.ahead = append(b.ops, o), b.size+o.size, o.ahead
}

func (b *bundle) full() bool { return len(b.ops) >= batchOps || b.size >= batchBytes }

// fill takes what waits in the queue.
func (b *bundle) fill(queue <-chan *op) {
	for !b.full() {
		select {
		case o, ok := <-queue:
			if !ok {
				return
			}
			b.add(o)
		default:
			return
		}
	}
}

// await waits a moment for somebody in a hurry.
func (b *bundle) await(queue <-chan *op) {
	timer := time.NewTimer(aheadWait)
	defer timer.Stop()
	for b.patient && !b.full() {
		select {
		case o, ok := <-queue:
			if !ok {
				return
			}
			b.add(o)
		case <-timer.C:
			return
		}
	}
}

// commit writes ops in one transaction and returns the records that were new.
func (w *writer) commit(ops []*op) (added []*proto.Record, err error) {
	var corrupt *CorruptError
	if err := w.s.Err(); errors.As(err, &corrupt) {
		return nil, err // what it took would go aside with it
	}
	before := *w.s.end.Load()
	last, newest := before.last, int64(0)
	err = w.db.inTx(func() error {
		for _, o := range ops {
			for _, e := range o.entries {
				ok, err := w.fold.add(e, last+1)
				if err != nil {
					return err
				}
				if ok {
					last++
					added = append(added, e.Record)
				}
				newest = max(newest, e.Stamp)
			}
			if o.apply != nil {
				if err := o.apply(w.fold); err != nil {
					return err
				}
			}
		}
		if err := w.fold.settle(before.last); err != nil {
			return err
		}
		w.s.clock.see(newest)
		set := &w.fold.set
		_, err := w.db.exec("UPDATE self SET last = ?, clock = ?, digest = ?, records = ?",
			last, w.s.clock.now(), set.digest[:], set.records)
		return err
	})
	err = w.s.explain("write", err)
	w.settle(err)
	if err != nil {
		w.fold.forget()
		w.fold.set = before.set
		return nil, err
	}
	w.fold.recent.written()
	w.s.end.Store(&end{last: last, set: w.fold.set})
	return added, nil
}

// settle keeps what Err tells.
func (w *writer) settle(err error) {
	if err != nil {
		w.s.fail(err)
		return
	}
	var corrupt *CorruptError
	if before := w.s.Err(); before != nil && !errors.As(before, &corrupt) {
		w.s.failure.Store(nil)
		w.s.log.Info("the store takes writes again", "store", w.s.path)
	}
}

// report calls the hooks and the dones of each commit.
func (w *writer) report() {
	defer close(w.ended)
	for c := range w.committed {
		if len(c.new) > 0 {
			w.hooks.Lock()
			hooks := w.hooks.list
			w.hooks.Unlock()
			for _, f := range hooks {
				f(c.new)
			}
		}
		for _, o := range c.ops {
			o.done(c.err)
		}
	}
}
