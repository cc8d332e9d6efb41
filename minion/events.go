package minion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"brine/minion/outbox"
	tags "brine/proto/tag"
	"brine/states/host"
	"brine/states/value"
)

// openEvents is a step of Run.
func (m *Minion) openEvents() (close func(), err error) {
	o := outbox.Options{Path: m.layout.Events(), Tell: m.link.TellEvents, Log: m.log.Named("events"), Now: m.o.Now}
	if m.o.Stateless {
		o.Path = ""
	}
	if m.events, err = outbox.Open(o); err != nil {
		return nil, err
	}
	return func() {
		if err := m.events.Close(); err != nil {
			m.log.Error("events not closed", "err", err)
		}
	}, nil
}

// eventsOf keeps events that come of a job for the masters.
func (m *Minion) eventsOf(job string) host.Event {
	return func(_ context.Context, tag string, data *value.Dict) error { return m.sendEvent(tag, job, data) }
}

// sendEvent keeps an event for the masters. Its cause is a job, or "".
func (m *Minion) sendEvent(tag, cause string, data *value.Dict) error {
	if err := tags.Check(tag, m.state.id); err != nil { // masters refuse it, when nobody is told any more
		return err
	}
	body, err := value.MarshalJSON(data)
	if err != nil {
		return fmt.Errorf("cannot send event %s: %w", tag, err)
	}
	return m.events.Send(tag, cause, body)
}

// started tells that the minion runs, as Salt does.
func (m *Minion) started() {
	id := m.state.id
	err := m.sendEvent("salt/minion/"+id+"/start", "", value.NewDict(
		"cmd", "_minion_event", "id", id, "data", fmt.Sprintf("Minion %s started at %s", id, time.Now().UTC().Format(time.ANSIC))))
	if err != nil && !errors.Is(err, outbox.ErrFull) {
		m.log.Error("the start was not told", "err", err)
	}
}
