package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

var _ Log = (*store.Store)(nil)

// Log is what an Engine needs of the master's store.
type Log interface {
	Stamp() int64
	Events(ctx context.Context, f store.EventFilter) ([]store.EventEntry, error)
	Records(ctx context.Context, ids []string, maxBytes int) ([]*proto.Record, error)
}

// A Master is another master that is heard.
type Master struct {
	Name     string
	Channels []string // that it has
}

// Options are what an Engine needs. Masters, Leaving, Hold, Random and Logger may be left out.
type Options struct {
	Master   string
	Log      Log
	Keep     func(ctx context.Context, recs []*proto.Record) error // stores records here, and at the live masters
	Channels map[string]*Channel
	Secret   func(file string) ([]byte, error)
	Masters  func() []Master // the others, as long as they are heard
	Leaving  func() bool     // this master stops: another one should deliver
	Hold     time.Duration   // how long nothing is tried after a master has come, which may have tried it
	Random   func() float64  // from 0 to 1
	Logger   hclog.Logger
}

const (
	parallel    = 4 // messages of one channel at a time
	defaultHold = 2 * time.Second
	lookEach    = 250 * time.Millisecond
	firstPause  = time.Second // after a failure; doubled up to
	lastPause   = 5 * time.Minute
	channelRest = 30 * time.Second // longest pause of a whole channel
	remember    = 30 * 24 * time.Hour
	forgetSent  = 2 * 24 * time.Hour
	pageSize    = 500
)

// An Engine delivers messages. Its methods may be called from many goroutines.
type Engine struct {
	o       Options
	log     hclog.Logger
	senders map[string]Sender
	wake    chan struct{}
	loaded  chan struct{}
	wait    sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	all     entries
	open    map[string]*entry // those that are queued
	queues  map[string]*queue
	drivers drivers
	swept   time.Time
}

// A queue is how a channel fares here.
type queue struct {
	busy     int
	failures int
	rest     time.Time // nothing is tried before
	problem  string
}

// New makes an Engine. It delivers nothing before Run. Every mistake in the channels is in the error.
func New(o Options) (*Engine, error) {
	if o.Hold <= 0 {
		o.Hold = defaultHold
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	e := &Engine{o: o, log: o.Logger, senders: map[string]Sender{}, wake: make(chan struct{}, 1), loaded: make(chan struct{}), all: entries{},
		open: map[string]*entry{}, queues: map[string]*queue{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(o.Channels)) {
		s, wrong := o.Channels[name].Open(o.Secret)
		for _, err := range wrong {
			errs = append(errs, fmt.Errorf("channel %s: %w", name, err))
		}
		e.senders[name] = s
	}
	return e, errors.Join(errs...)
}

// Channels are the names of the channels that this master has, sorted.
func (e *Engine) Channels() []string { return slices.Sorted(maps.Keys(e.senders)) }

// sender is that of a channel, or of an address; nil where this master has no such channel.
func (e *Engine) sender(channel string) Sender {
	if s := e.senders[channel]; s != nil || !isAddress(channel) {
		return s
	}
	s, errs := (&Channel{Kind: kindWebhook, URL: channel}).Open(e.o.Secret)
	if len(errs) > 0 {
		return nil
	}
	return s
}

// Check tells why a message cannot go to a channel.
func (e *Engine) Check(channel string) error {
	if e.sender(channel) != nil {
		return nil
	}
	if isAddress(channel) {
		return errors.New("cannot send a message to this address: want one such as https://host/path")
	}
	known := strings.Join(e.Channels(), ", ")
	return fmt.Errorf("there is no channel %q: [notify.NAME] of master.toml has %s", channel, cmp.Or(known, "none"))
}

// Send takes charge of a message: when it returns nil the message is stored here and at the live masters, and can no longer be
// lost. One whose id was taken before is not taken again. The error tells why it is not taken.
func (e *Engine) Send(ctx context.Context, m Message) error {
	if err := errors.Join(m.check(), e.Check(m.Channel)); err != nil {
		return err
	}
	select {
	case <-e.loaded:
	case <-ctx.Done():
		return fmt.Errorf("cannot queue message %s: %w", m.ID, ctx.Err())
	}
	e.mu.Lock()
	known := e.all[m.ID]
	e.mu.Unlock()
	if known != nil && known.record != "" {
		return nil
	}
	ev := &proto.Event{Cause: m.Cause, Depth: m.Depth, Actor: m.Actor}
	err := e.keep(ctx, ev, queued, &body{ID: m.ID, Channel: m.Channel, Subject: m.Subject, Text: m.Text, Event: m.event()})
	if err != nil {
		return fmt.Errorf("cannot queue message %s: %w", m.ID, err)
	}
	return nil
}

func (e *Engine) keep(ctx context.Context, ev *proto.Event, what string, b *body) error {
	rec, err := record(e.o.Log.Stamp(), e.o.Master, ev, what, b)
	if err == nil {
		err = e.o.Keep(ctx, []*proto.Record{rec})
	}
	return err
}

// Committed takes in what has come to the log.
func (e *Engine) Committed(recs []*proto.Record) {
	for _, rec := range recs {
		if rec.GetKind() != proto.RecordKind_RECORD_EVENT {
			continue
		}
		ev := &proto.Event{}
		if err := pb.Unmarshal(rec.Body, ev); err == nil { // the store has checked it
			e.fold(rec.Id, ev)
		}
	}
}

func (e *Engine) fold(id string, ev *proto.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.all.fold(id, ev)
	if x == nil {
		return
	}
	if x.retried == ev.At { // somebody thinks that it works now
		e.queue(x.channel).rest = time.Time{}
	}
	if x.state() == Queued && x.record != "" {
		e.open[x.id] = x
	} else {
		delete(e.open, x.id)
	}
	e.hurry()
}

// hurry has Run look soon.
func (e *Engine) hurry() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// load reads what the log tells of messages.
func (e *Engine) load(ctx context.Context) error {
	f := store.EventFilter{Tags: []string{family + "*"}, Since: time.UnixMicro(e.o.Log.Stamp()).Add(-remember).UnixMicro(), Limit: pageSize}
	for {
		page, err := e.o.Log.Events(ctx, f)
		if err != nil {
			return err
		}
		for _, x := range page {
			e.fold(x.ID, x.Event)
			f.Before = x.Seq
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// Run delivers messages until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	defer e.wait.Wait()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for e.load(ctx) != nil { // the store tells of its trouble itself
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	close(e.loaded)
	e.mu.Lock()
	e.drivers.changed = time.Now() // what others try is not known yet
	e.mu.Unlock()
	for {
		e.step(ctx, time.Now())
		select {
		case <-tick.C:
		case <-e.wake:
		case <-ctx.Done():
			return
		}
	}
}

// step begins what is due.
func (e *Engine) step(ctx context.Context, now time.Time) {
	var others []Master
	if e.o.Masters != nil {
		others = e.o.Masters()
	}
	leaving := e.o.Leaving != nil && e.o.Leaving()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drivers.look(others, e.o.Master, e.Channels(), leaving, now)
	e.sweep(now)
	var due []*entry
	for _, x := range e.open {
		if e.due(x, now) && e.drivers.first(x) == e.o.Master {
			due = append(due, x)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int { return cmp.Or(cmp.Compare(a.queued, b.queued), cmp.Compare(a.id, b.id)) })
	for _, x := range due {
		e.begin(ctx, x, now)
	}
}

// due tells whether it is time to do something about a message, should it be for this master to do it.
func (e *Engine) due(x *entry, now time.Time) bool {
	if x.busy || now.Before(x.due) || now.Sub(e.drivers.changed) < e.o.Hold && !x.begun().After(e.drivers.changed) {
		return false
	}
	return x.untold != "" || e.over(x, now) || e.queue(x.channel).free(now)
}

// over tells whether a message was tried for long enough.
func (e *Engine) over(x *entry, now time.Time) bool {
	return now.Sub(x.begun()) >= e.o.Channels[x.channel].retryFor()
}

// free tells whether a channel may take one more message.
func (q *queue) free(now time.Time) bool {
	return q.busy == 0 && !now.Before(q.rest) || q.busy < parallel && q.failures == 0
}

// sweep forgets what was delivered long ago.
func (e *Engine) sweep(now time.Time) {
	if now.Sub(e.swept) < time.Hour {
		return
	}
	e.swept = now
	for id, x := range e.all {
		age := now.Sub(time.UnixMicro(max(x.queued, x.sent, x.dead, x.retried, x.dropped)))
		if x.state() != Queued && age > remember || x.state() == Sent && age > forgetSent {
			delete(e.all, id)
		}
	}
}

// begin tries a message, unless its channel has enough to do, or rests.
func (e *Engine) begin(ctx context.Context, x *entry, now time.Time) {
	q := e.queue(x.channel)
	var b *body
	what := x.untold
	switch s := e.sender(x.channel); {
	case what != "":
		b = x.untoldBy
	case e.over(x, now) && (x.tries > 0 || q.failures > 0 || s == nil):
		what, b = dead, e.reasonOf(x, cmp.Or(x.problem, q.problem, "no master has the channel "+x.channel))
	case s == nil:
		x.due = now.Add(lastPause)
		return
	case !q.free(now):
		return
	default:
		x.busy = true
		q.busy++
		e.wait.Go(func() { e.try(ctx, s, x) })
		return
	}
	x.busy = true
	e.wait.Go(func() { e.tell(ctx, x, what, b) })
}

func (e *Engine) queue(channel string) *queue {
	q := e.queues[channel]
	if q == nil {
		q = &queue{}
		e.queues[channel] = q
	}
	return q
}

// try delivers a message once.
func (e *Engine) try(ctx context.Context, s Sender, x *entry) {
	outcome, err := "", error(nil)
	m, err := e.message(ctx, x.record)
	if err == nil {
		outcome, err = s.Send(ctx, m)
	}
	now := time.Now()
	e.mu.Lock()
	q := e.queue(x.channel)
	q.busy--
	if ctx.Err() != nil && err != nil { // this master ends: another one tries it
		x.busy = false
		e.mu.Unlock()
		return
	}
	x.tries++
	final := (*refused)(nil)
	if err != nil && !errors.As(err, &final) {
		e.failed(x, q, err, now)
		e.mu.Unlock()
		return
	}
	q.failures, q.rest, q.problem, x.problem = 0, time.Time{}, "", ""
	what, b := sent, &body{ID: x.id, Channel: x.channel, Attempts: x.tries, Outcome: outcome}
	if err != nil {
		what, b = dead, e.reasonOf(x, err.Error())
	}
	e.mu.Unlock()
	e.tell(context.WithoutCancel(ctx), x, what, b)
}

// reasonOf is what is told of a dead message.
func (e *Engine) reasonOf(x *entry, reason string) *body {
	return &body{ID: x.id, Channel: x.channel, Attempts: x.tries, Reason: cut(reason, maxSubject)}
}

// failed notes a failure. Call it with mu held.
func (e *Engine) failed(x *entry, q *queue, err error, now time.Time) {
	x.busy, x.problem = false, err.Error()
	q.failures++
	q.problem = x.problem
	pause := e.pause(x.tries, lastPause)
	rest := e.pause(q.failures, channelRest)
	var wish *later
	if errors.As(err, &wish) {
		pause, rest = max(pause, min(wish.after, lastPause)), max(rest, min(wish.after, channelRest))
	}
	x.due, q.rest = now.Add(pause), now.Add(rest)
	if end := x.begun().Add(e.o.Channels[x.channel].retryFor()); x.due.After(end) && now.Before(end) {
		x.due = end
	}
	e.log.Warn("message not delivered; trying again", "channel", name(x.channel), "id", x.id, "attempt", x.tries, "err", x.problem)
	e.hurry()
}

// name is what may be told of a channel, which may be an address.
func name(channel string) string {
	if isAddress(channel) {
		return address
	}
	return channel
}

// pause is how long to wait after so many failures: not all messages at the same moment.
func (e *Engine) pause(failures int, most time.Duration) time.Duration {
	d := min(firstPause<<min(failures-1, 20), most)
	return time.Duration(float64(d) * (0.8 + 0.4*e.o.Random()))
}

// message reads a message from the log.
func (e *Engine) message(ctx context.Context, id string) (*Message, error) {
	recs, err := e.o.Log.Records(ctx, []string{id}, 1<<20)
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, errors.New("the message is not in the log any more")
	}
	ev := &proto.Event{}
	if err := pb.Unmarshal(recs[0].Body, ev); err != nil {
		return nil, err
	}
	return message(ev)
}

// tell writes into the log what has become of a message. What cannot be written is written later.
func (e *Engine) tell(ctx context.Context, x *entry, what string, b *body) {
	err := e.keep(ctx, &proto.Event{Cause: x.record, Depth: x.depth}, what, b)
	e.mu.Lock()
	defer e.mu.Unlock()
	x.busy = false
	if err != nil {
		x.untold, x.untoldBy, x.due = what, b, time.Now().Add(firstPause)
		e.log.Error("cannot keep what has become of a message", "channel", name(x.channel), "id", x.id, "what", what, "err", err)
		return
	}
	x.untold, x.untoldBy = "", nil
	if what == dead {
		e.log.Error("message dead: it could not be delivered", "channel", name(x.channel), "id", x.id, "attempts", b.Attempts, "err", b.Reason)
	}
	e.hurry()
}
