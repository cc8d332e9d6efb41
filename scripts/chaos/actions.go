package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"brine/proto"
)

// An effect is what the actions of rules have done on minions.
type effect struct {
	each  map[string]int      // by the key of the event
	cool  map[string]int      // by the name
	about map[string][]string // the events that were acted on, by key or name
}

// effects are read from what the minions' commands wrote.
func (r *eventRun) done() (*effect, error) {
	all := &effect{each: map[string]int{}, cool: map[string]int{}, about: map[string][]string{}}
	for _, m := range r.lab.Minions {
		data, err := os.ReadFile(filepath.Join(r.effects(m.ID), "actions"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			if len(words) != 3 {
				return nil, fmt.Errorf("%s wrote %q", m.ID, line)
			}
			if words[0] == "each" {
				all.each[words[1]]++
			} else {
				all.cool[words[1]]++
			}
			all.about[words[1]] = append(all.about[words[1]], words[2])
		}
	}
	return all, nil
}

// notFarAhead is nil when nearly all has happened that follows from the first n events.
func (r *eventRun) notFarAhead(n int) error {
	e, err := r.done()
	if err != nil {
		return err
	}
	if want := n/2 - mostAhead; len(e.each) < want {
		return fmt.Errorf("%d events lead to %d actions", n, len(e.each))
	}
	return nil
}

// settled waits until the site is whole and the rules have nothing left to do.
func (r *eventRun) settled(ctx context.Context) error {
	if err := r.whole(ctx); err != nil {
		return err
	}
	return until(ctx, "the rules have nothing to do", func() error {
		reply := &proto.MasterListReply{}
		if err := r.client.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
			return err
		}
		for _, m := range reply.Masters {
			if s := m.Reactor; m.State != "live" || s.GetLag() > 0 || s.GetWaits() > 0 || s.GetOpen() > 0 || m.Lag > 0 {
				return fmt.Errorf("%s (%s): %d records not read, %d not looked at, %d events not decided about, %d runs open",
					m.Name, m.State, m.Lag, s.GetLag(), s.GetWaits(), s.GetOpen())
			}
		}
		e, err := r.done()
		if err == nil && len(e.each) < int(r.sent.Load())/2 {
			err = fmt.Errorf("%d of %d actions happened", len(e.each), r.sent.Load()/2)
		}
		return err
	})
}

// checkActions compares what happened on the minions with what was sent.
func (r *eventRun) checkActions(ctx context.Context) error {
	if _, err := pause(ctx, nil, 2*time.Second); err != nil { // for what should not come
		return err
	}
	e, err := r.done()
	if err != nil {
		return err
	}
	var errs []error
	names := map[string]bool{}
	for n := range r.events {
		key, name := fmt.Sprintf("key%d", n), fmt.Sprintf("name%d", n/2/sameName)
		switch source(n) {
		case "each":
			if e.each[key] != 1 {
				errs = append(errs, fmt.Errorf("%d actions follow from event %d: %v", e.each[key], n, e.about[key]))
			}
		default:
			names[name] = true
		}
	}
	for name := range names {
		most := 1
		if r.split[name] {
			most = 2 // one a side
		}
		if n := e.cool[name]; n < 1 || n > most {
			errs = append(errs, fmt.Errorf("%d actions within the cool-down of %s, want 1 to %d: %v", n, name, most, e.about[name]))
		}
	}
	return errors.Join(errs...)
}
