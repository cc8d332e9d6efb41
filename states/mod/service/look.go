package service

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
)

// fresh is how long what was found out of services counts in a state run in which nothing changes.
const fresh = time.Second

// A service is one with the manager that runs it.
type service struct {
	*facts
	manager manager
	h       *host.Host
}

// unitsArgs is the arguments of a state of a service.
type unitsArgs interface {
	service() (name string, enable bool)
}

// What is remembered of services in a state run.
type (
	memoKey struct{ enabled bool }
	turnKey struct{}
)

// lookAt tells how a service is. In a state run all services that states name are looked at in one.
func lookAt(ctx context.Context, h *host.Host, name string, enabled bool) (service, error) {
	m, err := managerOf(h)
	if err != nil {
		return service{}, err
	}
	var all map[string]*facts
	if alone(h) {
		all, err = m.look(ctx, []string{name})
		if f := all[name]; err == nil && enabled && f.known && f.bad == nil {
			err = m.enabled(ctx, []*facts{f})
		}
	} else if all, err = lookAround(ctx, h, m, name); err == nil && enabled {
		all, err = enabledAround(ctx, h, m, all, name)
	}
	if err != nil {
		return service{}, err
	}
	f := *all[name] // what is remembered may be read by another state at the same time
	if f.bad != nil {
		return service{}, f.bad
	}
	return service{&f, m, h}, nil
}

// alone says whether only the one service is worth a look: it is the first to be looked at since the host changed, and
// where it changes too the others would be asked for in vain.
func alone(h *host.Host) bool {
	if h.Memo.Changes() == 0 {
		return false
	}
	turn, err := host.Remember(h.Memo, turnKey{}, time.Hour, func() (*atomic.Int32, error) { return new(atomic.Int32), nil })
	return err == nil && turn.Add(1) == 1
}

// lookAround looks at all services that states of the run name.
func lookAround(ctx context.Context, h *host.Host, m manager, name string) (map[string]*facts, error) {
	all, err := host.Remember(h.Memo, memoKey{}, fresh, func() (map[string]*facts, error) {
		names := []string{name}
		for _, b := range module.AroundOf(ctx).All {
			if a, ok := b.Args().(unitsArgs); ok {
				other, _ := a.service()
				names = append(names, other)
			}
		}
		return m.look(ctx, unique(names))
	})
	if err == nil && all[name] == nil { // a function's that a state calls
		return m.look(ctx, []string{name})
	}
	return all, err
}

// enabledAround asks whether they start with the host: of name, and of all others of which a state wants to know it.
func enabledAround(ctx context.Context, h *host.Host, m manager, all map[string]*facts, name string) (map[string]*facts, error) {
	again := func(names ...string) (map[string]*facts, error) {
		asked := make(map[string]*facts, len(names))
		var of []*facts
		for _, n := range names {
			f := all[n]
			if f == nil || asked[n] != nil {
				continue
			}
			own := *f
			asked[n] = &own
			if own.known && own.bad == nil {
				of = append(of, &own)
			}
		}
		return asked, m.enabled(ctx, of)
	}
	asked, err := host.Remember(h.Memo, memoKey{enabled: true}, fresh, func() (map[string]*facts, error) {
		names := []string{name}
		for _, b := range module.AroundOf(ctx).All {
			if a, ok := b.Args().(unitsArgs); ok {
				if other, enable := a.service(); enable {
					names = append(names, other)
				}
			}
		}
		return again(names...)
	})
	if err == nil && asked[name] == nil {
		return again(name)
	}
	return asked, err
}

func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	var all []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
	}
	return all
}

// now looks again at a service, past what is remembered.
func (s service) now(ctx context.Context) (service, error) {
	all, err := s.manager.look(ctx, []string{s.name})
	if err != nil {
		return s, err
	}
	f := all[s.name]
	if !f.known {
		return s, s.missing()
	}
	return service{f, s.manager, s.h}, s.manager.enabled(ctx, []*facts{f})
}

// missing is the error of a service that is not there, with the nearest that is.
func (s service) missing() error {
	return fmt.Errorf("this host has no service %q%s", s.name, s.near())
}

// near asks whether another service was meant.
func (s service) near() string { return spell.DidYouMean(short(s.name), s.manager.names()) }

// settled waits a while for a service that is starting or stopping just now.
func (s service) settled(ctx context.Context, wait time.Duration) (service, error) {
	end := time.Now().Add(wait)
	for s.changing && time.Now().Before(end) {
		if err := pause(ctx, min(250*time.Millisecond, wait)); err != nil {
			return s, err
		}
		all, err := s.manager.look(ctx, []string{s.name})
		if err != nil {
			return s, err
		}
		again := all[s.name]
		s.active, s.changing = again.active, again.changing
	}
	return s, nil
}
