package orchestrate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"brine/proto"
)

// Why a master no longer drives.
var (
	errAbandoned = errors.New("another master drives the orchestration")
	errCancelled = errors.New("the orchestration was cancelled")
)

// look begins to drive what is for this master to drive, and forgets what has ended.
func (o *Orchestrator) look(ctx context.Context) {
	live, behind := o.o.Masters.Live(), o.o.Masters.Behind()
	o.mu.Lock()
	var mine []*course
	for name, r := range o.runs {
		switch {
		case r.driving == nil && (r.end != nil && time.Since(r.endedAt) > keptFor || time.Since(time.UnixMicro(r.event.At)) > openFor):
			delete(o.runs, name)
			delete(o.shared, name)
		case r.driving != nil:
			o.giveWay(r)
		case r.driving == nil && r.end == nil && o.drives(r, live, behind):
			within, stop := context.WithCancelCause(ctx)
			r.driving = stop
			mine = append(mine, r)
			o.work.Go(func() { o.drive(within, r) })
		}
	}
	o.mu.Unlock()
	for _, r := range mine {
		o.log.Debug("drives an orchestration", "job", r.order.JID)
	}
}

// drives tells whether it is for this master to drive: for the first of those that are live, and once that is silent for
// the first of the others. The caller holds mu.
func (o *Orchestrator) drives(r *course, live []string, behind bool) bool {
	order := time.UnixMicro(r.event.At)
	age := time.Since(order)
	switch {
	case order.Before(o.began) && time.Since(o.began) < o.o.Settle:
		return false
	case age > openFor, behind && age > takeOver: // it may have ended long ago
		return false
	case r.driver.Master == "":
		return first(r.order.JID, live) == o.o.Master
	case r.driver.Master == o.o.Master:
		return true // it drove before it was started again
	case o.o.Masters.Late(r.driver.Master) < takeOver:
		return false
	}
	others := slices.DeleteFunc(slices.Clone(live), func(name string) bool { return name == r.driver.Master })
	return first(r.order.JID, others) == o.o.Master
}

// first is the one of some masters that an id falls to: each alone finds the same, and ids spread over all.
func first(id string, masters []string) (best string) {
	var highest string
	for _, name := range masters {
		sum := sha256.Sum256([]byte(id + "\x00" + name))
		if weight := string(sum[:]); best == "" || weight > highest {
			best, highest = name, weight
		}
	}
	return best
}

// drive carries an orchestration out and writes down how it ended.
func (o *Orchestrator) drive(ctx context.Context, r *course) {
	defer func() {
		o.mu.Lock()
		r.driving(nil)
		r.driving, r.claimed = nil, false
		o.mu.Unlock()
	}()
	if mine, err := o.remember(ctx, r); err != nil {
		o.pause(ctx, r, err)
		return
	} else if !mine {
		return
	}
	if _, err := o.keep(ctx, r, claim{Master: o.o.Master}, "drive"); err != nil {
		o.pause(ctx, r, err)
		return
	}
	o.mu.Lock()
	r.claimed = true
	o.giveWay(r)
	o.mu.Unlock()
	x := &execution{Orchestrator: o, course: r}
	ret, err := x.carryOut(ctx)
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCancelled):
		return // another goes on, or this one after its next start
	case err != nil:
		o.pause(ctx, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if _, err := o.keep(ctx, r, ret, "ret"); err != nil {
		o.log.Error("end of an orchestration not stored", "job", r.order.JID, "err", err)
	}
}

// remember reads what the log has of an orchestration, of which this master may have heard in another order, and tells whether
// it is still for this master to drive.
func (o *Orchestrator) remember(ctx context.Context, r *course) (bool, error) {
	if _, err := o.find(ctx, r.order.JID); err != nil {
		return false, err
	}
	live, behind := o.o.Masters.Live(), o.o.Masters.Behind()
	o.mu.Lock()
	defer o.mu.Unlock()
	return r.end == nil && o.drives(r, live, behind), nil
}

// pause waits a while before an orchestration is tried again that could not be gone on with.
func (o *Orchestrator) pause(ctx context.Context, r *course, err error) {
	if ctx.Err() != nil {
		return
	}
	o.log.Warn("cannot go on with an orchestration yet", "job", r.order.JID, "err", err)
	select {
	case <-time.After(takeOver):
	case <-ctx.Done():
	}
}

// keep stores an event of an orchestration.
func (o *Orchestrator) keep(ctx context.Context, r *course, data any, tag ...string) (id string, err error) {
	body, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	e := &proto.Event{Tag: tagOf(r.order.JID, tag...), Data: body, Cause: r.record, Depth: r.event.Depth, Actor: r.event.Actor}
	return o.o.Records.Keep(ctx, e)
}

// Cancel ends an orchestration and the jobs of its steps that run. The error wraps ErrNotFound when there is none.
func (o *Orchestrator) Cancel(ctx context.Context, jid, actor string) error {
	r, err := o.find(ctx, jid)
	if err != nil {
		return err
	}
	o.mu.Lock()
	over := r.end != nil
	o.mu.Unlock()
	if over {
		return nil
	}
	data, err := json.Marshal(map[string]string{"jid": jid, "user": strings.TrimPrefix(actor, "operator ")})
	if err != nil {
		return err
	}
	_, err = o.o.Records.Keep(ctx, &proto.Event{Tag: tagOf(jid, "cancel"), Data: data, Cause: r.record, Actor: actor})
	return err
}
