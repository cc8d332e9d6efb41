package master

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"brine/master/notify"
	"brine/proto"
	"brine/proto/config"
)

const (
	// takeOver is how long a master is silent before another delivers its messages.
	takeOver = 2 * time.Second
	// notifyLate is how old the first message that waits may be before status warns.
	notifyLate = 2 * time.Minute
)

// notifyProblems are the mistakes in what the configuration says of channels.
func (c *Config) notifyProblems(path, dropins string) (all []error) {
	for _, name := range slices.Sorted(maps.Keys(c.Notify)) {
		channel := c.Notify[name]
		_, errs := channel.Open(privateFile)
		if err := notify.CheckName(name); err != nil {
			errs = append(errs, err)
		}
		for _, err := range errs {
			all = append(all, fmt.Errorf("%s: [notify.%s] %w", config.Where(path, dropins, "notify", name), name, err))
		}
	}
	return all
}

// makeNotes makes what tells other systems. It begins with the chores.
func (m *Master) makeNotes(context.Context) (func(), error) {
	channels := map[string]*notify.Channel{}
	for name, c := range m.o.Config.Notify {
		channels[name] = &c
	}
	notes, err := notify.New(notify.Options{
		Master: m.id.Name, Log: m.store, Channels: channels, Secret: privateFile, Masters: m.otherNotes, Leaving: m.leaving, Logger: m.log.Named("notify"),
		Keep: func(ctx context.Context, recs []*proto.Record) error {
			_, err := m.keepEverywhere(ctx, recs)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	m.notes = notes
	m.store.OnCommit(notes.Committed)
	return nil, nil
}

// keepEverywhere stores records here and at the live masters. It names those that have not confirmed it.
func (m *Master) keepEverywhere(ctx context.Context, recs []*proto.Record) ([]string, error) {
	if err := m.store.Append(ctx, recs...); err != nil {
		return nil, err
	}
	_, late := m.peers.Commit(ctx, recs, "")
	return append(late, m.peers.Away()...), nil
}

// leaving tells whether this master stops.
func (m *Master) leaving() bool {
	select {
	case <-m.drain:
		return true
	default:
		return false
	}
}

// otherNotes are the other masters that may deliver messages.
func (m *Master) otherNotes() (all []notify.Master) {
	for _, k := range m.trust.Bundle().GetMasters() {
		if k.Name == m.id.Name || k.Revoked || m.peers.Late(k.Name) >= takeOver {
			continue
		}
		if beat := m.peers.Beat(k.Name); !beat.GetDraining() {
			all = append(all, notify.Master{Name: k.Name, Channels: beat.GetChannels()})
		}
	}
	return all
}

// notifyWarnings tell of messages that wait, and of those that could not be delivered.
func (m *Master) notifyWarnings(now time.Time) (texts []string) {
	lags, dead := m.notes.Lags()
	for _, l := range lags {
		age := now.Sub(l.Oldest)
		if age < notifyLate && l.Problem == "" {
			continue
		}
		text := fmt.Sprintf("notify %s: %d messages wait, the first for %v", l.Channel, l.Waiting, age.Round(time.Second))
		if l.Problem != "" {
			text += ": " + l.Problem
		}
		texts = append(texts, text)
	}
	if live := m.peers.Live(); dead > 0 && live[0] == m.id.Name {
		texts = append(texts, fmt.Sprintf("%d messages could not be delivered: brine notify ls --dead tells why, brine notify retry tries them again, drop forgets them", dead))
	}
	return texts
}

// testMessage is what an operator has sent to see whether it comes.
func testMessage(master, operator, channel string, now int64) notify.Message {
	at := time.UnixMicro(now).UTC()
	data, err := json.Marshal(map[string]any{"test": true, "operator": operator})
	if err != nil {
		data = nil
	}
	return notify.Message{
		ID: "test-" + master + "-" + strconv.FormatInt(now, 10), Channel: channel, Subject: "test from brine", At: at, Actor: "operator " + operator,
		Text:  "This is a test of channel " + channel + ", sent by master " + master + " for operator " + operator + ".",
		Event: notify.Event{Tag: "brine/notify/test", Origin: master, At: at, Data: data},
	}
}
