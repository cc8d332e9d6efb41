// Package notify tells other systems, and people, what happens: by webhooks and by mail.
//
// What is to be told is an event in the log first, so that no crash of a master loses it. Of the masters that are live one
// delivers it, chosen by the message's id; another goes on when that one falls silent. So each message is delivered at least
// once, and maybe twice, with the same Idempotency-Key. What cannot be delivered for a day is dead: it is kept, listed and
// can be tried again.
package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/master/store"
	"brine/proto"
)

// A Message is something to be told.
type Message struct {
	ID      string // the Idempotency-Key: the same for what is told again
	Channel string // the name of one, or the address of a webhook that is none: https://..., in which no secret is
	Subject string
	Text    string
	Event   Event
	Cause   string // the id of the record that led to it
	Depth   uint32
	Actor   string // who has it told
	At      time.Time
}

// An Event is what a message tells of; the zero value is none.
type Event struct {
	ID     string          `json:"id,omitempty"`
	Tag    string          `json:"tag"`
	Origin string          `json:"origin"`
	At     time.Time       `json:"at"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// What the tag of an event ends with, after family and the channel.
const (
	family = "brine/notify/"

	queued  = "queued"
	sent    = "sent"
	dead    = "dead"
	retried = "retried"
	dropped = "dropped"

	address = "address" // in the place of a channel, of a message for an address
)

const (
	maxID        = 256
	maxSubject   = 1 << 10
	maxText      = 64 << 10
	maxEventData = 128 << 10
)

// body is the data of the events of a message. Those that follow the first have its id and channel, and what they tell.
type body struct {
	ID       string `json:"id"`
	Channel  string `json:"channel"`
	Subject  string `json:"subject,omitempty"`
	Text     string `json:"text,omitempty"`
	Event    *Event `json:"event,omitempty"`
	Attempts int    `json:"attempts,omitempty"`
	Outcome  string `json:"outcome,omitempty"` // of sent: what the other side said
	Reason   string `json:"reason,omitempty"`  // of dead
}

// check tells why a message cannot be taken, and cuts what is too long.
func (m *Message) check() error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if m.ID == "" || len(m.ID) > maxID || strings.ContainsFunc(m.ID, odd) {
		return fmt.Errorf("cannot send a message with the id %.80q: want up to %d printable bytes without spaces", m.ID, maxID)
	}
	m.Subject = cut(strings.Join(strings.Fields(m.Subject), " "), maxSubject)
	m.Text = cut(m.Text, maxText)
	if len(m.Event.Data) > maxEventData || len(m.Event.Data) > 0 && !json.Valid(m.Event.Data) {
		m.Event.Data = nil
	}
	return nil
}

func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// isAddress tells whether a channel's name is the address of a webhook.
func isAddress(channel string) bool { return strings.Contains(channel, "://") }

func tag(channel, what string) string {
	if isAddress(channel) {
		channel = address
	}
	return family + channel + "/" + what
}

// record makes the record of a step of a message.
func record(stamp int64, master string, e *proto.Event, what string, b *body) (*proto.Record, error) {
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	e.Tag, e.Origin, e.At, e.Data = tag(b.Channel, what), master, stamp, data
	return store.NewRecord(stamp, master, e)
}

// read gives what an event tells of a message; "" when it tells of none.
func read(e *proto.Event) (what string, b *body) {
	rest, ok := strings.CutPrefix(e.GetTag(), family)
	if !ok {
		return "", nil
	}
	_, what, _ = strings.Cut(rest, "/")
	b = &body{}
	if err := json.Unmarshal(e.GetData(), b); err != nil || b.ID == "" {
		return "", nil // masters alone write such events
	}
	return what, b
}

// message is that of a queued event.
func message(e *proto.Event) (*Message, error) {
	what, b := read(e)
	if what != queued {
		return nil, errors.New("cannot read a message: it is another event")
	}
	m := &Message{ID: b.ID, Channel: b.Channel, Subject: b.Subject, Text: b.Text, Cause: e.Cause, Depth: e.Depth, Actor: e.Actor,
		At: time.UnixMicro(e.At).UTC()}
	if b.Event != nil {
		m.Event = *b.Event
	}
	return m, nil
}
