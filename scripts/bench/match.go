package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"brine/master/event"
	"brine/master/reactor"
	"brine/master/reactor/rule"
	"brine/master/store"
	"brine/proto"
)

// stored is a log in a store.
type stored struct {
	*store.Store
	events *event.Log
	steps  atomic.Int64
}

func (s *stored) After(ctx context.Context, seq int64, limit int, returns bool) ([]reactor.Entry, int64, error) {
	told, upTo, err := s.events.After(ctx, seq, limit, returns)
	all := make([]reactor.Entry, len(told))
	for i, e := range told {
		all[i] = reactor.Entry{Seq: e.Seq, ID: e.ID, Event: e.Event}
	}
	return all, upTo, err
}

func (s *stored) Changed(returns bool) <-chan struct{}                     { return s.events.Changed(returns) }
func (s *stored) Place(context.Context, time.Time) (int64, error)          { return 0, nil }
func (s *stored) Steps(context.Context, time.Time) ([]*proto.Event, error) { return nil, nil }
func (s *stored) Event(ctx context.Context, id string) (*proto.Event, error) {
	return s.events.Event(ctx, id)
}
func (s *stored) Ancestors(ctx context.Context, cause string) []string {
	return s.events.Ancestors(ctx, cause)
}
func (s *stored) Write(events []*proto.Event, kept func()) func(context.Context) {
	defer kept()
	s.steps.Add(int64(len(events)))
	return func(context.Context) {}
}

const (
	matchedRules  = 200
	matchedEvents = 100_000
)

// matched has a master store events and ask 200 rules about each; one event in a hundred is for a rule.
func (b *bench) matched(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var text strings.Builder
	for i := range matchedRules {
		fmt.Fprintf(&text, "[[rule]]\nname = \"r%d\"\ntag = \"salt/beacon/*/service/s%d\"\ncondition = \"event.data.running == false\"\naction = {run = \"test.ping\"}\n", i, i)
	}
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: "m1"})
	if err != nil {
		return err
	}
	defer s.Close()
	log := &stored{Store: s, events: event.New(s)}
	r := reactor.New(reactor.Options{Master: "m1", Log: log, Rules: func(context.Context) ([]rule.File, string, error) {
		return []rule.File{{Name: "_rules/a.toml", Text: []byte(text.String())}}, "bench", nil
	}})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { r.Run(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	began, failed := time.Now(), atomic.Int64{}
	for i := range matchedEvents {
		rec, err := beaconEvent(i, began)
		if err != nil {
			return err
		}
		s.Enqueue(rec, func(err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	for { // until the last one was looked at
		st, err := r.Fresh(ctx)
		if err != nil {
			return err
		}
		if st.Lag == 0 && s.Last() >= matchedEvents {
			break
		}
	}
	if failed.Load() > 0 || log.steps.Load() == 0 {
		return fmt.Errorf("%d events are not stored, %d steps of rules", failed.Load(), log.steps.Load())
	}
	rate := matchedEvents / time.Since(began).Seconds()
	b.say(fmt.Sprintf("events stored and matched against %d rules a second", matchedRules), fmt.Sprintf("%.0f", rate), "at least 10000", rate >= 10000)
	return nil
}

// beaconEvent is the i-th.
func beaconEvent(i int, began time.Time) (*proto.Record, error) {
	tag := fmt.Sprintf("salt/beacon/web%d/load/", i%1000)
	if i%100 == 0 {
		tag = fmt.Sprintf("salt/beacon/web%d/service/s%d", i%1000, i%matchedRules)
	}
	at := began.UnixMicro() + int64(i)
	return store.NewRecord(at, "web1", &proto.Event{Tag: tag, Origin: "web1", At: at,
		Data: []byte(`{"running":false,"name":"nginx","text":"some words of a beacon that has something to say"}`)})
}
