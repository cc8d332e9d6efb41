package master

import (
	"context"
	"errors"
	"sync/atomic"

	"brine/proto/subject"
)

// relay passes what minions of this master say of jobs on to the other
// masters, each of which stores its own copy, and has it taken in here. That may
// have to wait for the disk; the others need not. What is lost on the way the
// minion offers again, as it lacks somebody's ack.
type relay struct {
	pass  func(returned string, data []byte) error // not heard here again
	queue chan relayed                             // to be taken in
	bytes atomic.Int64                             // in it
}

type relayed struct {
	returned string // subject
	data     []byte
}

const maxRelayed = 1 << 15 // messages that wait to be taken in, besides maxPending

var errRelayFull = errors.New("too many messages of minions wait to be taken in")

func newRelay(pass func(string, []byte) error) *relay {
	return &relay{pass: pass, queue: make(chan relayed, maxRelayed)}
}

// hear takes a message from the bus, and keeps data. It does not wait for the
// store. An error says what is lost, here or on the way to the others.
func (r *relay) hear(subj string, data []byte) error {
	returned, err := subject.ParseRelay(subj)
	if err != nil {
		return err
	}
	return errors.Join(r.pass(returned, data), r.keep(relayed{returned, data}))
}

func (r *relay) keep(m relayed) error {
	size := int64(len(m.data))
	if r.bytes.Add(size) <= maxPending {
		select {
		case r.queue <- m:
			return nil
		default:
		}
	}
	r.bytes.Add(-size)
	return errRelayFull
}

// run has take take in what was heard, in order, until ctx ends.
func (r *relay) run(ctx context.Context, take func(returned string, data []byte)) {
	for {
		select {
		case m := <-r.queue:
			take(m.returned, m.data)
			r.bytes.Add(-int64(len(m.data)))
		case <-ctx.Done():
			return
		}
	}
}
