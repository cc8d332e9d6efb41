package peer

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"brine/proto"
)

const (
	pullTimeout = 5 * time.Second // of one request of a puller
	farBehind   = 2000            // entries: beyond, the decisions are read before the rest
	minPause    = time.Second     // after a failure; doubled up to maxPause
	maxPause    = 10 * time.Second
	minHold     = time.Minute // before a refused record is asked for again; doubled up to maxHold
	maxHold     = time.Hour
)

// A puller reads one master's log. It belongs to the goroutine of pullLoop.
type puller struct {
	p *Peers
	m *master

	incarnation string // of the log that is read
	read        int64  // how far it was read
	held        int64  // an entry that was refused for now; 0: none
	heldUntil   time.Time
	hold        time.Duration

	instance string    // the process with which eager was settled
	eager    bool      // read at once: we have just met
	target   int64     // read up to here
	since    time.Time // when the log was seen to reach it
	retry    time.Time // not before, after a failure
	pause    time.Duration
	whole    bool // most entries are missing here: ask for them, not for their ids
}

// pullLoop keeps up with a master's log. Each heartbeat tells how far that
// is; a master that is silent is left alone.
func (p *Peers) pullLoop(m *master) {
	l := &puller{p: p, m: m}
	for {
		select {
		case <-p.ctx.Done():
			return
		case beat := <-m.beats:
			if err := l.follow(p.ctx, beat); err != nil && p.ctx.Err() == nil {
				l.failed(err)
			}
		}
	}
}

func (l *puller) failed(err error) {
	if l.pause == 0 {
		l.p.log.Warn("cannot read a master's log", "master", l.m.name, "err", err)
	} else {
		l.p.log.Debug("cannot read a master's log", "master", l.m.name, "err", err)
	}
	l.pause = min(max(2*l.pause, minPause), maxPause)
	l.retry = l.p.o.Now().Add(l.pause)
}

// follow reads what a heartbeat shows to be there. Every master hears returns
// and events itself, so what is new has two intervals to come by that way.
func (l *puller) follow(ctx context.Context, beat *proto.Heartbeat) error {
	now := l.p.o.Now()
	if now.Before(l.retry) && l.instance == beat.Instance {
		return nil
	}
	if err := l.p.checkOwnLog(ctx, l.m.name, beat); err != nil {
		return err
	}
	if err := l.open(beat); err != nil {
		return err
	}
	if err := l.skip(ctx, beat); err != nil || l.incarnation != beat.Incarnation {
		return err
	}
	switch {
	case l.eager:
		l.target, l.since = beat.Sequence, time.Time{}
	case l.target <= l.read:
		l.target, l.since = beat.Sequence, now
	}
	if l.target > l.read && now.Sub(l.since) >= 2*l.p.o.Interval {
		if err := l.catchUp(ctx); err != nil || l.incarnation != beat.Incarnation {
			return err
		}
		if l.held == 0 {
			l.hold = 0
		}
	}
	if l.pause > 0 {
		l.p.log.Info("reading a master's log again", "master", l.m.name)
	}
	l.pause = 0
	if l.eager && l.read >= l.target {
		l.eager = false
		l.p.settled(l.m)
	}
	return nil
}

// open finds the place in the log that the heartbeat is about.
func (l *puller) open(beat *proto.Heartbeat) error {
	if l.instance != beat.Instance {
		l.instance, l.eager = beat.Instance, true
	}
	if l.incarnation != beat.Incarnation {
		incarnation, sequence, err := l.p.o.Store.Cursor(l.m.name)
		if err != nil {
			return fmt.Errorf("cannot find the place in the log of %q: %w", l.m.name, err)
		}
		if incarnation != beat.Incarnation {
			sequence = 0 // another log: everything in it may be new
		}
		l.begin(beat.Incarnation, sequence)
	}
	if l.held > 0 && l.p.o.Now().After(l.heldUntil) {
		l.read, l.held = l.held-1, 0
		l.target, l.since = max(l.target, beat.Sequence), time.Time{}
	}
	return nil
}

func (l *puller) begin(incarnation string, sequence int64) {
	l.incarnation, l.read, l.target = incarnation, sequence, 0
	l.held, l.hold, l.eager = 0, 0, true
	l.tell()
}

// kept is the place in the log that the store keeps when all up to read was
// looked at: everything before it is here.
func (l *puller) kept(read int64) int64 {
	if l.held > 0 {
		return min(read, l.held-1)
	}
	return read
}

// tell has the next heartbeats say how far we are.
func (l *puller) tell() {
	c := &proto.PeerCursor{Master: l.m.name, Incarnation: l.incarnation, Sequence: l.kept(l.read)}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.m.cursor = c
}

// skip goes on to the place in the log that the heartbeat is about without
// reading up to it, when the records here are the same as those there. It first
// tells the other master, which must know how far others may know its log.
func (l *puller) skip(ctx context.Context, beat *proto.Heartbeat) error {
	set, records, _ := l.p.o.Store.Set()
	if beat.Sequence <= l.kept(l.read) || beat.Records != records || !bytes.Equal(beat.Set, set) {
		return nil
	}
	page := &proto.Page{}
	req := &proto.PullRequest{Incarnation: l.incarnation, After: beat.Sequence}
	if err := l.call(ctx, "note", req, page); err != nil {
		return err
	}
	if page.Incarnation != l.incarnation {
		l.begin(page.Incarnation, 0)
		return nil
	}
	if page.Last < beat.Sequence {
		return fmt.Errorf("the log of %q ends at %d, before %d", l.m.name, page.Last, beat.Sequence)
	}
	if err := l.p.o.Store.Import(ctx, l.m.name, l.incarnation, beat.Sequence, nil); err != nil {
		return fmt.Errorf("cannot store the place in the log of %q: %w", l.m.name, err)
	}
	l.read, l.held, l.hold = beat.Sequence, 0, 0
	l.tell()
	return nil
}

// settled ends the eager reading of a log.
func (p *Peers) settled(m *master) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.caughtUp = true
	p.broadcast()
}

// catchUp reads up to the target. What decides who is trusted comes first
// when there is much to read.
func (l *puller) catchUp(ctx context.Context) error {
	if l.eager && l.target-l.read > farBehind {
		if err := l.walk(ctx, isDecision); err != nil {
			return err
		}
	}
	return l.walk(ctx, nil)
}

func isDecision(r *proto.Record) bool {
	switch r.Kind {
	case proto.RecordKind_RECORD_KEY, proto.RecordKind_RECORD_OPERATOR, proto.RecordKind_RECORD_MASTER,
		proto.RecordKind_RECORD_BUNDLE, proto.RecordKind_RECORD_TOKEN:
		return true
	}
	return false
}

// walk reads page after page up to the target and takes what is missing here.
// With only it takes nothing else, and leaves the place in the log alone.
func (l *puller) walk(ctx context.Context, only func(*proto.Record) bool) error {
	for at := l.read; at < l.target; {
		page := &proto.Page{}
		req := &proto.PullRequest{Incarnation: l.incarnation, After: at, IdsOnly: only != nil || !l.whole}
		if err := l.call(ctx, "pull", req, page); err != nil {
			return err
		}
		if page.Incarnation != l.incarnation {
			l.begin(page.Incarnation, 0)
			return nil // the next heartbeat tells how far that log goes
		}
		entries, end, err := l.cut(page, at)
		if err != nil {
			return err
		}
		if only == nil {
			err = l.take(ctx, entries, end)
		} else if some := pick(entries, only); len(some) > 0 {
			err = l.take(ctx, some, 0)
		}
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// cut returns the entries of a page up to the target, and how far that is.
func (l *puller) cut(page *proto.Page, after int64) (entries []*proto.LogEntry, end int64, err error) {
	end = after
	for _, e := range page.Entries {
		if e.GetRecord() == nil || e.Record.Id == "" || e.Sequence <= end || e.Size < 0 || e.Size > maxBody {
			return nil, 0, fmt.Errorf("the log of %q is out of order after %d", l.m.name, end)
		}
		if e.Sequence > l.target {
			return entries, l.target, nil
		}
		entries = append(entries, e)
		end = e.Sequence
	}
	if len(page.Entries) == 0 {
		if page.Last < l.target {
			return nil, 0, fmt.Errorf("the log of %q ends at %d, before %d", l.m.name, page.Last, l.target)
		}
		end = l.target // what was between has been deleted there
	}
	return entries, end, nil
}

func pick(entries []*proto.LogEntry, only func(*proto.Record) bool) (picked []*proto.LogEntry) {
	for _, e := range entries {
		if only(e.Record) {
			picked = append(picked, e)
		}
	}
	return picked
}

// call asks the master whose log is read.
func (l *puller) call(ctx context.Context, verb string, req, resp message) error {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	return l.p.Call(ctx, l.m.name, "repl", verb, req, resp)
}
