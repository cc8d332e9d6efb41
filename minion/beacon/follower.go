package beacon

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"brine/states/host"
)

const maxFound = 10000 // readings that wait for a look

// An env is what the looks of a beacon may use beside the host.
type env struct {
	set *Set
	i   *instance
}

// A follower gathers between looks what happens without end.
type follower struct {
	*env

	mu      sync.Mutex // guards the fields below
	found   readings
	lost    int
	err     error
	running bool
}

// look returns what was gathered since the last look, and has run gather on where it has not begun or has ended. What
// ends run is the end of the beacon.
func (f *follower) look(h *host.Host, run func(ctx context.Context, h *host.Host) error) ([]reading, error) {
	found, err := f.taken()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		f.running = true
		f.set.work.Go(func() {
			err := run(f.i.life, h)
			f.mu.Lock()
			f.running, f.err = false, errors.Join(f.err, err)
			f.mu.Unlock()
		})
	}
	return found, err
}

// taken takes what was gathered since the last look.
func (f *follower) taken() ([]reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, err := f.found, f.err
	if f.lost > 0 {
		err = errors.Join(err, fmt.Errorf("%d events are lost: too many between two looks", f.lost))
	}
	f.found, f.lost, f.err = nil, 0, nil
	return found, err
}

// add keeps a reading for the next look. One that says the same as that before only counts.
func (f *follower) add(r reading) {
	f.mu.Lock()
	first := len(f.found) == 0
	if len(f.found) < maxFound {
		f.found.keep(r)
	} else {
		f.lost++
	}
	f.mu.Unlock()
	if first {
		f.set.rouse(f.i)
	}
}

// fail keeps an error for the next look.
func (f *follower) fail(err error) {
	f.mu.Lock()
	f.err = errors.Join(f.err, err)
	f.mu.Unlock()
	f.set.rouse(f.i)
}
