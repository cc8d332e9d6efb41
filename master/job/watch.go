package job

import (
	"context"
	"errors"
	"math"
	"time"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

const (
	aliveEach   = 500 * time.Millisecond // a watcher hears at least so often
	settleFor   = 20 * time.Millisecond  // what comes within goes in one frame
	fillIn      = 5 * time.Second        // how long a job without a record is waited for
	cachedBytes = 4 << 20                // of values that wait for one watcher; the rest is read from the store
	cachedValue = 64 << 10
)

// Send passes a frame to whoever watches; more is false with the last one.
type Send func(f *proto.WatchFrame, more bool) error

// watcher follows one job for somebody.
type watcher struct {
	job    *job
	signal chan struct{} // something is new
	enough chan struct{} // the last one that is waited for has ended

	// Guarded by Manager.mu:
	dirty  map[string]*proto.Return // minions to look at; with the return when it is new and small
	cached int
	all    bool // look at everything, the job itself too
	ends   int  // how many have ended the job since the goroutine looked
	awaits int  // how many it waited for then

	// Of the watching goroutine alone:
	out       stream
	shown     map[string]shown
	unsettled int
	since     time.Time
}

// shown is what the watcher was told about a minion.
type shown struct {
	status      Status
	settled     bool
	end         ended
	reason      string
	done, total uint32
	current     string
}

// Request serves an operator's request for a job: it resolves, submits, or
// submits and watches.
func (m *Manager) Request(ctx context.Context, op *proto.OperatorRecord, r *proto.RunRequest, send Send) error {
	if r.GetTest() {
		frame, err := m.Resolve(ctx, op, r.GetRequest())
		if err != nil {
			return err
		}
		return sendLarge(frame, send)
	}
	if !r.GetWatch() {
		info, err := m.Submit(ctx, op, r.GetRequest(), r.GetKeys()...)
		if err != nil {
			return err
		}
		return send(&proto.WatchFrame{Job: info}, false)
	}
	var jid string
	err := whileAlive(send, func() (err error) {
		jid, err = m.submit(ctx, op, r.GetRequest(), r.GetKeys()...)
		return err
	})
	if err != nil {
		return err
	}
	return m.Watch(ctx, jid, false, send)
}

// whileAlive does work that may take long, such as hashing a tree, and tells
// the other side meanwhile that this master lives.
func whileAlive(send Send, work func() error) error {
	stop, told := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(aliveEach)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				told <- nil
				return
			case <-tick.C:
				if err := send(&proto.WatchFrame{Alive: true}, true); err != nil {
					told <- err
					return
				}
			}
		}
	}()
	err := work()
	close(stop)
	lost := <-told // what is sent later comes after the last sign
	if err != nil {
		return err
	}
	return lost
}

// Watch tells everything that is known of a job, and then what changes, until
// nothing more will come by itself or ctx ends. With once it only tells what
// is known. A refusal is an *Error.
func (m *Manager) Watch(ctx context.Context, id string, once bool, send Send) error {
	w, err := m.attach(ctx, id)
	if err != nil {
		return err
	}
	defer m.detach(w)
	w.out.send = send
	if err := m.begin(ctx, w); err != nil {
		return err
	}
	if once {
		return m.finish(w, m.over(w) || m.ownOver(w))
	}
	return m.follow(ctx, w)
}

func checkJID(id string) error {
	if _, err := jid.Time(id); err != nil {
		return refuse(proto.ApiError_INVALID, "%v", err)
	}
	return nil
}

func (m *Manager) attach(ctx context.Context, id string) (*watcher, error) {
	if err := m.find(ctx, id); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[id]
	if j == nil {
		return nil, refuse(proto.ApiError_NOT_FOUND, "cannot find job %s: no record of it is here", id)
	}
	w := &watcher{
		job: j, signal: make(chan struct{}, 1), enough: make(chan struct{}, 1), awaits: math.MaxInt,
		dirty: map[string]*proto.Return{}, shown: map[string]shown{}, since: time.Now(),
	}
	j.watchers[w] = struct{}{}
	return w, nil
}

func (m *Manager) detach(w *watcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(w.job.watchers, w)
	w.job.touched = time.Now()
}

// show makes the watchers look at a minion. r is its return, if that is new.
// The caller holds Manager.mu.
func (j *job) show(id string, r *proto.Return) {
	for w := range j.watchers {
		if old := w.dirty[id]; old != nil {
			w.cached -= len(old.Value)
		}
		keep := r
		if r != nil && (len(r.Value) > cachedValue || w.cached+len(r.Value) > cachedBytes) {
			keep = nil
		}
		if keep != nil {
			w.cached += len(keep.Value)
		}
		w.dirty[id] = keep
		poke(w.signal)
		if r != nil {
			w.ends++
		}
		if w.ends >= w.awaits {
			poke(w.enough)
		}
	}
}

// tell makes the watchers look at everything. The caller holds Manager.mu.
func (j *job) tell() {
	for w := range j.watchers {
		w.all = true
		poke(w.signal)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// begin tells what is known: first the job and who has not ended it, then
// what the others returned.
func (m *Manager) begin(ctx context.Context, w *watcher) error {
	all := m.look(w.job, nil, true)
	returned := 0
	w.out.frame.Job = m.infoOf(w.job, all)
	for _, l := range all {
		if l.n.ended() {
			returned++
		} else if err := w.tell(l, nil); err != nil {
			return err
		}
	}
	if err := w.out.flush(); err != nil {
		return err
	}
	if returned == 0 {
		return nil
	}
	byID := make(map[string]looked, len(all))
	for _, l := range all {
		byID[l.id] = l
	}
	err := m.o.Store.Returns(ctx, w.job.jid, func(r *proto.Return) error {
		l, known := byID[r.Minion]
		if _, ends := ending(r.Outcome); !known || !ends {
			return nil
		}
		return w.tell(l.with(r), r)
	})
	if err != nil {
		return err
	}
	for _, l := range all { // a return that the store no longer has
		if _, told := w.shown[l.id]; !told {
			if err := w.tell(l, nil); err != nil {
				return err
			}
		}
	}
	return w.out.flush()
}

// follow tells what changes until the job is over.
func (m *Manager) follow(ctx context.Context, w *watcher) error {
	tick := time.NewTicker(aliveEach)
	defer tick.Stop()
	for {
		if m.over(w) {
			// What was settled by the clock may have changed since.
			if err := m.refresh(ctx, w); err != nil {
				return err
			}
			if m.over(w) {
				return m.finish(w, true)
			}
		}
		m.await(w)
		var err error
		select {
		case <-ctx.Done():
			return refuse(proto.ApiError_UNAVAILABLE, "master %s is stopping", m.o.Master)
		case <-w.signal:
			w.gather(ctx)
			err = m.news(ctx, w)
		case <-tick.C:
			err = m.refresh(ctx, w)
			if err == nil && !w.out.sent {
				err = w.out.send(&proto.WatchFrame{Alive: true}, true)
			}
			w.out.sent = false
		}
		if err != nil {
			return err
		}
	}
}

// await tells the other side how many minions must end the job before there is
// nothing left to wait for.
func (m *Manager) await(w *watcher) {
	if m.awaits(w) {
		m.o.Store.Hurry()
	}
}

// awaits tells whether what is on its way into the store is all that is left.
func (m *Manager) awaits(w *watcher) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.awaits = w.unsettled
	if w.ends >= w.awaits {
		poke(w.enough)
		return false
	}
	select {
	case <-w.enough:
	default:
	}
	return w.job.isLast()
}

// gather waits a little for more of the same, unless that was the last.
func (w *watcher) gather(ctx context.Context) {
	if !w.out.sent {
		return // nothing was sent for a while: be quick
	}
	timer := time.NewTimer(settleFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.enough:
	case <-ctx.Done():
	}
}

// news tells what others have marked as new.
func (m *Manager) news(ctx context.Context, w *watcher) error {
	m.mu.Lock()
	dirty, all := w.dirty, w.all
	w.dirty, w.cached, w.all, w.ends = map[string]*proto.Return{}, 0, false, 0
	m.mu.Unlock()
	if all {
		if err := m.review(w); err != nil {
			return err
		}
	}
	ids := make([]string, 0, len(dirty))
	for id := range dirty {
		ids = append(ids, id)
	}
	for _, l := range m.look(w.job, ids, true) {
		if err := m.tellReturn(ctx, w, l, dirty[l.id]); err != nil {
			return err
		}
	}
	return w.out.flush()
}

// tellReturn tells about a minion, with its return if it has ended.
func (m *Manager) tellReturn(ctx context.Context, w *watcher, l looked, r *proto.Return) error {
	if l.n.ended() && w.shown[l.id].end == l.n.end {
		return nil
	}
	if l.n.ended() && r == nil {
		var err error
		r, err = m.o.Store.Return(ctx, w.job.jid, l.id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return w.tell(l, r)
}

// refresh looks at everybody who has not ended the job: time changes their state.
func (m *Manager) refresh(ctx context.Context, w *watcher) error {
	for _, l := range m.look(w.job, nil, false) {
		if err := m.tellReturn(ctx, w, l, nil); err != nil {
			return err
		}
	}
	return w.out.flush()
}

// review tells about the job itself again: its record has come, or a cancel.
func (m *Manager) review(w *watcher) error {
	all := m.look(w.job, nil, true)
	kept := make(map[string]bool, len(all))
	for _, l := range all {
		kept[l.id] = true
		if !l.n.ended() {
			if err := w.tell(l, nil); err != nil {
				return err
			}
		}
	}
	for id, s := range w.shown {
		if !kept[id] { // the record says that it was not meant
			if !s.settled {
				w.unsettled--
			}
			delete(w.shown, id)
		}
	}
	w.out.frame.Job = m.infoOf(w.job, all)
	return nil
}

// over tells whether nobody needs to be waited for.
func (m *Manager) over(w *watcher) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.unsettled > 0 || len(w.shown) < len(w.job.minions) {
		return false
	}
	return w.job.record != nil || time.Since(w.since) >= fillIn
}

// finish sends the last frame. A job whose record is missing is not done: whom
// it was for is not known.
func (m *Manager) finish(w *watcher, done bool) error {
	counts := map[string]uint32{}
	for _, s := range w.shown {
		counts[string(s.status)]++
	}
	info := m.describe(w.job, counts, done)
	return w.out.send(&proto.WatchFrame{Job: info, Done: done && !info.Incomplete}, false)
}
