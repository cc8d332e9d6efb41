package orchestrate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/jid"
)

// A course is what is known of an orchestration, folded from its events. Orchestrator.mu guards its fields.
type course struct {
	order  *order
	record string       // id of the order's
	event  *proto.Event // the order's
	begun  map[string]*begun
	ended  map[string]*outcome
	total  int

	driver   claim
	drivers  []string         // every one there was
	cancel   string           // who asked to end it; "" for nobody
	pauses   map[string]pause // by the ID of the state that does not begin; "" is any
	end      *proto.Event
	endedAt  time.Time           // when this master learnt of it
	claimed  bool                // this master has said so since it drives
	driving  func(cause error)   // ends the driving of this master; nil: it does not
	jobs     map[string]struct{} // of steps that run, for a cancel
	changed  chan struct{}       // closed when anything above is new
	complete bool                // its older events were read
}

// A claim is what a master says that drives an orchestration.
type claim struct {
	Master string `json:"master"`
	stamp  int64
}

// begun is the data of salt/run/<jid>/step/<key>/new.
type begun struct {
	Step    string `json:"step"` // the tag of its result
	ID      string `json:"id"`
	Fun     string `json:"fun"`
	Attempt int    `json:"attempt"`
	at      time.Time
	record  string
}

// outcome is the data of salt/run/<jid>/step/<key>/ret.
type outcome struct {
	Step     string          `json:"step"`
	Result   *bool           `json:"result"`
	Comment  string          `json:"comment"`
	Changes  json.RawMessage `json:"changes,omitempty"`
	Left     int             `json:"left_out,omitempty"` // bytes of changes that found no room: they are made again of the jobs
	Warnings []string        `json:"warnings,omitempty"`
	JID      string          `json:"jid,omitempty"`
	Unknown  bool            `json:"unknown,omitempty"`
	Certain  bool            `json:"certain,omitempty"`
}

const runTag = "salt/run/"

// Committed takes in what was stored; it is called for every commit.
func (o *Orchestrator) Committed(recs []*proto.Record) {
	for _, rec := range recs {
		if rec.Kind != proto.RecordKind_RECORD_EVENT || !mayBeRun(rec.Body) {
			continue
		}
		e := &proto.Event{}
		if pb.Unmarshal(rec.Body, e) == nil {
			o.take(rec.Id, e)
		}
	}
}

// mayBeRun tells by the first bytes of an event whether its tag is one of an orchestration: most are not, and need not be read.
func mayBeRun(body []byte) bool {
	const at = 2 // behind the field's number and its length, which is below 128
	return len(body) > at+len(runTag) && string(body[at:at+len(runTag)]) == runTag
}

// take folds an event.
func (o *Orchestrator) take(id string, e *proto.Event) {
	rest, ok := strings.CutPrefix(e.Tag, runTag)
	name, kind, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[name]
	if r == nil {
		if kind != "new" {
			return // of a call that is no orchestration, or one that has ended
		}
		r = o.open(id, e)
		if r == nil {
			return
		}
		o.runs[name] = r
	}
	r.take(id, kind, e)
	o.giveWay(r)
	close(r.changed)
	r.changed = make(chan struct{})
	o.wake()
}

// giveWay ends the driving of this master when another one drives, or somebody has ended the orchestration. The caller holds mu.
func (o *Orchestrator) giveWay(r *course) {
	switch {
	case r.driving == nil || r.end != nil:
	case r.driver.Master != o.o.Master && r.driver.Master != "" && r.claimed:
		r.driving(errAbandoned)
	case r.cancel != "":
		r.driving(errCancelled)
	}
}

// open reads an order; nil for a call of another function.
func (o *Orchestrator) open(id string, e *proto.Event) *course {
	ord := &order{}
	if json.Unmarshal(e.Data, ord) != nil || ord.Tree == "" || ord.Master == "" {
		return nil
	}
	return &course{order: ord, record: id, event: e, begun: map[string]*begun{}, ended: map[string]*outcome{}, jobs: map[string]struct{}{},
		pauses: map[string]pause{}, changed: make(chan struct{})}
}

func (r *course) take(id, kind string, e *proto.Event) {
	switch {
	case kind == "drive":
		c := claim{stamp: e.At}
		if json.Unmarshal(e.Data, &c) == nil && (c.stamp > r.driver.stamp || c.stamp == r.driver.stamp && c.Master > r.driver.Master) {
			r.driver = c
			r.drivers = append(r.drivers, c.Master)
		}
	case kind == "plan":
		var p struct {
			Total int `json:"total"`
		}
		_ = json.Unmarshal(e.Data, &p) // only shown
		r.total = p.Total
	case kind == "cancel":
		r.cancel = e.Actor
	case kind == "pause" || kind == "resume":
		r.takePause(kind, e)
	case kind == "ret":
		r.end, r.endedAt = e, time.Now()
	case strings.HasPrefix(kind, "step/"):
		key, what, _ := strings.Cut(strings.TrimPrefix(kind, "step/"), "/")
		r.takeStep(id, key, what, e)
	}
}

func (r *course) takeStep(id, key, what string, e *proto.Event) {
	switch what {
	case "new":
		b := &begun{at: time.UnixMicro(e.At), record: id}
		if old := r.begun[key]; json.Unmarshal(e.Data, b) == nil && (old == nil || b.at.Before(old.at)) {
			r.begun[key] = b // of two the first counts: what follows from its time is the same at every master
		}
	case "ret":
		out := &outcome{}
		if r.ended[key] == nil && json.Unmarshal(e.Data, out) == nil {
			r.ended[key] = out
		}
	}
}

// takeUp finds the orchestrations that have not ended.
func (o *Orchestrator) takeUp(ctx context.Context) error {
	orders, err := o.o.Records.Events(ctx, tagOf(strings.Repeat("?", jid.Len), "new"), time.Now().Add(-openFor), maxOpen)
	if err != nil {
		return err
	}
	for _, e := range orders {
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Event.Tag, runTag), "/")
		if _, err := o.find(ctx, name); err != nil && ctx.Err() == nil {
			o.log.Warn("orchestration not taken up", "job", name, "err", err)
		}
	}
	return ctx.Err()
}

// clocks is how far the clock of who makes an orchestration may be ahead of those of the masters.
const clocks = 15 * time.Minute

// maxSteps bounds the events of one orchestration.
const maxSteps = 100_000

// find returns an orchestration, of the log if need be. The error wraps ErrNotFound when there is none.
func (o *Orchestrator) find(ctx context.Context, name string) (*course, error) {
	o.mu.Lock()
	r := o.runs[name]
	complete := r != nil && r.complete
	o.mu.Unlock()
	if complete {
		return r, nil
	}
	at, err := jid.Time(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	first, err := o.o.Records.Events(ctx, tagOf(name, "new"), at.Add(-clocks), 1)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 || o.open(first[0].Id, first[0].Event) == nil {
		if r != nil {
			return r, nil
		}
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	all, err := o.o.Records.Events(ctx, tagOf(name, "*"), time.UnixMicro(first[0].Event.At), maxSteps)
	if err != nil {
		return nil, err
	}
	o.take(first[0].Id, first[0].Event)
	for i := len(all) - 1; i >= 0; i-- {
		o.take(all[i].Id, all[i].Event)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r = o.runs[name]; r == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	r.complete = true
	return r, nil
}
