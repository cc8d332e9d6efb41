package job

import (
	"errors"
	"math/rand/v2"
	"sort"
	"syscall"
)

// settledBudget is how many bytes of values are kept of jobs whose return all
// masters have, so that a resent job can be answered in full.
const settledBudget = 16 << 20

// compact writes what still counts into the waiting file and goes on there.
// After an error the file in use is as it was.
func (f *File) compact(budget int64) error {
	err := f.rewrite(budget)
	if budget > 0 && errors.Is(err, syscall.ENOSPC) {
		err = f.rewrite(0)
	}
	return err
}

func (f *File) rewrite(budget int64) error {
	if f.spare == nil {
		d, err := createDisk(f.name(1-f.index), nil)
		if err != nil {
			return err
		}
		f.spare = f.wrap(d)
	}
	w, err := f.rewritten(budget)
	if err != nil {
		return err
	}
	f.change(w)
	if err := f.eraseSpare(); err != nil {
		f.log.Warn("old journal not erased yet", "file", f.name(1-f.index), "err", err)
	}
	return nil
}

// rewritten makes the waiting file one that counts more than the one in use.
func (f *File) rewritten(budget int64) (*rewriter, error) {
	size, err := f.spare.Size()
	if err != nil {
		return nil, err
	}
	w := &rewriter{f: f, to: f.spare, tail: firstFrame, size: size, lean: budget == 0,
		header: header{f.header.generation + 1, rand.Uint64()}}
	if err := w.all(budget); err != nil {
		return nil, errors.Join(err, f.spare.Shrink(preallocated))
	}
	f.doubt = true
	if _, err := f.spare.WriteAt(w.header.encode(), 0); err != nil {
		return nil, errors.Join(err, f.eraseSpare())
	}
	if err := f.spare.Sync(); err != nil {
		return nil, errors.Join(err, f.eraseSpare())
	}
	return w, nil
}

// change makes the rewritten file the one in use.
func (f *File) change(w *rewriter) {
	f.turn.Lock()
	defer f.turn.Unlock()
	for _, m := range w.moves {
		m.apply()
	}
	f.active, f.spare = f.spare, f.active
	f.index = 1 - f.index
	f.header, f.next = w.header, w.next
	f.tail, f.size, f.base = w.tail, w.size, w.tail
	f.suspect, f.lean = false, w.lean
}

// rewriter fills the waiting file.
type rewriter struct {
	f      *File
	to     disk
	header header
	next   uint64
	tail   int64
	size   int64
	buf    []byte
	moves  []*move
	lean   bool
}

// move is where the data of an entry will be.
type move struct {
	j        *Journal
	e        *entry
	envelope ref
	fin      ref
	parts    []ref
}

func (m *move) apply() {
	m.j.mu.Lock()
	defer m.j.mu.Unlock()
	m.e.envelope, m.e.fin, m.e.parts, m.e.trimmed = m.envelope, m.fin, m.parts, false
}

func (w *rewriter) all(budget int64) error {
	w.buf = make([]byte, frameHeader)
	after, _ := w.f.taking()
	if after != 0 {
		if _, err := w.put(record{kind: kindTakeAfter, issued: after}); err != nil {
			return err
		}
	}
	for _, j := range w.f.all() {
		others, entries := j.snapshot()
		for _, r := range others {
			if _, err := w.put(r); err != nil {
				return err
			}
		}
		sort.Slice(entries, func(i, k int) bool { return newer(entries[i], entries[k]) }) // the budget goes to the newest
		for _, s := range entries {
			if err := w.entry(j, s, &budget); err != nil {
				return err
			}
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.to.Sync()
}

// kept is an entry as it was when the snapshot was taken.
type kept struct {
	e *entry
	entry
}

func (w *rewriter) entry(j *Journal, s kept, budget *int64) error {
	m := &move{j: j, e: s.e}
	r := record{minion: j.id, jid: s.jid, req: s.req, issued: s.issued, notAfter: s.notAfter, function: s.function}
	var err error
	switch {
	case s.saved == settled && s.fin.n == 0: // the masters have a return that was forgotten here
	case s.saved >= returned:
		err = w.result(r, s, m, budget)
	case s.saved == started:
		r.kind = kindStarted
		_, err = w.put(r)
		if err == nil && s.restarting {
			err = w.mark(r, kindRestarting)
		}
		if err == nil { // the first pieces of a value may be here before its Return
			err = w.pieces(r, s, m)
		}
	default:
		r.kind, r.data = kindAccepted, w.readable(s.envelope)
		m.envelope, err = w.put(r)
	}
	if err == nil && s.saved == settled {
		r.kind, r.index, r.data = kindSettled, 0, nil
		_, err = w.put(r)
	}
	w.moves = append(w.moves, m)
	return err
}

func (w *rewriter) mark(r record, k kind) error {
	_, err := w.put(record{kind: k, minion: r.minion, jid: r.jid, req: r.req})
	return err
}

// result copies the pieces of the value and the Return. What is settled and
// over the budget, or can no longer be read, keeps the outcome only.
func (w *rewriter) result(r record, s kept, m *move, budget *int64) error {
	whole := !s.trimmed
	fin := w.readable(s.fin)
	if fin == nil {
		fin, whole = unreadable(m.j.id, s.e), false
	}
	if whole && s.saved == settled {
		if *budget -= s.bytes(); *budget < 0 {
			fin, whole = strip(fin, "the masters have the value; it is no longer kept here"), false
		}
	}
	if whole {
		if err := w.pieces(r, s, m); err != nil {
			return err
		}
	}
	if len(m.parts) < len(s.parts) || s.trimmed {
		fin, m.parts = strip(fin, reasonUnreadable), nil
	}
	r.kind, r.index, r.data = kindReturned, uint32(len(m.parts)), fin
	at, err := w.put(r)
	m.fin = at
	return err
}

// pieces copies the pieces up to the first that cannot be read.
func (w *rewriter) pieces(r record, s kept, m *move) error {
	for i, part := range s.parts {
		data := w.readable(part)
		if data == nil {
			return nil
		}
		r.kind, r.index, r.data = kindValue, uint32(i), data
		at, err := w.put(r)
		if err != nil {
			return err
		}
		m.parts = append(m.parts, at)
	}
	return nil
}

// readable returns the data at r, nil when the disk no longer gives it: a bad
// block must not keep the rest from being written anew.
func (w *rewriter) readable(r ref) []byte {
	if r.n == 0 {
		return nil
	}
	data, err := w.f.read(r)
	if err != nil {
		w.f.log.Error("part of the journal is lost", "err", err)
		return nil
	}
	return data
}

// put adds a record and returns where its data will lie.
func (w *rewriter) put(r record) (ref, error) {
	if len(w.buf) > frameTarget {
		if err := w.flush(); err != nil {
			return ref{}, err
		}
	}
	var at int
	w.buf, at = r.append(w.buf)
	return ref{w.tail + int64(at), uint32(len(r.data)), checksum(r.data)}, nil
}

func (w *rewriter) flush() error {
	if len(w.buf) == frameHeader {
		return nil
	}
	if end := w.tail + int64(len(w.buf)); end > w.size {
		size := (end + growth - 1) / growth * growth
		if err := w.to.Grow(size); err != nil {
			return err
		}
		w.size = size
	}
	sealFrame(w.buf, w.header.nonce, w.next, w.size)
	if _, err := w.to.WriteAt(w.buf, w.tail); err != nil {
		return err
	}
	w.tail += int64(len(w.buf))
	w.next++
	w.buf = w.buf[:frameHeader]
	return nil
}

// newer orders by the signed issued-at, the newest first.
func newer(a, b kept) bool {
	return a.issued > b.issued || a.issued == b.issued && a.jid > b.jid
}
