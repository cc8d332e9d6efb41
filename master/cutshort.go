package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/master/schedule"
	"brine/master/store"
	"brine/proto/elect"
	"brine/proto/jid"
)

// A function of masters, unlike an orchestration, ends with the master that calls it. The others then tell its end: that it was
// cut short; what the schedule has called and only reads is called again.
const (
	cutEach  = 2 * time.Second // between two looks at who lives
	cutAfter = 5 * time.Second // a master that is only late is back by then
	cutBack  = 7 * 24 * time.Hour
	cutMost  = 10_000 // calls that are looked at
)

// endCutShort looks, when masters have come or gone, for calls that were cut short, until ctx ends.
func (m *Master) endCutShort(ctx context.Context) {
	tick := time.NewTicker(cutEach)
	defer tick.Stop()
	seen, due := "", time.Time{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		if who := m.whoLives(); who != seen {
			seen, due = who, now.Add(cutAfter)
		}
		if due.IsZero() || now.Before(due) || (siteMasters{m}).Behind() {
			continue
		}
		if err := m.lookForCutShort(ctx, now); err != nil && ctx.Err() == nil {
			m.log.Warn("not known which calls were cut short; it is looked again", "err", err)
			due = now.Add(cutAfter)
			continue
		}
		due = time.Time{}
	}
}

// whoLives are the live masters and when they began, in one text.
func (m *Master) whoLives() string {
	var b strings.Builder
	for _, name := range m.peers.Live() {
		fmt.Fprintf(&b, "%s %d\n", name, m.peers.Beat(name).GetStartedAt())
	}
	return b.String()
}

// lookForCutShort ends the calls that were cut short and that this master is chosen for.
func (m *Master) lookForCutShort(ctx context.Context, now time.Time) error {
	f := store.CallFilter{Since: jid.FromTime(now.Add(-cutBack)), Limit: listedMost}
	var errs []error
	for looked := 0; looked < cutMost; {
		found, err := m.store.Calls(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range found {
			_, id, _ := idOfCall(e.Event.Tag)
			if id == f.Before {
				continue // of a call that was taken up the last beginning counts
			}
			f.Before = id
			if elect.First(m.peers.Live(), id) == m.id.Name {
				errs = append(errs, m.endIfCutShort(ctx, e))
			}
		}
		if looked += len(found); len(found) < f.Limit || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// endIfCutShort tells the end of a call that has none and does not go on, or takes it up.
func (m *Master) endIfCutShort(ctx context.Context, e store.EventEntry) error {
	c, err := m.callingOf(ctx, e.Event)
	if err != nil || c.ended != nil || c.goes {
		return err
	}
	function := strings.TrimPrefix(c.Function, c.kind+".")
	if _, err := m.orchestrations.Goes(ctx, c.id); !errors.Is(err, orchestrate.ErrNotFound) || m.runners.Own(c.kind, function) {
		return err
	}
	if again := m.scheduledAgain(c, function); again != nil {
		again.JID, again.Depth = c.id, e.Event.Depth
		if again.Record, err = m.tellCall(ctx, *again, "new", map[string]any{"after": c.begun.Origin}); err == nil {
			m.log.Info("scheduled function is called again: its master went away while it ran", "function", c.Function, "job", c.id, "master", c.begun.Origin)
			m.carryOn(ctx, *again)
		}
		return err
	}
	call := runner.Call{Kind: c.kind, Function: function, JID: c.id, Caller: runner.Caller{Actor: e.Event.Actor, Record: e.ID, Depth: e.Event.Depth}}
	_, err = m.tellCall(ctx, call, "ret", map[string]any{
		"success": false, "retcode": 1, "interrupted": true, "fun_args": c.Args,
		"return": fmt.Sprintf("interrupted: master %s went away while it ran, and how far it came is not known; it is not done twice", c.begun.Origin),
	})
	return err
}

// takenUp tells whether a call that is cut short is called again by another master.
func (m *Master) takenUp(c runner.Call) bool {
	return strings.HasPrefix(c.Actor, scheduledBy("")) && m.runners.Reads(c.Kind, c.Function)
}

// startCutShort begins to end what was cut short.
func (m *Master) startCutShort(ctx context.Context) (func(), error) {
	var running sync.WaitGroup
	running.Go(func() { m.endCutShort(ctx) })
	return running.Wait, nil
}

// scheduledAgain is the call of an entry of the schedule that may be called again; nil: it may not, or there is none any more.
func (m *Master) scheduledAgain(c *calling, function string) *runner.Call {
	name, ok := strings.CutPrefix(c.begun.Actor, scheduledBy(""))
	if !ok || c.begun.Cause != "" || !m.runners.Reads(c.kind, function) {
		return nil
	}
	i := slices.IndexFunc(m.schedule.Jobs(), func(j *schedule.Job) bool { return j.Name == name && j.Target == "" })
	at, err := jid.Time(c.id)
	if i < 0 || err != nil {
		return nil
	}
	again, err := scheduledCall(schedule.Due{Job: m.schedule.Jobs()[i], At: at.Truncate(time.Second)})
	if err != nil || again.Kind != c.kind || again.Function != function {
		return nil
	}
	return &again
}
