package notify

import (
	"strings"
	"time"

	"brine/proto"
)

// A State is what has become of a message.
type State string

// The states of messages.
const (
	Queued  State = "queued"
	Sent    State = "sent"
	Dead    State = "dead"
	Dropped State = "dropped"
)

// An entry is one message, as far as the log tells of it. Times are microseconds of the masters' clock.
type entry struct {
	id       string
	channel  string
	subject  string
	record   string // of the event that queued it; "": it has not come yet
	depth    uint32
	queued   int64
	sent     int64
	dead     int64
	retried  int64
	dropped  int64
	attempts int // that were told of
	outcome  string

	// Of this process alone:
	tries    int
	due      time.Time // not before
	problem  string    // of the last attempt
	busy     bool
	untold   string // sent or dead: what the log could not be told
	untoldBy *body
}

func (e *entry) state() State {
	switch {
	case e.sent > 0:
		return Sent
	case e.dropped > e.retried:
		return Dropped
	case e.dead > e.retried:
		return Dead
	}
	return Queued
}

// begun is from when on it is tried.
func (e *entry) begun() time.Time { return time.UnixMicro(max(e.queued, e.retried)) }

// entries are messages by id. The order in which events come does not matter.
type entries map[string]*entry

// fold takes in an event; nil when it tells of no message.
func (all entries) fold(record string, ev *proto.Event) *entry {
	if !strings.HasPrefix(ev.GetTag(), family) {
		return nil
	}
	what, b := read(ev)
	if b == nil {
		return nil
	}
	e := all[b.ID]
	if e == nil {
		e = &entry{id: b.ID, channel: b.Channel}
		all[b.ID] = e
	}
	switch what {
	case queued:
		if e.record == "" || ev.At < e.queued || ev.At == e.queued && record < e.record { // of two masters that queue it the first
			e.record, e.queued, e.subject, e.depth = record, ev.At, b.Subject, ev.Depth
		}
	case sent:
		e.sent, e.attempts, e.outcome = max(e.sent, ev.At), b.Attempts, b.Outcome
	case dead:
		if ev.At > e.dead {
			e.dead, e.attempts, e.outcome = ev.At, b.Attempts, b.Reason
		}
	case retried:
		if ev.At > e.retried {
			e.retried = ev.At
			e.tries, e.due = 0, time.Time{}
		}
	case dropped:
		e.dropped = max(e.dropped, ev.At)
	}
	return e
}
