package event

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/event"
)

const (
	maxListed  = 1000
	frameBytes = 700 << 10 // of events in one message
	readAtOnce = 256       // records
	aliveEvery = 500 * time.Millisecond
	keptJobs   = 256 // requests that are kept, for their returns
)

// A Log is the events of a store. Its methods may be called from many goroutines.
type Log struct {
	store *store.Store

	mu      sync.Mutex    // guards the fields below
	changed chan struct{} // closed by the next commit
	other   chan struct{} // by the next of anything but returns
	asked   map[string]*proto.JobRequest
}

// New makes a Log. It follows the store's commits for as long as that is open.
func New(s *store.Store) *Log {
	l := &Log{store: s, changed: make(chan struct{}), other: make(chan struct{}), asked: map[string]*proto.JobRequest{}}
	s.OnCommit(func(records []*proto.Record) {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(l.changed)
		l.changed = make(chan struct{})
		if slices.ContainsFunc(records, func(r *proto.Record) bool { return r.Kind != proto.RecordKind_RECORD_RETURN }) {
			close(l.other)
			l.other = make(chan struct{})
		}
	})
	return l
}

// Asked is the request of a job; nil when it is not in the store.
func (l *Log) Asked(jid string) *proto.JobRequest {
	l.mu.Lock()
	q, ok := l.asked[jid]
	l.mu.Unlock()
	if ok {
		return q
	}
	rec, err := l.store.Job(context.Background(), jid)
	if err != nil {
		return nil // it may come
	}
	if q, err = Asked(rec); err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asked) >= keptJobs {
		clear(l.asked)
	}
	l.asked[jid] = q
	return q
}

// List tells the newest events that a query chooses, before a position of an answer before; 0 is the end. Where it has looked
// through much it tells less than limit, and from where to look on. The error is an *target.Error about a glob, or the store's.
func (l *Log) List(ctx context.Context, q *proto.EventQuery, limit int, before int64) (*proto.EventListReply, error) {
	if _, err := event.Compile(q); err != nil {
		return nil, err
	}
	limit = min(cmp.Or(max(limit, 0), 50), maxListed)
	find := l.newest
	if q.GetCause() != "" {
		find = l.chain
	}
	all, next, err := find(ctx, q, limit, before)
	if err != nil {
		return nil, err
	}
	reply, size := &proto.EventListReply{}, 0
	for i, e := range all {
		info := &proto.EventInfo{Id: e.ID, Event: e.Event}
		if size += pb.Size(info); i == limit || size > frameBytes && i > 0 {
			break
		}
		reply.Events, reply.Next = append(reply.Events, info), e.Seq
	}
	if len(reply.Events) == len(all) && len(all) < limit {
		reply.Next = next
	}
	return reply, nil
}

// chain are up to limit events of what a query's cause led to, those stored last first. It looks through all of them.
func (l *Log) chain(ctx context.Context, q *proto.EventQuery, limit int, before int64) ([]store.EventEntry, int64, error) {
	filter, err := event.Compile(q)
	if err != nil {
		return nil, 0, err
	}
	recs, err := l.store.Chain(ctx, q.GetCause())
	if err != nil {
		return nil, 0, err
	}
	var all []store.EventEntry
	for _, r := range recs {
		if before > 0 && r.Sequence >= before {
			continue
		}
		e, err := l.of(r)
		if err != nil || e == nil || !filter.Match(e) {
			continue // pruned meanwhile
		}
		if all = append(all, store.EventEntry{Seq: r.Sequence, ID: r.Record.Id, Event: e}); len(all) == limit {
			break
		}
	}
	return all, 0, nil
}

// newest are up to limit events of each kind of record, those stored last first, and where to look on; 0 is the end.
func (l *Log) newest(ctx context.Context, q *proto.EventQuery, limit int, before int64) ([]store.EventEntry, int64, error) {
	f := store.EventFilter{
		Tags: q.GetTags(), Origins: q.GetOrigins(), Actors: q.GetActors(), Texts: q.GetTexts(), Since: q.GetSince(), Until: q.GetUntil(),
		Before: before, Limit: limit,
	}
	all, err := l.store.Events(ctx, f)
	for _, e := range all {
		Deepen(e.Event, l)
	}
	if err != nil {
		return nil, 0, err
	}
	find := l.works
	if len(f.Texts) > 0 || len(f.Actors) > 0 {
		find = l.sought
	}
	works, next, err := find(ctx, q, f)
	if err != nil {
		return nil, 0, err
	}
	all = slices.DeleteFunc(append(all, works...), func(e store.EventEntry) bool { return e.Seq < next })
	slices.SortFunc(all, func(a, b store.EventEntry) int { return cmp.Compare(b.Seq, a.Seq) })
	return all, next, nil
}

// works are the events of jobs and returns that a filter without texts and actors chooses.
func (l *Log) works(ctx context.Context, _ *proto.EventQuery, f store.EventFilter) (all []store.EventEntry, next int64, err error) {
	works, err := l.store.JobEvents(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	for _, w := range works {
		recs, err := l.store.Records(ctx, []string{w.Record.Id}, frameBytes)
		if err != nil {
			return nil, 0, err
		}
		rec := w.Record
		if len(recs) > 0 {
			rec = recs[0]
		}
		e, err := Of(rec, l)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, store.EventEntry{Seq: w.Sequence, ID: w.Record.Id, Event: e})
	}
	return all, 0, nil
}

// Watch sends the events that a query chooses, from now on; with after also those later than that time, in microseconds of
// Unix time, which are in the store already. It ends with ctx or when send fails, with that error.
func (l *Log) Watch(ctx context.Context, q *proto.EventQuery, after int64, send func(*proto.EventFrame) error) error {
	if q.GetCause() != "" {
		return errors.New("cannot watch for a cause: list it")
	}
	filter, err := event.Compile(q)
	if err != nil {
		return err
	}
	at := l.store.Last()
	if err := send(&proto.EventFrame{Alive: true}); err != nil {
		return err
	}
	if after > 0 {
		if err := l.sendSince(ctx, q, after, at, send); err != nil {
			return err
		}
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		changed := l.Changed(true)
		if at, err = l.sendNew(ctx, filter, at, send); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-alive.C:
			err = send(&proto.EventFrame{Alive: true})
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// After gives up to limit events that stand in the log behind a place, in order, and up to which place these are all.
func (l *Log) After(ctx context.Context, at int64, limit int, returns bool) (all []store.EventEntry, upTo int64, err error) {
	upTo = l.store.Last()
	told, err := l.store.EventsAfter(ctx, at, limit, returns)
	if err != nil {
		return nil, at, err
	}
	for _, t := range told {
		e, err := l.of(t)
		if err != nil || e == nil {
			continue // the store has checked it
		}
		all = append(all, store.EventEntry{Seq: t.Sequence, ID: t.Record.Id, Event: e})
	}
	if len(told) == limit {
		upTo = told[limit-1].Sequence
	} else if n := len(told); n > 0 {
		upTo = max(upTo, told[n-1].Sequence)
	}
	return all, max(at, upTo), nil
}

// Event gives the event of a record; store.ErrNotFound when that is not here.
func (l *Log) Event(ctx context.Context, id string) (*proto.Event, error) {
	recs, err := l.store.Records(ctx, []string{id}, maxRead)
	if err != nil || len(recs) == 0 {
		return nil, cmp.Or(err, store.ErrNotFound)
	}
	e, err := Of(recs[0], l)
	if err == nil && e == nil {
		err = store.ErrNotFound
	}
	return e, err
}

const (
	maxRead      = 64 << 20 // bytes of a record whose event is asked for
	maxAncestors = 32
)

// Ancestors are the actors of what has an id, of a record or of a job, and of what led to it, the nearest first.
func (l *Log) Ancestors(ctx context.Context, cause string) (actors []string) {
	for range maxAncestors {
		if cause == "" {
			break
		}
		if q := l.Asked(cause); q != nil {
			actors, cause = append(actors, actor(q)), q.Cause
			continue
		}
		e, err := l.Event(ctx, cause)
		if err != nil {
			break
		}
		actors, cause = append(actors, e.Actor), e.Cause
	}
	return actors
}

// Changed is closed with the next commit, of whatever or of anything but returns.
func (l *Log) Changed(returns bool) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if returns {
		return l.changed
	}
	return l.other
}

// sendSince sends what is in the log up to a position, and later than a time.
func (l *Log) sendSince(ctx context.Context, q *proto.EventQuery, after, upTo int64, send func(*proto.EventFrame) error) error {
	q = pb.CloneOf(q)
	q.Since = max(q.Since, after)
	var all []store.EventEntry
	for before := upTo + 1; before > 0 && len(all) < maxListed; {
		some, next, err := l.newest(ctx, q, maxListed, before)
		if err != nil {
			return err
		}
		all, before = append(all, some...), next
	}
	slices.Reverse(all)
	b := batch{send: send}
	for _, e := range all {
		if err := b.add(e.ID, e.Event); err != nil {
			return err
		}
	}
	return b.flush()
}

// sendNew sends what the filter chooses of what stands in the log behind a position, and returns the last one.
func (l *Log) sendNew(ctx context.Context, filter *event.Filter, at int64, send func(*proto.EventFrame) error) (int64, error) {
	b := batch{send: send}
	for {
		told, err := l.store.EventsAfter(ctx, at, readAtOnce, true)
		if err != nil {
			return at, err
		}
		for _, t := range told {
			at = t.Sequence
			e, err := l.of(t)
			if err != nil || !filter.Match(e) {
				continue // the store has checked it
			}
			if err := b.add(t.Record.Id, e); err != nil {
				return at, err
			}
		}
		if len(told) < readAtOnce {
			return at, b.flush()
		}
	}
}

// of is the event of an entry. A body that is left out, of a return whose value is large, is read.
func (l *Log) of(t *proto.LogEntry) (*proto.Event, error) {
	rec := t.Record
	if rec.Body == nil && t.Size > 0 {
		whole, err := l.store.Records(context.Background(), []string{rec.Id}, int(t.Size))
		if err != nil || len(whole) == 0 {
			return nil, cmp.Or(err, store.ErrNotFound)
		}
		rec = whole[0]
	}
	return Of(rec, l)
}

// A batch gathers events for one frame.
type batch struct {
	send  func(*proto.EventFrame) error
	frame *proto.EventFrame
	size  int
}

func (b *batch) add(id string, e *proto.Event) error {
	info := &proto.EventInfo{Id: id, Event: e}
	if size := pb.Size(info); b.frame == nil || b.size+size > frameBytes {
		if err := b.flush(); err != nil {
			return err
		}
		b.frame = &proto.EventFrame{}
	}
	b.frame.Events, b.size = append(b.frame.Events, info), b.size+pb.Size(info)
	return nil
}

func (b *batch) flush() error {
	if b.frame == nil {
		return nil
	}
	f := b.frame
	b.frame, b.size = nil, 0
	return b.send(f)
}
