package reactor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/proto"
	"brine/proto/elect"
	"brine/proto/jid"
)

// Run reacts until ctx ends.
func (r *Reactor) Run(ctx context.Context) {
	defer close(r.ended)
	var work sync.WaitGroup
	defer work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tick := r.o.Tick
	if tick == nil {
		t := time.NewTicker(tickEach)
		defer t.Stop()
		tick = t.C
	}
	for !r.begin(ctx) {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
	for {
		changed := r.o.Log.Changed(r.returns())
		if more := r.step(ctx, &work); more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			r.save()
			return
		case <-changed:
		case <-tick:
		case f := <-r.asked:
			f()
		case f := <-r.results:
			r.finish(ctx, f, &work)
		}
	}
}

// begin reads what the rules are, and what they have done. It tells whether that could be read.
func (r *Reactor) begin(ctx context.Context) bool {
	now := r.o.Now()
	r.load(ctx, now)
	steps, err := r.o.Log.Steps(ctx, now.Add(-r.set.Longest()))
	if err == nil {
		r.place, err = r.startingPlace(ctx, now)
	}
	if err != nil {
		r.moan("begin", now, "rules don't begin: the log can't be read", "err", err)
		return false
	}
	for _, e := range steps {
		if s, ok := decide.ReadStep(e); ok {
			r.machine.Fold(s)
		}
	}
	r.saved, r.goal = r.place, r.o.Log.Last()
	return true
}

// returns tells whether a rule may be for returns.
func (r *Reactor) returns() bool { return r.set.MayMatch(ReturnPrefix) }

// step reads and decides. It tells whether there is more to read at once.
func (r *Reactor) step(ctx context.Context, work *sync.WaitGroup) (more bool) {
	now := r.o.Now()
	if !now.Before(r.next.load) {
		r.load(ctx, now)
	}
	all, upTo, err := r.o.Log.After(ctx, r.place, readAtOnce, r.returns())
	if err != nil {
		if ctx.Err() == nil {
			r.moan("read", now, "rules wait: the log can't be read", "err", err)
		}
		return false
	}
	for _, e := range all {
		r.see(ctx, e, now)
	}
	r.place = max(r.place, upTo)
	now = r.o.Now() // to read may have taken long
	r.look(now)
	r.carryOut(ctx, now, work)
	r.keep(now)
	for more = len(all) == readAtOnce; ; { // nobody waits for the end of a storm
		select {
		case f := <-r.asked:
			f()
		case f := <-r.results:
			r.finish(ctx, f, work)
		default:
			return more
		}
	}
}

// see takes in one entry of the log.
func (r *Reactor) see(ctx context.Context, e Entry, now time.Time) {
	ev := e.Event
	if s, ok := decide.ReadStep(ev); ok {
		r.machine.Fold(s)
	}
	if name, ok := strings.CutPrefix(ev.Actor, "rule "); ok && isJob(ev.Tag) && ev.Cause != "" {
		r.machine.FoldJob(name, ev.Cause, time.UnixMicro(ev.At))
	}
	for _, err := range r.machine.See(r.event(ctx, e.ID, ev), e.Seq) {
		r.moan(err.Error()[:min(len(err.Error()), 60)], now, "a rule could not be worked out", "err", err)
	}
}

// isJob tells whether a tag is that of a new job.
func isJob(tag string) bool {
	rest, ok := strings.CutPrefix(tag, "salt/job/")
	return ok && len(rest) == jid.Len+len("/new") && strings.HasSuffix(rest, "/new")
}

// event is one that rules are asked about. Whatever it says, only its origin's facts are to be had.
func (r *Reactor) event(ctx context.Context, id string, e *proto.Event) *rule.Event {
	ask := func(f func(context.Context, string) (map[string]any, error)) func() (map[string]any, error) {
		if f == nil {
			return nil
		}
		return func() (map[string]any, error) { return f(ctx, e.Origin) }
	}
	return &rule.Event{ID: id, Event: e, Grains: ask(r.o.Grains), Pillar: ask(r.o.Pillar)}
}

// carryOut writes what is decided, after steps that come before, and begins what is to be done.
func (r *Reactor) carryOut(ctx context.Context, now time.Time, work *sync.WaitGroup, before ...decide.Step) {
	from := r.undecided()
	steps, orders := r.machine.Decide(now)
	steps = append(before, steps...)
	w := r.write(steps, from)
	if slices.ContainsFunc(steps, weighty) {
		work.Go(func() { w.confirm(ctx) }) // so that little is unknown to the others when this master dies
	}
	for _, o := range orders {
		work.Go(func() { r.perform(ctx, o, w) })
	}
}

// weighty tells whether a step is more than the reason why nothing is done.
func weighty(s decide.Step) bool { return s.Step != decide.Suppressed && s.Step != decide.WouldFire }

// finish takes what came of an order.
func (r *Reactor) finish(ctx context.Context, f finished, work *sync.WaitGroup) {
	now := r.o.Now()
	r.carryOut(ctx, now, work, r.machine.Result(f.order, f.result, now)...)
}

// owed is a write that may not be on the disk yet. Until it is, the log is to be read again from a place.
type owed struct {
	from int64
	kept atomic.Bool
}

// undecided is the place in the log before everything that is not decided about.
func (r *Reactor) undecided() int64 {
	if oldest := r.machine.Oldest(); oldest > 0 {
		return min(r.place, oldest-1)
	}
	return r.place
}

// written are steps that were handed in.
type written struct {
	confirm func(context.Context)
	fired   map[string]*proto.Event // those by which rules fired, by run
}

// write stores steps that were decided when what stands up to a place was.
func (r *Reactor) write(steps []decide.Step, from int64) written {
	all := written{func(context.Context) {}, map[string]*proto.Event{}}
	if len(steps) == 0 {
		return all
	}
	events := make([]*proto.Event, len(steps))
	for i, s := range steps {
		events[i] = &proto.Event{Tag: s.Tag(), Data: s.Data(), Cause: s.Cause, Depth: s.Depth, Actor: s.Actor}
		if s.Step == decide.Fired {
			all.fired[s.Run] = events[i]
		}
		r.log.Debug("rule", "rule", s.Rule, "step", s.Step, "key", s.Key, "reason", s.Reason, "event", s.Event)
	}
	w := &owed{from: from}
	r.owed = append(r.owed, w)
	all.confirm = r.o.Log.Write(events, func() { w.kept.Store(true) })
	return all
}

// keep does now and then what keeps the reactor in order, and tells how it is.
func (r *Reactor) keep(now time.Time) {
	if last := r.o.Log.Last(); r.place >= last {
		r.behind = time.Time{}
	} else if r.behind.IsZero() {
		r.behind = now
	}
	if !now.Before(r.next.tidy) {
		r.next.tidy = now.Add(tidyEach)
		r.machine.Tidy(now)
		r.restate(now)
	}
	if !now.Before(r.next.save) {
		r.next.save = now.Add(saveEach)
		r.save()
		r.publish(now)
	}
}

// restateAfter is how old a pause may be until it is written again: it must not end because the log forgets it.
const restateAfter = 7 * 24 * time.Hour

// restate writes again the pauses that are old; one master does.
func (r *Reactor) restate(now time.Time) {
	if now.Before(r.drives.until) || elect.First(append(slices.Clone(r.drives.seen), r.o.Master), "\x00") != r.o.Master {
		return
	}
	for _, s := range r.machine.OldPauses(now.Add(-restateAfter), now) {
		s.At = now
		r.machine.Fold(s)
		r.write([]decide.Step{s}, r.undecided())
	}
}

// moan logs a trouble, the same one at most once a minute.
func (r *Reactor) moan(what string, now time.Time, message string, args ...any) {
	if last, ok := r.moaned[what]; ok && now.Sub(last) < time.Minute {
		return
	}
	if len(r.moaned) > 1000 {
		clear(r.moaned)
	}
	r.moaned[what] = now
	r.log.Warn(message, args...)
}

// do has the loop run f, and waits for it.
func (r *Reactor) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case r.asked <- func() { f(); close(done) }:
	case <-r.ended:
		return fmt.Errorf("cannot ask the rules: the master stops")
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}
