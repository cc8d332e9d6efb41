package orchestrate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"brine/proto"
	"brine/states/plan"
)

// A pause is the data of salt/run/<jid>/pause, and of what takes it back: salt/run/<jid>/resume.
type pause struct {
	JID     string  `json:"jid"`
	State   string  `json:"state_id"` // "" is any
	Seconds float64 `json:"duration"` // once a state has come to it; 0 is until it is taken back
	User    string  `json:"user"`
}

// Pause keeps an orchestration from beginning a state, "" for any, until Resume or for so long once it has come to it.
// What has begun goes on. The error wraps ErrNotFound when there is no such orchestration, and is a *Refusal when it has ended.
func (o *Orchestrator) Pause(ctx context.Context, jid, state string, limit time.Duration, actor string) error {
	return o.keepPause(ctx, "pause", pause{JID: jid, State: state, Seconds: limit.Seconds()}, actor)
}

// Resume takes back what Pause said of a state, "" for all. Its errors are those of Pause.
func (o *Orchestrator) Resume(ctx context.Context, jid, state, actor string) error {
	return o.keepPause(ctx, "resume", pause{JID: jid, State: state}, actor)
}

func (o *Orchestrator) keepPause(ctx context.Context, what string, p pause, actor string) error {
	r, err := o.find(ctx, p.JID)
	if err != nil {
		return err
	}
	o.mu.Lock()
	over := r.end != nil
	o.mu.Unlock()
	if over {
		return &Refusal{Text: fmt.Sprintf("cannot %s orchestration %s: it has ended", what, p.JID)}
	}
	p.User = strings.TrimPrefix(actor, "operator ")
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = o.o.Records.Keep(ctx, &proto.Event{Tag: tagOf(p.JID, what), Data: data, Cause: r.record, Actor: actor})
	return err
}

// takePause folds a pause, or the end of one. Orchestrator.mu is held.
func (r *course) takePause(kind string, e *proto.Event) {
	p := pause{}
	switch err := json.Unmarshal(e.Data, &p); {
	case err != nil:
	case kind == "pause":
		r.pauses[p.State] = p
	case p.State == "":
		clear(r.pauses)
	default:
		delete(r.pauses, p.State)
	}
}

// paused is the pause that keeps a state from beginning. Orchestrator.mu is held.
func (r *course) paused(id string) (pause, bool) {
	if p, ok := r.pauses[id]; ok {
		return p, true
	}
	p, ok := r.pauses[""]
	return p, ok
}

// pausedNow tells before which states it is paused, where running tells that some other runs. Orchestrator.mu is held.
func (r *course) pausedNow(running bool) (all []string) {
	begun := map[string]bool{}
	for _, b := range r.begun {
		begun[b.ID] = true
	}
	for id := range r.pauses {
		switch {
		case id == "" && !running:
			all = append(all, "(paused)")
		case id != "" && !begun[id]:
			all = append(all, id+" (paused)")
		}
	}
	return all
}

// heldBack waits while the orchestration is paused before a state.
func (x *execution) heldBack(ctx context.Context, n *plan.Node) error {
	began := time.Now()
	for {
		x.mu.Lock()
		p, ok := x.course.paused(n.ID)
		left := time.Duration(p.Seconds*float64(time.Second)) - time.Since(began)
		ok = ok && (p.Seconds == 0 || left > 0)
		changed := x.course.changed
		x.mu.Unlock()
		if !ok {
			return nil
		}
		var over <-chan time.Time
		if p.Seconds > 0 {
			over = time.After(left)
		}
		select {
		case <-changed:
		case <-over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
