package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
	tags "brine/proto/tag"
)

// minionEvents stores what a minion tells. The master that it is connected to answers, when all is on the disk: until then
// the minion keeps it.
func (m *Master) minionEvents(msg *nats.Msg) {
	if !subject.IsEventBatch(msg.Subject) {
		m.minionEvent(msg)
		return
	}
	id, _, err := subject.ParseEvent(msg.Subject)
	batch := &proto.EventBatch{}
	if err == nil {
		err = pb.Unmarshal(msg.Data, batch)
	}
	if err != nil {
		m.complain(id, "events refused", "subject", msg.Subject, "err", err)
		return
	}
	if batch.Dropped > 0 {
		m.complain(id, "events lost: the minion had no room for them while no master took them", "minion", id, "dropped", batch.Dropped)
	}
	reply := &proto.EventBatchReply{}
	var recs []*proto.Record
	for _, e := range batch.Events {
		if ok, _ := m.quotas.take(id, len(e.Data)+len(e.Tag), time.Now()); !ok {
			reply.Wait = tryAgain.Microseconds()
			break
		}
		reply.Settled++
		rec, err := minionRecord(id, e)
		if err != nil {
			m.complain(id, "event refused", "minion", id, "tag", e.Tag, "err", err)
			if len(reply.Refused) < maxNamedEvents {
				reply.Refused = append(reply.Refused, fmt.Sprintf("%.80q: %v", e.Tag, err))
			}
			continue
		}
		recs = append(recs, rec)
	}
	m.keepAll(recs, m.store.Enqueue, func(err error) {
		if err != nil {
			m.complain(id, "cannot keep events", "minion", id, "err", err)
			return // the minion asks again
		}
		m.answerEvents(msg, id, reply)
	})
}

const (
	maxNamedEvents = 5           // that were refused, in one answer
	tryAgain       = time.Second // until a minion that is over its quota may send more
)

// minionRecord makes the record of an event that a minion tells, under its own time, so that it is the same at every master.
func minionRecord(id string, e *proto.Event) (*proto.Record, error) {
	e.Origin = id
	if err := checkEvent(e, time.Now()); err != nil {
		return nil, err
	}
	return store.NewRecord(e.At, id, e)
}

// keepAll stores records by enqueue and calls done once, with the first error.
func (m *Master) keepAll(recs []*proto.Record, enqueue func(*proto.Record, func(error)), done func(error)) {
	if len(recs) == 0 {
		done(nil)
		return
	}
	var left atomic.Int64
	var failed atomic.Pointer[error]
	left.Store(int64(len(recs)))
	for _, rec := range recs {
		enqueue(rec, func(err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
			if left.Add(-1) > 0 {
				return
			}
			if why := failed.Load(); why != nil {
				done(*why)
				return
			}
			done(nil)
		})
	}
	m.store.Hurry()
}

func (m *Master) answerEvents(msg *nats.Msg, id string, reply *proto.EventBatchReply) {
	if msg.Reply == "" || !m.broker.ConnectedHere(id) {
		return
	}
	data, err := pb.Marshal(reply)
	if err == nil {
		err = m.broker.Reply(msg, subject.Token(id), data)
	}
	if err != nil {
		m.complain(id, "cannot answer minion", "minion", id, "verb", "events", "err", err)
	}
}

// minionEvent stores a single event of a minion. Its origin is the subject's token,
// and what masters alone may say is refused.
func (m *Master) minionEvent(msg *nats.Msg) {
	if id, _, err := subject.ParseEvent(msg.Subject); err == nil {
		if ok, dropped := m.quotas.take(id, len(msg.Data), time.Now()); !ok {
			m.complain(id, "events dropped: the minion sends more than its quota (events in master.toml)",
				"minion", id, "subject", msg.Subject, "dropped", dropped)
			return
		}
	}
	e, err := readEvent(msg.Subject, msg.Data, time.Now())
	if err != nil {
		id, _, _ := subject.ParseEvent(msg.Subject) // "" of what is no such subject
		m.complain(id, "event refused", "subject", msg.Subject, "err", err)
		return
	}
	// Under the minion's own time, so that it is the same record at every master.
	m.keepEvent(e, e.At)
}

// event stores an event of this master.
func (m *Master) event(tag string, data map[string]any) {
	body, err := json.Marshal(data)
	if err != nil {
		m.log.Error("cannot write an event", "tag", tag, "err", err)
		return
	}
	now := m.store.Stamp()
	m.keepEvent(&proto.Event{Tag: tag, Origin: m.id.Name, Data: body, At: now}, now)
}

func (m *Master) keepEvent(e *proto.Event, stamp int64) {
	rec, err := store.NewRecord(stamp, e.Origin, e)
	if err != nil {
		m.complain(e.Origin, "cannot keep an event", "origin", e.Origin, "tag", e.Tag, "err", err)
		return
	}
	m.store.Enqueue(rec, func(err error) {
		if err != nil {
			m.complain(e.Origin, "cannot keep an event", "origin", e.Origin, "tag", e.Tag, "err", err)
		}
	})
}

const (
	maxEvent = 256 << 10
	// eventAhead is how far a minion's clock may be ahead. Its events are stamped by it, and a stamp
	// carries the masters' hybrid clock along, towards the limit from which they refuse each other.
	eventAhead = time.Minute
)

// readEvent checks an event that came on a minion's subject.
func readEvent(subj string, data []byte, now time.Time) (*proto.Event, error) {
	id, tag, err := subject.ParseEvent(subj)
	if err != nil {
		return nil, err
	}
	e := &proto.Event{}
	if len(data) > maxEvent {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(data), maxEvent)
	}
	if err := pb.Unmarshal(data, e); err != nil {
		return nil, err
	}
	e.Origin = id
	if strings.ReplaceAll(e.Tag, "/", ".") != tag {
		return nil, fmt.Errorf("its tag %q is not that of its subject", e.Tag)
	}
	return e, checkEvent(e, now)
}

// checkEvent refuses what a minion, the event's origin, may not tell.
func checkEvent(e *proto.Event, now time.Time) error {
	if err := tags.Check(e.Tag, e.Origin); err != nil {
		return err
	}
	switch {
	case len(e.Data) > maxEvent:
		return fmt.Errorf("its data has %d bytes, the limit is %d", len(e.Data), maxEvent)
	case !json.Valid(e.Data):
		return errors.New("its data is no JSON")
	case e.Depth != 0 || e.Actor != "" || len(e.RequestId) > 0:
		return errors.New("only masters say who made an event happen")
	case e.Cause != "" && !isJob(e.Cause):
		return errors.New("its cause is no job")
	case e.At <= 0 || e.At > now.Add(eventAhead).UnixMicro():
		return fmt.Errorf("clock differs by %.0f s from minion %q: check NTP", time.UnixMicro(e.At).Sub(now).Seconds(), e.Origin)
	}
	return nil
}

func isJob(id string) bool {
	_, err := jid.Time(id)
	return err == nil
}
